//! BoringSSL for the judge of Envoy's model: built once from the source in a crate, into a cache outside the clone.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use tests::judges::boringssl::{PINS, Pin};

use super::{complete, copy, output};
use crate::rig::crate_folder;

/// Builds each library that is not there, and prints where it is. A build takes about four minutes of one processor.
pub(super) fn run() -> Result<(), String> {
    for pin in &PINS {
        if !pin.is_built()? {
            complete(&pin.folder()?, |beside| make(pin, beside))?;
        }
        println!("judge: BoringSSL {} ({})", pin.name, pin.folder()?.display());
    }
    Ok(())
}

fn make(pin: &Pin, beside: &Path) -> Result<(), String> {
    println!("judge: building BoringSSL {}; it takes some minutes", pin.name);
    let source = crate_folder(&pin.home().join("Cargo.toml"), "boring-sys")?.join("deps/boringssl");
    let build = beside.join("build");
    fs::create_dir_all(&build).map_err(|error| format!("{}: {error}", build.display()))?;
    // Warnings of newer compilers are not errors, and nothing is debugged.
    let flags = "-O1 -g0 -w";
    output(
        Command::new("cmake")
            .arg("-S")
            .arg(source)
            .arg("-B")
            .arg(&build)
            .args(["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF"])
            .arg(format!("-DCMAKE_C_FLAGS_RELEASE={flags}"))
            .arg(format!("-DCMAKE_CXX_FLAGS_RELEASE={flags} -Wno-error=maybe-uninitialized")),
    )?;
    // Without a number, `make` would start every compiler at once.
    let jobs = thread::available_parallelism().map_or(1, usize::from).to_string();
    let mut compile = Command::new("cmake");
    compile.arg("--build").arg(&build).args(["--target", "crypto", "--parallel", &jobs]);
    output(&mut compile)?;
    copy(&build.join("libcrypto.a"), &beside.join("libcrypto.a"))?;
    let include = crate_folder(&pin.home().join("Cargo.toml"), "boring-sys")?;
    copy_folder(&include.join("deps/boringssl/include"), &beside.join("include"))?;
    fs::remove_dir_all(&build).map_err(|error| format!("{}: {error}", build.display()))
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| format!("{}: {error}", to.display()))?;
    for entry in fs::read_dir(from).map_err(|error| format!("{}: {error}", from.display()))? {
        let entry = entry.map_err(|error| error.to_string())?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() { copy_folder(&path, &target)? } else { copy(&path, &target)? }
    }
    Ok(())
}

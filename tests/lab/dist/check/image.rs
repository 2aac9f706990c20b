//! The image: skopeo reads and copies it, umoci unpacks it, crane validates it, and its program runs as its user.

use std::process::Command;

use serde_json::Value;

use super::super::{image, output};
use super::{Bench, expect, runs_in};

pub(super) fn check(bench: &Bench<'_>) -> Result<(), String> {
    let archive =
        format!("oci-archive:{}", bench.release.dist.join(image::name(bench.release)).display());
    let arch = bench.release.target.arch;
    let skopeo = |args: &[&str]| {
        output(
            Command::new("skopeo")
                .args(["--override-os", "linux", "--override-arch", arch])
                .args(args),
        )
    };
    let config: Value = serde_json::from_str(&skopeo(&["inspect", "--config", &archive])?)
        .map_err(|error| error.to_string())?;
    for (place, value) in [
        ("/architecture", arch),
        ("/config/User", "65532:65532"),
        ("/config/Entrypoint/0", "/usr/bin/meshctl"),
    ] {
        let has = config.pointer(place).and_then(Value::as_str).unwrap_or_default();
        expect(has == value, || format!("{place} is `{has}`, expected `{value}`"))?;
    }
    let layout = bench.folder("image")?;
    let copy = format!("oci:{}:copy", layout.join("layout").display());
    skopeo(&["copy", "--quiet", &archive, &copy])?;
    let bundle = layout.join("bundle");
    let mut unpack = Command::new("umoci");
    unpack.args(["unpack", "--image"]).arg(format!("{}:copy", layout.join("layout").display()));
    output(unpack.arg(&bundle))?;
    runs_in(&bundle.join("rootfs"), bench.release)?;
    // It reads every blob, and compares each with its digest and size. From a file it reads what `docker load` does.
    let tarball = layout.join("docker.tar");
    let to = format!("docker-archive:{}:meshctl:copy", tarball.display());
    skopeo(&["copy", "--quiet", &archive, &to])?;
    let mut crane = Command::new(bench.built.path("crane"));
    output(crane.args(["validate", "--tarball"]).arg(tarball)).map(drop)
}

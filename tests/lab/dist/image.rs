//! The image: nothing but the program, as an OCI layout in one tar file, written without a daemon.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use meshpki::Time;
use serde_json::{Value, json};

use super::archive::{self, Entry};
use super::binary::{TARGETS, Target};
use super::{Release, at, read, sha256, stage};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// The user that it runs as, by number: the image has no /etc/passwd.
const USER: &str = "65532:65532";

/// The file in `dist/`.
pub(super) fn name(release: &Release) -> String {
    format!("meshctl-{}-image.tar", release.version)
}

/// Writes an image for each Linux archive in `dist/`, as one.
pub(super) fn write(release: &Release) -> Result<(), String> {
    let mut blobs = Vec::new();
    let mut images = Vec::new();
    for target in TARGETS.iter().filter(|target| target.os == "linux") {
        if let Some(path) = stage::archive_of(release, target) {
            images.push(image(release, target, program(&path)?, &mut blobs)?);
        }
    }
    let mut top =
        match images.len() {
            0 => return Err(
                "dist/ has no archive for Linux; make one first: cargo xtask dist --only archive"
                    .to_owned(),
            ),
            1 => images.remove(0),
            _ => {
                let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": images});
                add(&mut blobs, INDEX, index.to_string().into_bytes())
            }
        };
    top["annotations"] = json!({"org.opencontainers.image.ref.name": release.version});
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [top]});
    let layout = json!({"imageLayoutVersion": "1.0.0"}).to_string();
    blobs.sort_by(|a, b| a.path.cmp(&b.path));
    let mut entries = vec![Entry::folder("blobs"), Entry::folder("blobs/sha256")];
    entries.append(&mut blobs);
    entries.push(Entry::file("index.json", 0o644, index.to_string().into_bytes()));
    entries.push(Entry::file("oci-layout", 0o644, layout.into_bytes()));
    release.put(&name(release), &archive::tar(&entries, release.time)?)
}

/// The program in an archive.
fn program(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = read(path)?;
    let mut archive = tar::Archive::new(GzDecoder::new(bytes.as_slice()));
    for entry in archive.entries().map_err(|error| at(path, &error))? {
        let mut entry = entry.map_err(|error| at(path, &error))?;
        if entry.path_bytes().ends_with(b"/meshctl") {
            let mut program = Vec::new();
            entry.read_to_end(&mut program).map_err(|error| at(path, &error))?;
            return Ok(program);
        }
    }
    Err(at(path, &"it has no meshctl"))
}

/// One image; its blobs are added to the others.
fn image(
    release: &Release,
    target: &Target,
    program: Vec<u8>,
    blobs: &mut Vec<Entry>,
) -> Result<Value, String> {
    let files = [
        Entry::folder("usr"),
        Entry::folder("usr/bin"),
        Entry::file("usr/bin/meshctl", 0o755, program),
    ];
    let layer = archive::tar(&files, release.time)?;
    let digest = format!("sha256:{}", sha256(&layer));
    let layer = add(blobs, LAYER, archive::gzip(&layer)?);
    let seconds = i64::try_from(release.time).map_err(|error| error.to_string())?;
    let created = Time(seconds).to_string();
    let config = json!({
        "created": created,
        "architecture": target.arch,
        "os": target.os,
        "config": {
            "User": USER,
            "Entrypoint": ["/usr/bin/meshctl"],
            "Env": ["PATH=/usr/bin"],
            "WorkingDir": "/",
            "Labels": labels(release, &created),
        },
        "rootfs": {"type": "layers", "diff_ids": [digest]},
        "history": [{"created": created, "created_by": "cargo xtask dist"}],
    });
    let config = add(blobs, CONFIG, config.to_string().into_bytes());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": [layer],
        "annotations": labels(release, &created),
    });
    let mut image = add(blobs, MANIFEST, manifest.to_string().into_bytes());
    image["platform"] = json!({"os": target.os, "architecture": target.arch});
    Ok(image)
}

fn labels(release: &Release, created: &str) -> Value {
    json!({
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.description": "CA certificates for Istio on many clusters",
        "org.opencontainers.image.licenses": "Apache-2.0 OR MIT",
        "org.opencontainers.image.title": "meshctl",
        "org.opencontainers.image.version": release.version,
    })
}

/// Adds a blob, and describes it.
fn add(blobs: &mut Vec<Entry>, media_type: &str, bytes: Vec<u8>) -> Value {
    let (digest, size) = (sha256(&bytes), bytes.len());
    let path = format!("blobs/sha256/{digest}");
    blobs.push(Entry::file(path, 0o644, bytes));
    json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": size})
}

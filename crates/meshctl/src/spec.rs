//! The mesh's spec: read from its file, errors with their place in it.

pub(crate) mod lock;
pub(crate) mod picture;

use std::path::{Path, PathBuf};

use meshconfig::mesh::{MeshCluster, Service};
use meshconfig::{Error, Mesh, Spec};
use meshpki::istiod::Version;
use serde_json::Value;

use crate::failure::Failure;
use crate::files;
use crate::hints;
use crate::io::Io;

/// Which spec, and how it is read.
pub(crate) struct Source {
    /// The file; `-` is standard input.
    pub(crate) file: PathBuf,
    /// The release every cluster is assumed to run, instead of what the spec says.
    pub(crate) istio: Option<Version>,
}

/// A file as text.
pub(crate) fn text(path: &Path, io: &mut Io<'_>) -> Result<String, Failure> {
    let bytes = files::read(path, io.stdin)?;
    String::from_utf8(bytes.to_vec()).map_err(|error| {
        Failure::new("config/syntax", "not valid UTF-8").in_file(path).because(error.to_string())
    })
}

/// The mesh of a command's spec.
pub(crate) fn mesh(source: &Source, io: &mut Io<'_>) -> Result<Mesh, Failure> {
    mesh_of(&source.file, source.istio, io)
}

/// The mesh of a spec. All errors are printed; the last one is the failure.
pub(crate) fn mesh_of(
    file: &Path,
    istio: Option<Version>,
    io: &mut Io<'_>,
) -> Result<Mesh, Failure> {
    let text = text(file, io)?;
    parsed(file, &text, istio, io)
}

/// The same of the text of a spec; `file` is where it is from.
pub(crate) fn parsed(
    file: &Path,
    text: &str,
    istio: Option<Version>,
    io: &mut Io<'_>,
) -> Result<Mesh, Failure> {
    let mut spec = Spec::read(text).map_err(|error| failure(error, file, text))?;
    if let Some(version) = istio {
        for cluster in &mut spec.clusters {
            cluster.istio_version = version.to_string();
        }
    }
    Mesh::new(&spec).map_err(|errors| {
        let errors = Error::all_located(errors, text);
        let failures = errors.into_iter().map(|error| failure(error, file, text)).collect();
        io.fail_all(failures)
            .unwrap_or_else(|| Failure::new("config/syntax", "the spec is not valid"))
    })
}

/// A cluster was named that the spec does not have.
pub(crate) fn unknown_cluster(mesh: &Mesh, name: &str) -> Failure {
    let names: Vec<&str> = mesh.clusters().iter().map(|cluster| cluster.name.as_str()).collect();
    Failure::new("config/unknown-name", format!("the spec has no cluster `{name}`"))
        .because(format!("its clusters are {}", names.join(", ")))
}

/// The cluster of that name.
///
/// # Errors
/// `config/unknown-name`.
pub(crate) fn cluster<'m>(mesh: &'m Mesh, name: &str) -> Result<&'m MeshCluster, Failure> {
    mesh.cluster(name).ok_or_else(|| unknown_cluster(mesh, name))
}

/// Namespace and name of a service; the namespace may be left out if the name is unique.
///
/// # Errors
/// `config/unknown-name`.
pub(crate) fn service(mesh: &Mesh, text: &str) -> Result<(String, String), Failure> {
    let mut found: Vec<(String, String)> = mesh
        .services()
        .iter()
        .filter(|service| service.key() == text || service.name == text)
        .map(|service| (service.namespace.clone(), service.name.clone()))
        .collect();
    found.dedup();
    if found.len() > 1 {
        let names: Vec<String> =
            found.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
        let message = format!("several services are named `{text}`");
        return Err(Failure::new("config/unknown-name", message)
            .because(format!("they are {}", names.join(", "))));
    }
    found.pop().ok_or_else(|| {
        let mut names: Vec<String> = mesh.services().iter().map(Service::key).collect();
        names.dedup();
        names.truncate(8);
        Failure::new("config/unknown-name", format!("the spec has no service `{text}`"))
            .because(format!("its services are {}", names.join(", ")))
    })
}

/// An error of a file with its place in it.
pub(crate) fn failure(error: Error, path: &Path, text: &str) -> Failure {
    let error = error.located(text);
    let file = path.display();
    let place = match (error.line, error.path.as_str()) {
        (None, "") => file.to_string(),
        (None, inside) => format!("{file}, {inside}"),
        (Some(line), "") => format!("{file}:{line}"),
        (Some(line), inside) => format!("{file}:{line}, {inside}"),
    };
    let failure = Failure::new(error.code(), error.to_string()).within(place);
    match hints::mesh::fault(&error.fault) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The resources of YAML documents; lists are split into their items.
pub(crate) fn resources(path: &Path, io: &mut Io<'_>) -> Result<Vec<Value>, Failure> {
    let text = text(path, io)?;
    meshconfig::resource::documents(&text).map_err(|error| failure(error, path, &text))
}

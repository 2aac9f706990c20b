//! Reading the spec: files to values, errors with their place.

use std::path::Path;

use meshconfig::{Error, Fault, Mesh, Spec};
use meshpki::istiod::Version;
use serde_json::Value;

use super::args::Source;
use crate::report::Failure;
use crate::{Io, files};

/// A file as text.
pub(super) fn text(path: &Path, io: &mut Io<'_>) -> Result<String, Failure> {
    let bytes = files::read(path, io.stdin)?;
    String::from_utf8(bytes.to_vec()).map_err(|error| {
        Failure::new("config/syntax", "it is no UTF-8 text")
            .in_file(path)
            .because(error.to_string())
    })
}

/// The mesh of a command's spec.
pub(super) fn mesh(source: &Source, io: &mut Io<'_>) -> Result<Mesh, Failure> {
    mesh_of(&source.file, source.istio, io)
}

/// The mesh of a spec. All that is wrong with it is told; the last of it is the failure.
pub(super) fn mesh_of(
    file: &Path,
    istio: Option<Version>,
    io: &mut Io<'_>,
) -> Result<Mesh, Failure> {
    let text = text(file, io)?;
    let mut spec = Spec::read(&text).map_err(|error| failure(error, file, &text))?;
    if let Some(version) = istio {
        for cluster in &mut spec.clusters {
            cluster.istio_version = version.to_string();
        }
    }
    Mesh::new(&spec).map_err(|errors| {
        let mut failures: Vec<Failure> =
            errors.into_iter().map(|error| failure(error, file, &text)).collect();
        let last = failures
            .pop()
            .unwrap_or_else(|| Failure::new("config/syntax", "the spec cannot be used"));
        for failure in failures {
            // A standard error that is gone cannot be told anything.
            let _ = io.err.write_all((failure.text() + "\n").as_bytes());
        }
        last
    })
}

/// An error of a file with its place in it.
pub(super) fn failure(error: Error, path: &Path, text: &str) -> Failure {
    let error = error.located(text);
    let file = path.display();
    let place = match (error.line, error.path.as_str()) {
        (None, "") => file.to_string(),
        (None, inside) => format!("{file}, {inside}"),
        (Some(line), "") => format!("{file}:{line}"),
        (Some(line), inside) => format!("{file}:{line}, {inside}"),
    };
    let failure = Failure::new(error.code(), error.to_string()).within(place);
    match hint(&error.fault) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The next step that goes with a fault.
const fn hint(fault: &Fault) -> Option<&'static str> {
    Some(match fault {
        Fault::AddressShared { .. } | Fault::Lock { .. } => {
            "take one of the lines out of mesh.lock; `meshctl mesh addresses` gives a new address where one is missing"
        }
        Fault::AddressesExhausted { .. } => {
            "a larger `addresses.pool`, or fewer `addresses.graceDays`"
        }
        Fault::GatewayMissing { .. } => {
            "write its address under `gateway: {addresses: [...]}`: `kubectl get svc -n istio-system istio-eastwestgateway`"
        }
        Fault::NotImported { .. } => {
            "add the caller to `importedBy` of that service, or leave it out of the policy"
        }
        Fault::UnknownField { .. } => {
            "docs/mesh.md shows every field; docs/schemas/mesh.json checks it in an editor"
        }
        Fault::Weights { .. } => "write weights that make 100 together: Istio 1.6 refuses others",
        _ => return None,
    })
}

/// The resources of YAML documents; lists are taken apart.
pub(super) fn resources(path: &Path, io: &mut Io<'_>) -> Result<Vec<Value>, Failure> {
    let text = text(path, io)?;
    meshconfig::resource::documents(&text).map_err(|error| failure(error, path, &text))
}

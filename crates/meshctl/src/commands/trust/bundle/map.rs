//! `meshctl trust bundle map`: the bundles of several trust domains as one file, which Envoy loads.

use std::path::Path;

use meshpki::spiffe::BundleMap;

use super::super::accept::{check_not_empty, check_roots, check_update};
use super::{file, not_ours, source, write};
use crate::args::trust::Map;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;

/// What to do with a trust domain without roots.
const LEAVE_OUT: &str = "leave the trust domain out of the map, so that nothing of it is accepted; with an empty bundle, Envoy does not load the map. `--allow-empty` writes it for other readers";

/// Runs the command.
pub(super) fn run(args: &Map, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let out = file(args.out.as_deref());
    let before = match out {
        Some(path) => files::read_optional(path)?,
        None => None,
    };
    let there = match (out, before.as_deref()) {
        (Some(path), Some(bytes)) if !bytes.is_empty() => {
            BundleMap::from_json(bytes).ok().ok_or_else(|| not_ours(path, "bundle map"))?.0
        }
        _ => BundleMap::default(),
    };
    let mut map = BundleMap::default();
    for (domain, path) in &args.bundles {
        let read = source::of_domain(path, domain, io)?;
        if !args.allow_empty {
            check_not_empty(&read.bundle, &read.ignored, path)
                .map_err(|failure| failure.hint(LEAVE_OUT))?;
        }
        let bundle = read.bundle;
        let from = path.display().to_string();
        check_roots(&bundle, &from, io)?;
        let out = out.unwrap_or(Path::new("-"));
        check_update(&bundle, there.get(domain), args.accept_older, &from, Some(out))?;
        map.insert(bundle)?;
    }
    write(&map.to_json()?, out, before.as_deref().map(Vec::as_slice), io)?;
    Ok(Exit::Good)
}

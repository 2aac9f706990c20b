//! `meshctl mesh addresses`: which address each remote service has.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::args::Addresses;
use super::{load, lock};
use crate::args::Output;
use crate::report::Failure;
use crate::show::safe;
use crate::{Exit, Io, show};

/// Runs the command.
pub(super) fn run(args: &Addresses, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = load::mesh(&args.source, io)?;
    let addresses = lock::update(&mesh, &args.lock, &args.source, io)?;
    let text = match args.output {
        Output::Text => {
            let width =
                addresses.iter().map(|(_, address)| address.to_string().len()).max().unwrap_or(0);
            addresses.iter().fold(String::new(), |mut out, (host, address)| {
                let _ = writeln!(out, "{:width$}  {}", address.to_string(), safe(host));
                out
            })
        }
        Output::Json => {
            let one = |(host, address): (&str, std::net::IpAddr)| json!({"host": host, "address": address.to_string()});
            let all: Vec<Value> = addresses.iter().map(one).collect();
            show::json(
                &json!({"apiVersion": "meshctl/v1", "kind": "MeshAddresses", "addresses": all}),
            )
        }
    };
    show::output(&text, io)?;
    Ok(Exit::Good)
}

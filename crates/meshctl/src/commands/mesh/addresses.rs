//! `meshctl mesh addresses`: the address of each remote service.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::args::Output;
use crate::args::mesh::Addresses;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::spec;
use crate::spec::lock;
use crate::text;
use crate::text::safe;

/// Runs the command.
pub(super) fn run(args: &Addresses, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = spec::mesh(&args.source.resolved(), io)?;
    let addresses = lock::update(&mesh, &args.lock.resolved(), &args.source.resolved(), io)?;
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
            text::json(
                &json!({"apiVersion": "meshctl/v1", "kind": "MeshAddresses", "addresses": all}),
            )
        }
    };
    io.print(&text)?;
    Ok(Exit::Good)
}

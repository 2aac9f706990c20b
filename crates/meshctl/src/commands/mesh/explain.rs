//! `meshctl mesh explain`: the hops of a call.

use std::fmt::Write as _;

use meshconfig::explain::{Call, Hop, explain};
use serde_json::{Value, json};

use crate::args::Output;
use crate::args::mesh::Explain;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::spec;
use crate::spec::lock;
use crate::text;
use crate::text::safe;

/// Runs the command.
pub(super) fn run(args: &Explain, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = spec::mesh(&args.source.resolved(), io)?;
    if let Some(from) = &args.from {
        spec::cluster(&mesh, from)?;
    }
    let (namespace, name) = spec::service(&mesh, &args.service)?;
    let addresses = lock::look(&mesh, &args.source.resolved(), io)?;
    let calls = explain(&mesh, &addresses, &namespace, &name, args.from.as_deref());
    let text = match args.output {
        Output::Text => text(&calls),
        Output::Json => text::json(&document(&calls)),
    };
    io.print(&text)?;
    Ok(Exit::Good)
}

fn text(calls: &[Call]) -> String {
    let mut out = String::new();
    for (i, call) in calls.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let _ = writeln!(out, "{} from {}", safe(&call.host), safe(&call.from));
        for (n, hop) in (1..).zip(&call.hops) {
            let _ = writeln!(
                out,
                "{}{n:>3}. {}: {}",
                "  ".repeat(hop.depth),
                safe(&hop.cluster),
                safe(&hop.text)
            );
            if !hop.resource.is_empty() {
                let _ = writeln!(out, "{}     by {}", "  ".repeat(hop.depth), safe(&hop.resource));
            }
        }
    }
    if calls.is_empty() {
        out.push_str("no cluster has or imports this service\n");
    }
    out
}

fn document(calls: &[Call]) -> Value {
    let hop = |hop: &Hop| {
        let resource = (!hop.resource.is_empty()).then_some(&hop.resource);
        json!({"depth": hop.depth, "cluster": hop.cluster, "text": hop.text, "resource": resource})
    };
    let call = |call: &Call| json!({"from": call.from, "host": call.host, "hops": call.hops.iter().map(hop).collect::<Vec<_>>()});
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "MeshExplain",
        "calls": calls.iter().map(call).collect::<Vec<_>>(),
    })
}

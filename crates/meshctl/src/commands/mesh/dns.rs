//! `meshctl mesh dns`: edits a cluster's DNS configuration in a file.

use meshconfig::dns::{self, Zone};
use meshconfig::mesh::MeshCluster;
use meshconfig::spec::DnsWay;

use crate::args::mesh::Dns;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints::UNTYPED;
use crate::hints::mesh::coredns_address;
use crate::io::Io;
use crate::spec;
use crate::spec::lock;
use crate::text::safe;

/// Runs the command.
pub(super) fn run(args: &Dns, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = spec::mesh(&args.source.resolved(), io)?;
    let cluster = spec::cluster(&mesh, &args.cluster)?;
    let current = spec::text(&args.current, io)?;
    let fail = |error| spec::failure(error, &args.current, "");
    let text = if args.kube_dns {
        let server = dns::server(cluster).map_err(|error| needs(cluster, &error))?;
        let edited = if args.remove {
            dns::remove_stub(&current, &mesh.suffix, server)
        } else {
            dns::add_stub(&current, &mesh.suffix, server, None)
        };
        // kube-dns does not accept an empty text.
        match edited.map_err(fail)? {
            text if text.is_empty() => "{}\n".to_owned(),
            text if text.ends_with('\n') => text,
            text => text + "\n",
        }
    } else if args.remove {
        dns::remove(&current, &mesh.suffix)
    } else {
        let addresses = match cluster.dns {
            DnsWay::Hosts => {
                lock::update(&mesh, &args.lock.resolved(), &args.source.resolved(), io)?
            }
            DnsWay::IstioCoredns => lock::look(&mesh, &args.source.resolved(), io)?,
            DnsWay::Proxy | DnsWay::None => return Err(no_edit(cluster)),
        };
        let old = args.old_coredns || dns::has_old_words(&current, &mesh.suffix);
        let zone = Zone::of(cluster, &meshconfig::render(&mesh, cluster, &addresses), old);
        match zone.map_err(|error| needs(cluster, &error))? {
            Some(zone) => {
                let text = dns::add(&current, &mesh.suffix, &zone).map_err(fail)?;
                tell(&current, &text, &mesh.suffix, &zone, io);
                text
            }
            None => dns::remove(&current, &mesh.suffix),
        }
    };
    io.print(&text)?;
    Ok(Exit::Good)
}

/// Says what cannot be seen from the block alone: where it listens, or why there is none.
fn tell(current: &str, text: &str, suffix: &str, zone: &Zone, io: &mut Io<'_>) {
    if let Some((line, first)) = dns::same_zone(current, suffix, zone) {
        io.say(format_args!(
            "unchanged: `{}` in line {line} already says what meshctl would write",
            safe(&first)
        ));
    }
    let binds = dns::binds(current, suffix);
    if text != current && !binds.is_empty() {
        io.say(format_args!(
            "the block has `{}`, as the other blocks do: this CoreDNS answers only at these addresses",
            safe(&binds.join(" "))
        ));
    }
}

fn no_edit(cluster: &MeshCluster) -> Failure {
    let message =
        format!("cluster `{}` does not answer for remote names with CoreDNS", cluster.name);
    Failure::new("config/needs", message).hint(
        "`dns: {way: hosts}` in the spec makes CoreDNS answer; with `proxy` no edit is needed",
    )
}

/// The address of istio-coredns is missing.
fn needs(cluster: &MeshCluster, error: &meshconfig::Error) -> Failure {
    Failure::new(error.code(), error.to_string()).hint(coredns_address(
        &cluster.context,
        &cluster.istio_namespace,
        &UNTYPED,
    ))
}

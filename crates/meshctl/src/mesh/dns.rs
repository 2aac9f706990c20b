//! `meshctl mesh dns`: a cluster's DNS with our part in it, or without.

use std::net::IpAddr;

use meshconfig::dns::{self, Zone};
use meshconfig::mesh::Cluster;
use meshconfig::spec::DnsWay;

use super::args::Dns;
use super::{load, lock, render};
use crate::report::Failure;
use crate::{Exit, Io, show};

/// Runs the command.
pub(super) fn run(args: &Dns, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = load::mesh(&args.source, io)?;
    let cluster = render::cluster(&mesh, &args.cluster)?;
    let current = load::text(&args.current, io)?;
    let fail = |error| load::failure(error, &args.current, "");
    let text = if args.kube_dns {
        let server = server(cluster)?;
        let edited = if args.remove {
            dns::remove_stub(&current, &mesh.suffix, server)
        } else {
            dns::add_stub(&current, &mesh.suffix, server)
        };
        edited.map_err(fail)? + "\n"
    } else if args.remove {
        dns::remove(&current, &mesh.suffix)
    } else {
        let zone = match cluster.dns {
            DnsWay::Hosts => Zone::hosts(&lock::update(&mesh, &args.lock, &args.source, io)?),
            DnsWay::IstioCoredns if args.old_coredns => Zone::Proxy(server(cluster)?),
            DnsWay::IstioCoredns => Zone::Forward(server(cluster)?),
            DnsWay::Proxy | DnsWay::None => {
                let message = format!(
                    "cluster `{}` does not answer for remote names with CoreDNS",
                    cluster.name
                );
                return Err(Failure::new("config/needs", message)
                    .hint("`dns: {way: hosts}` in the spec makes CoreDNS answer; with `proxy` no edit is needed"));
            }
        };
        dns::add(&current, &mesh.suffix, &zone).map_err(fail)?
    };
    show::output(&text, io)?;
    Ok(Exit::Good)
}

/// Address of istio-coredns.
fn server(cluster: &Cluster) -> Result<IpAddr, Failure> {
    cluster.dns_address.as_ref().and_then(|address| address.parse().ok()).ok_or_else(|| {
        let message = format!("cluster `{}` needs the address of istio-coredns", cluster.name);
        Failure::new("config/needs", message).hint(
            "write `dns: {way: istio-coredns, address: IP}`: `kubectl get svc -n istio-system istiocoredns -o jsonpath={.spec.clusterIP}`",
        )
    })
}

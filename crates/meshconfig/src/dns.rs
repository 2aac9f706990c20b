//! Edits of a cluster's DNS: a marked block in a Corefile, or an entry of kube-dns. Everything else stays unchanged.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::error::{Error, Fault};
use crate::mesh::MeshCluster;
use crate::resource::Resource;
use crate::spec::DnsWay;

mod block;
mod config_map;
mod corefile;
mod stub;

pub use config_map::{CUSTOM, DnsEdit, Form, STUBS, USUAL, edit, elsewhere, form, places};
pub use corefile::{add, binds, has_old_words, reloads, remove, same_zone};
pub use stub::{add_stub, remove_stub};

/// How CoreDNS answers for remote names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// It forwards to another server: istio-coredns.
    Forward(IpAddr),
    /// It forwards to another server, in the syntax of CoreDNS before 1.4.0.
    Proxy(IpAddr),
    /// It has the addresses itself, by host.
    Hosts(Vec<(String, IpAddr)>),
}

impl Zone {
    /// What a cluster's DNS needs to answer for the remote names of these resources; `None` if there are none, or if it
    /// needs nothing. `old`: it is CoreDNS before 1.4.0.
    ///
    /// # Errors
    /// `config/needs` if the address of istio-coredns is not known.
    pub fn of(
        cluster: &MeshCluster,
        resources: &[Resource],
        old: bool,
    ) -> Result<Option<Self>, Error> {
        let hosts = hosts(resources);
        if hosts.is_empty() {
            return Ok(None);
        }
        Ok(match cluster.dns {
            DnsWay::Proxy | DnsWay::None => None,
            DnsWay::Hosts => Some(Self::Hosts(hosts)),
            DnsWay::IstioCoredns if old => Some(Self::Proxy(server(cluster)?)),
            DnsWay::IstioCoredns => Some(Self::Forward(server(cluster)?)),
        })
    }
}

/// The remote hosts that a cluster calls, each with its address, by host.
fn hosts(resources: &[Resource]) -> Vec<(String, IpAddr)> {
    let mut all = BTreeMap::new();
    for entry in resources.iter().filter(|resource| resource.kind() == "ServiceEntry") {
        let spec = &entry.value["spec"];
        let address = spec["addresses"][0].as_str().and_then(|text| text.parse().ok());
        let Some(address) = address else { continue };
        let hosts = spec["hosts"].as_array().into_iter().flatten();
        all.extend(hosts.filter_map(|host| Some((host.as_str()?.to_string(), address))));
    }
    all.into_iter().collect()
}

/// The address of istio-coredns.
///
/// # Errors
/// `config/needs` if the spec does not have it.
pub fn server(cluster: &MeshCluster) -> Result<IpAddr, Error> {
    let address = cluster.dns_address.as_ref().and_then(|address| address.parse().ok());
    address.ok_or_else(|| {
        let what = format!("cluster `{}`", cluster.name);
        Error::new("", Fault::Needs { what, needs: "the address of istio-coredns" })
    })
}

#[cfg(test)]
mod tests;

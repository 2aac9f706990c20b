//! Edits of a cluster's DNS: a block of our own in a Corefile, an entry of kube-dns; everything else stays as it is.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::error::{Error, Fault};
use crate::mesh::Cluster;
use crate::resource::Resource;
use crate::spec::DnsWay;

mod config_map;
mod corefile;
mod stub;

pub use config_map::{CUSTOM, Edit, Form, STUBS, USUAL, edit, elsewhere, form, places};
pub use corefile::{add, has_old_words, reloads, remove};
pub use stub::{add_stub, remove_stub};

/// How CoreDNS answers for remote names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// It asks another server: istio-coredns.
    Forward(IpAddr),
    /// It asks another server, in the words of CoreDNS before 1.4.0.
    Proxy(IpAddr),
    /// It knows the addresses itself, by host.
    Hosts(Vec<(String, IpAddr)>),
}

impl Zone {
    /// What a cluster's DNS has to say so that the remote names of these resources are answered; `None` where there are
    /// none, or where it need not say anything. `old`: it is CoreDNS before 1.4.0.
    ///
    /// # Errors
    /// `config/needs` where the address of istio-coredns is not known.
    pub fn of(cluster: &Cluster, resources: &[Resource], old: bool) -> Result<Option<Self>, Error> {
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

/// The remote hosts a cluster calls, each with its address, by host.
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

/// Address of istio-coredns.
///
/// # Errors
/// `config/needs` where the spec does not say it.
pub fn server(cluster: &Cluster) -> Result<IpAddr, Error> {
    let address = cluster.dns_address.as_ref().and_then(|address| address.parse().ok());
    address.ok_or_else(|| {
        let what = format!("cluster `{}`", cluster.name);
        Error::new("", Fault::Needs { what, needs: "the address of istio-coredns" })
    })
}

#[cfg(test)]
mod tests;

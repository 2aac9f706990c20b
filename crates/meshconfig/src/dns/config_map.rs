//! Edits of the ConfigMap that a cluster's DNS reads. Pure; `meshapply` carries them out.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use serde_json::{Map, Value, json};

use super::corefile::foreign_zone;
use super::{Zone, add, add_stub, has_old_words, reloads, remove, remove_stub, same_zone};
use crate::error::{Error, Fault};
use crate::mesh::{Mesh, MeshCluster};
use crate::resource::Resource;

/// Namespace and name of the ConfigMaps to look for if the spec names none: that of CoreDNS as kubeadm names it, then
/// that of kube-dns.
pub const USUAL: [(&str, &str); 2] = [("kube-system", "coredns"), ("kube-system", "kube-dns")];
/// The ConfigMap with files that the Corefile of AKS, DOKS and k3s imports; `*.server` are server blocks.
pub const CUSTOM: &str = "coredns-custom";
/// Annotation with the managed entries of `stubDomains` and the server of each, since JSON has no comments to mark
/// them.
pub const STUBS: &str = "meshpki.dev/stub-domains";

/// The format in which a ConfigMap configures a cluster's DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `Corefile`, for CoreDNS.
    Corefile,
    /// `SUFFIX.server`, which a Corefile imports.
    Server,
    /// `stubDomains`, for kube-dns.
    StubDomains,
}

impl Form {
    /// The key to edit, for a suffix of remote names.
    #[must_use]
    pub fn key(self, suffix: &str) -> String {
        match self {
            Self::Corefile => "Corefile".into(),
            Self::Server => format!("{suffix}.server"),
            Self::StubDomains => "stubDomains".into(),
        }
    }
}

/// The form of a ConfigMap; `None` if no known DNS reads it.
#[must_use]
pub fn form(config_map: &Value) -> Option<Form> {
    let has = |key: &str| config_map["data"][key].is_string();
    let name = &config_map["metadata"]["name"];
    // The other two may have no key at all.
    if has("Corefile") {
        Some(Form::Corefile)
    } else if name == CUSTOM {
        Some(Form::Server)
    } else {
        (has("stubDomains") || name == USUAL[1].1).then_some(Form::StubDomains)
    }
}

/// Namespace and name of the ConfigMaps that may still have a managed block from before the spec named one.
#[must_use]
pub fn elsewhere(cluster: &MeshCluster) -> Vec<(String, String)> {
    let Some(named) = &cluster.dns_config_map else { return Vec::new() };
    let known = USUAL.into_iter().chain([("kube-system", CUSTOM)]);
    known
        .map(|(namespace, name)| (namespace.into(), name.into()))
        .filter(|one| one != named)
        .collect()
}

/// Namespace and name of the ConfigMaps to look for; the first that exists and has a form is used.
#[must_use]
pub fn places(cluster: &MeshCluster) -> Vec<(String, String)> {
    match &cluster.dns_config_map {
        Some(place) => [place.clone()].to_vec(),
        None => USUAL.map(|(namespace, name)| (namespace.into(), name.into())).to_vec(),
    }
}

/// An edit of one key of a ConfigMap: it adds, changes or removes the managed block or entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsEdit {
    /// Namespace of the ConfigMap.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The key.
    pub key: String,
    /// Its current text; `None` if the key is missing.
    pub from: Option<String>,
    /// Its new text; `None` removes the key.
    pub to: Option<String>,
    /// `resourceVersion` of the ConfigMap that was read.
    pub version: String,
    /// As far as can be seen, the DNS reads it only when it starts.
    pub restart: bool,
    /// Value of [`STUBS`], if it changes.
    stubs: Option<Value>,
}

impl DnsEdit {
    /// The ConfigMap: `ConfigMap kube-system/coredns`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("ConfigMap {}/{}", self.namespace, self.name)
    }

    /// The merge patch, which the API server accepts only while the ConfigMap is the one that was read.
    #[must_use]
    pub fn patch(&self) -> Value {
        let mut patch = json!({
            "metadata": {"resourceVersion": self.version},
            "data": {&self.key: self.to},
        });
        if let Some(stubs) = &self.stubs {
            patch["metadata"]["annotations"] = json!({STUBS: stubs});
        }
        patch
    }
}

/// The edit that makes a cluster's DNS answer for the remote names of these resources as the spec says, and for no
/// others; `None` if it does already, or a block of others says the same.
///
/// # Errors
/// `config/duplicate` if other configuration answers for the suffix, `config/syntax` for `stubDomains` that are not
/// JSON, `config/needs` if the form cannot express it, or the address of istio-coredns is not known.
pub fn edit(
    mesh: &Mesh,
    cluster: &MeshCluster,
    resources: &[Resource],
    live: &Value,
) -> Result<Option<DnsEdit>, Error> {
    let Some(form) = form(live) else {
        return match Zone::of(cluster, resources, false)? {
            Some(_) => Err(needs("the ConfigMap of the cluster's DNS", "the key `Corefile`")),
            None => Ok(None),
        };
    };
    let key = form.key(&mesh.suffix);
    let text = live["data"][&key].as_str();
    let old = form == Form::Corefile && text.is_some_and(|text| has_old_words(text, &mesh.suffix));
    let zone = Zone::of(cluster, resources, old)?;
    let new = match form {
        Form::Corefile => block(text, &mesh.suffix, zone.as_ref())?.map(|to| (Some(to), None)),
        Form::Server => {
            // CoreDNS does not start with two blocks for one name.
            if let Some(zone) = &zone
                && let Some((other, first)) = other_file(live, &key, &mesh.suffix)
            {
                let is_alone = text.is_none_or(|text| remove(text, &mesh.suffix) == text);
                if is_alone && same_zone(other, &mesh.suffix, zone).is_some() {
                    return Ok(None);
                }
                let name = mesh.suffix.clone();
                return Err(Error::new("", Fault::Duplicate { what: "zone", name, first }));
            }
            // A file with nothing left was created for the block.
            block(text, &mesh.suffix, zone.as_ref())?
                .map(|to| ((!to.is_empty()).then_some(to), None))
        }
        Form::StubDomains => stub(live, text, &mesh.suffix, zone.as_ref())?,
    };
    let Some((to, stubs)) = new else { return Ok(None) };
    let meta = |key: &str| live["metadata"][key].as_str().unwrap_or_default().to_string();
    Ok(Some(DnsEdit {
        namespace: meta("namespace"),
        name: meta("name"),
        restart: form != Form::StubDomains && !text.is_some_and(reloads),
        from: text.map(ToString::to_string),
        key,
        to,
        version: meta("resourceVersion"),
        stubs,
    }))
}

/// A server block for the suffix in another file of the ConfigMap: the file's text; the line and the file's name.
fn other_file<'a>(live: &'a Value, key: &str, suffix: &str) -> Option<(&'a str, String)> {
    let files = live["data"].as_object()?.iter();
    let others = files.filter(|(name, _)| *name != key && name.ends_with(".server"));
    others.filter_map(|(name, text)| Some((name, text.as_str()?))).find_map(|(name, text)| {
        let (line, first) = foreign_zone(text, None, suffix)?;
        Some((text, format!("`{first}`, {name}:{line}")))
    })
}

fn needs(what: &str, needs: &'static str) -> Error {
    Error::new("", Fault::Needs { what: what.into(), needs })
}

/// The text with the managed block, or without it; `None` if that changes nothing.
fn block(text: Option<&str>, suffix: &str, zone: Option<&Zone>) -> Result<Option<String>, Error> {
    let before = text.unwrap_or_default();
    let to = match zone {
        Some(zone) => add(before, suffix, zone)?,
        None => remove(before, suffix),
    };
    Ok((to != before).then_some(to))
}

/// The new text, if it changes, and the new record of managed stub domains, if it changes.
type New = Option<(Option<String>, Option<Value>)>;

fn stub(live: &Value, text: Option<&str>, suffix: &str, zone: Option<&Zone>) -> Result<New, Error> {
    let record = live["metadata"]["annotations"][STUBS].as_str().unwrap_or_default();
    let mut record: Map<String, Value> = serde_json::from_str(record).unwrap_or_default();
    let was = record.get(suffix).and_then(Value::as_str);
    let was: Option<IpAddr> = was.and_then(|text| text.parse().ok());
    let before = text.unwrap_or_default();
    let to = match (zone, was) {
        (Some(Zone::Hosts(_)), _) => {
            return Err(needs(
                "`dns: {way: hosts}`",
                "CoreDNS; kube-dns can only forward to istio-coredns",
            ));
        }
        (Some(Zone::Forward(server) | Zone::Proxy(server)), was) => {
            record.insert(suffix.into(), server.to_string().into());
            add_stub(before, suffix, *server, was)?
        }
        (None, Some(was)) => {
            record.remove(suffix);
            remove_stub(before, suffix, was)?
        }
        (None, None) => return Ok(None),
    };
    if to == before {
        return Ok(None);
    }
    let record =
        if record.is_empty() { Value::Null } else { Value::Object(record).to_string().into() };
    Ok(Some(((!to.is_empty()).then_some(to), Some(record))))
}

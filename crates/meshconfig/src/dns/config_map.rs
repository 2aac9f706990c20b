//! What becomes of the ConfigMap that a cluster's DNS reads. Pure; `meshapply` carries it out.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use serde_json::{Map, Value, json};

use super::corefile::foreign_zone;
use super::{Zone, add, add_stub, has_old_words, reloads, remove, remove_stub};
use crate::error::{Error, Fault};
use crate::mesh::{Cluster, Mesh};
use crate::resource::Resource;

/// The ConfigMaps that are looked for, namespace and name, where the spec names none: CoreDNS's as kubeadm calls it, then
/// kube-dns's.
pub const USUAL: [(&str, &str); 2] = [("kube-system", "coredns"), ("kube-system", "kube-dns")];
/// A ConfigMap of files that the Corefile of AKS, DOKS and k3s imports: `*.server` are server blocks.
pub const CUSTOM: &str = "coredns-custom";
/// Annotation: our entries of `stubDomains` with the server each leads to, since JSON has no place for marks.
pub const STUBS: &str = "meshpki.dev/stub-domains";

/// What a ConfigMap tells a cluster's DNS with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `Corefile`, of CoreDNS.
    Corefile,
    /// `SUFFIX.server`, which a Corefile imports.
    Server,
    /// `stubDomains`, of kube-dns.
    StubDomains,
}

impl Form {
    /// Its key, for a suffix of remote names.
    #[must_use]
    pub fn key(self, suffix: &str) -> String {
        match self {
            Self::Corefile => "Corefile".into(),
            Self::Server => format!("{suffix}.server"),
            Self::StubDomains => "stubDomains".into(),
        }
    }
}

/// The form a ConfigMap has; `None` for one that no DNS we know reads.
#[must_use]
pub fn form(config_map: &Value) -> Option<Form> {
    let has = |key: &str| config_map["data"][key].is_string();
    let name = &config_map["metadata"]["name"];
    // The other two do without any key.
    if has("Corefile") {
        Some(Form::Corefile)
    } else if name == CUSTOM {
        Some(Form::Server)
    } else {
        (has("stubDomains") || name == USUAL[1].1).then_some(Form::StubDomains)
    }
}

/// Namespace and name of the ConfigMaps in which a block of ours may be left over where the spec names one.
#[must_use]
pub fn elsewhere(cluster: &Cluster) -> Vec<(String, String)> {
    let Some(named) = &cluster.dns_config_map else { return Vec::new() };
    let known = USUAL.into_iter().chain([("kube-system", CUSTOM)]);
    known
        .map(|(namespace, name)| (namespace.into(), name.into()))
        .filter(|one| one != named)
        .collect()
}

/// Namespace and name of the ConfigMaps to look for; the first that is there and has a form is the one.
#[must_use]
pub fn places(cluster: &Cluster) -> Vec<(String, String)> {
    match &cluster.dns_config_map {
        Some(place) => [place.clone()].to_vec(),
        None => USUAL.map(|(namespace, name)| (namespace.into(), name.into())).to_vec(),
    }
}

/// One key of a ConfigMap with our part in it, or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Namespace of the ConfigMap.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The key.
    pub key: String,
    /// The text it has; `None` where the key is not there.
    pub from: Option<String>,
    /// The text it is to have; `None` takes the key out.
    pub to: Option<String>,
    /// `resourceVersion` of the ConfigMap that was looked at.
    pub version: String,
    /// The DNS reads it only when it is started, as far as it shows.
    pub restart: bool,
    /// Value of [`STUBS`], where it changes.
    stubs: Option<Value>,
}

impl Edit {
    /// `ConfigMap kube-system/coredns`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("ConfigMap {}/{}", self.namespace, self.name)
    }

    /// The merge patch, which holds only while the ConfigMap is the one that was looked at.
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

/// What a cluster's ConfigMap needs so that the remote names of these resources are answered as the spec says, and no
/// others; `None` where it is so.
///
/// # Errors
/// `config/duplicate` where somebody else answers for the suffix, `config/syntax` for `stubDomains` that are no JSON,
/// `config/needs` where the form cannot say it, or the address of istio-coredns is not known.
pub fn edit(
    mesh: &Mesh,
    cluster: &Cluster,
    resources: &[Resource],
    live: &Value,
) -> Result<Option<Edit>, Error> {
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
            // CoreDNS does not start with two blocks for a name.
            if zone.is_some()
                && let Some(first) = other_file(live, &key, &mesh.suffix)
            {
                let name = mesh.suffix.clone();
                return Err(Error::new("", Fault::Duplicate { what: "zone", name, first }));
            }
            // A file of which nothing is left was ours.
            block(text, &mesh.suffix, zone.as_ref())?
                .map(|to| ((!to.is_empty()).then_some(to), None))
        }
        Form::StubDomains => stub(live, text, &mesh.suffix, zone.as_ref())?,
    };
    let Some((to, stubs)) = new else { return Ok(None) };
    let meta = |key: &str| live["metadata"][key].as_str().unwrap_or_default().to_string();
    Ok(Some(Edit {
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

/// A server block for the suffix in another file of the ConfigMap: the line and the file.
fn other_file(live: &Value, key: &str, suffix: &str) -> Option<String> {
    let files = live["data"].as_object()?.iter();
    let others = files.filter(|(name, _)| *name != key && name.ends_with(".server"));
    others.filter_map(|(name, text)| Some((name, text.as_str()?))).find_map(|(name, text)| {
        let (line, first) = foreign_zone(text, None, suffix)?;
        Some(format!("`{first}`, {name}:{line}"))
    })
}

fn needs(what: &str, needs: &'static str) -> Error {
    Error::new("", Fault::Needs { what: what.into(), needs })
}

/// The text with our block or without, where that is another one.
fn block(text: Option<&str>, suffix: &str, zone: Option<&Zone>) -> Result<Option<String>, Error> {
    let before = text.unwrap_or_default();
    let to = match zone {
        Some(zone) => add(before, suffix, zone)?,
        None => remove(before, suffix),
    };
    Ok((to != before).then_some(to))
}

/// The new text, where it is another one, and the new record of our stub domains, where that changes.
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
                "CoreDNS; kube-dns can only ask istio-coredns",
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

//! What becomes of the ConfigMap that a cluster's DNS reads. Pure; `meshapply` carries it out.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use serde_json::{Map, Value, json};

use super::{Zone, add, add_stub, has_old_words, reloads, remove, remove_stub};
use crate::error::{Error, Fault};
use crate::mesh::{Cluster, Mesh};
use crate::resource::Resource;

/// The ConfigMaps that are looked for, namespace and name, where the spec names none: CoreDNS's as kubeadm calls it, then
/// kube-dns's.
pub const USUAL: [(&str, &str); 2] = [("kube-system", "coredns"), ("kube-system", "kube-dns")];
/// Annotation: our entries of `stubDomains` with the server each leads to, since JSON has no place for marks.
pub const STUBS: &str = "meshpki.dev/stub-domains";

/// What a ConfigMap tells a cluster's DNS with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `Corefile`, of CoreDNS.
    Corefile,
    /// `stubDomains`, of kube-dns.
    StubDomains,
}

impl Form {
    /// Its key.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Corefile => "Corefile",
            Self::StubDomains => "stubDomains",
        }
    }
}

/// The form a ConfigMap has; `None` for one that no DNS we know reads.
#[must_use]
pub fn form(config_map: &Value) -> Option<Form> {
    let has = |form: Form| config_map["data"][form.key()].is_string();
    if has(Form::Corefile) {
        return Some(Form::Corefile);
    }
    // kube-dns does without any key.
    let is_kube_dns = config_map["metadata"]["name"] == USUAL[1].1;
    (has(Form::StubDomains) || is_kube_dns).then_some(Form::StubDomains)
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
    pub key: &'static str,
    /// The text it has; `None` where the key is not there.
    pub from: Option<String>,
    /// The text it is to have; `None` takes the key out.
    pub to: Option<String>,
    /// `resourceVersion` of the ConfigMap that was looked at.
    pub version: String,
    /// The DNS reads it only when it is started.
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
            "data": {self.key: self.to},
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
    let form = form(live);
    let text = |form: Form| live["data"][form.key()].as_str();
    let old = text(Form::Corefile).is_some_and(|text| has_old_words(text, &mesh.suffix));
    let zone = Zone::of(cluster, resources, old)?;
    let change = match (form, &zone) {
        (Some(Form::Corefile), _) => {
            block(text(Form::Corefile).unwrap_or_default(), &mesh.suffix, zone.as_ref())?
        }
        (Some(Form::StubDomains), _) => {
            stub(live, text(Form::StubDomains), &mesh.suffix, zone.as_ref())?
        }
        (None, Some(_)) => {
            let what = "the ConfigMap of the cluster's DNS".to_string();
            return Err(Error::new("", Fault::Needs { what, needs: "the key `Corefile`" }));
        }
        (None, None) => return Ok(None),
    };
    let (Some(form), Some((to, stubs))) = (form, change) else { return Ok(None) };
    let meta = |key: &str| live["metadata"][key].as_str().unwrap_or_default().to_string();
    Ok(Some(Edit {
        namespace: meta("namespace"),
        name: meta("name"),
        key: form.key(),
        from: text(form).map(ToString::to_string),
        restart: form == Form::Corefile && text(form).is_some_and(|text| !reloads(text)),
        to,
        version: meta("resourceVersion"),
        stubs,
    }))
}

/// The new text, where it is another one, and the new record of our stub domains, where that changes.
type New = Option<(Option<String>, Option<Value>)>;

fn block(text: &str, suffix: &str, zone: Option<&Zone>) -> Result<New, Error> {
    let to = match zone {
        Some(zone) => add(text, suffix, zone)?,
        None => remove(text, suffix),
    };
    Ok((to != text).then_some((Some(to), None)))
}

fn stub(live: &Value, text: Option<&str>, suffix: &str, zone: Option<&Zone>) -> Result<New, Error> {
    let record = live["metadata"]["annotations"][STUBS].as_str().unwrap_or_default();
    let mut record: Map<String, Value> = serde_json::from_str(record).unwrap_or_default();
    let was = record.get(suffix).and_then(Value::as_str);
    let was: Option<IpAddr> = was.and_then(|text| text.parse().ok());
    let before = text.unwrap_or_default();
    let to = match (zone, was) {
        (Some(Zone::Hosts(_)), _) => {
            let what = "`dns: {way: hosts}`".to_string();
            return Err(Error::new(
                "",
                Fault::Needs { what, needs: "CoreDNS; kube-dns can only ask istio-coredns" },
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

//! Remote secrets in a cluster: read, written for the version that was read, and the tokens in them.

mod debug;
mod try_token;

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret as KubeSecret;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use meshpki::Time;
use serde_json::json;
use zeroize::Zeroizing;

use super::ask::Bound;
use super::{Kube, ask, ask_optional, token, write};
use crate::error::Error;
use crate::names::{FIELD_MANAGER, LAST_APPLIED, MANAGED_BY};
use crate::remote::{ANNOTATION, Entrance, LABEL, Metadata, ReaderToken, RemoteSecret, View};

pub use try_token::try_token;

/// Type of the secrets with tokens without an end, and the annotation that names their service account.
const TOKEN_TYPE: &str = "kubernetes.io/service-account-token";
const TOKEN_ACCOUNT: &str = "kubernetes.io/service-account.name";

/// A write of a remote secret. It has no `Debug`: the content is a credential.
pub struct RemoteWrite<'a> {
    /// The secret's name.
    pub name: &'a str,
    /// The cluster that it is for.
    pub cluster: &'a str,
    /// The kubeconfig.
    pub content: &'a [u8],
    /// The secret that was read: the write is for its version. `None`: there must be none.
    pub over: Option<&'a RemoteSecret>,
}

impl Kube {
    /// How the context reaches the API server.
    #[must_use]
    pub const fn entrance(&self) -> &Entrance {
        &self.entrance
    }

    /// Every secret in istiod's namespace that has the label of remote secrets, sorted by name.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn remote_secrets(&self) -> Result<Vec<RemoteSecret>, Error> {
        let api = self.secrets();
        let what = || format!("list the remote secrets in {}", self.namespace());
        let params = ListParams::default().labels(&format!("{}={}", LABEL.0, LABEL.1));
        let list = ask(what, || api.list(&params)).await?;
        // A server that ignores the selector would give out all secrets.
        let mut all: Vec<RemoteSecret> = list.items.into_iter().map(read).collect();
        all.retain(|secret| secret.is_labelled);
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// A secret in istiod's namespace, with the label or without; `None` if there is none.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn remote_secret(&self, name: &str) -> Result<Option<RemoteSecret>, Error> {
        let what = || format!("read secret {}/{name}", self.namespace());
        let api = self.secrets();
        Ok(ask_optional(what, || api.get(name)).await?.map(read))
    }

    /// A new token for a service account in istiod's namespace, which the API server may give a shorter life.
    ///
    /// # Errors
    /// `apply/api` with status 404 if there is no such account, and those of a request.
    pub async fn reader_token(
        &self,
        account: &str,
        seconds: i64,
        dry_run: bool,
    ) -> Result<ReaderToken, Error> {
        let status = token::request(self, account, &[], seconds, dry_run).await?;
        let expires = Time(status.expiration_timestamp.0.as_second());
        Ok(ReaderToken { token: Zeroizing::new(status.token), expires })
    }

    /// Names of the secrets that have a token without an end for a service account. No token is read.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn token_secrets(&self, account: &str) -> Result<Vec<String>, Error> {
        let api = self.secrets();
        let what = || format!("list the token secrets in {}", self.namespace());
        let params = ListParams::default().fields(&format!("type={TOKEN_TYPE}"));
        let list = ask(what, || api.list_metadata(&params)).await?;
        let is_its = |annotations: &BTreeMap<String, String>| {
            annotations.get(TOKEN_ACCOUNT).is_some_and(|name| name == account)
        };
        let of = list.items.into_iter().map(|one| one.metadata);
        let of = of.filter(|metadata| metadata.annotations.as_ref().is_some_and(is_its));
        let mut names: Vec<String> = of.filter_map(|metadata| metadata.name).collect();
        names.sort();
        Ok(names)
    }

    /// Whether there is a secret of that name. No content is read.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn has_secret(&self, name: &str) -> Result<bool, Error> {
        let what = || format!("look for secret {}/{name}", self.namespace());
        let api = self.secrets();
        Ok(ask_optional(what, || api.get_metadata(name)).await?.is_some())
    }

    /// Writes a remote secret; returns its new version.
    ///
    /// # Errors
    /// `apply/api` with status 409 if another write came first, and those of a request.
    pub async fn write_remote_secret(
        &self,
        sent: &RemoteWrite<'_>,
        dry_run: bool,
    ) -> Result<String, Error> {
        let api = self.secrets();
        let (name, manager) = (sent.name, Some(FIELD_MANAGER.to_owned()));
        let what = || format!("write secret {}/{name}", self.namespace());
        let written = match sent.over {
            None => {
                let params = PostParams { dry_run, field_manager: manager };
                let object = created(sent);
                write(Bound::Nothing, what, || api.create(&params, &object)).await?
            }
            Some(over) => {
                let params =
                    PatchParams { dry_run, field_manager: manager, ..PatchParams::default() };
                let patch = Patch::Merge(changed(sent, over));
                ask(what, || api.patch(name, &params, &patch)).await?
            }
        };
        Ok(written.metadata.resource_version.unwrap_or_default())
    }

    /// What every ready pod of istiod says about the clusters that it reads.
    ///
    /// # Errors
    /// Those of a request; a pod that does not answer is in the result.
    pub async fn remote_views(&self) -> Result<Vec<View>, Error> {
        debug::views(self).await
    }
}

fn read(secret: KubeSecret) -> RemoteSecret {
    let managed = secret.metadata.managed_fields.unwrap_or_default();
    let of_data = managed.iter().filter(|entry| {
        entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:data").is_some())
    });
    let owners = secret.metadata.owner_references.unwrap_or_default();
    let metadata = Metadata {
        labels: secret.metadata.labels.unwrap_or_default(),
        annotations: secret.metadata.annotations.unwrap_or_default(),
        managers: of_data.filter_map(|entry| entry.manager.as_deref()).collect(),
        owners: owners.iter().map(|one| format!("{}/{}", one.kind, one.name)).collect(),
    };
    let data = secret.data.unwrap_or_default();
    RemoteSecret {
        name: secret.metadata.name.unwrap_or_default(),
        resource_version: secret.metadata.resource_version.unwrap_or_default(),
        is_labelled: metadata.is_labelled(),
        annotation: metadata.cluster(),
        owner: metadata.owner(),
        immutable: secret.immutable.unwrap_or(false),
        data: data.into_iter().map(|(name, bytes)| (name, Zeroizing::new(bytes.0))).collect(),
    }
}

fn created(sent: &RemoteWrite<'_>) -> KubeSecret {
    let mut secret = KubeSecret::default();
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    secret.metadata.name = Some(sent.name.to_owned());
    secret.metadata.labels = Some([pair(LABEL), pair(MANAGED_BY)].into());
    secret.metadata.annotations = Some([pair((ANNOTATION, sent.cluster))].into());
    secret.type_ = Some("Opaque".to_owned());
    secret.data = Some([(sent.cluster.to_owned(), ByteString(sent.content.to_vec()))].into());
    secret
}

/// A merge that changes this cluster's key alone, and removes kubectl's copy of the old token.
fn changed(sent: &RemoteWrite<'_>, over: &RemoteSecret) -> serde_json::Value {
    let mut annotations = json!({ LAST_APPLIED: null });
    if over.data.keys().all(|cluster| cluster == sent.cluster) {
        annotations[ANNOTATION] = sent.cluster.into();
    }
    json!({
        "metadata": {
            "resourceVersion": over.resource_version,
            "labels": { LABEL.0: LABEL.1, MANAGED_BY.0: MANAGED_BY.1 },
            "annotations": annotations,
        },
        "data": { sent.cluster: ByteString(sent.content.to_vec()) },
    })
}

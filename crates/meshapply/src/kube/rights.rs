//! What the user of a context may do, as the API server says.

use std::fmt;

use futures_util::stream::{StreamExt, TryStreamExt, iter};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};

use super::{Kube, ask};
use crate::error::Error;

/// Questions that are asked at the same time.
const AT_ONCE: usize = 8;

/// One thing that a user may or may not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// The verb: `get`, `list` ...
    pub verb: String,
    /// The API group; empty for the core group.
    pub group: String,
    /// The resource, with its subresource after a slash: `pods/portforward`.
    pub resource: String,
    /// The namespace; `None`: all of them, or the resource has none.
    pub namespace: Option<String>,
    /// The name of one object; `None`: all of them.
    pub name: Option<String>,
}

impl fmt::Display for Right {
    /// `patch secrets cacerts in istio-system`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in {namespace}"),
            None => Ok(()),
        }
    }
}

impl Right {
    fn review(&self) -> SelfSubjectAccessReview {
        let (resource, subresource) = match self.resource.split_once('/') {
            Some((resource, below)) => (resource, Some(below.to_owned())),
            None => (self.resource.as_str(), None),
        };
        let attributes = ResourceAttributes {
            verb: Some(self.verb.clone()),
            group: Some(self.group.clone()),
            resource: Some(resource.to_owned()),
            subresource,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            ..ResourceAttributes::default()
        };
        SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(attributes),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        }
    }
}

impl Kube {
    /// Which of these rights the user of the context has, in their order (`SelfSubjectAccessReview`, which anyone may
    /// ask for and which stores nothing).
    ///
    /// # Errors
    /// Those of a request.
    pub async fn allowed(&self, rights: &[Right]) -> Result<Vec<bool>, Error> {
        let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let one = async |right: &Right| {
            let what = || format!("ask whether it may {right}");
            let review = right.review();
            let params = PostParams::default();
            let answer = ask(what, || api.create(&params, &review)).await?;
            Ok(answer.status.is_some_and(|status| status.allowed))
        };
        iter(rights).map(one).buffered(AT_ONCE).try_collect().await
    }
}

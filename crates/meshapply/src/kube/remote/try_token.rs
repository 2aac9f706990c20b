//! Whether a token of a remote secret works: the server that the secret names is asked for the token's rights.

use std::sync::Arc;

use futures_util::future::join_all;
use http::Uri;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};
use kube::client::{Client, ClientBuilder};

use crate::error::Error;
use crate::kube::ask::Bound;
use crate::kube::context::config;
use crate::kube::credentials::{Credentials, Source, bearer};
use crate::kube::service::{Guard, Way};
use crate::kube::write;
use crate::remote::{Answer, Auth, RemoteKubeconfig};

/// What istiod lists and watches in every remote cluster: group and resource
/// (`pkg/kube/multicluster/cluster.go: buildClusterCollections`).
const READ: [(&str, &str); 5] = [
    ("", "namespaces"),
    ("", "nodes"),
    ("", "pods"),
    ("", "services"),
    ("discovery.k8s.io", "endpointslices"),
];

/// Asks the server that a kubeconfig names, with its token, what the token may do.
///
/// The token goes where istiod sends it anyway, and only over TLS that is verified with the CA of the secret.
pub async fn try_token(kubeconfig: &RemoteKubeconfig) -> Answer {
    if kubeconfig.auth != Auth::Token || !kubeconfig.refused.is_empty() {
        return Answer::NotAsked("it has no token");
    }
    if kubeconfig.entrance.is_insecure() {
        return Answer::NotAsked("the connection is not secure");
    }
    if kubeconfig.has_proxy || kubeconfig.has_ca_file {
        return Answer::NotAsked("it needs a proxy or a file");
    }
    let client = match client(kubeconfig) {
        Ok(client) => client,
        Err(why) => return Answer::Unreachable(why),
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(client);
    let wanted = READ.iter().flat_map(|one| ["list", "watch"].map(|verb| (*one, verb)));
    let asked = wanted.map(|((group, resource), verb)| may(&api, group, resource, verb));
    let mut lacks = Vec::new();
    for answer in join_all(asked).await {
        match answer {
            Ok(None) => {}
            Ok(Some(right)) => lacks.push(right),
            Err(Error::Api { status: 401, .. }) => return Answer::Refused,
            Err(Error::Unreachable { message, .. }) if message.contains("certificate") => {
                return Answer::Untrusted(message);
            }
            Err(error) => return Answer::Unreachable(error.to_string()),
        }
    }
    if lacks.is_empty() { Answer::Good } else { Answer::Lacks(lacks) }
}

fn client(kubeconfig: &RemoteKubeconfig) -> Result<Client, String> {
    let entrance = &kubeconfig.entrance;
    let uri: Uri = entrance.server.parse().map_err(|_unsaid| "its server is not a URL")?;
    let mut config = config(uri);
    config.root_cert = (!entrance.ca.is_empty()).then(|| entrance.ca.clone());
    config.tls_server_name.clone_from(&entrance.tls_server_name);
    let token = kubeconfig.token.as_ref().map_or("", |token| token.as_str());
    let credentials = Credentials::new(Source::Fixed(bearer(token)?), Vec::new());
    let builder = ClientBuilder::try_from(config)
        .map_err(|_unsaid| "the CA in the secret cannot be used".to_owned())?;
    Ok(builder
        .with_layer(&Guard(Arc::new(Way { credentials, proxy: None, watcher: None })))
        .build())
}

/// The right that is missing; `None`: it is there.
async fn may(
    api: &Api<SelfSubjectAccessReview>,
    group: &str,
    resource: &str,
    verb: &str,
) -> Result<Option<String>, Error> {
    let right = format!("{verb} {resource}");
    let attributes = ResourceAttributes {
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            non_resource_attributes: None,
        },
        ..SelfSubjectAccessReview::default()
    };
    let (what, params) = (|| format!("ask whether it may {right}"), PostParams::default());
    let answer = write(Bound::Nothing, what, || api.create(&params, &review)).await?;
    let is_allowed = answer.status.is_some_and(|status| status.allowed);
    Ok((!is_allowed).then_some(right))
}

//! Tokens of service accounts, which the API server issues.

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec, TokenRequestStatus};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};

use super::ask::Bound;
use super::{Kube, write};
use crate::error::Error;

/// Requests a token for a service account of istiod's namespace, for these audiences, or for the API server itself.
pub(super) async fn request(
    kube: &Kube,
    account: &str,
    audiences: &[&str],
    seconds: i64,
    dry_run: bool,
) -> Result<TokenRequestStatus, Error> {
    let api: Api<ServiceAccount> = Api::namespaced(kube.client.clone(), kube.namespace());
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: audiences.iter().map(|&one| one.to_owned()).collect(),
            expiration_seconds: Some(seconds),
            bound_object_ref: None,
        },
        ..TokenRequest::default()
    };
    let what = || format!("get a token for serviceaccount {}/{account}", kube.namespace());
    let params = PostParams { dry_run, ..PostParams::default() };
    // A token that was issued but lost in transit belongs to no one, and expires as soon.
    let answer =
        write(Bound::Nothing, what, || api.create_token_request(account, &params, &request));
    answer.await?.status.filter(|status| !status.token.is_empty()).ok_or_else(|| {
        let message = "the response has no token".to_owned();
        Error::Unreachable { what: what(), message }
    })
}

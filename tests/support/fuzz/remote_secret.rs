//! Target for remote secrets: kubeconfigs, tokens, and what istiod says on its debug endpoints.

use std::collections::BTreeMap;

use meshapply::remote::{
    Aim, Claims, Entrance, Owner, RemoteKubeconfig, RemoteSecret, Step, clusters, decide, endpoints,
};

use super::kubeconfig::CANARY;
use crate::NOW;

/// Reads the bytes as each of them: nothing panics, no error and no plan shows a secret, what is written is read again,
/// and a secret that was written needs no other write.
///
/// # Panics
/// When a promise is broken.
pub(super) fn remote_secret(data: &[u8]) {
    let _ = (clusters(data), endpoints(data));
    if let Some(claims) = std::str::from_utf8(data).ok().and_then(Claims::read) {
        assert!(claims.due(None) <= claims.due(Some(0)));
    }
    match RemoteKubeconfig::read(data) {
        Err(flaw) => assert!(!flaw.to_string().contains(CANARY)),
        Ok(kubeconfig) => read(data, &kubeconfig),
    }
}

fn read(data: &[u8], kubeconfig: &RemoteKubeconfig) {
    let entrance = &kubeconfig.entrance;
    assert!(!entrance.server.contains(['@', '?']), "a secret in an address");
    let token = kubeconfig.token.as_ref().map_or("a.b.c", |token| token.as_str());
    let text = RemoteKubeconfig::text("west", entrance, token);
    let again = RemoteKubeconfig::read(&text).unwrap_or_else(|flaw| panic!("{flaw}"));
    assert_eq!(&again.entrance, entrance);
    assert_eq!(again.token.as_ref().map(|token| token.as_str()), Some(token));
    let first = step(data, entrance, false);
    if !entrance.server.contains(CANARY) {
        assert!(!format!("{first:?}").contains(CANARY), "{first:?}");
    }
    if let Step::Write { entrance, .. } = first {
        let written = RemoteKubeconfig::text("west", &entrance, "a.b.c");
        assert_eq!(step(&written, &entrance, false), Step::Keep(None));
    }
    let _ = step(data, entrance, true);
}

/// What is done with a secret that has this content.
fn step(content: &[u8], entrance: &Entrance, rotate: bool) -> Step {
    let data = BTreeMap::from([("west".to_owned(), content.to_vec().into())]);
    let secret = RemoteSecret {
        name: "istio-remote-secret-west".to_owned(),
        resource_version: "1".to_owned(),
        is_labelled: true,
        annotation: Some("west".to_owned()),
        owner: Owner::Istioctl,
        immutable: false,
        data,
    };
    let aim = Aim {
        reader: "east",
        remote: "west",
        secret: Some(&secret),
        entrance,
        server: None,
        rotate,
        adopt: true,
        allowed: &[],
    };
    decide(&aim, NOW, None)
}

//! Secrets of clusters: whatever the files contain, the prediction of what istiod would do does not fail.

use std::collections::BTreeMap;

use meshpki::cacerts::Layout;
use meshpki::istiod::{
    self, ClusterSecret, Reload, Secret, SecretProblem, Settings, StartOutcome, Version,
};
use meshpki::{CaCerts, Cert, Issuer, Name, Profile, Serial, Signer, SoftKey, Stamp, Time};

use super::keys::POOL;
use crate::{NOW, forge};

/// The first line is `RELEASE FLAGS TIME`; a line `=== CLUSTER/FILE` precedes the content of each file.
pub(super) fn secret(data: &[u8]) {
    let (settings, at, clusters) = read(data);
    let given: Vec<ClusterSecret<'_>> =
        clusters.iter().map(|(name, secret)| ClusterSecret::new(name, secret)).collect();
    let problems = istiod::check(&given, &settings, at);
    for problem in &problems {
        assert!(SecretProblem::CODES.contains(&problem.code), "{problem:?}");
        assert!(!problem.message.is_empty() && !problem.clusters.is_empty(), "{problem:?}");
    }
    assert!(problems.is_sorted_by(|a, b| a.severity >= b.severity), "errors come first");
    for (i, (name, secret)) in clusters.iter().enumerate() {
        let start = istiod::starts(secret, &settings, at);
        let kept = istiod::changes(secret, secret, &settings, at);
        assert_eq!((kept.reload, &kept.next_start), (Reload::Unchanged, &start));
        let next = &clusters[(i + 1) % clusters.len()].1;
        let change = istiod::changes(secret, next, &settings, at);
        assert_eq!(change.next_start, istiod::starts(next, &settings, at));
        accepted(name, secret, at);
    }
}

/// What we take for a CA of Istio, istiod takes.
fn accepted(name: &str, secret: &Secret, at: Time) {
    let files: BTreeMap<String, Vec<u8>> = secret
        .names()
        .map(|name| (name.to_owned(), secret.get(name).unwrap_or_default().to_vec()))
        .collect();
    let Ok(ca) = CaCerts::from_secret(&files.into_iter().collect(), Version::NEWEST, at) else {
        return;
    };
    let written: Secret =
        ca.files(Layout::Istio).iter().map(|(name, content)| (*name, content.to_vec())).collect();
    let start = istiod::starts(&written, &Settings::defaults(Version::NEWEST), at);
    assert!(matches!(start, StartOutcome::Plugged { .. }), "{name}: {start}");
}

fn read(data: &[u8]) -> (Settings, Time, Vec<(String, Secret)>) {
    let mut clusters: Vec<(String, Secret)> = Vec::new();
    let mut head = String::new();
    let mut file: Option<(String, String, Vec<u8>)> = None;
    let mut close = |file: Option<(String, String, Vec<u8>)>| {
        let Some((cluster, name, content)) = file else { return };
        match clusters.iter_mut().find(|known| known.0 == cluster) {
            Some(known) => known.1.insert(name, content),
            None => clusters.push((cluster, [(name, content)].into_iter().collect())),
        }
    };
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        if let Some(path) = line.strip_prefix(b"=== ") {
            close(file.take());
            let path = String::from_utf8_lossy(path).trim().to_owned();
            let (cluster, name) = path.split_once('/').unwrap_or(("east", &path));
            file = Some((cluster.to_owned(), name.to_owned(), Vec::new()));
        } else if let Some((_, _, content)) = &mut file {
            content.extend_from_slice(line);
        } else {
            head.push_str(&String::from_utf8_lossy(line));
        }
    }
    close(file.take());
    let mut words = head.split_whitespace();
    let version = words.next().and_then(|word| word.parse().ok()).unwrap_or(Version::NEWEST);
    let flags: u8 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let at = words.next().and_then(|word| word.parse().ok()).unwrap_or(NOW);
    let on = |bit: u8| flags >> bit & 1 == 1;
    let mut settings = Settings::defaults(version);
    settings.multi_root = on(0);
    settings.auto_reload = on(1);
    settings.cacerts_for_self_signed = on(2);
    settings.crl |= on(3);
    clusters.truncate(8);
    (settings, at, clusters)
}

/// Two clusters under one root, in both layouts, for an old and a new release.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let random = |n: u8| Stamp::made_at(NOW, Serial::from_random([n; 20]));
    let name = |text: &str| text.parse::<Name>().expect("a name");
    let root = meshpki::self_signed(&Profile::root(name("O=Mesh, CN=Root")), &POOL[0], random(1));
    let root = root.expect("a root");
    let ca = |n: u8, key: &SoftKey| -> Cert {
        let issuer = Issuer { cert: &root, signer: &POOL[0] };
        let profile = Profile::cluster(name(&format!("O=Mesh, CN=Mesh CA {n}")));
        meshpki::issue(&profile, key.public_key(), issuer, random(n)).expect("a CA")
    };
    let signers: Vec<Vec<u8>> =
        forge::KEYS.iter().filter_map(|key| forge::private(&key.name)).skip(1).take(2).collect();
    let mut all = Vec::new();
    for (head, layout) in
        [("1.30.3 0", Layout::Istio), ("1.27.0 9", Layout::Tls), ("1.6.4 0", Layout::Istio)]
    {
        let mut text = format!("{head} {NOW}\n").into_bytes();
        for (n, pkcs8) in (2..).zip(&signers) {
            let key = SoftKey::from_pkcs8(pkcs8).expect("a key of the repository");
            let cert = ca(n, &key);
            let set = CaCerts::new(cert, key, vec![], vec![root.clone()], NOW).expect("a set");
            for (file, content) in set.files(layout) {
                text.extend(format!("=== cluster{n}/{file}\n").bytes());
                text.extend_from_slice(&content);
            }
        }
        all.push(text);
    }
    all
}

//! Targets for text: typed names and times, cfssl's files, the options of `ca verify`.

use meshpki::cfssl::{CsrFile, Outcome, Severity, SigningConfig, Trap};
use meshpki::internals::{DAY, parse_duration, words};
use meshpki::istiod::Version;
use meshpki::{
    CrlStamp, Csr, Issuer, KeyType, Name, Oid, Profile, Revocation, RevocationList,
    RevocationReason, Role, Serial, Signer, SpiffeId, Stamp, Time, TrustDomain,
};

use super::keys::POOL;
use super::{pki, release};
use crate::cases::Case;
use crate::{NOW, shared};

/// What is read from a line prints as something that reads the same.
pub(super) fn name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for line in text.lines().take(20).chain([text]) {
        if let Ok(name) = line.parse::<Name>() {
            let again = Name::from_der(name.as_der()).expect("a name that was made");
            assert_eq!(again, name);
            assert_eq!(again.rdns(), name.rdns());
            let _ = (name.to_string(), name.label());
        }
        if let Ok(time) = line.parse::<Time>() {
            assert_eq!(time.to_string().parse(), Ok(time), "{line}");
            if let Some((generalized, text)) = time.to_asn1() {
                assert_eq!(Time::from_asn1(generalized, text.as_bytes()), Some(time), "{line}");
            }
        }
        for generalized in [false, true] {
            if let Some(time) = Time::from_asn1(generalized, line.as_bytes()) {
                let _ = (time.to_string(), time.date());
            }
        }
        if let Some(length) = parse_duration(line) {
            let _ = words(length);
        }
        if let Ok(domain) = line.parse::<TrustDomain>() {
            let again = domain.as_str().parse::<TrustDomain>();
            assert!(again.is_ok_and(|again| again == domain), "{line}");
        }
        if let Ok(version) = line.parse::<Version>() {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        if let Ok(id) = line.parse::<SpiffeId>() {
            assert_eq!(id.to_string(), line);
        }
        if let Ok(oid) = line.parse::<Oid>() {
            assert_eq!(Oid::from_bytes(oid.as_bytes()), Ok(oid.clone()), "{line}");
            assert_eq!(oid.to_string().parse(), Ok(oid), "{line}");
        }
        if let Ok(kind) = line.parse::<KeyType>() {
            assert_eq!(kind.name(), line);
        }
    }
}

/// A list of revoked certificates is written as something that reads the same, sorted; and a CRL of any serial numbers
/// lists them, or is refused.
pub(super) fn revocations(data: &[u8]) {
    if let Ok(list) = String::from_utf8_lossy(data).parse::<RevocationList>() {
        let text = list.to_string();
        assert_eq!(text.parse(), Ok(list), "{text}");
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(lines.is_sorted(), "{text}");
    }
    let profile = Profile::root("CN=Root".parse::<Name>().expect("a name"));
    let stamp = Stamp::made_at(NOW, Serial::from_random([1; 20]));
    let root = meshpki::self_signed(&profile, &POOL[0], stamp).expect("a root");
    let entry = |serial: &[u8]| Revocation {
        serial: serial.to_vec(),
        at: NOW,
        reason: RevocationReason::ALL[serial.len() % RevocationReason::ALL.len()],
    };
    let revoked: Vec<Revocation> = data.chunks(17).take(20).map(entry).collect();
    let stamp = CrlStamp::made_at(NOW, DAY, None);
    let issuer = Issuer { cert: &root, signer: &POOL[0] };
    if let Ok(crl) = meshpki::issue_crl(&revoked, issuer, stamp) {
        assert!(revoked.iter().all(|entry| crl.lookup(&entry.serial, root.subject()).is_some()));
    }
}

/// Each file of cfssl: every trap is in the text and has a known code, and a file without errors can be issued or is refused.
pub(super) fn cfssl(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.lines().count() + 1;
    if let Some(file) = settled(CsrFile::parse(text), lines) {
        let key = &POOL[0];
        if let Some(order) = settled(file.root(NOW), lines) {
            let stamp = order.stamp(Serial::from_random([7; 20]));
            let _ = meshpki::self_signed(&order.profile, key, stamp);
        }
        if let Some(request) = settled(file.request(), lines)
            && let Ok(csr) = request.create(key)
        {
            assert_eq!(csr.check_signature(), meshpki::SignatureCheck::Good);
        }
    }
    let Some(config) = settled(SigningConfig::parse(text), lines) else { return };
    let root_key = &POOL[1];
    let subject = "CN=Root".parse::<Name>().expect("a name");
    let stamp = Stamp::made_at(NOW, Serial::from_random([7; 20]));
    let root = meshpki::self_signed(&Profile::root(subject), root_key, stamp).expect("a root");
    let subject = "CN=Mesh CA".parse::<Name>().expect("a name");
    let csr = Csr::create(&subject, &[], Role::Ca { path_len: None }, &POOL[2]).expect("a CSR");
    for name in config.names().map(Some).chain([None]) {
        let Some(profile) = settled(config.profile(name), lines) else { continue };
        let Some(order) = settled(profile.order(&csr, &root, NOW), lines) else { continue };
        let issuer = Issuer { cert: &root, signer: root_key };
        let stamp = order.stamp(Serial::from_random([7; 20]));
        let _ = meshpki::issue(&order.profile, POOL[2].public_key(), issuer, stamp);
    }
}

fn settled<T>(outcome: Outcome<T>, lines: usize) -> Option<T> {
    let (value, traps) = match outcome {
        Ok((value, traps)) => (Some(value), traps),
        Err(traps) => (None, traps),
    };
    for trap in &traps {
        assert!(Trap::CODES.contains(&trap.code), "{trap:?}");
        assert!((1..=lines).contains(&trap.line), "{trap:?} of {lines} lines");
        assert!(!trap.message.is_empty() && !trap.hint.is_empty(), "{trap:?}");
    }
    let has_error = traps.iter().any(|trap| trap.severity == Severity::Error);
    assert_eq!(value.is_none(), has_error, "{traps:?}");
    value
}

/// Options openssl has and we refuse by name, and ours (`docs/openssl-parity.md`).
const APART: &[&str] = &[
    "help",
    "h",
    "engine",
    "CApath",
    "CAstore",
    "crl_download",
    "verify_name",
    "extended_crl",
    "use_deltas",
    "suiteB_128_only",
    "suiteB_128",
    "suiteB_192",
    "allow_proxy_certs",
    "vfyopt",
    "provider-path",
    "provider",
    "propquery",
    "explain",
    "o",
    "output",
    "openssl",
    "at",
    "nameopt",
];

/// A command line of `ca verify`, an argument a line, over the certificates of a fixture.
pub(super) fn options(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let args: Vec<String> = text.split('\n').map(str::to_owned).collect();
    // No way out of the scratch folder, and nothing a command line cannot hold.
    if text.contains(['/', '\0']) || args.len() > 200 {
        return;
    }
    let folder = shared::root().join("fixtures/verify/chain");
    let file =
        |name: &str| (name.to_owned(), vec![std::fs::read(folder.join(name)).expect("a fixture")]);
    let case = Case {
        name: "options".to_owned(),
        args,
        stdin: Some("leaf.pem".to_owned()),
        files: ["root.pem", "int.pem", "leaf.pem"].map(file).to_vec(),
        ..Case::default()
    };
    let is_apart = |arg: &String| {
        let name = arg.trim_start_matches('-').split('=').next().unwrap_or_default();
        APART.contains(&name)
    };
    if case.args.iter().any(is_apart) {
        let dir = tempfile::tempdir().expect("a scratch folder");
        case.write(dir.path()).expect("files can be written");
        assert!((0..=3).contains(&case.ours(release(data), dir.path()).exit));
        return;
    }
    pki::answer(&case, data);
}

//! X509-SVID, clause by clause: what we say of a certificate that breaks one, and what go-spiffe does with it.

use meshpki::internals::der;
use meshpki::internals::oid;
use meshpki::spiffe::svid::{check_leaf, check_signing};
use meshpki::x509::{GeneralName, KeyUsage, RawExtension};
use meshpki::{Cert, KeyType, Oid, Profile, SpiffeId};
use serde_json::json;
use tests::authority::{Authority, key, resigned};
use tests::judges::spiffe;

const ID: &str = "spiffe://a.example/ns/shop/sa/web";

/// The same certificate after `change` to its extensions, signed by `signer` again.
fn changed(
    cert: &Cert,
    signer: &meshpki::SoftKey,
    change: impl FnOnce(&mut Vec<RawExtension>),
) -> Cert {
    let mut extensions = cert.raw_extensions().to_vec();
    change(&mut extensions);
    let encoded = extensions.iter().map(|extension| {
        let flag: &[u8] = if extension.critical { &[der::BOOLEAN, 1, 0xff] } else { &[] };
        let oid = der::tlv(der::OID, extension.oid.as_bytes());
        der::sequence(&[&oid, flag, &der::tlv(der::OCTET_STRING, &extension.value)])
    });
    let encoded: Vec<Vec<u8>> = encoded.collect();
    let parts: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    resigned(cert, signer, |fields| {
        fields[7] = der::constructed(0xa3, &[&der::sequence(&parts)]);
    })
}

fn extension(oid: &[u8], critical: bool, value: &[u8]) -> RawExtension {
    let oid = Oid::from_bytes(oid).expect("an OID");
    RawExtension::new(oid, critical, value)
}

/// Replaces the extension of this type.
fn put(extensions: &mut Vec<RawExtension>, new: RawExtension) {
    extensions.retain(|extension| extension.oid != new.oid);
    extensions.push(new);
}

fn usage(bits: KeyUsage, critical: bool) -> RawExtension {
    let [first, second] = bits.0.to_be_bytes();
    let unused = u8::try_from(if second == 0 { first } else { second }.trailing_zeros()).unwrap();
    let value: &[u8] = if second == 0 { &[unused, first] } else { &[unused, first, second] };
    extension(oid::KEY_USAGE, critical, &der::tlv(der::BIT_STRING, value))
}

fn uris(uris: &[&str]) -> RawExtension {
    let names: Vec<Vec<u8>> =
        uris.iter().map(|uri| GeneralName::Uri(uri.as_bytes().to_vec()).to_der()).collect();
    let parts: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    extension(oid::SUBJECT_ALT_NAME, true, &der::sequence(&parts))
}

fn usages(oids: &[&[u8]]) -> RawExtension {
    let oids: Vec<Vec<u8>> = oids.iter().map(|oid| der::tlv(der::OID, oid)).collect();
    let parts: Vec<&[u8]> = oids.iter().map(Vec::as_slice).collect();
    extension(oid::EXT_KEY_USAGE, false, &der::sequence(&parts))
}

/// Whether go-spiffe accepts what breaks a clause.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GoSpiffe {
    Accepts,
    Refuses,
}

/// Checks what we say of a leaf after a change, `ok` or the clause it breaks, and what go-spiffe says.
#[track_caller]
fn leaf(change: impl FnOnce(&mut Vec<RawExtension>), expect: &str, go_spiffe: GoSpiffe) {
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    let key = key(KeyType::EcdsaP256);
    let cert = root.issue(&Profile::workload(&ID.parse::<SpiffeId>().unwrap()), &key);
    let cert = changed(&cert, &root.key, change);
    let found = check_leaf(&cert).map_or_else(|problem| problem.to_string(), |id| id.to_string());
    assert_eq!(found, expect);
    let Some(judge) = spiffe() else { return };
    let base64 = |bytes: &[u8]| {
        let pem = meshpki::internals::pem::encode("X", bytes);
        pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()
    };
    let question = json!({"cert": base64(cert.as_der()), "key": base64(key.as_pkcs8())});
    let answer = judge.ask("svid", &[question]).remove(0);
    assert_eq!(answer["error"] == "", go_spiffe == GoSpiffe::Accepts, "{answer}");
}

/// The same for a signing certificate.
#[track_caller]
fn signing(change: impl FnOnce(&mut Vec<RawExtension>), expect: &str) {
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    let cert = changed(&root.cert, &root.key, change);
    let found = check_signing(&cert).map_or_else(
        |problem| problem.to_string(),
        |id| id.map_or_else(|| "no ID".to_owned(), |id| id.to_string()),
    );
    assert_eq!(found, expect);
}

#[test]
fn leaf_as_istiod_makes_it() {
    leaf(|_| {}, ID, GoSpiffe::Accepts);
}

#[test]
fn section_2_one_uri_name() {
    let none = |e: &mut Vec<_>| put(e, uris(&[]));
    leaf(none, "it has no URI name, expected its SPIFFE ID", GoSpiffe::Refuses);
    let two = |e: &mut Vec<_>| put(e, uris(&[ID, "https://a.example"]));
    leaf(two, "it has 2 URI names, expected exactly one", GoSpiffe::Refuses);
}

#[test]
fn section_2_other_names_are_allowed() {
    let both = |e: &mut Vec<_>| {
        let names = [
            GeneralName::Dns(b"a.example".to_vec()).to_der(),
            GeneralName::Uri(ID.as_bytes().to_vec()).to_der(),
        ];
        let value = der::sequence(&[&names[0], &names[1]]);
        put(e, extension(oid::SUBJECT_ALT_NAME, true, &value));
    };
    leaf(both, ID, GoSpiffe::Accepts);
}

#[test]
fn section_2_the_uri_is_a_spiffe_id() {
    let web = |e: &mut Vec<_>| put(e, uris(&["https://a.example/x"]));
    let why = "`https://a.example/x` is not a valid SPIFFE ID: it does not begin with `spiffe://`";
    leaf(web, why, GoSpiffe::Refuses);
}

#[test]
fn section_3_1_a_leaf_has_a_path() {
    let why = "its SPIFFE ID `spiffe://a.example` has no path, expected one that names a workload";
    leaf(|e| put(e, uris(&["spiffe://a.example"])), why, GoSpiffe::Refuses);
}

#[test]
fn section_3_1_without_a_subject_the_name_is_critical() {
    let why = "its subject is empty, and its subject alternative name is not critical";
    leaf(
        |e| {
            let value = uris(&[ID]).value;
            put(e, extension(oid::SUBJECT_ALT_NAME, false, &value));
        },
        why,
        GoSpiffe::Accepts,
    );
}

#[test]
fn section_3_2_a_signing_id_has_no_path() {
    signing(|_| {}, "no ID");
    signing(|e| put(e, uris(&["spiffe://a.example"])), "spiffe://a.example");
    let why = format!("it signs certificates, and its SPIFFE ID `{ID}` has a path");
    signing(|e| put(e, uris(&[ID])), &why);
    let two = ["spiffe://a.example", "spiffe://b.example"];
    signing(|e| put(e, uris(&two)), "it has 2 URI names, expected exactly one");
}

#[test]
fn section_4_1_basic_constraints() {
    let ca = |e: &mut Vec<_>| {
        let value = der::sequence(&[&[der::BOOLEAN, 1, 0xff]]);
        put(e, extension(oid::BASIC_CONSTRAINTS, true, &value));
    };
    let why = "it is a CA: basicConstraints says CA:TRUE, expected a leaf";
    leaf(ca, why, GoSpiffe::Refuses);
    let no_ca =
        |e: &mut Vec<_>| put(e, extension(oid::BASIC_CONSTRAINTS, true, &der::sequence(&[])));
    let why = "it is not a CA: basicConstraints does not say CA:TRUE";
    signing(no_ca, why);
    signing(|e| e.retain(|one| one.oid != *oid::BASIC_CONSTRAINTS), why);
}

#[test]
fn section_4_3_key_usage_is_there_and_critical() {
    let none = |e: &mut Vec<RawExtension>| e.retain(|one| one.oid != *oid::KEY_USAGE);
    leaf(none, "it has no key usage", GoSpiffe::Refuses);
    signing(none, "it has no key usage");
    let why = "its key usage is not critical";
    leaf(|e| put(e, usage(KeyUsage::DIGITAL_SIGNATURE, false)), why, GoSpiffe::Accepts);
    signing(|e| put(e, usage(KeyUsage::KEY_CERT_SIGN, false)), why);
}

#[test]
fn section_4_3_usages_of_a_leaf() {
    let signs = KeyUsage::DIGITAL_SIGNATURE;
    leaf(|e| put(e, usage(signs, true)), ID, GoSpiffe::Accepts);
    leaf(|e| put(e, usage(signs.with(KeyUsage::KEY_AGREEMENT), true)), ID, GoSpiffe::Accepts);
    let why = "its key usage is keyEncipherment, and lacks digitalSignature";
    leaf(|e| put(e, usage(KeyUsage::KEY_ENCIPHERMENT, true)), why, GoSpiffe::Refuses);
    let why = "its key usage is digitalSignature, keyCertSign: a leaf must not have keyCertSign";
    leaf(|e| put(e, usage(signs.with(KeyUsage::KEY_CERT_SIGN), true)), why, GoSpiffe::Refuses);
    let why = "its key usage is digitalSignature, cRLSign: a leaf must not have cRLSign";
    leaf(|e| put(e, usage(signs.with(KeyUsage::CRL_SIGN), true)), why, GoSpiffe::Refuses);
}

#[test]
fn section_4_3_usages_of_a_signing_certificate() {
    signing(|e| put(e, usage(KeyUsage::KEY_CERT_SIGN, true)), "no ID");
    let why = "its key usage is cRLSign, and lacks keyCertSign";
    signing(|e| put(e, usage(KeyUsage::CRL_SIGN, true)), why);
}

#[test]
fn section_4_4_extended_key_usage() {
    let (server, client) = (oid::EKU_SERVER_AUTH, oid::EKU_CLIENT_AUTH);
    let none = |e: &mut Vec<RawExtension>| e.retain(|one| one.oid != *oid::EXT_KEY_USAGE);
    leaf(none, ID, GoSpiffe::Accepts);
    leaf(|e| put(e, usages(&[server, client, oid::EKU_TIME_STAMPING])), ID, GoSpiffe::Accepts);
    let why = "its extended key usage lacks serverAuth";
    leaf(|e| put(e, usages(&[client])), why, GoSpiffe::Accepts);
    let why = "its extended key usage lacks clientAuth";
    leaf(|e| put(e, usages(&[server])), why, GoSpiffe::Accepts);
}

#[test]
fn section_5_1_every_extension_can_be_decoded() {
    let why = "one of its extensions cannot be decoded, or is there twice";
    let broken = |e: &mut Vec<_>| put(e, extension(oid::BASIC_CONSTRAINTS, true, b"x"));
    leaf(broken, why, GoSpiffe::Refuses);
    signing(broken, why);
    let twice = |e: &mut Vec<RawExtension>| e.push(e[0].clone());
    leaf(twice, why, GoSpiffe::Refuses);
}

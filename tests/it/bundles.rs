//! SPIFFE bundles: what we read and write, compared with go-spiffe and SPIRE. A function for each reader says which
//! documents it accepts, and why.

use std::collections::BTreeMap;
use std::path::PathBuf;

use meshpki::spiffe::Bundle;
use meshpki::{Cert, KeyType, TrustDomain};
use serde_json::{Value, json};
use tests::authority::{Authority, resigned};
use tests::fuzz;
use tests::judges::{Spiffe, spiffe};
use tests::random::Random;
use tests::shared::root;

use crate::interop::KINDS;

/// Documents of a fixed seed.
const DOCUMENTS: usize = 10_000;

fn domain() -> TrustDomain {
    "a.example".parse().expect("a trust domain")
}

/// Base64 as Go has it in JSON.
fn base64(bytes: &[u8]) -> String {
    let pem = meshpki::internals::pem::encode("X", bytes);
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

fn bytes(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap_or_default();
    let pem = format!("-----BEGIN X-----\n{text}\n-----END X-----\n");
    let block = meshpki::internals::pem::decode(pem.as_bytes()).remove(0);
    block.expect("base64").der.clone()
}

/// Roots of every kind, and how SPIRE describes the key of each.
struct Pool {
    roots: Vec<Cert>,
    members: Vec<BTreeMap<String, Value>>,
}

impl Pool {
    fn new(judge: &Spiffe) -> Self {
        let roots: Vec<Cert> = KINDS
            .iter()
            .map(|kind| Authority::root(*kind, "O=Example, CN=Root", |_| {}).cert)
            .collect();
        let questions: Vec<Value> =
            roots.iter().map(|root| json!({"roots": [base64(root.as_der())]})).collect();
        let members = judge.ask("marshal", &questions).into_iter().map(|answer| {
            let document: Value =
                serde_json::from_slice(&bytes(&answer["spire"])).expect("SPIRE writes JSON");
            let key = document["keys"][0].as_object().expect("a key").clone();
            key.into_iter().filter(|(name, _)| !["use", "x5c"].contains(&name.as_str())).collect()
        });
        Self { members: members.collect(), roots }
    }
}

/// The `use` of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Usage {
    X509,
    Jwt,
    Wit,
    Unknown,
    Missing,
    Number,
}

/// What a key says of its type and its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Material {
    /// As SPIRE writes it.
    Right,
    /// Of another root.
    Foreign,
    /// The right numbers, and another type.
    OtherType,
    /// Only the type.
    TypeOnly,
    UnknownType,
    NoType,
}

/// The certificates of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chain {
    One,
    Two,
    Empty,
    Absent,
    Null,
    /// A string in the place of the list.
    Text,
    /// A letter that base64 does not have.
    NotBase64,
    /// A newline, over which Go passes.
    Newline,
    /// A certificate without its last byte.
    Cut,
    /// A certificate and a byte.
    Trailing,
}

#[derive(Clone, Debug)]
struct Key {
    root: usize,
    usage: Usage,
    material: Material,
    chain: Chain,
    has_id: bool,
    /// A member twice.
    is_doubled: bool,
}

/// The member `keys`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    There,
    Absent,
    Null,
    /// Spelled `Keys`, which Go reads too.
    Capital,
}

/// A number of the document, as text.
type Number = Option<&'static str>;

const NUMBERS: [Number; 10] = [
    None,
    Some("0"),
    Some("7"),
    Some("18446744073709551615"),
    Some("18446744073709551616"),
    Some("-1"),
    Some("1.5"),
    Some("1e3"),
    Some("\"7\""),
    Some("null"),
];

#[derive(Clone, Debug)]
struct Document {
    keys: Keys,
    list: Vec<Key>,
    sequence: Number,
    hint: Number,
    is_doubled: bool,
    is_cut: bool,
}

impl Document {
    fn random(random: &mut Random) -> Self {
        let list = (0..random.below(4)).map(|_| Key::random(random)).collect();
        let number = |random: &mut Random| match random.one_in(8) {
            true => random.pick(&NUMBERS),
            false => random.pick(&NUMBERS[..3]),
        };
        Self {
            keys: match random.below(30) {
                0 => Keys::Absent,
                1 => Keys::Null,
                2 => Keys::Capital,
                _ => Keys::There,
            },
            list,
            sequence: number(random),
            hint: number(random),
            is_doubled: random.one_in(40),
            is_cut: random.one_in(60),
        }
    }

    fn text(&self, pool: &Pool) -> String {
        let list: Vec<String> = self.list.iter().map(|key| key.text(pool)).collect();
        let list = format!("[{}]", list.join(","));
        let mut members: Vec<String> = match self.keys {
            Keys::There => vec![format!("\"keys\":{list}")],
            Keys::Absent => vec!["\"jwks\":[]".to_owned()],
            Keys::Null => vec!["\"keys\":null".to_owned()],
            Keys::Capital => vec![format!("\"Keys\":{list}")],
        };
        let numbers = [("spiffe_sequence", self.sequence), ("spiffe_refresh_hint", self.hint)];
        for (name, number) in numbers {
            members.extend(number.map(|number| format!("\"{name}\":{number}")));
        }
        if self.is_doubled {
            members.push(members[0].clone());
        }
        let text = format!("{{{}}}\n", members.join(","));
        if self.is_cut { text[..text.len() - 2].to_owned() } else { text }
    }
}

impl Key {
    fn random(random: &mut Random) -> Self {
        let is_plain = random.below(3) > 0;
        let mut key = Self {
            root: random.below(KINDS.len()),
            usage: Usage::X509,
            material: Material::Right,
            chain: Chain::One,
            has_id: false,
            is_doubled: false,
        };
        if is_plain {
            return key;
        }
        use Usage as U;
        match random.below(3) {
            0 => key.usage = random.pick(&[U::Jwt, U::Wit, U::Unknown, U::Missing, U::Number]),
            1 => {
                use Material as M;
                let kinds = [M::Foreign, M::OtherType, M::TypeOnly, M::UnknownType, M::NoType];
                key.material = random.pick(&kinds);
            }
            _ => {
                use Chain as C;
                let (odd, broken) =
                    ([C::Two, C::Empty, C::Absent, C::Null], [C::Text, C::NotBase64]);
                let der = [C::Newline, C::Cut, C::Trailing];
                key.chain = random.pick(&[&odd[..], &broken[..], &der[..]].concat());
            }
        }
        // Two oddities in one key, and what only some of them need.
        if random.one_in(3) {
            key.usage = random.pick(&[U::X509, U::Jwt, U::Wit, U::Unknown, U::Missing]);
        }
        if random.one_in(3) {
            key.chain = random.pick(&[Chain::Absent, Chain::Two, Chain::Cut]);
        }
        key.has_id = random.below(2) == 0;
        key.is_doubled = random.one_in(10);
        key
    }

    /// The root whose numbers the key has.
    const fn described(&self) -> usize {
        match self.material {
            Material::Foreign => (self.root + 1) % KINDS.len(),
            _ => self.root,
        }
    }

    fn text(&self, pool: &Pool) -> String {
        let mut members: Vec<(String, Value)> = Vec::new();
        let mut add = |name: &str, value: Value| members.push((name.to_owned(), value));
        match self.usage {
            Usage::X509 => add("use", json!("x509-svid")),
            Usage::Jwt => add("use", json!("jwt-svid")),
            Usage::Wit => add("use", json!("wit-svid")),
            Usage::Unknown => add("use", json!("X509-SVID")),
            Usage::Number => add("use", json!(5)),
            Usage::Missing => {}
        }
        for (name, value) in &pool.members[self.described()] {
            match (name.as_str(), self.material) {
                ("kty", Material::NoType) => {}
                ("kty", Material::UnknownType) => add("kty", json!("AKP")),
                ("kty", Material::OtherType) => {
                    add("kty", json!(if value == "RSA" { "EC" } else { "RSA" }));
                }
                ("kty", _) => add("kty", value.clone()),
                (_, Material::TypeOnly) => {}
                _ => add(name, value.clone()),
            }
        }
        if self.has_id {
            add("kid", json!("a"));
        }
        self.add_chain(pool, &mut add);
        if self.is_doubled {
            members.push(members[0].clone());
        }
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        format!("{{{}}}", members.join(","))
    }

    fn add_chain(&self, pool: &Pool, add: &mut impl FnMut(&str, Value)) {
        let der = pool.roots[self.root].as_der();
        let one = base64(der);
        match self.chain {
            Chain::One => add("x5c", json!([one])),
            Chain::Two => add("x5c", json!([one, base64(pool.roots[0].as_der())])),
            Chain::Empty => add("x5c", json!([])),
            Chain::Absent => {}
            Chain::Null => add("x5c", Value::Null),
            Chain::Text => add("x5c", json!(one)),
            Chain::NotBase64 => add("x5c", json!([format!("*{}", &one[1..])])),
            Chain::Newline => add("x5c", json!([format!("{}\n{}", &one[..64], &one[64..])])),
            Chain::Cut => add("x5c", json!([base64(&der[..der.len() - 1])])),
            Chain::Trailing => add("x5c", json!([base64(&[der, &[0]].concat())])),
        }
    }
}

/// How many certificates a key of go-jose has; `None` if it refuses the key, and with it the bundle
/// (`github.com/go-jose/go-jose/v4/jwk.go: UnmarshalJSON`). It reads every key, whatever it is for.
fn jose(key: &Key) -> Option<usize> {
    let count = match key.chain {
        Chain::Text | Chain::NotBase64 | Chain::Cut | Chain::Trailing => return None,
        Chain::One | Chain::Newline => 1,
        Chain::Two => 2,
        Chain::Empty | Chain::Absent | Chain::Null => 0,
    };
    let is_right = match key.material {
        Material::Right => true,
        Material::Foreign => count == 0,
        // Its reader ignores no key of an unknown type, which the specification demands.
        Material::OtherType | Material::TypeOnly | Material::UnknownType | Material::NoType => {
            false
        }
    };
    (is_right && key.usage != Usage::Number && !key.is_doubled).then_some(count)
}

/// A number of the document, as Go reads it into an integer.
fn go_number(number: Number, is_signed: bool) -> bool {
    match number {
        Some("18446744073709551615") => !is_signed,
        Some("-1") => is_signed,
        Some("18446744073709551616" | "1.5" | "1e3" | "\"7\"") => false,
        _ => true,
    }
}

/// What both Go readers demand of the document itself. Of two equal names, the last one counts.
fn go_document(document: &Document) -> bool {
    go_number(document.sequence, false) && go_number(document.hint, true) && !document.is_cut
}

/// go-spiffe 2.9.0 (`bundle/spiffebundle/bundle.go: Parse`).
fn go_spiffe(document: &Document) -> bool {
    let has_keys = matches!(document.keys, Keys::There | Keys::Capital);
    let accepts = |key: &Key| {
        jose(key).is_some_and(|count| match key.usage {
            Usage::X509 => count == 1,
            Usage::Jwt | Usage::Wit => key.has_id,
            _ => true,
        })
    };
    go_document(document) && has_keys && document.list.iter().all(accepts)
}

/// SPIRE 1.15.3 (`pkg/common/bundleutil/unmarshal.go`).
fn spire(document: &Document) -> bool {
    let accepts = |key: &Key| {
        jose(key).is_some_and(|count| match key.usage {
            Usage::X509 => count == 1,
            Usage::Jwt | Usage::Wit => key.has_id,
            _ => false,
        })
    };
    let has_keys = matches!(document.keys, Keys::There | Keys::Capital);
    go_document(document) && (!has_keys || document.list.iter().all(accepts))
}

/// How many keys have a root that counts, by the specification; `None` if it is not a valid bundle.
fn specification(document: &Document) -> Option<usize> {
    let is_number = |number: Number| {
        matches!(number, None | Some("null")) || {
            number.is_some_and(|number| number.parse::<u64>().is_ok())
        }
    };
    let is_bundle = document.keys == Keys::There
        && is_number(document.sequence)
        && is_number(document.hint)
        && !document.is_cut
        && !document.is_doubled;
    let mut count = 0;
    for key in &document.list {
        if key.usage == Usage::Number || key.is_doubled {
            return None;
        }
        let is_known = !matches!(key.material, Material::UnknownType | Material::NoType);
        if key.usage != Usage::X509 || !is_known {
            continue;
        }
        match key.chain {
            Chain::Empty | Chain::Absent | Chain::Null => continue,
            Chain::One | Chain::Two => {}
            _ => return None,
        }
        if !matches!(key.material, Material::Right | Material::TypeOnly) {
            return None;
        }
        count += 1;
    }
    is_bundle.then_some(count)
}

/// 10,000 documents: each reader accepts and refuses as its function says, and those that accept read the same roots.
#[test]
fn every_reader_does_what_the_table_says() {
    let Some(judge) = spiffe() else { return };
    let pool = Pool::new(&judge);
    let mut random = Random::new(15);
    let documents: Vec<Document> = (0..DOCUMENTS).map(|_| Document::random(&mut random)).collect();
    let texts: Vec<String> = documents.iter().map(|document| document.text(&pool)).collect();
    let questions: Vec<Value> =
        texts.iter().map(|text| json!({"document": base64(text.as_bytes())})).collect();
    let mut accepted = [0; 3];
    for ((document, text), answer) in
        documents.iter().zip(&texts).zip(judge.ask("parse", &questions))
    {
        let ours = Bundle::from_json(domain(), text.as_bytes());
        let refused = |reader: &str| answer[reader]["error"] != "";
        assert_eq!(!refused("goSpiffe"), go_spiffe(document), "{document:?}\n{text}\n{answer}");
        assert_eq!(!refused("spire"), spire(document), "{document:?}\n{text}\n{answer}");
        assert_eq!(
            ours.is_ok(),
            specification(document).is_some(),
            "{document:?}\n{text}\n{ours:?}"
        );
        for (count, is_accepted) in
            accepted.iter_mut().zip([ours.is_ok(), !refused("goSpiffe"), !refused("spire")])
        {
            *count += usize::from(is_accepted);
        }
        let Ok((bundle, ignored)) = ours else { continue };
        let odd = document.list.len() - specification(document).unwrap_or_default();
        assert!(ignored.len() >= odd, "{document:?}\n{ignored:?}");
        for reader in ["goSpiffe", "spire"].into_iter().filter(|reader| !refused(reader)) {
            let roots: Vec<Vec<u8>> =
                answer[reader]["roots"].as_array().into_iter().flatten().map(bytes).collect();
            let own: Vec<&[u8]> = bundle.roots().iter().map(Cert::as_der).collect();
            assert_eq!(own, roots, "{document:?}\n{text}");
            let hint = json!(bundle.refresh_hint().unwrap_or_default());
            assert_eq!(answer[reader]["refreshHint"], hint, "{document:?}");
        }
        if !refused("goSpiffe") {
            let sequence = json!(bundle.sequence().unwrap_or_default());
            assert_eq!(answer["goSpiffe"]["sequence"], sequence, "{document:?}");
        }
    }
    let [ours, go_spiffe, spire] = accepted;
    println!("of {DOCUMENTS}, we accept {ours}, go-spiffe {go_spiffe}, SPIRE {spire}");
    assert!(accepted.iter().all(|count| (DOCUMENTS / 10..DOCUMENTS * 9 / 10).contains(count)));
}

/// Documents that were changed anywhere: whoever accepts one reads the same roots from it.
#[test]
fn changed_documents() {
    let Some(judge) = spiffe() else { return };
    let target = fuzz::named("bundle").expect("a target");
    let seeds = fuzz::corpus::seeds(target);
    let mut random = Random::new(15);
    let texts: Vec<Vec<u8>> = (0..2000)
        .map(|_| {
            let seed = random.pick(seeds);
            target.mutated(&mut random, &seed)
        })
        .collect();
    let questions: Vec<Value> =
        texts.iter().map(|text| json!({"document": base64(text)})).collect();
    let mut both = 0;
    for (text, answer) in texts.iter().zip(judge.ask("parse", &questions)) {
        let Ok((bundle, _)) = Bundle::from_json(domain(), text) else { continue };
        let own: Vec<&[u8]> = bundle.roots().iter().map(Cert::as_der).collect();
        for reader in ["goSpiffe", "spire"].map(|reader| &answer[reader]) {
            if reader["error"] == "" {
                both += 1;
                let roots: Vec<Vec<u8>> =
                    reader["roots"].as_array().into_iter().flatten().map(bytes).collect();
                assert_eq!(own, roots, "{}\n{answer}", String::from_utf8_lossy(text));
            }
        }
    }
    assert!(both > 200, "{both} of 4000");
}

/// What we write is what SPIRE writes, byte for byte; both read it, and we read what they write.
#[test]
fn written_as_spire_writes() {
    let Some(judge) = spiffe() else { return };
    let pool = Pool::new(&judge);
    let mut random = Random::new(15);
    let bundles: Vec<Bundle> = (0..500)
        .map(|_| {
            let mut roots = pool.roots.clone();
            random.shuffle(&mut roots);
            roots.truncate(random.below(KINDS.len() + 1));
            let numbers = [0, 1, 300, u64::MAX];
            Bundle::new(domain(), roots)
                .with_sequence(random.pick(&numbers))
                .with_refresh_hint(random.pick(&numbers))
        })
        .collect();
    let questions: Vec<Value> = bundles
        .iter()
        .map(|bundle| {
            let roots: Vec<String> =
                bundle.roots().iter().map(|root| base64(root.as_der())).collect();
            let (sequence, hint) = (bundle.sequence(), bundle.refresh_hint());
            json!({"roots": roots, "sequence": sequence, "refreshHint": hint})
        })
        .collect();
    let written: Vec<String> =
        bundles.iter().map(|bundle| bundle.to_json().expect("JSON")).collect();
    for ((bundle, text), answer) in
        bundles.iter().zip(&written).zip(judge.ask("marshal", &questions))
    {
        assert_eq!(answer["error"], "");
        assert_eq!(*text, String::from_utf8(bytes(&answer["spire"])).expect("UTF-8"));
        // go-spiffe writes an empty bundle with `keys: null`, which it refuses itself.
        let by_go_spiffe = Bundle::from_json(domain(), &bytes(&answer["goSpiffe"]));
        assert_eq!(by_go_spiffe.is_ok(), !bundle.roots().is_empty());
        for read in [Bundle::from_json(domain(), text.as_bytes())]
            .into_iter()
            .chain(Some(by_go_spiffe).filter(Result::is_ok))
        {
            assert_eq!(read.expect("a bundle"), (bundle.clone(), vec![]));
        }
    }
    let questions: Vec<Value> =
        written.iter().map(|text| json!({"document": base64(text.as_bytes())})).collect();
    for answer in judge.ask("parse", &questions) {
        assert_eq!([&answer["goSpiffe"]["error"], &answer["spire"]["error"]], ["", ""]);
    }
}

/// A root with any kind of key, those that do not sign included, is written as SPIRE writes it, or by neither.
#[test]
fn every_kind_of_key_is_written_as_spire_does() {
    let Some(judge) = spiffe() else { return };
    let base = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    let folder = std::fs::read_dir(root().join("fixtures/keys")).expect("keys");
    let paths = folder.map(|entry| entry.expect("a file").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "spki")).collect();
    paths.sort();
    let certs: Vec<Cert> = paths
        .iter()
        .map(|path| {
            let key = std::fs::read(path).expect("a key");
            resigned(&base.cert, &base.key, |fields| fields[6] = key)
        })
        .collect();
    let questions: Vec<Value> =
        certs.iter().map(|cert| json!({"roots": [base64(cert.as_der())]})).collect();
    let mut written = Vec::new();
    for ((path, cert), answer) in paths.iter().zip(certs).zip(judge.ask("marshal", &questions)) {
        let ours = Bundle::new(domain(), [cert]).to_json();
        assert_eq!(ours.is_ok(), answer["error"] == "", "{path:?}\n{ours:?}\n{answer}");
        if let Ok(text) = ours {
            assert_eq!(text.as_bytes(), bytes(&answer["spire"]), "{path:?}");
            written.push(path.file_stem().expect("a name").to_string_lossy().into_owned());
        }
    }
    assert!(
        ["ec-P-521", "ed25519", "p384", "rsa3072"]
            .iter()
            .all(|key| written.contains(&(*key).to_owned()))
    );
    assert!(written.len() < paths.len(), "{written:?}");
}

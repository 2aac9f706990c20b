//! Fuzzing: what every target does with bytes and asserts, how inputs of its kind are changed, what it starts from.
//!
//! One list for three callers: libFuzzer (`fuzz/`, run by `cargo xtask fuzz`), the same command if libFuzzer cannot
//! be built, and an ordinary test with a fixed seed (`tests/it/fuzz.rs`).

use std::sync::OnceLock;

use meshpki::verify::Release;

use crate::random::Random;

mod bundles;
mod bytes;
mod containers;
pub mod corpus;
mod endpoint;
mod issued;
mod keys;
pub mod kubeconfig;
mod made;
pub mod mesh;
pub mod mutate;
mod pki;
mod proxies;
pub mod remote_secret;
mod report;
mod secret;
mod signer;
mod texts;

use mutate::text::{self, Dictionary};

/// A target: its name, what it does with bytes, what these are.
pub struct Target {
    /// Its name, in file names too.
    pub name: &'static str,
    /// Panics when a promise is broken.
    pub run: fn(&[u8]),
    /// What its inputs are.
    pub kind: Kind,
    /// Changed inputs the ordinary test gives it; dear ones get fewer.
    pub tries: usize,
    seeds: OnceLock<Vec<Vec<u8>>>,
}

/// What the inputs of a target are, hence how they are changed.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Elements of DER.
    Der,
    /// PEM blocks and text around them.
    Pem,
    /// Text with the words of a dictionary.
    Text(&'static Dictionary),
    /// Choices of a grammar ([`Random::of_bytes`]): any bytes are an input.
    Choices,
}

const fn target(name: &'static str, kind: Kind, tries: usize, run: fn(&[u8])) -> Target {
    Target { name, run, kind, tries, seeds: OnceLock::new() }
}

/// Every target.
pub static TARGETS: [Target; 32] = [
    target("pem", Kind::Pem, 1500, bytes::pem),
    target("der", Kind::Der, 1500, bytes::der),
    target("cert", Kind::Der, 1500, bytes::cert),
    target("crl", Kind::Der, 1500, bytes::crl),
    target("csr", Kind::Der, 1500, bytes::csr),
    target("verify", Kind::Pem, 1500, bytes::verify),
    target("key", Kind::Pem, 400, keys::key),
    target("pkcs7", Kind::Der, 1500, containers::pkcs7),
    target("pkcs12", Kind::Der, 200, containers::pkcs12),
    target("exported", Kind::Text(&text::YAML), 600, containers::exported),
    target("chain", Kind::Pem, 400, bytes::chain),
    target("secret", Kind::Pem, 300, secret::secret),
    target("name", Kind::Text(&text::NAMES), 1500, texts::name),
    target("cfssl", Kind::Text(&text::CFSSL), 1000, texts::cfssl),
    target("bundle", Kind::Text(&text::BUNDLE), 1000, bundles::bundle),
    target("bundle-map", Kind::Text(&text::BUNDLE), 1000, bundles::bundle_map),
    target("endpoint", Kind::Text(&text::ENDPOINT), 1500, endpoint::endpoint),
    target("proxies", Kind::Text(&text::PROXIES), 600, proxies::proxies),
    target("revocations", Kind::Text(&text::NAMES), 600, texts::revocations),
    target("options", Kind::Text(&text::OPTIONS), 600, texts::options),
    target("mesh", Kind::Text(&text::YAML), 600, mesh::mesh),
    target("resources", Kind::Text(&text::YAML), 600, mesh::resources),
    target("mesh-config", Kind::Text(&text::YAML), 600, mesh::mesh_config),
    target("corefile", Kind::Text(&text::COREFILE), 1500, mesh::corefile),
    target("kubeconfig", Kind::Text(&text::KUBECONFIG), 3000, kubeconfig::kubeconfig),
    target("remote-secret", Kind::Text(&text::KUBECONFIG), 3000, remote_secret::remote_secret),
    target("report", Kind::Text(&text::HTML), 150, report::report),
    target("signer-answer", Kind::Text(&text::SIGNER), 3000, signer::answer),
    target("token-uri", Kind::Text(&text::SIGNER), 3000, signer::token_uri),
    target("mesh-made", Kind::Choices, 150, made::mesh),
    target("issued", Kind::Choices, 300, issued::issued),
    target("pki", Kind::Choices, 150, pki::pki),
];

/// The target of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

impl Target {
    /// An input after a few changes that suit its kind.
    #[must_use]
    pub fn mutated(&'static self, random: &mut Random, data: &[u8]) -> Vec<u8> {
        let donors = corpus::seeds(self);
        // A fresh start once in a while, and when there is nothing to change.
        let fresh = data.len() < 2 || random.one_in(200);
        let data = if fresh { &donors[random.below(donors.len())] } else { data };
        match self.kind {
            Kind::Der => mutate::der::edited(random, data, donors),
            Kind::Pem => mutate::pem::edited(random, data, donors),
            Kind::Text(dictionary) => text::edited(random, data, dictionary, donors),
            Kind::Choices => mutate::choices(random, data),
        }
    }

    /// The dictionary for libFuzzer's own changes: a file of `fuzz/dictionaries`, without its ending.
    #[must_use]
    pub const fn dictionary(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Der => Some(text::DER.name),
            Kind::Pem => Some(text::PEM.name),
            Kind::Text(dictionary) => Some(dictionary.name),
            Kind::Choices => None,
        }
    }
}

/// The release of OpenSSL to answer as, by the input.
const fn release(data: &[u8]) -> Release {
    Release::ALL[data.len() % Release::ALL.len()]
}

/// Whether the judge is asked about this input too: one in [`judged`] of them, chosen by its content, so that an input
/// that was found is asked about again.
fn is_sampled(data: &[u8]) -> bool {
    let hash = data.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    judged() > 0 && (hash ^ hash >> 29) % judged() == 0
}

/// `MESH_FUZZ_JUDGE`: one input in so many goes to openssl, a process each time. Default 20; 0 for no input.
fn judged() -> u64 {
    std::env::var("MESH_FUZZ_JUDGE").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

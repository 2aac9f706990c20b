//! Random PKIs as lists of DER, for verifiers that have no command line.

use meshpki::Time;
use meshpki::internals::oid;

use super::{Chaos, OUTSIDE_FROM, World};
use crate::forge::{CertPlan, Extension, extension, value};
use crate::random::Random;

/// The time every PKI is judged at: 2023-11-14T22:13:20Z.
const AT: Time = Time(1_700_000_000);

/// What a peer sends, and what its verifier has.
#[derive(Clone, Debug)]
pub struct Pki {
    /// A name, for messages.
    pub name: String,
    /// The time of the verification.
    pub at: Time,
    /// The certificate in question.
    pub leaf: Vec<u8>,
    /// Certificates sent with it, in order.
    pub intermediates: Vec<Vec<u8>>,
    /// The trust store, in order.
    pub roots: Vec<Vec<u8>>,
    /// CRLs of the trust store, in order.
    pub crls: Vec<Vec<u8>>,
}

/// What a PKI of a mesh looks like, in which one thing at most is odd.
#[derive(Clone, Debug)]
pub(super) struct Mesh(Random);

/// The PKI of a seed. Seeds from [`OUTSIDE_FROM`] on have keys that openssl makes on the spot, too.
#[must_use]
pub fn pki(seed: u64) -> Pki {
    let more = Random::new(seed ^ 0x7065_6572);
    let mut world = World::new(Random::new(seed), more, seed >= OUTSIDE_FROM, false);
    world.later = None;
    if world.more.one_in(2) {
        world.mesh = Some(Mesh(Random::new(seed ^ 0x6d65_7368)));
        world.corner = None;
        world.chaos = Chaos(world.more.pick(&[1_000_000, 1_000_000, 200, 60]));
        (world.loose, world.with_deltas, world.mail) = (false, false, None);
        world.with_constraints = world.more.one_in(3);
    }
    let mut pki = world.pki();
    pki.name = format!("seed-{seed}");
    pki
}

impl World {
    fn pki(mut self) -> Pki {
        self.chain();
        match &self.corner {
            Some(_) => self.circle(),
            None => self.extras(),
        }
        self.revocation();
        let mut roots = self.roots.clone();
        if self.random.one_in(8) {
            roots.extend(self.intermediates.iter().take(1).cloned());
        }
        let mut intermediates = self.intermediates.clone();
        if self.random.one_in(8) {
            intermediates.extend(self.roots.iter().cloned());
        }
        if self.random.one_in(3) {
            self.random.shuffle(&mut roots);
        }
        if self.random.one_in(2) {
            self.random.shuffle(&mut intermediates);
        }
        if self.random.one_in(20) && !intermediates.is_empty() {
            intermediates.pop();
        }
        let leaf = self.random.pick(&self.leaves);
        Pki { name: String::new(), at: AT, leaf, intermediates, roots, crls: self.crls }
    }
}

impl Mesh {
    /// A workload's certificate as istiod writes it, or nearly so.
    pub(super) fn leaf(&mut self, plan: &mut CertPlan) {
        let random = &mut self.0;
        let uris = [
            "spiffe://cluster.local/ns/default/sa/reviews",
            "spiffe://east.example.com/ns/default/sa/reviews",
            "spiffe://example.com/ns/default/sa/reviews",
            "spiffe://EAST.example.com:8080/ns/default/sa/reviews",
        ];
        let mut names = vec![value::general(6, random.pick(&uris).as_bytes())];
        if random.one_in(6) {
            names.push(value::general(2, random.pick(&[&b"a.example.com"[..], b"*.example.com"])));
        }
        plan.extensions = vec![
            extension(oid::KEY_USAGE, true, value::bits(0xa0)),
            extension(
                oid::EXT_KEY_USAGE,
                false,
                value::oids(&[oid::EKU_SERVER_AUTH, oid::EKU_CLIENT_AUTH]),
            ),
            extension(oid::BASIC_CONSTRAINTS, true, value::basic_constraints(false, None)),
            extension(oid::SUBJECT_ALT_NAME, true, value::list(&names)),
        ];
        if random.one_in(2) {
            plan.subject = crate::forge::name(&[]);
        }
    }

    /// Name constraints as people write them for meshes; scheme and all.
    pub(super) fn constraints(&mut self) -> Extension {
        let random = &mut self.0;
        let hosts = [
            "cluster.local",
            "example.com",
            ".example.com",
            "east.example.com",
            "spiffe://cluster.local/ns/default",
            "EAST.EXAMPLE.com",
        ];
        let mut trees = |most: usize| -> Vec<Vec<u8>> {
            let kind = random.pick(&[6, 6, 6, 2]);
            let count = random.below(most + 1);
            (0..count).map(|_| value::general(kind, random.pick(&hosts).as_bytes())).collect()
        };
        let value = value::name_constraints(&trees(2), &trees(1));
        extension(oid::NAME_CONSTRAINTS, true, value)
    }
}

//! Random PKIs: a plausible chain, then cross-signs, twins, faults, CRLs and every option.

use meshpki::internals::der::{self, tlv};
use meshpki::internals::oid;

use crate::cases::Case;
use crate::forge::{
    self, CertPlan, CrlPlan, Extension, KEYS, Rsa, extension, signers, spki, value,
};
use crate::outside::OUTSIDE;
use crate::random::Random;

mod corners;
mod deltas;
mod faults;
mod later;
mod mail;
mod names;
mod options;
mod pki;
mod resources;

pub use pki::{Pki, pki};

/// A certification authority or a subject: a name and a key.
#[derive(Clone, Debug)]
struct Party {
    name: Vec<u8>,
    key: usize,
    serial: Vec<u8>,
    /// Its own issuer's name, for authorityCertIssuer.
    issuer: Vec<u8>,
}

impl Party {
    fn key_id(&self) -> Vec<u8> {
        meshpki::internals::digest::sha1(spki(self.key)).to_vec()
    }
}

/// How likely things are wrong, one in so many times.
#[derive(Clone, Copy)]
struct Chaos(usize);

/// A world under construction.
struct World {
    random: Random,
    chaos: Chaos,
    parties: Vec<Party>,
    roots: Vec<Vec<u8>>,
    intermediates: Vec<Vec<u8>>,
    leaves: Vec<Vec<u8>>,
    crls: Vec<Vec<u8>>,
    with_policies: bool,
    with_constraints: bool,
    with_outside: bool,
    with_resources: bool,
    loose: bool,
    /// Choices that came later: a stream of its own, so that older worlds keep what they had.
    more: Random,
    /// Addresses in UTF-8 and their constraints.
    mail: Option<mail::Hosts>,
    /// Many delta CRLs and other lists that give no answer.
    with_deltas: bool,
    /// One corner in a world that is sound otherwise.
    corner: Option<corners::Corner>,
    /// What came last, from a stream of its own.
    later: Option<later::Later>,
    /// The leaf that was made last.
    last_leaf: Option<Party>,
    /// Signed parts are changed as trees too, which no seed has.
    edited: bool,
    /// Leaves are certificates of workloads; only [`pki`] has them.
    mesh: Option<pki::Mesh>,
}

/// Seeds below are repeatable: their worlds use the keys of the repository alone. From here on a sixth of the
/// worlds has keys that openssl makes on the spot.
pub const OUTSIDE_FROM: u64 = 1_000_000;

/// The case of `seed`: files and a command line.
#[must_use]
pub fn case(seed: u64) -> Case {
    let more = Random::new(seed ^ 0x6d6f_7265);
    let mut case = World::new(Random::new(seed), more, seed >= OUTSIDE_FROM, false).case();
    case.name = format!("seed-{seed}");
    case
}

/// A case out of any choices, with the keys of the repository alone.
#[must_use]
pub fn chosen(mut choices: Random) -> Case {
    let more = Random::new(choices.next());
    let mut case = World::new(choices, more, false, true).case();
    case.name = "fuzz".to_owned();
    case
}

impl World {
    fn new(mut random: Random, mut more: Random, outside: bool, edited: bool) -> Self {
        // A copy: worlds without a corner keep what they had.
        let corner = corners::Corner::new(Random::new(more.clone().next() ^ 0x636f_726e));
        let later = later::Later::new(Random::new(more.clone().next() ^ 0x6c61_7374));
        let chaos = Chaos(random.pick(&[1_000_000, 200, 60, 20]));
        let mail = more.one_in(8).then(|| mail::Hosts::new(&mut more));
        let with_deltas = more.one_in(8);
        let mut world = Self {
            chaos,
            parties: Vec::new(),
            roots: Vec::new(),
            intermediates: Vec::new(),
            leaves: Vec::new(),
            crls: Vec::new(),
            with_policies: random.one_in(6),
            with_constraints: random.one_in(4),
            with_outside: random.one_in(6) && outside,
            with_resources: random.one_in(12),
            loose: random.one_in(10),
            edited,
            random,
            more,
            mail,
            with_deltas,
            later: later.filter(|_| corner.is_none()),
            last_leaf: None,
            corner,
            mesh: None,
        };
        if world.corner.is_some() {
            world.chaos = Chaos(1_000_000);
            (world.with_policies, world.with_constraints) = (false, false);
            (world.with_outside, world.with_resources) = (false, false);
            (world.loose, world.with_deltas, world.mail) = (false, false, None);
        }
        world
    }

    fn case(mut self) -> Case {
        self.chain();
        match &self.corner {
            Some(_) => self.circle(),
            None => self.extras(),
        }
        self.revocation();
        self.later();
        options::case(&mut self)
    }

    fn wrong(&mut self) -> bool {
        self.random.one_in(self.chaos.0)
    }

    /// Root, up to three intermediates, leaf.
    fn chain(&mut self) {
        let depth = self.random.pick(&[0, 1, 1, 1, 2, 2, 3]);
        let mut above: Option<Party> = None;
        for level in 0..=depth {
            let party = self.party(level, above.as_ref());
            let issuer = above.unwrap_or_else(|| party.clone());
            let cert = self.ca(&party, &issuer, depth - level);
            if level == 0 {
                self.roots.push(cert)
            } else {
                self.intermediates.push(cert)
            }
            self.parties.push(party.clone());
            above = Some(party);
        }
        let issuer = above.expect("a root");
        let leaf = self.leaf(&issuer);
        self.leaves.push(leaf);
    }

    fn party(&mut self, level: usize, above: Option<&Party>) -> Party {
        let key = self.key();
        let name = names::ca(&mut self.random, level);
        let serial = self.serial();
        let issuer = above.map_or_else(|| name.clone(), |above| above.name.clone());
        Party { name, key, serial, issuer }
    }

    /// Mostly P-256, which signs fast.
    fn key(&mut self) -> usize {
        if let Some(key) = self.later.as_mut().and_then(later::Later::key) {
            return key;
        }
        let p256 = KEYS.iter().position(|key| key.name == "p256-0").unwrap_or(0);
        if self.with_outside && self.random.one_in(3) {
            KEYS.len() + self.random.below(OUTSIDE.len())
        } else if self.random.one_in(6) {
            self.random.below(signers())
        } else {
            p256 + self.random.below(6)
        }
    }

    fn way(&mut self, signer: usize) -> Rsa {
        if signer < KEYS.len() {
            self.random.pick(&[Rsa::Sha256, Rsa::Sha384, Rsa::Sha512, Rsa::Pss256])
        } else {
            Rsa::Outside(self.random.below(1000))
        }
    }

    fn looseness(&mut self) -> Option<(Random, usize)> {
        let seed = self.random.next();
        let rarity = self.random.pick(&[3, 10, 30]);
        (self.loose && self.random.one_in(2)).then(|| (Random::new(seed), rarity))
    }

    fn edits(&mut self) -> Option<Random> {
        (self.edited && self.random.one_in(12)).then(|| Random::new(self.random.next()))
    }

    fn serial(&mut self) -> Vec<u8> {
        let odd: [&[u8]; 5] = [&[0], &[0x80], &[0xff, 0x0c], &[1; 21], &[0, 0xff]];
        if self.wrong() {
            self.random.pick(&odd).to_vec()
        } else {
            vec![1 + self.small(), self.small()]
        }
    }

    fn small(&mut self) -> u8 {
        u8::try_from(self.random.below(100)).unwrap_or(0)
    }

    /// A CA certificate with room for `below` CAs under it.
    fn ca(&mut self, party: &Party, issuer: &Party, below: usize) -> Vec<u8> {
        let mut plan =
            CertPlan::new(party.name.clone(), issuer.name.clone(), party.key, issuer.key);
        plan.serial.clone_from(&party.serial);
        plan.rsa = self.way(issuer.key);
        let path_len = match self.random.below(3) {
            0 => Some(vec![u8::try_from(below).unwrap_or(0)]),
            1 if self.wrong() => Some(vec![0]),
            _ => None,
        };
        let basic = value::basic_constraints(true, path_len.as_deref());
        plan.extensions.push(extension(oid::BASIC_CONSTRAINTS, !self.wrong(), basic));
        if !self.random.one_in(4) {
            let usage = self.random.pick(&[0x06, 0x06, 0x86, 0x04]);
            plan.extensions.push(extension(oid::KEY_USAGE, true, value::bits(usage)));
        }
        self.key_ids(&mut plan, party, issuer);
        self.shared_extensions(&mut plan);
        if self.with_constraints && self.random.one_in(2) {
            plan.extensions.push(match &mut self.mesh {
                Some(mesh) => mesh.constraints(),
                None => names::constraints(&mut self.random),
            });
        }
        if let Some(mail) = self.mail.clone()
            && !self.more.one_in(3)
        {
            let value = mail.constraints(&mut self.more);
            plan.extensions.retain(|extension| extension.oid != oid::NAME_CONSTRAINTS);
            plan.extensions.push(extension(oid::NAME_CONSTRAINTS, true, value));
        }
        if let Some(corner) = &mut self.corner {
            corner.cert(&mut plan, true);
        }
        self.finish(plan)
    }

    fn leaf(&mut self, issuer: &Party) -> Vec<u8> {
        let key = if self.random.one_in(8) { self.random.below(KEYS.len()) } else { self.key() };
        let subject = names::leaf(&mut self.random);
        let serial = self.serial();
        let party = Party { name: subject, key, serial, issuer: issuer.name.clone() };
        let mut plan = CertPlan::new(party.name.clone(), issuer.name.clone(), key, issuer.key);
        plan.serial.clone_from(&party.serial);
        plan.rsa = self.way(issuer.key);
        if self.random.one_in(3) {
            let basic = value::basic_constraints(self.random.one_in(9), None);
            plan.extensions.push(extension(oid::BASIC_CONSTRAINTS, self.random.one_in(2), basic));
        }
        if self.random.one_in(2) {
            let usage = self.random.pick(&[0xa0, 0x80, 0x20, 0x08, 0xc0, 0x04, 0x8000]);
            plan.extensions.push(extension(
                oid::KEY_USAGE,
                self.random.one_in(2),
                value::bits(usage),
            ));
        }
        if !self.random.one_in(4) {
            let critical = self.random.one_in(6);
            plan.extensions.push(names::subject_alt_name(&mut self.random, critical));
        }
        if let Some(mail) = self.mail.clone() {
            let names: Vec<Vec<u8>> =
                (0..=self.more.below(2)).map(|_| mail.address(&mut self.more)).collect();
            plan.extensions.retain(|extension| extension.oid != oid::SUBJECT_ALT_NAME);
            plan.extensions.push(extension(oid::SUBJECT_ALT_NAME, false, value::list(&names)));
        }
        if self.random.one_in(4) {
            plan.extensions.push(distribution_point(&mut self.random, &issuer.name));
        }
        self.key_ids(&mut plan, &party, issuer);
        self.shared_extensions(&mut plan);
        if let Some(mesh) = &mut self.mesh {
            mesh.leaf(&mut plan);
        }
        if let Some(corner) = &mut self.corner {
            corner.cert(&mut plan, false);
        }
        self.last_leaf = Some(party);
        self.finish(plan)
    }

    fn key_ids(&mut self, plan: &mut CertPlan, party: &Party, issuer: &Party) {
        if !self.random.one_in(5) {
            plan.extensions.push(extension(
                oid::SUBJECT_KEY_ID,
                false,
                value::key_id(&party.key_id()),
            ));
        }
        let id = issuer.key_id();
        let authority = match self.random.below(10) {
            0 | 1 => return,
            2 => value::authority(Some(&id), Some(&issuer.issuer), Some(&issuer.serial)),
            3 => value::authority(None, Some(&issuer.issuer), Some(&issuer.serial)),
            4 => value::authority(None, None, None),
            5 if self.wrong() => value::authority(Some(&[9; 20]), None, None),
            6 if self.wrong() => value::authority(Some(&id), Some(&party.name), Some(&[9])),
            _ => value::authority(Some(&id), None, None),
        };
        plan.extensions.push(extension(oid::AUTHORITY_KEY_ID, false, authority));
    }

    /// extKeyUsage, policies, nsCertType: on any certificate.
    fn shared_extensions(&mut self, plan: &mut CertPlan) {
        if self.random.one_in(4) {
            let sets: [&[&[u8]]; 7] = [
                &[oid::EKU_SERVER_AUTH],
                &[oid::EKU_CLIENT_AUTH],
                &[oid::EKU_SERVER_AUTH, oid::EKU_CLIENT_AUTH],
                &[oid::EKU_ANY],
                &[oid::EKU_EMAIL_PROTECTION],
                &[oid::EKU_TIME_STAMPING],
                &[oid::EKU_NS_SGC, &[0x2a, 3, 4]],
            ];
            let usage = value::oids(self.random.pick(&sets));
            plan.extensions.push(extension(oid::EXT_KEY_USAGE, self.random.one_in(3), usage));
        }
        if self.with_resources && !self.random.one_in(5) {
            let more = resources::extensions(&mut self.random);
            plan.extensions.extend(more);
        }
        if self.with_policies {
            let more = names::policies(&mut self.random);
            plan.extensions.extend(more);
        }
        if self.random.one_in(25) {
            let kinds = self.random.pick(&[0x80, 0x40, 0x04, 0x02, 0x05, 0x20]);
            plan.extensions.push(extension(oid::NS_CERT_TYPE, false, value::bits(kinds)));
        }
    }

    fn finish(&mut self, mut plan: CertPlan) -> Vec<u8> {
        let tries = if self.chaos.0 > 1000 { 0 } else { 3 };
        for _ in 0..tries {
            if self.random.one_in(self.chaos.0.div_ceil(4)) {
                faults::plan(&mut self.random, &mut plan);
            }
        }
        plan.loose = self.looseness();
        plan.edits = self.edits();
        let mut der = plan.sign();
        if let Some(corner) = &mut self.corner {
            der = corner.bytes(der);
        }
        if self.chaos.0 < 50 && self.random.one_in(60) {
            faults::bytes(&mut self.random, &mut der);
        }
        der
    }

    /// Cross-signs, CAs with the same name, renewed CAs, loops, unrelated certificates.
    fn extras(&mut self) {
        for _ in 0..self.random.pick(&[0, 0, 1, 1, 2, 4]) {
            let subject = self.random.below(self.parties.len());
            let by = self.random.below(self.parties.len());
            let (mut party, mut issuer) = (self.parties[subject].clone(), self.parties[by].clone());
            match self.random.below(6) {
                0 => party.key = self.key(),
                1 => issuer = party.clone(),
                2 => {
                    party.key = self.key();
                    issuer = party.clone();
                }
                3 => party.serial = self.serial(),
                4 => {
                    party = self.party(7, None);
                    issuer = party.clone();
                }
                _ => {}
            }
            party.issuer.clone_from(&issuer.name);
            let cert = self.ca(&party, &issuer, 3);
            if self.random.one_in(2) {
                self.roots.push(cert)
            } else {
                self.intermediates.push(cert)
            }
            if self.random.one_in(3) {
                let leaf = self.leaf(&party);
                self.leaves.push(leaf);
            }
        }
    }

    /// CRLs of some authorities.
    fn revocation(&mut self) {
        let is_wanted = match &self.corner {
            Some(corner) => corner.is_about_revocation(),
            None => self.random.one_in(3) || self.with_deltas,
        };
        if !is_wanted {
            return;
        }
        let parties = self.parties.clone();
        for party in parties {
            for _ in 0..self.random.pick(&[0, 1, 1, 1, 2]) {
                let crl = self.crl(&party);
                self.crls.push(crl);
            }
        }
    }

    fn crl(&mut self, party: &Party) -> Vec<u8> {
        let mut plan = CrlPlan::new(party.name.clone(), party.key);
        plan.rsa = self.way(party.key);
        plan.loose = self.looseness();
        if self.random.one_in(10) {
            plan.issuer = self.some_name();
        }
        for _ in 0..self.random.below(3) {
            let serial = self.some_serial();
            let reasons: [&[u8]; 3] = [&[0x0a, 1, 1], &[0x0a, 1, 6], &[0x0a, 1, 8]];
            let mut extensions = Vec::new();
            if self.random.one_in(3) {
                let reason = self.random.pick(&reasons).to_vec();
                extensions.push(extension(oid::CRL_REASON, self.wrong(), reason));
            }
            if self.random.one_in(6) {
                let name = self.some_name();
                let names = value::list(&[value::general(4, &name)]);
                let critical = self.random.one_in(2);
                extensions.push(extension(oid::CERTIFICATE_ISSUER, critical, names));
            }
            plan.revoked.push((serial, extensions));
        }
        if self.random.one_in(2) {
            let authority = value::authority(Some(&party.key_id()), None, None);
            plan.extensions.push(extension(oid::AUTHORITY_KEY_ID, false, authority));
        }
        if self.random.one_in(2) {
            let number = tlv(der::INTEGER, &[self.small()]);
            plan.extensions.push(extension(oid::CRL_NUMBER, self.wrong(), number));
        }
        if self.random.one_in(6) {
            plan.extensions.push(faults::issuing_point(&mut self.random));
        }
        if self.random.one_in(10) {
            let base = tlv(der::INTEGER, &[self.small()]);
            plan.extensions.push(extension(oid::DELTA_CRL, self.random.one_in(2), base));
        }
        if self.random.one_in(12) {
            plan.extensions.push(extension(oid::FRESHEST_CRL, self.wrong(), vec![0x30, 0]));
        }
        if self.wrong() || self.random.one_in(12) {
            faults::crl(&mut self.random, &mut plan);
        }
        if self.with_deltas {
            deltas::plan(&mut self.more, &mut plan);
        }
        plan.edits = self.edits();
        match &mut self.corner {
            Some(corner) => {
                corner.crl(&mut plan, &self.parties);
                corner.bytes(plan.sign())
            }
            None => plan.sign(),
        }
    }

    /// The name of an authority of this world.
    fn some_name(&mut self) -> Vec<u8> {
        self.random.pick(&self.parties).name
    }

    /// The serial of a certificate of this world, or another.
    fn some_serial(&mut self) -> Vec<u8> {
        let all = self.leaves.iter().chain(&self.intermediates);
        let all: Vec<&Vec<u8>> = all.collect();
        match self.random.below(3) {
            0 => self.serial(),
            _ if all.is_empty() => vec![5],
            _ => {
                let der = all[self.random.below(all.len())];
                meshpki::Cert::from_der(der).map_or(vec![6], |cert| cert.serial().to_vec())
            }
        }
    }
}

/// cRLDistributionPoints: URIs, names relative to the issuer, reasons, other issuers.
fn distribution_point(random: &mut Random, issuer: &[u8]) -> Extension {
    let points: Vec<Vec<u8>> = (0..=random.below(2)).map(|_| point(random, issuer)).collect();
    extension(oid::CRL_DISTRIBUTION_POINTS, random.one_in(5), value::list(&points))
}

fn point(random: &mut Random, issuer: &[u8]) -> Vec<u8> {
    let uri = value::general(6, random.pick(&["http://crl/a", "http://crl/b"]).as_bytes());
    let common = [der::tlv(der::OID, oid::COMMON_NAME), tlv(der::UTF8_STRING, b"crl")].concat();
    let name = match random.below(6) {
        0 => tlv(0xa0, &tlv(0xa1, &der::sequence(&[&common]))),
        1 => tlv(0xa0, &tlv(0xa0, &value::general(4, issuer))),
        2 if random.one_in(4) => Vec::new(),
        _ => tlv(0xa0, &tlv(0xa0, &uri)),
    };
    let reasons = if random.one_in(6) { tlv(0x81, &[1, 0x60]) } else { Vec::new() };
    let by = match random.below(10) {
        0 => tlv(0xa2, &value::general(4, issuer)),
        1 => tlv(0xa2, &value::general(4, &common_name("Other"))),
        2 => tlv(0xa2, &uri),
        _ => Vec::new(),
    };
    der::sequence(&[&name, &reasons, &by])
}

/// The hash under which a folder has certificates of a subject and CRLs of an issuer.
pub(crate) fn subject_hash(name: &meshpki::Name) -> String {
    let digest = meshpki::internals::digest::sha1(name.canonical());
    digest.iter().take(4).rev().map(|byte| format!("{byte:02x}")).collect()
}

/// A name of one common name.
#[must_use]
pub fn common_name(text: &str) -> Vec<u8> {
    forge::name(&[(oid::COMMON_NAME, der::UTF8_STRING, text.as_bytes())])
}

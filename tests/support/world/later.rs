//! What worlds gained last, from a stream of its own: proxy certificates, Suite B, deltas that fit their base, indirect
//! CRLs, stores by path and URI, and names in every form.

use meshpki::internals::der::{self, tlv};
use meshpki::internals::oid;

use super::{Party, World};
use crate::forge::{CertPlan, CrlPlan, Extension, KEYS, extension, value};
use crate::random::Random;

/// What a world has of them.
#[derive(Clone, Debug)]
pub(super) struct Later {
    random: Random,
    about: About,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Names,
    Proxies,
    SuiteB,
    Deltas,
    Indirect,
    Stores,
}

impl Later {
    /// One world in three has one of them.
    pub(super) fn new(mut random: Random) -> Option<Self> {
        let about = random.pick(&[
            About::Names,
            About::Proxies,
            About::SuiteB,
            About::Deltas,
            About::Indirect,
            About::Indirect,
            About::Stores,
        ]);
        random.one_in(3).then_some(Self { random, about })
    }

    /// Whether the trust store is given by `-CApath` or `-CAstore`.
    pub(super) fn is_about_stores(&self) -> bool {
        self.about == About::Stores
    }

    /// Where a folder or a file of certificates is named.
    pub(super) fn store(&mut self, dir: &str, file: &str) -> Vec<String> {
        let random = &mut self.random;
        let words: &[&str] = match random.below(8) {
            0 => &["-CApath", dir],
            1 => &["-CApath", dir, "-CAfile", file],
            2 => &["-CAstore", dir, "-no-CApath"],
            3 => &["-CAstore", file, "-no-CApath"],
            4 => &["-CAstore", file, "-CApath", dir],
            5 => &["-CAstore", dir, "-CAfile", file, "-no-CApath"],
            6 => &["-CAstore", "nowhere", "-no-CApath"],
            _ => &["-CApath", dir, "-CAstore", dir],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// The keys a world of Suite B prefers.
    pub(super) fn key(&mut self) -> Option<usize> {
        if self.about != About::SuiteB || self.random.one_in(12) {
            return None;
        }
        let curve = self.random.pick(&["p256-0", "p256-1", "p384"]);
        KEYS.iter().position(|key| key.name == curve)
    }

    pub(super) fn options(&mut self, args: &mut Vec<Vec<String>>) {
        let random = &mut self.random;
        let mut add = |words: &[&str]| {
            args.push(words.iter().map(|word| (*word).to_owned()).collect());
        };
        match self.about {
            About::Names => {
                for _ in 0..random.pick(&[1, 1, 2]) {
                    let form = name_form(random);
                    add(&["-nameopt", &form]);
                }
            }
            About::Proxies if !random.one_in(6) => add(&["-allow_proxy_certs"]),
            About::SuiteB => {
                for _ in 0..random.pick(&[1, 1, 2]) {
                    add(&[random.pick(&["-suiteB_128", "-suiteB_128_only", "-suiteB_192"])]);
                }
            }
            About::Deltas if !random.one_in(8) => add(&["-use_deltas"]),
            About::Indirect if !random.one_in(8) => add(&["-extended_crl"]),
            About::Proxies | About::Deltas | About::Indirect | About::Stores => {}
        }
        if matches!(self.about, About::Deltas | About::Indirect | About::SuiteB) {
            add(&[random.pick(&["-crl_check", "-crl_check_all"])]);
        }
        let rare: [&[&str]; 8] = [
            &["-use_deltas", "-extended_crl"],
            &["-allow_proxy_certs"],
            &["-verify_name", random.pick(&["default", "ssl_client", "ssl_server", "pkcs7"])],
            &["-verify_name", random.pick(&["smime_sign", "code_sign", "nothing", ""])],
            &["-vfyopt", random.pick(&["distid:1234", "hexdistid:12zz", "distid", "other:1", ""])],
            &["-nameopt", "RFC2253"],
            &["-policy_print", "-policy_check"],
            &["-show_chain"],
        ];
        for words in rare {
            if random.one_in(16) {
                add(words);
            }
        }
    }
}

/// A value of `-nameopt`.
fn name_form(random: &mut Random) -> String {
    let options = [
        "esc_2253",
        "esc_2254",
        "esc_ctrl",
        "esc_msb",
        "use_quote",
        "utf8",
        "ignore_type",
        "show_type",
        "dump_all",
        "dump_nostr",
        "dump_der",
        "compat",
        "sep_comma_plus",
        "sep_comma_plus_space",
        "sep_semi_plus_space",
        "sep_multiline",
        "dn_rev",
        "nofname",
        "sname",
        "lname",
        "align",
        "oid",
        "space_eq",
        "dump_unknown",
        "RFC2253",
        "oneline",
        "multiline",
        "ca_default",
    ];
    let mut item = || {
        let sign = random.pick(&["", "", "", "-", "+"]);
        format!("{sign}{}", random.pick(&options))
    };
    let first = item();
    let rest: Vec<String> = (0..4).map(|_| item()).collect();
    let count = random.below(5);
    [&[first], &rest[..count]].concat().join(random.pick(&[",", ",", ", ", " ,"]))
}

impl World {
    /// What the world gets after its chain and its CRLs.
    pub(super) fn later(&mut self) {
        let Some(mut later) = self.later.take() else { return };
        match later.about {
            About::Proxies => self.proxies(&mut later.random),
            About::Deltas => self.base_and_delta(&mut later.random),
            About::Indirect => self.indirect(&mut later.random),
            About::Names | About::SuiteB | About::Stores => {}
        }
        self.later = Some(later);
    }

    /// Proxy certificates below the leaf (RFC 3820), in place of it.
    fn proxies(&mut self, random: &mut Random) {
        let Some(mut issuer) = self.last_leaf.clone() else { return };
        for _ in 0..random.pick(&[1, 1, 2, 3]) {
            let number = format!("{}", random.below(100));
            let mut name = issuer.name.clone();
            if !random.one_in(10) {
                name = with_common_name(&name, &number, random.one_in(12));
            }
            let key = self.key();
            let mut plan = CertPlan::new(name.clone(), issuer.name.clone(), key, issuer.key);
            plan.extensions.push(proxy_info(random));
            if random.one_in(3) {
                let usage = random.pick(&[0x80, 0x20, 0x04]);
                plan.extensions.push(extension(oid::KEY_USAGE, true, value::bits(usage)));
            }
            if random.one_in(15) {
                let basic = value::basic_constraints(random.one_in(2), None);
                plan.extensions.push(extension(oid::BASIC_CONSTRAINTS, true, basic));
            }
            self.intermediates.append(&mut self.leaves);
            self.leaves.push(plan.sign());
            issuer = Party { name, key, serial: vec![1], issuer: issuer.name };
        }
    }

    /// A complete list, and deltas that may fit it.
    fn base_and_delta(&mut self, random: &mut Random) {
        for party in self.parties.clone() {
            let authority =
                random.one_in(2).then(|| value::authority(Some(&party.key_id()), None, None));
            for is_delta in [false, true, random.one_in(3)] {
                let mut plan = CrlPlan::new(party.name.clone(), party.key);
                if let Some(authority) = authority.as_ref().filter(|_| !random.one_in(12)) {
                    plan.extensions.push(extension(
                        oid::AUTHORITY_KEY_ID,
                        false,
                        authority.clone(),
                    ));
                }
                let number = random.pick(&[5, 5, 6, 7, 0xff]);
                let number = if is_delta { number + u8::from(number == 5) } else { 5 };
                if !random.one_in(15) {
                    plan.extensions.push(extension(oid::CRL_NUMBER, false, vec![2, 1, number]));
                }
                if is_delta {
                    let base = vec![2, 1, random.pick(&[5, 5, 4, 6])];
                    plan.extensions.push(extension(oid::DELTA_CRL, true, base));
                } else if !random.one_in(6) {
                    plan.extensions.push(extension(
                        oid::FRESHEST_CRL,
                        random.one_in(9),
                        vec![0x30, 0],
                    ));
                }
                if random.one_in(5) {
                    plan.next_update = Some((der::UTC_TIME, b"220101000000Z".to_vec()));
                }
                if random.one_in(12) {
                    plan.signer = self.key();
                }
                for _ in 0..random.below(3) {
                    let serial = self.some_serial();
                    let reason = random.pick(&[vec![0x0a, 1, 8], vec![0x0a, 1, 1]]);
                    let reason = extension(oid::CRL_REASON, false, reason);
                    plan.revoked.push((serial, random.pick(&[vec![reason], Vec::new()])));
                }
                self.crls.push(plan.sign());
            }
        }
    }

    /// Lists of an issuer that has a certificate of its own, or of an authority above; some for some reasons only.
    fn indirect(&mut self, random: &mut Random) {
        let above = random.pick(&self.parties);
        let key = self.key();
        let name = super::common_name("CRL Issuer");
        let party = Party { name: name.clone(), key, serial: vec![9], issuer: above.name.clone() };
        let mut plan = CertPlan::new(name, above.name.clone(), key, above.key);
        plan.serial = vec![9];
        if !random.one_in(4) {
            let usage = random.pick(&[0x02, 0x02, 0x02, 0x06, 0x80]);
            plan.extensions.push(extension(oid::KEY_USAGE, true, value::bits(usage)));
        }
        if random.one_in(2) {
            let id = value::key_id(&party.key_id());
            plan.extensions.push(extension(oid::SUBJECT_KEY_ID, false, id));
        }
        if random.one_in(8) {
            plan.not_after = (der::UTC_TIME, b"220101000000Z".to_vec());
        }
        if random.one_in(10) {
            plan.extensions.push(extension(&[0x2a, 3, 9], true, vec![5, 0]));
        }
        self.intermediates.push(plan.sign());
        for _ in 0..random.pick(&[1, 2, 2, 3]) {
            let by = if random.one_in(3) { random.pick(&self.parties) } else { party.clone() };
            let mut plan = CrlPlan::new(by.name.clone(), by.key);
            plan.extensions.push(indirect_scope(random));
            for _ in 0..random.below(4) {
                let mut extensions = Vec::new();
                if !random.one_in(3) {
                    let names = value::list(&[value::general(4, &self.some_name())]);
                    extensions.push(extension(oid::CERTIFICATE_ISSUER, true, names));
                }
                plan.revoked.push((self.some_serial(), extensions));
            }
            if random.one_in(4) {
                let authority = value::authority(Some(&by.key_id()), None, None);
                plan.extensions.push(extension(oid::AUTHORITY_KEY_ID, false, authority));
            }
            self.crls.push(plan.sign());
        }
        if random.one_in(2) {
            self.leaf_with_points(random, &party);
        }
    }

    /// A leaf that says whose CRLs are about it.
    fn leaf_with_points(&mut self, random: &mut Random, crl_issuer: &Party) {
        let issuer = self.parties[self.parties.len() - 1].clone();
        let key = self.key();
        let mut plan = CertPlan::new(super::common_name("Pointed"), issuer.name, key, issuer.key);
        plan.serial = vec![3];
        let by = tlv(0xa2, &value::general(4, &crl_issuer.name));
        let masks: [&[u8]; 3] = [&[], &[0x81, 2, 1, 0x60], &[0x81, 2, 5, 0x80]];
        let points: Vec<Vec<u8>> = (0..=random.below(2))
            .map(|_| {
                let by: &[u8] = if random.one_in(4) { &[] } else { &by };
                let uri = value::general(6, b"http://crl/a");
                der::sequence(&[&tlv(0xa0, &tlv(0xa0, &uri)), random.pick(&masks), by])
            })
            .collect();
        let value = value::list(&points);
        plan.extensions.push(extension(oid::CRL_DISTRIBUTION_POINTS, false, value));
        self.leaves.push(plan.sign());
    }
}

/// The name with a common name after it, in an RDN of its own or in the last one.
fn with_common_name(name: &[u8], text: &str, in_last: bool) -> Vec<u8> {
    let common =
        der::sequence(&[&tlv(der::OID, oid::COMMON_NAME), &tlv(der::UTF8_STRING, text.as_bytes())]);
    let mut rdns = Vec::new();
    let mut sets = der::Reader::new(name).any().expect("a name").reader();
    while let Ok(Some(set)) = sets.next() {
        rdns.push(set.content.to_vec());
    }
    match rdns.last_mut().filter(|_| in_last) {
        Some(last) => last.extend_from_slice(&common),
        None => rdns.push(common),
    }
    let sets: Vec<Vec<u8>> = rdns.iter().map(|rdn| tlv(der::SET, rdn)).collect();
    value::list(&sets)
}

/// proxyCertInfo, with a path length or without.
fn proxy_info(random: &mut Random) -> Extension {
    let lengths: [&[u8]; 6] = [&[], &[], &[2, 1, 0], &[2, 1, 1], &[2, 1, 5], &[2, 1, 0xff]];
    let language = tlv(der::OID, &[0x2b, 6, 1, 5, 5, 7, 21, 1]);
    let info = der::sequence(&[random.pick(&lengths), &der::sequence(&[&language])]);
    extension(oid::PROXY_CERT_INFO, !random.one_in(8), info)
}

/// issuingDistributionPoint of an indirect list, or of one for some reasons.
fn indirect_scope(random: &mut Random) -> Extension {
    let uri = tlv(0xa0, &tlv(0xa0, &value::general(6, b"http://crl/a")));
    let mut parts: Vec<&[u8]> = Vec::new();
    if random.one_in(3) {
        parts.push(&uri);
    }
    if random.one_in(6) {
        parts.push(&[0x81, 1, 0xff]);
    }
    let reasons: [&[u8]; 3] = [&[0x83, 2, 1, 0x60], &[0x83, 3, 7, 0x1f, 0x80], &[0x83, 1, 0]];
    if random.one_in(3) {
        parts.push(random.pick(&reasons));
    }
    if !random.one_in(5) {
        parts.push(&[0x84, 1, 0xff]);
    }
    extension(oid::ISSUING_DISTRIBUTION_POINT, true, der::sequence(&parts))
}

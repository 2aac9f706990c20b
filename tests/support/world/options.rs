//! Files made from a world's certificates, and a command line that uses them.

use std::collections::BTreeMap;

use meshpki::internals::der::{self, tlv};
use meshpki::internals::{oid, pem};

use super::{World, corners, later};
use crate::cases::Case;
use crate::forge::value;
use crate::fuzz::mutate;
use crate::random::Random;

/// The time most runs are judged at: 2023-11-14T22:13:20Z.
const AT: &str = "1700000000";

/// Spreads the world over files and asks about its leaves.
pub(super) fn case(world: &mut World) -> Case {
    let mut case = Case::default();
    let mut args: Vec<Vec<String>> = Vec::new();
    trust(world, &mut case, &mut args);
    untrusted(world, &mut case, &mut args);
    revocation(world, &mut case, &mut args);
    plain_options(&mut world.random, &mut args);
    if world.with_policies {
        policy_options(&mut world.random, &mut args);
    }
    identity_options(&mut world.random, &mut args);
    if let Some(later) = &mut world.later {
        later.options(&mut args);
    }
    if let Some(corner) = &mut world.corner {
        // Most of what else was asked is an error before the corner is reached.
        args.retain(|words| corners::leaves_room(words));
        corner.options(&mut args);
    }
    world.random.shuffle(&mut args);
    case.args = args.concat();
    targets(world, &mut case);
    if world.random.one_in(25) {
        odd_line(&mut world.random, &mut case.args);
    }
    if world.random.one_in(12) {
        let file = world.random.below(case.files.len());
        let (_, chunks) = &mut case.files[file];
        if !chunks.is_empty() {
            let at = world.random.below(chunks.len());
            chunks[at] = mutate::bytes(&mut world.random, &chunks[at]);
        }
    }
    case
}

fn file(case: &mut Case, name: &str, chunks: Vec<Vec<u8>>) {
    case.files.push((name.to_owned(), chunks));
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Roots into `-CAfile` or `-trusted`; strays among them.
fn trust(world: &mut World, case: &mut Case, args: &mut Vec<Vec<String>>) {
    let mut anchors: Vec<Vec<u8>> = world.roots.clone();
    if world.random.one_in(5) {
        anchors.extend(world.intermediates.iter().take(2).cloned());
    }
    if world.random.one_in(12) {
        anchors.extend(world.leaves.iter().take(1).cloned());
    }
    if world.random.one_in(4) {
        world.random.shuffle(&mut anchors);
    }
    let mut chunks: Vec<Vec<u8>> = anchors.iter().map(|der| anchor_block(world, der)).collect();
    let is_about_trust = world.corner.as_ref().is_some_and(corners::Corner::is_about_trust);
    let is_about_stores = world.later.as_ref().is_some_and(later::Later::is_about_stores);
    if world.random.one_in(if is_about_trust { 2 } else { 8 }) || is_about_stores {
        system_store(world, case, args, chunks);
        return;
    }
    if world.random.one_in(3) {
        let at = world.random.below(chunks.len().max(1));
        file(case, "second.pem", chunks.split_off(at));
        args.push(words(&["-trusted", "second.pem"]));
        args.push(words(&["-trusted", "first.pem"]));
    } else if world.random.one_in(2) {
        args.push(words(&["-trusted", "first.pem"]));
    } else {
        args.push(words(&["-CAfile", "first.pem"]));
        if world.random.one_in(3) {
            chunks.extend(world.crls.iter().map(|crl| block(pem::CRL, crl)));
        }
    }
    if world.random.one_in(15) {
        chunks.push(junk(&mut world.random));
    }
    if world.random.one_in(25) {
        // DER, which later releases take for `-CAfile` too.
        chunks = anchors;
    }
    file(case, "first.pem", chunks);
    args.push(words(&["-no-CApath", "-no-CAstore"]));
}

/// The trust store of the system: the default file, or folders with names made of hashes.
fn system_store(
    world: &mut World,
    case: &mut Case,
    args: &mut Vec<Vec<String>>,
    chunks: Vec<Vec<u8>>,
) {
    let crls: Vec<Vec<u8>> = world.crls.iter().map(|crl| block(pem::CRL, crl)).collect();
    let in_file = world.random.below(chunks.len() + 1);
    let (file_part, dir_part) = chunks.split_at(in_file);
    case.env = vec![
        ("SSL_CERT_FILE".to_owned(), "default.pem".to_owned()),
        ("SSL_CERT_DIR".to_owned(), "certs".to_owned()),
    ];
    file(case, "default.pem", file_part.to_vec());
    let mut taken = BTreeMap::new();
    for (kind, chunk) in
        dir_part.iter().map(|chunk| ("", chunk)).chain(crls.iter().map(|crl| ("r", crl)))
    {
        let Some(hash) = hash(chunk) else { continue };
        let number = taken.entry((kind, hash.clone())).or_insert(0);
        let mut content = vec![chunk.clone()];
        // A store that fails after it has read a certificate.
        if world.corner.as_ref().is_some_and(corners::Corner::is_about_trust)
            && world.random.one_in(3)
        {
            content.push(junk(&mut world.random));
        }
        file(case, &format!("certs/{hash}.{kind}{number}"), content);
        *number += 1;
    }
    if let Some(later) = world.later.as_mut().filter(|later| later.is_about_stores()) {
        args.push(later.store("certs", "default.pem"));
    }
    for option in ["-no-CAfile", "-no-CApath", "-no-CAstore"] {
        if world.random.one_in(6) {
            args.push(words(&[option]));
        }
    }
}

/// The hash a hashed folder files a block under: of the subject, or of a CRL's issuer.
fn hash(chunk: &[u8]) -> Option<String> {
    let found = pem::decode(chunk).into_iter().next()?.ok()?;
    let name = if found.label == pem::CRL {
        meshpki::Crl::from_der(&found.der).ok()?.issuer().clone()
    } else {
        meshpki::Cert::from_der(&found.der).ok()?.subject().clone()
    };
    Some(super::subject_hash(&name))
}

/// A plain block, or one that says what the certificate is trusted for.
fn anchor_block(world: &mut World, der: &[u8]) -> Vec<u8> {
    let random = &mut world.random;
    if let Some(corner) = world.corner.as_mut().filter(|corner| corner.is_about_trust())
        && random.one_in(3)
    {
        return block("TRUSTED CERTIFICATE", &[der, &corner.settings()].concat());
    }
    if !random.one_in(12) {
        return block(pem::CERTIFICATE, der);
    }
    let uses = [oid::EKU_SERVER_AUTH, oid::EKU_CLIENT_AUTH, oid::EKU_ANY];
    let trust = if random.one_in(2) { value::oids(&[random.pick(&uses)]) } else { Vec::new() };
    let reject =
        if random.one_in(2) { tlv(0xa0, &tlv(der::OID, random.pick(&uses))) } else { Vec::new() };
    let aux = der::sequence(&[&trust, &reject]);
    block("TRUSTED CERTIFICATE", &[der, &aux].concat())
}

fn block(label: &str, der: &[u8]) -> Vec<u8> {
    pem::encode(label, der).into_bytes()
}

/// Text, blocks of other kinds, blocks that cannot be read.
fn junk(random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => b"subject=CN = nobody\n".to_vec(),
        1 => block("PUBLIC KEY", &[0x30, 0]),
        2 => block(pem::CERTIFICATE, &[0x30, 3, 2, 1, 5]),
        3 => b"-----BEGIN CERTIFICATE-----\n****\n-----END CERTIFICATE-----\n".to_vec(),
        4 => block("X509 CRL", &[0x30, 0]),
        _ => b"\n\n".to_vec(),
    }
}

fn untrusted(world: &mut World, case: &mut Case, args: &mut Vec<Vec<String>>) {
    let mut certs = world.intermediates.clone();
    if world.random.one_in(6) {
        certs.extend(world.roots.iter().cloned());
    }
    if world.random.one_in(12) {
        certs.extend(world.leaves.iter().cloned());
    }
    if world.random.one_in(2) {
        world.random.shuffle(&mut certs);
    }
    if certs.is_empty() || world.random.one_in(15) {
        return;
    }
    if certs.len() == 1 && world.random.one_in(3) {
        file(case, "untrusted.der", certs);
        args.push(words(&["-untrusted", "untrusted.der"]));
        return;
    }
    let mut chunks: Vec<Vec<u8>> = certs.iter().map(|der| block(pem::CERTIFICATE, der)).collect();
    if world.random.one_in(15) {
        chunks.insert(0, junk(&mut world.random));
    }
    file(case, "untrusted.pem", chunks);
    args.push(words(&["-untrusted", "untrusted.pem"]));
}

fn revocation(world: &mut World, case: &mut Case, args: &mut Vec<Vec<String>>) {
    if world.crls.is_empty() {
        return;
    }
    world.random.shuffle(&mut world.crls);
    if !world.random.one_in(4) {
        let chunks = world.crls.iter().map(|crl| block(pem::CRL, crl)).collect();
        file(case, "crls.pem", chunks);
        args.push(words(&["-CRLfile", "crls.pem"]));
    }
    args.push(words(match world.random.below(5) {
        0 => &[],
        1 | 2 => &["-crl_check"],
        _ => &["-crl_check_all"],
    }));
}

fn plain_options(random: &mut Random, args: &mut Vec<Vec<String>>) {
    let times =
        ["-4000000000", "1600000000", "1893456000", "1700000000", "0x7fffffff", "253402300800"];
    match random.below(12) {
        0 => args.push(words(&["-attime", random.pick(&times)])),
        1 => args.push(words(&["-no_check_time"])),
        _ => args.push(words(&["-attime", AT])),
    }
    let rare: [(usize, &[&str]); 10] = [
        (4, &["-show_chain"]),
        (5, &["-partial_chain"]),
        (8, &["-x509_strict"]),
        (8, &["-check_ss_sig"]),
        (10, &["-ignore_critical"]),
        (12, &["-trusted_first"]),
        (20, &["-verbose"]),
        (20, &["--no_alt_chains"]),
        (30, &["-issuer_checks"]),
        (10, &["-nameopt", "oneline"]),
    ];
    for (times, option) in rare {
        if random.one_in(times) {
            args.push(words(option));
        }
    }
    if random.one_in(6) {
        let purposes = [
            "sslclient",
            "sslserver",
            "nssslserver",
            "smimesign",
            "smimeencrypt",
            "crlsign",
            "any",
            "ocsphelper",
            "timestampsign",
            "codesign",
            "sslserver",
        ];
        args.push(words(&["-purpose", random.pick(&purposes)]));
    }
    if random.one_in(20) {
        args.push(words(&[
            "-auth_level",
            random.pick(&["0", "1", "2", "3", "4", "5", "6", "-1", "01", "0x2"]),
        ]));
    }
    if random.one_in(20) {
        args.push(words(&[
            "-verify_depth",
            random.pick(&["0", "1", "2", "3", "-1", "0x3", "2000", "010"]),
        ]));
    }
}

fn policy_options(random: &mut Random, args: &mut Vec<Vec<String>>) {
    let options: [(usize, &[&str]); 8] = [
        (2, &["-policy", "1.2.3.1"]),
        (3, &["-policy", "1.2.3.2"]),
        (3, &["-policy", "anyPolicy"]),
        (2, &["-policy_check"]),
        (2, &["-explicit_policy"]),
        (5, &["-inhibit_any"]),
        (5, &["-inhibit_map"]),
        (4, &["-policy_print"]),
    ];
    for (times, option) in options {
        if random.one_in(times) {
            args.push(words(option));
        }
    }
}

fn identity_options(random: &mut Random, args: &mut Vec<Vec<String>>) {
    if random.one_in(14) {
        let hosts = [
            "a.example.com",
            "A.example.COM",
            "b.test",
            ".example.com",
            "x.com",
            "",
            "sub.a.example.com",
            "a.example.com.",
            "example.com",
            "xn--bcher-kva.example.com",
            "b\u{fc}cher.example.com",
            "bar.example.com",
            "10.0.0.1",
            "*.example.com",
            "a..example.com",
            ".",
            "-.example.com",
        ];
        args.push(words(&["-verify_hostname", random.pick(&hosts)]));
    }
    if random.one_in(40) {
        args.push(words(&[
            "-verify_ip",
            random.pick(&[
                "10.0.0.1",
                "192.168.1.1",
                "2020::",
                "::1",
                "::ffff:10.0.0.1",
                "0:0:0:0:0:0:0:1",
                "010.0.0.1",
                "10.0.0.1 ",
                "::ffff:10.00.0.1",
            ]),
        ]));
    }
    if random.one_in(40) {
        args.push(words(&[
            "-verify_email",
            random.pick(&[
                "a@example.com",
                "a@EXAMPLE.com",
                "x@y",
                "A@example.com",
                "",
                "\u{e9}@example.com",
                "a@b\u{fc}cher.example",
                "a@",
            ]),
        ]));
    }
}

/// Something on the command line that should not be there, or is in an odd place.
fn odd_line(random: &mut Random, args: &mut Vec<String>) {
    let words = [
        "--",
        "-",
        "---",
        "-x",
        "-verify_depth",
        "-verify_depth=",
        "-verify_depth=2",
        "-attime=1700000000",
        "-attime=99999999999999999999",
        "-attime",
        "-crl_check=1",
        "-CAfile",
        "-CAfile=",
        "-purpose=SSLSERVER",
        "-purpose",
        "-auth_level=6",
        "-auth_level=-3",
        "-auth_level=0x2",
        "-policy=1.2.3",
        "-policy",
        "-verify_ip=1.2.3",
        "-verify_ip=",
        "-verify_ip=+1.2.3.4",
        "-purpose=codesign",
        "-untrusted=file:nowhere.pem",
        "-trusted=first.pem/x",
        "nowhere:x",
        "file:/nowhere",
        "file://host/x",
        "-verify_email=",
        "-verify_hostname=",
        "-trusted",
        "-untrusted=nowhere",
        "-CRLfile=leaf0.pem",
        "-CRLfile=crls.pem",
        "-CAfile=second.pem",
        "nowhere.pem",
        "",
        "first.pem",
        "-show_chain",
        "--partial_chain",
        "-Verbose",
        "-no_check_time",
        "-nameopt=oneline",
    ];
    let at = random.below(args.len() + 1);
    args.insert(at, random.pick(&words).to_owned());
}

/// The leaves, and sometimes another certificate of the world.
fn targets(world: &mut World, case: &mut Case) {
    let mut targets = world.leaves.clone();
    if world.random.one_in(8) {
        targets.extend(world.roots.iter().take(1).cloned());
    }
    if world.random.one_in(8) {
        targets.extend(world.intermediates.iter().take(1).cloned());
    }
    if targets.len() == 1 && world.random.one_in(12) {
        file(case, "input.pem", vec![block(pem::CERTIFICATE, &targets[0])]);
        case.stdin = Some("input.pem".to_owned());
        return;
    }
    for (i, der) in targets.iter().enumerate() {
        if world.random.one_in(6) {
            let name = format!("leaf{i}.der");
            file(case, &name, vec![der.clone()]);
            case.args.push(name);
        } else {
            let name = format!("leaf{i}.pem");
            file(case, &name, vec![block(pem::CERTIFICATE, der)]);
            case.args.push(name);
        }
    }
}

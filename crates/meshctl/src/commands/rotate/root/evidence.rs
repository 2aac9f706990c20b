//! `meshctl rotate root evidence`: what was seen, in an envelope signed by the new CA (DSSE 1.0,
//! `secure-systems-lab/dsse protocol.md`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use meshpki::{Cert, Signer, SoftKey};
use serde_json::{Value, json};

use super::read::{Ask, Member, Situation};
use super::{exit, json as documents, planner};
use crate::args::RootEvidence;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::runtime;
use crate::io::Io;
use crate::text::json as pretty;

/// What the payload is.
const TYPE: &str = "application/vnd.meshpki.root-rotation+json";

/// Runs the command.
pub(super) fn run(args: &RootEvidence, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let situation = Situation::read(&Ask::new(&args.goal, &args.force)?, &runtime()?, io)?;
    let decision = planner(&situation, &args.goal).decide(&situation.members());
    let payload = documents::status(&situation, &decision).to_string();
    let first = situation.clusters.first().ok_or_else(|| Failure::usage("no cluster given"))?;
    io.print(&pretty(&signed(first, payload.as_bytes())?))?;
    situation.failures.iter().for_each(|failure| io.fail(failure));
    Ok(exit(&situation, &decision))
}

/// The envelope, with the certificates from its signer to the root.
fn signed(cluster: &Member, payload: &[u8]) -> Result<Value, Failure> {
    let version = cluster.version();
    let lacks = |what: &str| {
        Failure::new("ctl/no-cluster", format!("the new CA of {} has no {what}", cluster.name))
    };
    let ca = cluster.goal.ca(version).ok_or_else(|| lacks("certificate"))?;
    let file = cluster.goal.layout(version).key_file();
    let key = cluster.goal.get(file).ok_or_else(|| lacks("key"))?;
    let key = SoftKey::from_pem(key, None)?;
    let signature = key.sign(&encoded(payload)).map_err(|source| {
        let issuer = ca.subject().label();
        meshpki::Error::Sign { issuer, source }
    })?;
    let mut certificates = cluster.goal.chain(version);
    certificates.extend(cluster.goal.roots(version));
    let mut chain: Vec<Cert> = vec![ca];
    for cert in certificates {
        if !chain.contains(&cert) {
            chain.push(cert);
        }
    }
    Ok(json!({
        "payloadType": TYPE,
        "payload": STANDARD.encode(payload),
        "signatures": [{"keyid": chain[0].fingerprint(), "sig": STANDARD.encode(signature)}],
        "certificates": chain.iter().map(Cert::to_pem).collect::<Vec<_>>(),
    }))
}

/// What is signed: the pre-authentication encoding.
fn encoded(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {TYPE} {} ", TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

//! CAs made with the library, for certificates that no command would create.

use meshpki::internals::der::{self, Reader};
use meshpki::{Cert, Csr, Issuer, KeyType, Name, Profile, Serial, Signer, SoftKey, Stamp};

use crate::{NOW, Scratch};

/// A CA certificate and its key.
pub struct Authority {
    /// The certificate.
    pub cert: Cert,
    /// Its key.
    pub key: SoftKey,
}

impl Authority {
    /// A root with this subject, after `change`.
    pub fn root(kind: KeyType, subject: &str, change: impl FnOnce(&mut Profile)) -> Self {
        let mut profile = Profile::root(name(subject));
        change(&mut profile);
        let key = key(kind);
        Self { cert: meshpki::self_signed(&profile, &key, stamp()).expect("a root"), key }
    }

    /// A cluster's intermediate below this one, after `change`.
    pub fn below(&self, kind: KeyType, subject: &str, change: impl FnOnce(&mut Profile)) -> Self {
        let mut profile = Profile::cluster(name(subject));
        change(&mut profile);
        let key = key(kind);
        Self { cert: self.issue(&profile, &key), key }
    }

    /// A certificate of any kind for `key`. Its extra extensions may be ones that `issue` does not give out.
    pub fn issue(&self, profile: &Profile, key: &SoftKey) -> Cert {
        let issuer = Issuer { cert: &self.cert, signer: &self.key };
        let mut plain = profile.clone();
        plain.extra_extensions.clear();
        let cert =
            meshpki::issue(&plain, key.public_key(), issuer, stamp()).expect("a certificate");
        if profile.extra_extensions.is_empty() {
            return cert;
        }
        resigned(&cert, &self.key, |fields| {
            let list = Reader::new(&fields[7]).any().expect("extensions").reader().any();
            let mut list = list.expect("a list").content.to_vec();
            for extension in &profile.extra_extensions {
                let flag: &[u8] = if extension.critical { &[der::BOOLEAN, 1, 0xff] } else { &[] };
                let value = der::tlv(der::OCTET_STRING, &extension.value);
                list.extend(der::sequence(&[
                    &der::tlv(der::OID, extension.oid.as_bytes()),
                    flag,
                    &value,
                ]));
            }
            fields[7] = der::constructed(0xa3, &[&der::sequence(&[&list])]);
        })
    }

    /// Writes both as `DIR/root-cert.pem` and `DIR/root-key.pem`.
    pub fn write_root(&self, scratch: &Scratch, dir: &str) {
        scratch.write(&format!("{dir}/root-cert.pem"), self.cert.to_pem());
        scratch.write_key(&format!("{dir}/root-key.pem"), self.key.to_pem().as_bytes());
    }

    /// Writes the files of a cluster's set whose chain and roots are those given, agreeing or not.
    pub fn write_set(&self, scratch: &Scratch, dir: &str, above: &[&Cert], roots: &[&Cert]) {
        let text = |certs: &[&Cert]| certs.iter().map(|c| c.to_pem()).collect::<String>();
        scratch.write(&format!("{dir}/ca-cert.pem"), self.cert.to_pem());
        scratch.write_key(&format!("{dir}/ca-key.pem"), self.key.to_pem().as_bytes());
        scratch.write(&format!("{dir}/cert-chain.pem"), self.cert.to_pem() + &text(above));
        scratch.write(&format!("{dir}/root-cert.pem"), text(roots));
    }
}

/// The same certificate after `change` to the fields of its TBSCertificate, signed by `signer` again.
pub fn resigned(cert: &Cert, signer: &dyn Signer, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Cert {
    let mut parts = Reader::new(cert.tbs()).any().expect("a TBSCertificate").reader();
    let mut fields: Vec<Vec<u8>> = Vec::new();
    while let Some(part) = parts.next().expect("a field") {
        fields.push(part.raw.to_vec());
    }
    change(&mut fields);
    let tbs = der::sequence(&fields.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let signature = der::bit_string(&signer.sign(&tbs).expect("a signature"));
    Cert::from_der(&der::sequence(&[&tbs, &fields[2], &signature])).expect("a certificate")
}

/// A key.
pub fn key(kind: KeyType) -> SoftKey {
    SoftKey::generate(kind).expect("a key")
}

/// A typed name.
pub fn name(text: &str) -> Name {
    text.parse::<Name>().expect("a name")
}

/// The CSR of a CA with this subject.
pub fn csr(subject: &str, key: &SoftKey) -> Csr {
    let role = meshpki::Role::Ca { path_len: Some(0) };
    Csr::create(&name(subject), &[], role, key).expect("a CSR")
}

/// A random serial number, and the tests' time.
pub fn stamp() -> Stamp {
    let mut random = [0; 20];
    meshpki::internals::fill_random(&mut random);
    Stamp::made_at(NOW, Serial::from_random(random))
}

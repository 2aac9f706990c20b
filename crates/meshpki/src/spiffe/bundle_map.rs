//! The bundles of several trust domains.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::bundle::{Bundle, INDENT, check_size};
use super::problem::BundleProblem;
use crate::error::Error;
use crate::spiffe::id::TrustDomain;

/// The bundles of several trust domains, each apart from the others: a root of one vouches for no identity of another
/// (SPIFFE Trust Domain and Bundle, "SPIFFE Bundle Map").
///
/// Envoy's SPIFFE validator loads it as a file
/// (`envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig.trust_bundles`).
///
/// ```
/// use meshpki::spiffe::{Bundle, BundleMap};
/// let mut map = BundleMap::default();
/// map.insert(Bundle::new("east.example".parse()?, []))?;
/// assert!(map.insert(Bundle::new("east.example".parse()?, [])).is_err());
/// assert_eq!(map.bundles().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleMap(BTreeMap<TrustDomain, Bundle>);

impl BundleMap {
    /// Adds the bundle of a trust domain.
    ///
    /// # Errors
    /// `pki/bundle` if the map has a bundle of that domain: two are never merged.
    pub fn insert(&mut self, bundle: Bundle) -> Result<(), Error> {
        let domain = bundle.trust_domain().clone();
        if self.0.contains_key(&domain) {
            let place = format!("trust_domains[\"{domain}\"]");
            return Err(Error::Bundle { place, problem: BundleProblem::Twice });
        }
        self.0.insert(domain, bundle);
        Ok(())
    }

    /// The bundle of a trust domain.
    #[must_use]
    pub fn get(&self, trust_domain: &TrustDomain) -> Option<&Bundle> {
        self.0.get(trust_domain)
    }

    /// The bundles, by trust domain.
    pub fn bundles(&self) -> impl Iterator<Item = &Bundle> {
        self.0.values()
    }

    /// The map as JSON, without a newline at its end. Refresh hints are left out, as the specification recommends. Envoy
    /// does not load a map that is empty or has a bundle without roots.
    ///
    /// # Errors
    /// As [`Bundle::to_json`], and `pki/bundle` for a sequence number above 2^63 - 1, which Envoy does not read.
    pub fn to_json(&self) -> Result<String, Error> {
        let mut members = Vec::new();
        for (domain, bundle) in &self.0 {
            let place = format!("trust_domains[\"{domain}\"].");
            if let Some(number) = bundle.sequence().filter(|number| i64::try_from(*number).is_err())
            {
                let place = place + "spiffe_sequence";
                return Err(Error::Bundle { place, problem: BundleProblem::Sequence(number) });
            }
            let text = bundle.write(&place, 2, None)?;
            members.push(format!("{INDENT}{INDENT}\"{domain}\": {text}"));
        }
        let members = match members.as_slice() {
            [] => String::from("{}"),
            members => format!("{{\n{}\n{INDENT}}}", members.join(",\n")),
        };
        let text = format!("{{\n{INDENT}\"trust_domains\": {members}\n}}");
        check_size(text.len())?;
        Ok(text)
    }
}

#[cfg(feature = "spiffe")]
mod read {
    use alloc::format;
    use alloc::vec::Vec;

    use super::BundleMap;
    use crate::error::Error;
    use crate::spiffe::bundle::{Ignored, read};
    use crate::spiffe::id::TrustDomainError;
    use crate::spiffe::json::{fail, object, take};
    use crate::spiffe::problem::BundleProblem;

    impl BundleMap {
        /// Reads a map, and says what in it does not count. Refresh hints in it are passed over.
        ///
        /// # Errors
        /// `pki/bundle` for a document that is not a bundle map, naming the place in it; `pki/too-many` for more than
        /// 1 MiB, or 100 keys of one trust domain.
        pub fn from_json(text: &[u8]) -> Result<(Self, Vec<Ignored>), Error> {
            let missing = BundleProblem::Missing { expected: "an object of bundles" };
            let domains = take(&mut object(text)?, "trust_domains")
                .ok_or_else(|| fail("trust_domains", missing))?
                .object("trust_domains")?;
            let (mut map, mut ignored) = (Self::default(), Vec::new());
            for (name, bundle) in domains {
                let domain = name.parse().map_err(|why: TrustDomainError| {
                    fail("trust_domains", BundleProblem::TrustDomain(why))
                })?;
                let place = format!("trust_domains[\"{domain}\"]");
                let members = bundle.object(&place)?;
                let place = format!("{place}.");
                map.insert(read::read(domain, members, &place, &mut ignored)?)?;
            }
            Ok((map, ignored))
        }
    }
}

//! Trust models: the ways in which two clusters come to accept each other's workloads, and what rules a way out.

use core::fmt;
use core::str::FromStr;

use crate::istiod::Version;
use crate::spiffe::id::TrustDomain;

/// The first release whose istiod sends one certificate per element, so that ztunnel passes on the whole chain
/// (istio #55060).
const CHAIN_FOR_ZTUNNEL: Version = Version::new(1, 26, 0);

/// A way in which two clusters accept each other's workloads.
///
/// ```
/// use meshpki::federation::TrustModel;
/// let model: TrustModel = "scoped-bridge".parse()?;
/// assert_eq!((model, model.to_string()), (TrustModel::ScopedBridge, "scoped-bridge".to_string()));
/// # Ok::<(), meshpki::federation::UnknownModel>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TrustModel {
    /// One root vouches for the CAs of both.
    SharedRoot,
    /// Each has the roots of both in `root-cert.pem`: either root can vouch for every identity in both.
    MergedRoots,
    /// Each certifies the other's root with its own ([`super::Bridge`]): trust ends when the bridge ends.
    Bridge,
    /// The same under a name constraint: the other root can vouch for its own trust domain only.
    ScopedBridge,
}

/// A name that is not that of a trust model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownModel(pub alloc::string::String);

impl fmt::Display for UnknownModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = TrustModel::ALL.map(TrustModel::as_str).join(", ");
        write!(f, "unknown trust model `{}`: expected one of {known}", self.0)
    }
}

impl core::error::Error for UnknownModel {}

impl FromStr for TrustModel {
    type Err = UnknownModel;

    fn from_str(text: &str) -> Result<Self, UnknownModel> {
        let found = Self::ALL.into_iter().find(|model| model.as_str() == text);
        found.ok_or_else(|| UnknownModel(text.into()))
    }
}

impl fmt::Display for TrustModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a cluster has that decides which models work.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ModelSide<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its trust domain.
    pub trust_domain: &'a TrustDomain,
    /// Its release of Istio.
    pub version: Version,
    /// Whether ztunnel runs there (ambient mode).
    pub ambient: bool,
}

impl<'a> ModelSide<'a> {
    /// A cluster by its name, trust domain, release and dataplane.
    #[must_use]
    pub const fn new(
        name: &'a str,
        trust_domain: &'a TrustDomain,
        version: Version,
        ambient: bool,
    ) -> Self {
        Self { name, trust_domain, version, ambient }
    }
}

/// Why a model cannot work between two clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelObstacle {
    /// ztunnel accepts only its own trust domain (ztunnel 1.31 `src/tls/workload.rs: TrustDomainVerifier`).
    OtherDomain {
        /// The cluster in ambient mode.
        ambient: alloc::string::String,
        /// Its trust domain.
        own: TrustDomain,
        /// That of the other cluster.
        other: TrustDomain,
    },
    /// ztunnel rejects every chain with a URI constraint (webpki).
    NameConstraint {
        /// The cluster in ambient mode.
        ambient: alloc::string::String,
    },
    /// ztunnel drops the bridge from the chain that istiod sends it.
    ChainDropped {
        /// The cluster in ambient mode.
        ambient: alloc::string::String,
        /// Its release.
        version: Version,
    },
    /// The release accepts another trust domain only as an alias, under which its identities are those of the cluster
    /// itself in every policy.
    AliasesOnly {
        /// The cluster.
        cluster: alloc::string::String,
        /// Its release.
        version: Version,
    },
}

impl fmt::Display for ModelObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherDomain { ambient, own, other } => {
                write!(
                    f,
                    "ztunnel in {ambient} accepts only its own trust domain, {own}, not {other}"
                )
            }
            Self::NameConstraint { ambient } => {
                write!(f, "ztunnel in {ambient} rejects every chain with a URI name constraint")
            }
            Self::ChainDropped { ambient, version } => {
                write!(
                    f,
                    "ztunnel in {ambient} does not send the bridge before Istio 1.26, found {version}"
                )
            }
            Self::AliasesOnly { cluster, version } => write!(
                f,
                "istiod {version} in {cluster} accepts other trust domains only as aliases, which policies cannot tell apart"
            ),
        }
    }
}

impl TrustModel {
    /// Every model.
    pub const ALL: [Self; 4] =
        [Self::SharedRoot, Self::MergedRoots, Self::Bridge, Self::ScopedBridge];

    /// Its name in a mesh spec: `scoped-bridge`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SharedRoot => "shared-root",
            Self::MergedRoots => "merged-roots",
            Self::Bridge => "bridge",
            Self::ScopedBridge => "scoped-bridge",
        }
    }

    /// Whether each side certifies the other's root.
    #[must_use]
    pub const fn is_bridge(self) -> bool {
        matches!(self, Self::Bridge | Self::ScopedBridge)
    }

    /// Why the proxies of two clusters would reject each other under this model, whatever is in their secrets.
    #[must_use]
    pub fn obstacle(self, a: ModelSide<'_>, b: ModelSide<'_>) -> Option<ModelObstacle> {
        [(a, b), (b, a)].into_iter().find_map(|(own, other)| self.obstacle_of(own, other))
    }

    fn obstacle_of(self, own: ModelSide<'_>, other: ModelSide<'_>) -> Option<ModelObstacle> {
        let name = || own.name.into();
        if own.ambient && own.trust_domain != other.trust_domain {
            return Some(ModelObstacle::OtherDomain {
                ambient: name(),
                own: own.trust_domain.clone(),
                other: other.trust_domain.clone(),
            });
        }
        if own.ambient && self == Self::ScopedBridge {
            return Some(ModelObstacle::NameConstraint { ambient: name() });
        }
        if own.ambient && self.is_bridge() && own.version < CHAIN_FOR_ZTUNNEL {
            return Some(ModelObstacle::ChainDropped { ambient: name(), version: own.version });
        }
        let is_alias = own.trust_domain != other.trust_domain
            && !own.version.accepts_domains_of_cas()
            && !own.version.wants_equal_trust_domain();
        if self == Self::ScopedBridge && is_alias {
            return Some(ModelObstacle::AliasesOnly { cluster: name(), version: own.version });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    /// What each model says of two clusters; `East` and `West` are in ambient mode.
    #[test]
    fn obstacles() {
        let check = |model: &str, a: (&str, &str, &str), b: (&str, &str, &str), expect: &str| {
            let domains = [a, b].map(|(_, domain, _)| domain.parse::<TrustDomain>().unwrap());
            let side = |i: usize, (name, _, version): (&'static str, &str, &str)| {
                let ambient = name.starts_with(char::is_uppercase);
                ModelSide::new(name, &domains[i], version.parse().unwrap(), ambient)
            };
            let name =
                |name: &str| ["east", "west", "East", "West"].into_iter().find(|n| *n == name);
            let (a, b) = ((name(a.0).unwrap(), a.1, a.2), (name(b.0).unwrap(), b.1, b.2));
            let model: TrustModel = model.parse().unwrap();
            let found = model.obstacle(side(0, a), side(1, b));
            let found = found.map(|obstacle| obstacle.to_string()).unwrap_or_default();
            assert_eq!(found, expect, "{model}");
        };
        let (east, west) = (("east", "e", "1.30.3"), ("west", "w", "1.30.3"));
        for model in TrustModel::ALL {
            check(model.as_str(), east, west, "");
        }
        let ambient = ("West", "w", "1.30.3");
        for model in TrustModel::ALL {
            check(
                model.as_str(),
                east,
                ambient,
                "ztunnel in West accepts only its own trust domain, w, not e",
            );
        }
        let (same, old) = (("West", "e", "1.30.3"), ("West", "e", "1.25.4"));
        for model in ["shared-root", "merged-roots", "bridge"] {
            check(model, east, same, "");
        }
        check("merged-roots", east, old, "");
        check(
            "bridge",
            east,
            old,
            "ztunnel in West does not send the bridge before Istio 1.26, found 1.25.4",
        );
        check(
            "scoped-bridge",
            east,
            same,
            "ztunnel in West rejects every chain with a URI name constraint",
        );
        let aliases = ("west", "w", "1.16.3");
        check("bridge", east, aliases, "");
        check(
            "scoped-bridge",
            east,
            aliases,
            "istiod 1.16.3 in west accepts other trust domains only as aliases, which policies cannot tell apart",
        );
        check("scoped-bridge", east, ("west", "w", "1.6.14"), "");
        let unknown = "none".parse::<TrustModel>().unwrap_err().to_string();
        assert_eq!(
            unknown,
            "unknown trust model `none`: expected one of shared-root, merged-roots, bridge, scoped-bridge"
        );
    }
}

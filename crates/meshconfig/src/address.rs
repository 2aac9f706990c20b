//! One address per remote service: stable, unique, kept in a lock file.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use meshpki::Time;
use meshpki::internals::DAY;
use serde_json::Value;

use crate::error::{Error, Fault};
use crate::mesh::{Mesh, PolicyTarget};
use crate::text::fnv;

/// First line of the file.
const HEAD: &str = "# Addresses of remote services, written by meshctl. Keep this file with the spec; it merges line by line.\n";
/// The largest number of addresses used of a pool.
const POOL_MAX: u64 = 1 << 32;

/// The lock file: the address of each remote service, and retired addresses that are still reserved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    entries: BTreeMap<String, Entry>,
}

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    address: IpAddr,
    /// The day the service was removed.
    retired: Option<Time>,
}

/// Addresses in use in live clusters, and the host of each.
pub type Taken = BTreeMap<IpAddr, String>;

/// Adds the addresses of live ServiceEntries.
pub fn taken<'v>(resources: impl IntoIterator<Item = &'v Value>, taken: &mut Taken) {
    let entries = resources.into_iter().filter(|resource| resource["kind"] == "ServiceEntry");
    for entry in entries {
        let host = entry["spec"]["hosts"][0].as_str().unwrap_or_default();
        for address in entry["spec"]["addresses"].as_array().into_iter().flatten() {
            if let Some(Ok(address)) = address.as_str().map(str::parse) {
                taken.entry(address).or_insert_with(|| host.to_string());
            }
        }
    }
}

/// The addresses of a mesh, and the lock that keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    by_host: BTreeMap<String, IpAddr>,
    /// The lock to write.
    pub lock: Lock,
}

impl Addresses {
    /// The address of a host.
    #[must_use]
    pub fn get(&self, host: &str) -> Option<IpAddr> {
        self.by_host.get(host).copied()
    }

    /// Every host and its address, by host.
    pub fn iter(&self) -> impl Iterator<Item = (&str, IpAddr)> {
        self.by_host.iter().map(|(host, address)| (host.as_str(), *address))
    }
}

impl Lock {
    /// Reads a lock file.
    ///
    /// # Errors
    /// `config/lock`, `config/duplicate` and `config/address-shared`, with their line; a Git merge can cause each.
    pub fn read(text: &str) -> Result<Self, Error> {
        let mut lock = Self::default();
        let mut hosts: BTreeMap<IpAddr, String> = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |fault| Error::at_line(Some(number), fault);
            let (host, entry) =
                entry(line).ok_or_else(|| at(Fault::Lock { line: line.to_string() }))?;
            match lock.entries.get(&host) {
                Some(before) if *before == entry => continue,
                Some(before) => {
                    let first = format!("{}, now {}", before.address, entry.address);
                    return Err(at(Fault::Duplicate { what: "host", name: host, first }));
                }
                None => {}
            }
            if let Some(first) = hosts.insert(entry.address, host.clone()) {
                let address = entry.address.to_string();
                return Err(at(Fault::AddressShared { address, first, second: host }));
            }
            lock.entries.insert(host, entry);
        }
        Ok(lock)
    }

    /// The file's text: one line per host, sorted.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from(HEAD);
        for (host, entry) in &self.entries {
            let _ = write!(text, "{host} {}", entry.address);
            if let Some(day) = entry.retired {
                let _ = write!(text, " retired {}", date(day));
            }
            text.push('\n');
        }
        text
    }

    /// Assigns every remote service of the mesh an address: that of the lock, that in live clusters, or a free one.
    ///
    /// An address that is no longer needed stays reserved for the mesh's `grace_days` from `now`.
    ///
    /// # Errors
    /// `config/address-shared` if a live host has an address that the lock assigns to another,
    /// `config/addresses-exhausted`.
    pub fn assign(&self, mesh: &Mesh, taken: &Taken, now: Time) -> Result<Addresses, Error> {
        let wanted = hosts(mesh);
        let mut lock = self.kept(mesh, &wanted, now);
        let live: BTreeMap<&str, IpAddr> =
            taken.iter().map(|(address, host)| (host.as_str(), *address)).collect();
        let mut used: BTreeSet<IpAddr> = lock.entries.values().map(|entry| entry.address).collect();
        for (host, entry) in lock.entries.iter().filter(|(_, entry)| entry.retired.is_none()) {
            if let Some(first) = taken.get(&entry.address).filter(|other| *other != host) {
                let fault = Fault::AddressShared {
                    address: entry.address.to_string(),
                    first: first.clone(),
                    second: host.clone(),
                };
                return Err(Error::new("", fault));
            }
        }
        for host in &wanted {
            if lock.entries.contains_key(host) {
                continue;
            }
            let own =
                live.get(host.as_str()).filter(|a| mesh.pool.contains(*a) && !used.contains(*a));
            let free = |address: &IpAddr| !used.contains(address) && !taken.contains_key(address);
            let address =
                own.copied().or_else(|| probe(&mesh.pool, host).find(free)).ok_or_else(|| {
                    let size = size(&mesh.pool);
                    Error::new(
                        "addresses.pool",
                        Fault::AddressesExhausted {
                            pool: mesh.pool.to_string(),
                            host: host.clone(),
                            size,
                        },
                    )
                })?;
            used.insert(address);
            lock.entries.insert(host.clone(), Entry { address, retired: None });
        }
        let by_host = wanted
            .into_iter()
            .filter_map(|host| lock.entries.get(&host).map(|e| (host.clone(), e.address)));
        Ok(Addresses { by_host: by_host.collect(), lock })
    }

    /// The entries to keep: of services that still exist, and of those removed within the grace period.
    fn kept(&self, mesh: &Mesh, wanted: &BTreeSet<String>, now: Time) -> Self {
        let today = Time(now.0 - now.0.rem_euclid(86_400));
        let grace = DAY * mesh.grace_days;
        let mut entries = BTreeMap::new();
        for (host, entry) in &self.entries {
            let retired =
                if wanted.contains(host) { None } else { Some(entry.retired.unwrap_or(today)) };
            let moved = retired.is_none() && !mesh.pool.contains(&entry.address);
            let over = retired.is_some_and(|day| today >= day + grace);
            if !moved && !over {
                entries.insert(host.clone(), Entry { address: entry.address, retired });
            }
        }
        Self { entries }
    }
}

/// Every host that needs an address.
fn hosts(mesh: &Mesh) -> BTreeSet<String> {
    let mut hosts = BTreeSet::new();
    for service in mesh.services() {
        let secrets = mesh.home(service).remote_secrets;
        if mesh.importers(service).any(|from| !(from.remote_secrets && secrets)) {
            hosts.insert(mesh.remote_host(service));
        }
    }
    for policy in
        mesh.policies().iter().filter(|policy| matches!(policy.target, PolicyTarget::Failover(_)))
    {
        hosts.insert(mesh.pooled_host(&policy.namespace, &policy.service));
    }
    hosts
}

fn entry(line: &str) -> Option<(String, Entry)> {
    let words: alloc::vec::Vec<&str> = line.split_whitespace().collect();
    let (host, address, retired) = match words.as_slice() {
        [host, address] => (host, address, None),
        // Of a time, only the day counts.
        [host, address, "retired", time] => {
            let Time(time) = time.parse().ok()?;
            (host, address, Some(Time(time - time.rem_euclid(86_400))))
        }
        _ => return None,
    };
    crate::text::domain_problem(host).is_none().then_some(())?;
    Some((host.to_string(), Entry { address: address.parse().ok()?, retired }))
}

fn date(time: Time) -> String {
    time.to_string().chars().take(10).collect()
}

/// The number of addresses used of a pool.
fn size(pool: &IpNet) -> u64 {
    let bits = u32::from(pool.max_prefix_len() - pool.prefix_len());
    1_u64.checked_shl(bits).unwrap_or(POOL_MAX).min(POOL_MAX)
}

/// The addresses of a pool, once around from a start that the host's name determines; without those that look like
/// network or broadcast addresses.
fn probe(pool: &IpNet, host: &str) -> impl Iterator<Item = IpAddr> + use<> {
    let (size, first) = (size(pool), pool.network());
    let start = fnv(host.as_bytes()) % size;
    (0..size).map(move |step| nth(first, (start + step) % size)).filter(usable)
}

fn nth(first: IpAddr, n: u64) -> IpAddr {
    match first {
        IpAddr::V4(first) => {
            // A pool of IPv4 addresses has at most 2^32 addresses, so `n` fits.
            let n = u32::try_from(n).unwrap_or_default();
            IpAddr::V4(Ipv4Addr::from(u32::from(first).wrapping_add(n)))
        }
        IpAddr::V6(first) => {
            IpAddr::V6(Ipv6Addr::from(u128::from(first).wrapping_add(u128::from(n))))
        }
    }
}

fn usable(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !matches!(address.octets()[3], 0 | 255),
        IpAddr::V6(address) => address.segments()[7] != 0,
    }
}

#[cfg(test)]
mod tests;

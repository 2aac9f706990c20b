//! Name constraints (`crypto/x509/constraints.go`). Go sorts the bases, drops those inside others, and searches for the
//! nearest; if that finds a base other than a comparison with each would, so does this.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::extensions::Names;
use super::mailbox::{Mailbox, is_domain, mailbox};
use super::{Certificate, url};

/// The constraints of a certificate, prepared for questions.
struct Prepared {
    /// Its place in the chain.
    index: usize,
    permitted: Sets,
    excluded: Sets,
}

/// Prepared bases of each kind; `None` without any.
struct Sets {
    dns: Option<Domains>,
    uris: Option<Domains>,
    emails: Option<Emails>,
    /// Of four and of sixteen octets; `None` without any.
    networks: Option<[Vec<Vec<u8>>; 2]>,
}

/// `dnsConstraints`.
enum Domains {
    /// An empty base takes everything.
    All,
    Some {
        /// Sorted from the end, and none inside another.
        sorted: Vec<String>,
        /// Bases without their first label, for wildcards; only excluded ones have them.
        parents: Vec<String>,
    },
}

/// `emailConstraints`.
struct Emails {
    exact: Vec<Mailbox>,
    domains: Option<Domains>,
}

/// `checkChainConstraints`: each certificate against the constraints of those above it.
pub(super) fn check(chain: &[Certificate]) -> Result<(), String> {
    let constraints: Vec<Prepared> =
        chain.iter().enumerate().filter_map(|(i, cert)| Prepared::of(i, cert)).collect();
    for (i, cert) in chain.iter().enumerate() {
        let extensions = &cert.parsed().extensions;
        if extensions.subject_alt_name.is_none() {
            continue;
        }
        let above: Vec<&Prepared> = constraints.iter().filter(|c| c.index > i).collect();
        if above.is_empty() {
            continue;
        }
        let uris = hosts(&extensions.names.uris)?;
        let emails = mailboxes(&extensions.names.emails)?;
        for constraint in above {
            constraint.check(&extensions.names, &uris, &emails)?;
        }
    }
    Ok(())
}

/// `parseURIs`: each URI with its host.
fn hosts(uris: &[String]) -> Result<Vec<(&str, String)>, String> {
    let host = |uri: &String| {
        let full = url::host(uri).unwrap_or_default();
        let mut host = full.to_ascii_lowercase();
        if host.is_empty() {
            return Err(alloc::format!(
                "URI with empty host ({uri:?}) cannot be matched against constraints"
            ));
        }
        if host.contains(':') && !host.ends_with(']') {
            host = url::without_port(&full)
                .ok_or_else(|| alloc::format!("cannot parse URI host {full:?}"))?
                .to_string();
        }
        if url::is_address(&host) {
            return Err(alloc::format!(
                "URI with IP ({uri:?}) cannot be matched against constraints"
            ));
        }
        Ok(host)
    };
    uris.iter().map(|uri| Ok((uri.as_str(), host(uri)?))).collect()
}

/// `parseMailboxes`.
fn mailboxes(emails: &[String]) -> Result<Vec<(&str, Mailbox)>, String> {
    let parse = |text: &str| -> Result<Mailbox, String> {
        let found = mailbox(text).ok_or_else(|| cannot_parse("rfc822Name", text))?;
        Ok(Mailbox { domain: found.domain.to_ascii_lowercase(), ..found })
    };
    emails.iter().map(|text| Ok((text.as_str(), parse(text)?))).collect()
}

fn cannot_parse(kind: &str, text: &str) -> String {
    alloc::format!("cannot parse {kind} {text:?}")
}

impl Prepared {
    fn of(index: usize, cert: &Certificate) -> Option<Self> {
        let extensions = &cert.parsed().extensions;
        if !extensions.is_constrained {
            return None;
        }
        let permitted = Sets::new(&extensions.permitted, true);
        Some(Self { index, permitted, excluded: Sets::new(&extensions.excluded, false) })
    }

    /// `chainConstraints.check`.
    fn check(
        &self,
        names: &Names,
        uris: &[(&str, String)],
        emails: &[(&str, Mailbox)],
    ) -> Result<(), String> {
        for address in &names.addresses {
            let shown = alloc::format!("{address:?}");
            self.decide("IP address", &shown, |sets| {
                sets.networks.as_ref().map(|sets| in_networks(sets, address))
            })?;
        }
        for name in &names.dns {
            if !is_domain(name, false) {
                return Err(cannot_parse("dnsName", name));
            }
            self.decide("DNS name", name, |sets| sets.dns.as_ref().map(|set| set.has(name)))?;
        }
        for (uri, host) in uris {
            if !is_domain(host, false) {
                return Err(cannot_parse("URI", uri));
            }
            self.decide("URI", uri, |sets| sets.uris.as_ref().map(|set| set.has(host)))?;
        }
        for (text, address) in emails {
            if !is_domain(&address.domain, false) {
                return Err(cannot_parse("rfc822Name", text));
            }
            self.decide("email address", text, |sets| {
                sets.emails.as_ref().map(|set| set.has(address))
            })?;
        }
        Ok(())
    }

    /// `checkConstraints`: inside what is permitted, outside what is excluded.
    fn decide(
        &self,
        kind: &str,
        shown: &str,
        ask: impl Fn(&Sets) -> Option<bool>,
    ) -> Result<(), String> {
        if ask(&self.permitted) == Some(false) {
            return Err(alloc::format!("{kind} {shown:?} is not permitted by any constraint"));
        }
        if ask(&self.excluded) == Some(true) {
            return Err(alloc::format!("{kind} {shown:?} is excluded by a constraint"));
        }
        Ok(())
    }
}

impl Sets {
    fn new(names: &Names, permitted: bool) -> Self {
        let of_length = |length: usize| {
            let of_length = |network: &&Vec<u8>| network.len() == length;
            prune(names.addresses.iter().filter(of_length).cloned().collect(), Vec::cmp, |a, b| {
                network_has_all(a, b)
            })
        };
        Self {
            dns: Domains::new(&names.dns, permitted),
            uris: Domains::new(&names.uris, permitted),
            emails: Emails::new(&names.emails, permitted),
            networks: (!names.addresses.is_empty()).then(|| [of_length(8), of_length(32)]),
        }
    }
}

/// `sortAndPrune`: sorted, without what is inside its predecessor.
fn prune<T>(
    mut set: Vec<T>,
    order: impl Fn(&T, &T) -> Ordering,
    has: impl Fn(&T, &T) -> bool,
) -> Vec<T> {
    set.sort_by(order);
    let mut kept: Vec<T> = Vec::new();
    for item in set {
        if !kept.last().is_some_and(|last| has(last, &item)) {
            kept.push(item);
        }
    }
    kept
}

/// `search`: the base at, or just before, where the name would be.
fn nearest<T>(set: &[T], order: impl Fn(&T) -> Ordering) -> Option<(&T, bool)> {
    let at = set.partition_point(|base| order(base) == Ordering::Less);
    if let Some(base) = set.get(at).filter(|base| order(base) == Ordering::Equal) {
        return Some((base, true));
    }
    set.get(at.saturating_sub(1)).map(|base| (base, false))
}

impl Domains {
    /// `newDNSConstraints`.
    fn new(bases: &[String], permitted: bool) -> Option<Self> {
        if bases.is_empty() {
            return None;
        }
        if bases.iter().any(String::is_empty) {
            return Some(Self::All);
        }
        let sorted = prune(bases.to_vec(), |a, b| order(a, b), |a, b| has_suffix(a, b));
        let parent = |base: &String| {
            let at = base.find('.')?;
            Some(base[at..].to_ascii_lowercase())
        };
        let parents =
            if permitted { Vec::new() } else { sorted.iter().filter_map(parent).collect() };
        Some(Self::Some { sorted, parents })
    }

    /// `dnsConstraints.query`.
    fn has(&self, name: &str) -> bool {
        let Self::Some { sorted, parents } = self else { return true };
        let found = nearest(sorted, |base| order(base, name));
        if found.is_some_and(|(base, exact)| exact || has_suffix(base, name)) {
            return true;
        }
        let parent = name.find('.').filter(|_| name.starts_with('*')).map(|at| &name[at..]);
        parent.is_some_and(|name| parents.iter().any(|base| base.eq_ignore_ascii_case(name)))
    }
}

impl Emails {
    /// `newEmailConstraints`.
    fn new(bases: &[String], permitted: bool) -> Option<Self> {
        if bases.is_empty() {
            return None;
        }
        let (exact, domains): (Vec<&String>, Vec<&String>) =
            bases.iter().partition(|base| base.contains('@'));
        let exact = exact
            .into_iter()
            .filter_map(|base| mailbox(base))
            .map(|mailbox| Mailbox { domain: mailbox.domain.to_ascii_lowercase(), ..mailbox });
        let domains: Vec<String> = domains.into_iter().cloned().collect();
        Some(Self { exact: exact.collect(), domains: Domains::new(&domains, permitted) })
    }

    fn has(&self, address: &Mailbox) -> bool {
        self.exact.contains(address)
            || self.domains.as_ref().is_some_and(|domains| domains.has(&address.domain))
    }
}

/// `dnsHasSuffix`: whether `name` is `base` or below it; a base with a leading dot is not itself in it.
fn has_suffix(base: &str, name: &str) -> bool {
    let (base, name) = (base.as_bytes(), name.as_bytes());
    let Some(offset) = name.len().checked_sub(base.len()) else { return false };
    if !name[offset..].eq_ignore_ascii_case(base) {
        return false;
    }
    base.first() == Some(&b'.') || offset == 0 || name[offset - 1] == b'.'
}

/// `dnsCompare`: from the end, without regard to case, the dot before everything.
fn order(a: &str, b: &str) -> Ordering {
    let key = |byte: u8| if byte == b'.' { 0 } else { byte.to_ascii_lowercase() };
    a.bytes().rev().map(key).cmp(b.bytes().rev().map(key))
}

fn in_networks(sets: &[Vec<Vec<u8>>; 2], address: &[u8]) -> bool {
    let set = if address.len() == 4 { &sets[0] } else { &sets[1] };
    let base = |network: &[u8]| network[..network.len() / 2].to_vec();
    let found = nearest(set, |network| base(network).as_slice().cmp(address));
    found.is_some_and(|(network, exact)| exact || network_has(network, address))
}

/// `ipNetworkSubset`: the first and the last address are in it.
fn network_has_all(a: &[u8], b: &[u8]) -> bool {
    let (base, mask) = b.split_at(b.len() / 2);
    let last: Vec<u8> = base.iter().zip(mask).map(|(octet, mask)| octet | !mask).collect();
    network_has(a, base) && network_has(a, &last)
}

/// `net.IPNet.Contains`, which takes an IPv4 address in IPv6 for IPv4.
fn network_has(network: &[u8], address: &[u8]) -> bool {
    let (base, mask) = network.split_at(network.len() / 2);
    let short = |octets: &[u8]| -> Option<usize> {
        let mapped = octets.len() == 16 && octets[..10] == [0; 10] && octets[10..12] == [0xff; 2];
        mapped.then_some(12)
    };
    let from = short(base).unwrap_or(0);
    let (base, mask) = (&base[from..], &mask[from..]);
    let address = &address[short(address).unwrap_or(0)..];
    base.len() == address.len()
        && base
            .iter()
            .zip(mask)
            .zip(address)
            .all(|((base, mask), octet)| base & mask == octet & mask)
}

//! Path validation of Internet resources (RFC 3779 sections 2.3 and 3.3; `crypto/x509/v3_addr.c`,
//! `crypto/x509/v3_asid.c`).

use alloc::vec::Vec;

use num_bigint::BigInt;

use super::{Run, Step, Stop};
use crate::cert::resources::{Bits, Choice, Family, Range};

/// invalid or inconsistent certificate extension
const INVALID: u8 = 41;
/// RFC 3779 resource not subset of parent's resources
const UNNESTED: u8 = 46;

impl Run<'_> {
    /// Autonomous systems, then addresses; both are checked when the target has them.
    pub(super) fn check_resources(&mut self) -> Step {
        self.check_systems()?;
        self.check_addresses()
    }

    /// `crypto/x509/v3_asid.c: asid_validate_path_internal`.
    fn check_systems(&mut self) -> Step {
        let certs: Vec<_> = self.chain.iter().map(|link| link.cert).collect();
        let systems = |depth: usize| certs[depth].extensions().systems.as_ref();
        let Some(target) = systems(0) else { return Ok(()) };
        let mut kinds = [target.numbers.as_ref(), target.routing.as_ref()];
        if !kinds.into_iter().all(is_canonical_systems) {
            return self.report(INVALID, 0);
        }
        for depth in 1..certs.len() {
            let Some(above) = systems(depth) else {
                if kinds.iter().any(|kind| matches!(kind, Some(Choice::List(_)))) {
                    self.report(UNNESTED, depth)?;
                }
                continue;
            };
            let parents = [above.numbers.as_ref(), above.routing.as_ref()];
            if !parents.into_iter().all(is_canonical_systems) {
                self.report(INVALID, depth)?;
            }
            for (kind, parent) in kinds.iter_mut().zip(parents) {
                match (parent, *kind) {
                    (None, Some(Choice::List(_))) => self.report(UNNESTED, depth)?,
                    (Some(Choice::List(list)), Some(Choice::List(child)))
                        if !contains(&numbers(list), &numbers(child)) =>
                    {
                        self.report(UNNESTED, depth)?;
                    }
                    (Some(Choice::List(_)), _) => *kind = parent,
                    _ => {}
                }
            }
        }
        let last = certs.len() - 1;
        let inherits = |kind: &Option<Choice<BigInt>>| *kind == Some(Choice::Inherit);
        let anchor = systems(last);
        if anchor.is_some_and(|anchor| inherits(&anchor.numbers) || inherits(&anchor.routing)) {
            self.report_anchor()?;
        }
        Ok(())
    }

    /// `crypto/x509/v3_addr.c: addr_validate_path_internal`.
    fn check_addresses(&mut self) -> Step {
        let certs: Vec<_> = self.chain.iter().map(|link| link.cert).collect();
        let addresses = |depth: usize| certs[depth].extensions().addresses.as_deref();
        let Some(target) = addresses(0) else { return Ok(()) };
        if !is_canonical(target) {
            return self.report(INVALID, 0);
        }
        let mut child: Vec<&Family> = target.iter().collect();
        for depth in 1..certs.len() {
            let above = addresses(depth);
            if !above.is_none_or(is_canonical) {
                self.report(INVALID, depth)?;
            }
            for family in &mut child {
                let parent = above.and_then(|above| find(above, &family.id));
                if (above.is_none() || parent.is_some()) && !has_sound_id(family) {
                    return Err(Stop);
                }
                let length = length(&family.id);
                match (parent.map(|parent| &parent.addresses), &family.addresses) {
                    (None, Choice::List(_)) => self.report(UNNESTED, depth)?,
                    (Some(Choice::List(list)), Choice::List(child))
                        if !holds(list, child, length) =>
                    {
                        self.report(UNNESTED, depth)?;
                    }
                    (Some(Choice::List(_)), _) => *family = parent.unwrap_or(family),
                    _ => {}
                }
            }
        }
        let last = certs.len() - 1;
        for family in addresses(last).unwrap_or_default() {
            if !has_sound_id(family) {
                return Err(Stop);
            }
            let asked = child.iter().any(|child| child.id == family.id);
            if asked && family.addresses == Choice::Inherit {
                self.report_anchor()?;
            }
        }
        Ok(())
    }

    /// An anchor has no issuer to inherit from; by then OpenSSL has counted past the end of the chain.
    fn report_anchor(&mut self) -> Step {
        let depth = self.chain.len();
        let cert = self.chain[depth - 1].cert.clone();
        self.report_on(UNNESTED, depth, Some(cert))
    }
}

/// `IPAddressFamily_check_len`: an AFI of two bytes, and perhaps a SAFI.
fn has_sound_id(family: &Family) -> bool {
    matches!(family.id.len(), 2 | 3)
}

/// The family with that id in a list that is in order.
fn find<'a>(families: &'a [Family], id: &[u8]) -> Option<&'a Family> {
    let at = families.binary_search_by(|family| family.id.as_slice().cmp(id)).ok()?;
    families.get(at)
}

/// Bytes of an address: IPv4, IPv6, or a family nothing is known about.
const fn length(id: &[u8]) -> usize {
    match id {
        [0, 1, ..] => 4,
        [0, 2, ..] => 16,
        _ => 0,
    }
}

/// `X509v3_addr_is_canonical`.
fn is_canonical(families: &[Family]) -> bool {
    let in_order = families
        .windows(2)
        .all(|pair| has_sound_id(&pair[0]) && has_sound_id(&pair[1]) && pair[0].id < pair[1].id);
    in_order && families.iter().all(is_canonical_family)
}

fn is_canonical_family(family: &Family) -> bool {
    let Choice::List(items) = &family.addresses else { return true };
    let length = length(&family.id);
    let Some(last) = items.last().filter(|_| has_sound_id(family)) else { return false };
    let in_order = items.windows(2).all(|pair| {
        let (Some(a), Some(b)) = (expanded(&pair[0], length), expanded(&pair[1], length)) else {
            return false;
        };
        let apart = before(b.0.clone()).is_some_and(|before| a.1 < before);
        a.0 < b.0 && a.0 <= a.1 && b.0 <= b.1 && apart && !hides_prefix(&pair[0], &a)
    });
    // A single address at the end is not checked.
    let end = matches!(last, Range::One(_))
        || expanded(last, length)
            .is_some_and(|range| range.0 <= range.1 && !hides_prefix(last, &range));
    in_order && end
}

/// The address before; `None` before the first.
fn before(mut address: Vec<u8>) -> Option<Vec<u8>> {
    for byte in address.iter_mut().rev() {
        let borrow = *byte == 0;
        *byte = byte.wrapping_sub(1);
        if !borrow {
            return Some(address);
        }
    }
    None
}

/// `range_should_be_prefix`: everything between the two shares a prefix and nothing else does.
fn hides_prefix(item: &Range<Bits>, (min, max): &(Vec<u8>, Vec<u8>)) -> bool {
    let bits = |bytes: &[u8]| -> Vec<bool> {
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |i| byte >> i & 1 == 1)).collect()
    };
    let (min, max) = (bits(min), bits(max));
    let shared = min.iter().zip(&max).take_while(|(a, b)| a == b).count();
    matches!(item, Range::Between(..))
        && min[shared..].iter().all(|bit| !bit)
        && max[shared..].iter().all(|bit| *bit)
}

/// `extract_min_max`: the first and the last address; `None` for one that is too long.
fn expanded(item: &Range<Bits>, length: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let (min, max) = match item {
        Range::One(prefix) => (prefix, prefix),
        Range::Between(min, max) => (min, max),
    };
    let expand = |bits: &Bits, fill: u8| {
        let mut bytes = bits.bytes.clone();
        if let Some(last) = bytes.last_mut() {
            let mask = !(0xff_u8 << bits.unused);
            *last = *last & !mask | fill & mask;
        }
        (bytes.len() <= length).then(|| {
            bytes.resize(length, fill);
            bytes
        })
    };
    Some((expand(min, 0)?, expand(max, 0xff)?))
}

/// `addr_contains`. An address that is too long is in nothing.
fn holds(parent: &[Range<Bits>], child: &[Range<Bits>], length: usize) -> bool {
    let all = |items: &[Range<Bits>]| items.iter().map(|item| expanded(item, length)).collect();
    let (parent, child): (Vec<_>, Vec<_>) = (all(parent), all(child));
    let mut parents = parent.iter().peekable();
    child.iter().all(|child| {
        let Some((min, max)) = child else { return false };
        loop {
            match parents.peek() {
                Some(Some((_, end))) if end < max => drop(parents.next()),
                Some(Some((start, _))) => return start <= min,
                _ => return false,
            }
        }
    })
}

fn numbers(list: &[Range<BigInt>]) -> Vec<(&BigInt, &BigInt)> {
    list.iter()
        .map(|item| match item {
            Range::One(number) => (number, number),
            Range::Between(min, max) => (min, max),
        })
        .collect()
}

/// `asid_contains`.
fn contains(parent: &[(&BigInt, &BigInt)], child: &[(&BigInt, &BigInt)]) -> bool {
    let mut parents = parent.iter().peekable();
    child.iter().all(|(min, max)| {
        while parents.next_if(|(_, end)| end < max).is_some() {}
        parents.peek().is_some_and(|(start, _)| start <= min)
    })
}

/// `ASIdentifierChoice_is_canonical`.
fn is_canonical_systems(choice: Option<&Choice<BigInt>>) -> bool {
    let Some(Choice::List(list)) = choice else { return true };
    let list = numbers(list);
    let apart = |pair: &[(&BigInt, &BigInt)]| pair[0].1 + 1 < *pair[1].0;
    !list.is_empty() && list.iter().all(|(min, max)| min <= max) && list.windows(2).all(apart)
}

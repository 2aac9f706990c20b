//! The trust store: in which order it has certificates and CRLs of one name (`crypto/x509/x509_lu.cc`,
//! `crypto/stack/stack.cc`).

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::Release;
use super::read::{Known, KnownCrl};
use crate::name::Name;

/// What is in a store (`X509_OBJECT`).
#[derive(Clone, Debug)]
enum Object {
    Cert(Known),
    Crl(KnownCrl),
}

impl Object {
    /// `x509_object_cmp`: certificates first, then by name.
    fn compare(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }

    fn key(&self) -> (u8, &Name) {
        match self {
            Self::Cert(known) => (1, known.cert.subject()),
            Self::Crl(known) => (2, known.crl.issuer()),
        }
    }

    fn as_der(&self) -> &[u8] {
        match self {
            Self::Cert(known) => known.cert.as_der(),
            Self::Crl(known) => known.crl.as_der(),
        }
    }
}

/// The objects of a store (`X509Store`), sorted.
#[derive(Clone, Debug)]
pub(super) struct Objects(Vec<Object>);

impl Objects {
    /// Adds everything in order and sorts it as the first lookup does.
    pub(super) fn new(certs: Vec<Known>, crls: Vec<KnownCrl>, release: Release) -> Self {
        let all = certs.into_iter().map(Object::Cert).chain(crls.into_iter().map(Object::Crl));
        let mut objects = Vec::new();
        let mut is_sorted = false;
        for object in all {
            if !is_sorted {
                sort(&mut objects, release);
            }
            is_sorted = true;
            // `x509_store_add`: what is there already is not added again.
            if !objects.iter().any(|other: &Object| other.as_der() == object.as_der()) {
                objects.push(object);
                is_sorted = false;
            }
        }
        if !is_sorted {
            sort(&mut objects, release);
        }
        Self(objects)
    }

    /// The certificates with that subject (`X509_STORE_CTX_get1_certs`).
    pub(super) fn certs<'a>(&'a self, subject: &Name) -> impl Iterator<Item = &'a Known> {
        self.0.iter().filter_map(move |object| match object {
            Object::Cert(known) if known.cert.subject() == subject => Some(known),
            _ => None,
        })
    }

    /// The CRLs of that issuer (`X509_STORE_CTX_get1_crls`).
    pub(super) fn crls<'a>(&'a self, issuer: &Name) -> impl Iterator<Item = &'a KnownCrl> {
        self.0.iter().filter_map(move |object| match object {
            Object::Crl(known) if known.crl.issuer() == issuer => Some(known),
            _ => None,
        })
    }

    pub(super) fn has_crls(&self) -> bool {
        self.0.iter().any(|object| matches!(object, Object::Crl(_)))
    }
}

/// `OPENSSL_sk_sort`: a heap sort up to February 2026, which changes the order of equals; since then `std::sort`, which
/// keeps it for as few objects as `std::sort` sorts by insertion.
fn sort(objects: &mut [Object], release: Release) {
    if release.sorts_by_heap() {
        heap_sort(objects, Object::compare);
    } else {
        objects.sort_by(Object::compare);
    }
}

/// `crypto/stack/stack.cc: OPENSSL_sk_sort` as of 0.20251124.0.
fn heap_sort<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    for root in (0..items.len() / 2).rev() {
        sink(items, root, &compare);
    }
    for end in (1..items.len()).rev() {
        items.swap(0, end);
        sink(&mut items[..end], 0, &compare);
    }
}

/// `down_heap`.
fn sink<T>(heap: &mut [T], mut at: usize, compare: &impl Fn(&T, &T) -> Ordering) {
    loop {
        let mut largest = at;
        for child in [2 * at + 1, 2 * at + 2] {
            if child < heap.len() && compare(&heap[largest], &heap[child]) == Ordering::Less {
                largest = child;
            }
        }
        if largest == at {
            return;
        }
        heap.swap(at, largest);
        at = largest;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::heap_sort;

    /// Sorts by the first part; the second says which of the equals came first.
    fn sorted(items: &[(u8, u8)]) -> Vec<(u8, u8)> {
        let mut items = items.to_vec();
        heap_sort(&mut items, |a, b| a.0.cmp(&b.0));
        items
    }

    #[test]
    fn two_equals_change_places() {
        assert_eq!(sorted(&[(1, 1), (1, 2)]), [(1, 2), (1, 1)]);
        assert_eq!(
            sorted(&[(2, 0), (1, 1), (1, 2)]).iter().map(|i| i.0).collect::<Vec<_>>(),
            [1, 1, 2]
        );
        assert_eq!(sorted(&[]), []);
    }
}

//! Certificate policies (`crypto/x509/verify.go: policiesValid`), by RFC 5280 as RFC 9618 changed it: any policy is
//! acceptable, none has to be there unless a certificate says so.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Certificate;
use crate::oid;

type Policy = Vec<u8>;

/// `policyGraphNode`.
struct Node {
    policy: Policy,
    expected: Vec<Policy>,
    parents: BTreeSet<usize>,
    children: BTreeSet<usize>,
}

/// `policyGraph`: nodes, and at each depth the node of a policy.
struct Graph {
    nodes: Vec<Node>,
    strata: Vec<BTreeMap<Policy, usize>>,
}

fn any() -> Policy {
    oid::ANY_POLICY.to_vec()
}

impl Graph {
    fn new() -> Self {
        let root = Node {
            policy: any(),
            expected: Vec::from([any()]),
            parents: BTreeSet::new(),
            children: BTreeSet::new(),
        };
        Self { nodes: Vec::from([root]), strata: Vec::from([BTreeMap::from([(any(), 0)])]) }
    }

    const fn depth(&self) -> usize {
        self.strata.len() - 1
    }

    fn insert(&mut self, policy: &[u8], parents: impl IntoIterator<Item = usize>) -> usize {
        let (id, parents) = (self.nodes.len(), BTreeSet::from_iter(parents));
        for parent in &parents {
            self.nodes[*parent].children.insert(id);
        }
        let expected = Vec::from([policy.to_vec()]);
        let children = BTreeSet::new();
        self.nodes.push(Node { policy: policy.to_vec(), expected, parents, children });
        let depth = self.depth();
        self.strata[depth].insert(policy.to_vec(), id);
        id
    }

    fn leaf(&self, policy: &[u8]) -> Option<usize> {
        self.strata[self.depth()].get(policy).copied()
    }

    fn detach(&mut self, id: usize) {
        for parent in self.nodes[id].parents.clone() {
            self.nodes[parent].children.remove(&id);
        }
    }

    fn delete_leaf(&mut self, policy: &[u8]) {
        let depth = self.depth();
        if let Some(id) = self.strata[depth].remove(policy) {
            self.detach(id);
        }
    }

    /// Nodes without children go, from below to above, the root and the leaves excepted.
    fn prune(&mut self) {
        for depth in (1..self.depth()).rev() {
            for (policy, id) in self.strata[depth].clone() {
                if self.nodes[id].children.is_empty() {
                    self.detach(id);
                    self.strata[depth].remove(&policy);
                }
            }
        }
    }

    /// One level deeper: the policies of a certificate below those of its issuer.
    fn descend(&mut self, policies: &[Policy], takes_any: bool) {
        let above: Vec<usize> = self.strata[self.depth()].values().copied().collect();
        self.strata.push(BTreeMap::new());
        let any_above = above.iter().copied().find(|id| self.nodes[*id].policy == any());
        for policy in policies.iter().filter(|policy| **policy != any()) {
            let expecting = |id: &usize| self.nodes[*id].expected.contains(policy);
            let mut parents: Vec<usize> = above.iter().copied().filter(expecting).collect();
            if parents.is_empty() {
                parents.extend(any_above);
            }
            if !parents.is_empty() {
                self.insert(policy, parents);
            }
        }
        if takes_any {
            let mut missing: BTreeMap<Policy, Vec<usize>> = BTreeMap::new();
            for id in above {
                for expected in &self.nodes[id].expected {
                    if self.leaf(expected).is_none() {
                        missing.entry(expected.clone()).or_default().push(id);
                    }
                }
            }
            for (policy, parents) in missing {
                self.insert(&policy, parents);
            }
        }
        self.prune();
    }

    /// 6.1.4 (b); `None` for a mapping from or to anyPolicy.
    fn map(&mut self, mappings: &[(Policy, Policy)], allowed: bool) -> Option<()> {
        let mut wanted: BTreeMap<&Policy, Vec<Policy>> = BTreeMap::new();
        for (issuer, subject) in mappings {
            if !allowed {
                self.delete_leaf(issuer);
            } else if *issuer == any() || *subject == any() {
                return None;
            } else {
                wanted.entry(issuer).or_default().push(subject.clone());
            }
        }
        self.prune();
        for (issuer, subjects) in wanted {
            let id = match (self.leaf(issuer), self.leaf(oid::ANY_POLICY)) {
                (Some(id), _) => id,
                (None, Some(any)) => self.insert(issuer, [any]),
                (None, None) => continue,
            };
            self.nodes[id].expected = subjects;
        }
        Some(())
    }

    /// 6.1.5 (g): whether a policy of the authorities is left.
    fn has_valid_policy(&self) -> bool {
        let below_any = |id: &usize| {
            let node = &self.nodes[*id];
            let [parent] = node.parents.iter().copied().collect::<Vec<_>>()[..] else {
                return false;
            };
            node.policy != any() && self.nodes[parent].policy == any()
        };
        self.leaf(oid::ANY_POLICY).is_some()
            || self.strata.iter().flat_map(BTreeMap::values).any(below_any)
    }
}

/// How many more certificates may come before something is asked for or forbidden.
struct Counters {
    explicit: i64,
    mapping: i64,
    any: i64,
}

impl Counters {
    /// 6.1.4 (h) to (j).
    fn step(&mut self, cert: &Certificate) {
        let parsed = cert.parsed();
        let [explicit, mapping, any] = parsed.extensions.skips;
        let own = [&mut self.explicit, &mut self.mapping, &mut self.any];
        for (counter, skip) in own.into_iter().zip([explicit, mapping, any]) {
            if parsed.issuer != parsed.subject && *counter > 0 {
                *counter -= 1;
            }
            // One below zero is as if it were not there.
            if let Some(skip) = skip.filter(|skip| (0..*counter).contains(skip)) {
                *counter = skip;
            }
        }
    }
}

/// `policiesValid`, with any policy acceptable and nothing asked for.
pub(super) fn are_valid(chain: &[Certificate]) -> bool {
    let Some((_, below)) = chain.split_last() else { return true };
    let Some(leaf) = below.first() else { return true };
    let most = i64::try_from(below.len()).unwrap_or(i64::MAX - 1) + 1;
    let mut counters = Counters { explicit: most, mapping: most, any: most };
    let mut graph = Some(Graph::new());
    for (i, cert) in below.iter().enumerate().rev() {
        let parsed = cert.parsed();
        let extensions = &parsed.extensions;
        if extensions.policies.is_empty() {
            graph = None;
        }
        if counters.explicit == 0 && graph.is_none() {
            return false;
        }
        if let Some(graph) = &mut graph {
            let is_self_issued = parsed.issuer == parsed.subject;
            let takes_any = extensions.policies.contains(&any())
                && (counters.any > 0 || i > 0 && is_self_issued);
            graph.descend(&extensions.policies, takes_any);
            let mappings = &extensions.policy_mappings;
            if i > 0 && !mappings.is_empty() && graph.map(mappings, counters.mapping > 0).is_none()
            {
                return false;
            }
        }
        if i > 0 {
            counters.step(cert);
        }
    }
    let explicit = match leaf.parsed().extensions.skips[0] {
        Some(0) => 0,
        _ => (counters.explicit - 1).max(0),
    };
    explicit > 0 || graph.is_some_and(|graph| graph.has_valid_policy())
}

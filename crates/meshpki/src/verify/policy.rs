//! Certificate policies (RFC 5280 section 6.1; `crypto/x509/pcy_tree.c`, `pcy_cache.c`, `pcy_map.c`,
//! `pcy_node.c`).
//!
//! The tree has a level for every certificate below the anchor. Nodes live in one list and know their parent
//! by index, as the tree may have up to [`NODES`] of them and none may be reached by recursion.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::policy_cache::{Cache, Data, Qualifier};
use super::{Policies, Release, Run, Step, Stop};
use crate::cert::Cert;
use crate::oid::{self, Edition, Oid};

/// Nodes a tree may have (`OPENSSL_POLICY_TREE_NODES_MAX`).
const NODES: usize = 1000;

/// What came out of policy processing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyOutcome {
    /// An explicit policy was required.
    pub explicit: bool,
    /// The policies the authorities allow; `None` for an empty tree.
    pub authority: Option<Vec<PolicyNode>>,
    /// Those of them the user accepts; `None` when there are none.
    pub user: Option<Vec<PolicyNode>>,
    /// Processing ended well, so `-policy_print` prints it.
    pub notified: bool,
}

/// One policy of an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyNode {
    /// The policy.
    pub policy: Oid,
    /// certificatePolicies was critical.
    pub critical: bool,
    pub(super) qualifiers: Option<Vec<Qualifier>>,
}

impl fmt::Display for PolicyNode {
    /// As `crypto/x509/pcy_lib.c: X509_POLICY_NODE_print` of OpenSSL 3.0 with an indent of two.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.printed(Edition::V3_0)))
    }
}

impl PolicyNode {
    /// As OpenSSL prints it, with an edition's names of OIDs; the texts of qualifiers as they are.
    pub(super) fn printed(&self, edition: Edition) -> Vec<u8> {
        let name = oid::long_name_in(edition, self.policy.as_bytes());
        let critical = if self.critical { "Critical" } else { "Non Critical" };
        let mut out = format!("  Policy: {name}\n    {critical}\n").into_bytes();
        match &self.qualifiers {
            None => out.extend_from_slice(b"    No Qualifiers\n"),
            Some(list) => list.iter().for_each(|qualifier| qualifier.print(edition, &mut out)),
        }
        out
    }
}

/// Why the tree could not be evaluated.
enum Failure {
    /// Extensions are malformed or contradict each other (`X509_PCY_TREE_INVALID`).
    Invalid,
    /// Too many nodes (`X509_PCY_TREE_INTERNAL`).
    Internal,
    /// No policy is left, and one is required (`X509_PCY_TREE_FAILURE`).
    NoPolicy,
}

impl Run<'_> {
    /// `crypto/x509/x509_vfy.c: check_policy`.
    pub(super) fn check_policy(&mut self) -> Step {
        let Some(policies) = &self.policy.policies else { return Ok(()) };
        if self.is_crl_path {
            return Ok(());
        }
        // RFC 5280 paths leave the anchor out.
        let certs: Vec<&Cert> = self.chain.iter().map(|link| link.cert).collect();
        let caches: Vec<Cache> =
            certs[..certs.len() - 1].iter().map(|cert| Cache::of(cert)).collect();
        let mut outcome = PolicyOutcome::default();
        let result = evaluate(&certs, &caches, policies, self.policy.release, &mut outcome);
        outcome.notified = result.is_ok();
        self.outcome = Some(outcome);
        match result {
            Ok(()) => Ok(()),
            Err(Failure::Internal) => Err(Stop),
            Err(Failure::NoPolicy) => self.report_on(43, 0, None),
            Err(Failure::Invalid) => caches
                .iter()
                .enumerate()
                .filter(|(_, cache)| cache.invalid)
                .try_for_each(|(depth, _)| self.report(42, depth)),
        }
    }
}

/// `crypto/x509/pcy_tree.c: X509_policy_check`.
fn evaluate(
    certs: &[&Cert],
    caches: &[Cache],
    policies: &Policies,
    release: Release,
    outcome: &mut PolicyOutcome,
) -> Result<(), Failure> {
    let Some(empty) = preview(certs, caches, policies, outcome)? else { return Ok(()) };
    let nothing = |explicit: bool| if explicit { Err(Failure::NoPolicy) } else { Ok(()) };
    if empty {
        return nothing(outcome.explicit);
    }
    let mut tree = Tree::new(certs, caches, policies);
    if !tree.evaluate(caches)? {
        return nothing(outcome.explicit);
    }
    let (mut authority, candidates) = tree.authority_set();
    // `crypto/x509/pcy_tree.c: X509_policy_check` of 3.5
    if release.since(3, 5) {
        tree.sort(&mut authority);
    }
    let user = if policies.accept_any() {
        authority.clone()
    } else {
        tree.user_set(&policies.acceptable, &candidates)?
    };
    if !policies.acceptable.is_empty() && !policies.accept_any() {
        tree.sort(&mut authority);
    }
    let nodes =
        |set: &[usize]| -> Vec<PolicyNode> { set.iter().map(|node| tree.printed(*node)).collect() };
    outcome.authority = (!authority.is_empty()).then(|| nodes(&authority));
    outcome.user = (!user.is_empty()).then(|| nodes(&user));
    if outcome.explicit && user.is_empty() { Err(Failure::NoPolicy) } else { Ok(()) }
}

/// The first passes of `tree_init`: whether the extensions are well formed, an explicit policy is required,
/// and (the answer) no policy is left. `None` when the chain is just the anchor.
fn preview(
    certs: &[&Cert],
    caches: &[Cache],
    policies: &Policies,
    outcome: &mut PolicyOutcome,
) -> Result<Option<bool>, Failure> {
    if caches.is_empty() {
        return Ok(None);
    }
    let mut explicit_skip = if policies.explicit { 0 } else { skip_none(caches) };
    let mut empty = false;
    for (cert, cache) in certs.iter().zip(caches).rev() {
        if explicit_skip == 0 && empty {
            break;
        }
        if cache.invalid {
            return Err(Failure::Invalid);
        }
        empty |= !cache.has_policies;
        if explicit_skip > 0 {
            count_down(&mut explicit_skip, cert, cache.explicit_skip);
        }
    }
    outcome.explicit = explicit_skip == 0;
    Ok(Some(empty))
}

/// A counter no chain of that length reaches the end of.
fn skip_none(caches: &[Cache]) -> i64 {
    i64::try_from(caches.len()).unwrap_or(i64::MAX - 1) + 1
}

/// RFC 5280 section 6.1.4 (h) to (j): self-issued certificates do not count; a certificate may shorten.
fn count_down(skip: &mut i64, cert: &Cert, limit: Option<i64>) {
    if !cert.is_self_issued() {
        *skip -= 1;
    }
    if let Some(limit) = limit.filter(|limit| *limit < *skip && *limit >= 0) {
        *skip = limit;
    }
}

impl Policies {
    /// Whether anyPolicy is among the acceptable ones.
    fn accept_any(&self) -> bool {
        self.acceptable.iter().any(|policy| *policy == oid::ANY_POLICY)
    }
}

struct Node {
    data: Data,
    parent: Option<usize>,
    children: usize,
}

#[derive(Default)]
struct Level {
    /// Nodes other than anyPolicy.
    nodes: Vec<usize>,
    any: Option<usize>,
    inhibit_any: bool,
    inhibit_map: bool,
}

/// `X509_POLICY_TREE`.
struct Tree {
    nodes: Vec<Node>,
    levels: Vec<Level>,
}

impl Tree {
    /// The last pass of `tree_init`: the levels, and where anyPolicy and mapping are inhibited.
    fn new(certs: &[&Cert], caches: &[Cache], policies: &Policies) -> Self {
        let start = |inhibited: bool| if inhibited { 0 } else { skip_none(caches) };
        let (mut any_skip, mut map_skip) =
            (start(policies.inhibit_any), start(policies.inhibit_mapping));
        let root = Node { data: Data::new(oid::ANY_POLICY, false), parent: None, children: 0 };
        let top = Level { any: Some(0), ..Level::default() };
        let mut levels = alloc::vec![top];
        for (i, (cert, cache)) in certs.iter().zip(caches).enumerate().rev() {
            let mut level = Level { inhibit_any: cache.any.is_none(), ..Level::default() };
            if any_skip == 0 {
                // Any matching is left only to self-issued certificates above the target.
                level.inhibit_any |= !cert.is_self_issued() || i == 0;
            } else {
                count_down(&mut any_skip, cert, cache.any_skip);
            }
            if map_skip == 0 {
                level.inhibit_map = true;
            } else {
                count_down(&mut map_skip, cert, cache.map_skip);
            }
            levels.push(level);
        }
        Self { nodes: alloc::vec![root], levels }
    }

    /// `tree_evaluate`; false when the tree became empty.
    fn evaluate(&mut self, caches: &[Cache]) -> Result<bool, Failure> {
        for (level, cache) in (1..self.levels.len()).zip(caches.iter().rev()) {
            self.link_nodes(level, cache)?;
            if let (false, Some(any)) = (self.levels[level].inhibit_any, &cache.any) {
                self.link_any(level, any)?;
            }
            if !self.prune(level) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// `tree_link_nodes`: RFC 5280 section 6.1.3 (d) (1).
    fn link_nodes(&mut self, level: usize, cache: &Cache) -> Result<(), Failure> {
        for data in &cache.data {
            let above = &self.levels[level - 1];
            let parents: Vec<usize> = above
                .nodes
                .iter()
                .copied()
                .filter(|node| self.nodes[*node].data.matches(above.inhibit_map, &data.policy))
                .collect();
            let any = above.any;
            if let (true, Some(any)) = (parents.is_empty(), any) {
                self.add(level, data.clone(), any)?;
            }
            for parent in parents {
                self.add(level, data.clone(), parent)?;
            }
        }
        Ok(())
    }

    /// `tree_link_any`: RFC 5280 section 6.1.3 (d) (2).
    fn link_any(&mut self, level: usize, any: &Data) -> Result<(), Failure> {
        for parent in self.levels[level - 1].nodes.clone() {
            self.link_unmatched(level, any, parent)?;
        }
        if let Some(parent) = self.levels[level - 1].any {
            self.add(level, any.clone(), parent)?;
        }
        Ok(())
    }

    /// `tree_link_unmatched`: a child for every expected policy that has none yet.
    fn link_unmatched(&mut self, level: usize, any: &Data, parent: usize) -> Result<(), Failure> {
        let data = &self.nodes[parent].data;
        let critical = data.critical;
        let child = |policy: &[u8]| Data {
            qualifiers: any.qualifiers.clone(),
            ..Data::new(policy, critical)
        };
        if self.levels[level - 1].inhibit_map || !data.mapped {
            if self.nodes[parent].children == 0 {
                self.add(level, child(&data.policy), parent)?;
            }
            return Ok(());
        }
        let expected = data.expected.clone();
        if self.nodes[parent].children == expected.len() {
            return Ok(());
        }
        for policy in &expected {
            let there = self.levels[level].nodes.iter().any(|node| {
                self.nodes[*node].parent == Some(parent) && self.nodes[*node].data.policy == *policy
            });
            if !there {
                self.add(level, child(policy), parent)?;
            }
        }
        Ok(())
    }

    /// `ossl_policy_level_add_node`.
    fn add(&mut self, level: usize, data: Data, parent: usize) -> Result<usize, Failure> {
        let node = self.new_node(data, Some(parent))?;
        let level = &mut self.levels[level];
        if self.nodes[node].data.policy == oid::ANY_POLICY {
            if level.any.replace(node).is_some() {
                return Err(Failure::Internal);
            }
        } else {
            level.nodes.push(node);
        }
        Ok(node)
    }

    fn new_node(&mut self, data: Data, parent: Option<usize>) -> Result<usize, Failure> {
        if self.nodes.len() >= NODES {
            return Err(Failure::Internal);
        }
        if let Some(parent) = parent {
            self.nodes[parent].children += 1;
        }
        self.nodes.push(Node { data, parent, children: 0 });
        Ok(self.nodes.len() - 1)
    }

    /// `tree_prune`: nodes without children go, from the level above up; false when nothing is left.
    fn prune(&mut self, level: usize) -> bool {
        if self.levels[level].inhibit_map {
            self.remove(level, |node| node.data.mapped || node.data.mapped_any);
        }
        for above in (0..level).rev() {
            self.remove(above, |node| node.children == 0);
            if let Some(any) = self.levels[above].any.filter(|any| self.nodes[*any].children == 0) {
                self.levels[above].any = None;
                self.orphan(any);
            }
        }
        self.levels[0].any.is_some()
    }

    fn remove(&mut self, level: usize, goes: impl Fn(&Node) -> bool) {
        let all = core::mem::take(&mut self.levels[level].nodes);
        let (gone, kept): (Vec<usize>, Vec<usize>) =
            all.into_iter().partition(|node| goes(&self.nodes[*node]));
        self.levels[level].nodes = kept;
        gone.into_iter().for_each(|node| self.orphan(node));
    }

    fn orphan(&mut self, node: usize) {
        if let Some(parent) = self.nodes[node].parent {
            self.nodes[parent].children -= 1;
        }
    }

    /// `tree_calculate_authority_set`: the set, and the nodes user policies are looked up among.
    ///
    /// The order is OpenSSL's: its stack is sorted by every look-up, and a new node goes to the end.
    fn authority_set(&self) -> (Vec<usize>, Vec<usize>) {
        let mut found: Vec<usize> = Vec::new();
        for pair in self.levels.windows(2) {
            let Some(any) = pair[0].any else { break };
            for node in pair[1].nodes.iter().copied() {
                if self.nodes[node].parent != Some(any) {
                    continue;
                }
                self.sort(&mut found);
                let policy = &self.nodes[node].data.policy;
                if !found.iter().any(|other| self.nodes[*other].data.policy == *policy) {
                    found.push(node);
                }
            }
        }
        match self.levels.last().and_then(|level| level.any) {
            Some(any) => (alloc::vec![any], found),
            None => (found.clone(), found),
        }
    }

    /// By length of the policy's OID, then by its octets (`crypto/objects/obj_lib.c: OBJ_cmp`).
    fn sort(&self, nodes: &mut [usize]) {
        let policy = |node: &usize| self.nodes[*node].data.policy.as_slice();
        nodes.sort_by(|a, b| (policy(a).len(), policy(a)).cmp(&(policy(b).len(), policy(b))));
    }

    /// `tree_calculate_user_set`.
    fn user_set(
        &mut self,
        acceptable: &[Oid],
        candidates: &[usize],
    ) -> Result<Vec<usize>, Failure> {
        let any = self.levels.last().and_then(|level| level.any);
        let mut user = Vec::new();
        for policy in acceptable {
            let known =
                candidates.iter().find(|node| self.nodes[**node].data.policy == policy.as_bytes());
            match (known, any) {
                (Some(node), _) => user.push(*node),
                (None, None) => {}
                (None, Some(any)) => {
                    let from = &self.nodes[any].data;
                    // OpenSSL overwrites the flag that says critical.
                    let qualifiers = from.qualifiers.clone();
                    let data = Data { qualifiers, ..Data::new(policy.as_bytes(), false) };
                    let parent = self.nodes[any].parent;
                    user.push(self.new_node(data, parent)?);
                }
            }
        }
        Ok(user)
    }

    fn printed(&self, node: usize) -> PolicyNode {
        let data = &self.nodes[node].data;
        PolicyNode {
            policy: Oid::of(data.policy.as_slice()),
            critical: data.critical,
            qualifiers: data.qualifiers.clone(),
        }
    }
}

//! What changes in which cluster, as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use meshconfig::Resource;
use meshconfig::apply::Change;
use serde_json::{Value, json};

use super::{Plan, dns};
use crate::io::Io;
use crate::text::{safe, unified};

/// A line for each change, followed by its content if `with_content`; then the counts.
pub(crate) fn text(plan: &Plan, with_content: bool) -> String {
    let mut out = String::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (target, change) in plan.changes() {
        let (name, sign) = word(change);
        let _ = writeln!(out, "{sign} {}: {name} {}", safe(&target.name), safe(&change.id()));
        if with_content {
            out += &difference(change);
        }
        *counts.entry(name).or_default() += 1;
    }
    for (target, id, _) in plan.refused() {
        let _ = writeln!(out, "! {}: foreign {}", safe(&target.name), safe(&id));
    }
    let count = |word: &str| counts.get(word).copied().unwrap_or_default();
    let (created, updated) = (count("create"), count("update"));
    let wanted: usize = plan.mesh.clusters.iter().map(|one| one.wanted.len()).sum();
    let kept = wanted - created - updated - count("foreign");
    let pruned = count("prune");
    let _ = write!(out, "create {created}, update {updated}, prune {pruned}, unchanged {kept}");
    let others =
        [("DNS edits", count("edit")), ("not ours", count("foreign") + plan.refused().count())];
    for (what, count) in others.into_iter().filter(|(_, count)| *count > 0) {
        let _ = write!(out, ", {what} {count}");
    }
    out.push('\n');
    out
}

/// Reports what must be done by hand after the changes.
pub(crate) fn by_hand(word: &str, plan: &Plan, io: &mut Io<'_>) {
    for (target, change) in plan.changes() {
        let Change::Edit(edit) = change else { continue };
        if let Some(line) = dns::restart(target, edit) {
            io.say(format_args!("{word}: {}", safe(&line)));
        }
    }
}

/// A change in a word, and its sign.
pub(crate) const fn word(change: &Change) -> (&'static str, char) {
    match change {
        Change::Create(_) => ("create", '+'),
        Change::Update { .. } => ("update", '~'),
        Change::Prune(_) => ("prune", '-'),
        Change::Foreign { .. } => ("foreign", '!'),
        Change::Edit(_) => ("edit", '~'),
    }
}

/// The content that changes, as `diff -u` shows it. A resource of others is not changed: it is what `kubectl apply` of the rendered one would change.
pub(crate) fn difference(change: &Change) -> String {
    let (old, new) = match change {
        Change::Create(resource) => (String::new(), resource.yaml()),
        Change::Update { to, from } => (ours(from, Some(to)), to.yaml()),
        Change::Prune(resource) => (ours(resource, None), String::new()),
        Change::Edit(edit) => {
            (edit.from.clone().unwrap_or_default(), edit.to.clone().unwrap_or_default())
        }
        Change::Foreign { live, wanted } => (ours(live, Some(wanted)), wanted.yaml()),
    };
    unified(&old, &new).lines().map(|line| safe(line) + "\n").collect()
}

/// A live resource, reduced to what is rendered.
fn ours(live: &Resource, wanted: Option<&Resource>) -> String {
    let meta = &live.value["metadata"];
    let mut labels = meta["labels"].clone();
    let known = wanted.map(|wanted| &wanted.value["metadata"]["labels"]);
    if let (Some(labels), Some(Value::Object(known))) = (labels.as_object_mut(), known) {
        labels.retain(|key, _| known.contains_key(key));
    }
    // The API server serves the same object in every version.
    let api_version = wanted.unwrap_or(live).value["apiVersion"].clone();
    meshconfig::resource::yaml(&json!({
        "apiVersion": api_version,
        "kind": live.kind(),
        "metadata": {"name": live.name(), "namespace": live.namespace(), "labels": labels},
        "spec": live.value["spec"],
    }))
}

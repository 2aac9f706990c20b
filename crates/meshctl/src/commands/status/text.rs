//! The status for people: one screen, and at its end the command to type.

use std::fmt::Write as _;

use meshpki::istiod::Severity;
use meshpki::{Cert, Time, chain};

use super::{Cluster, Report, State};
use crate::fleet::facts::{Facts, Folder, Kept, Served};
use crate::fleet::pairs::{Answer, Pair};
use crate::hints::Problem;
use crate::text::{counted, relative, safe, since};

/// The lines: each cluster, which clusters accept each other, the problems, the next command.
pub(super) fn write(report: &Report<'_>) -> String {
    let mut text = format!("live clusters at {}\n", report.at);
    for cluster in &report.clusters {
        text += &block(report, cluster);
    }
    text += &matrix(report);
    for problem in &report.problems {
        text += &problem_lines(report, problem);
    }
    text + &sum(report)
}

fn block(report: &Report<'_>, cluster: &Cluster<'_>) -> String {
    let target = cluster.target;
    let mark = format!("[{}]", report.state(cluster).map_or("?", State::word));
    let head = format!("{} (context {}, {})", target.name, target.context, target.kube.server());
    let mut text = format!("\n{mark:<7}{}\n", safe(&head));
    let lines = match &cluster.facts {
        Ok(facts) => fact_lines(facts, report.at),
        Err(failure) => vec![("unknown", failure.sentence())],
    };
    for (what, line) in lines {
        let _ = writeln!(text, "  {what:<9}{}", safe(&line));
    }
    text
}

fn fact_lines(facts: &Facts, at: Time) -> Vec<(&'static str, String)> {
    let mut lines = vec![("istio", releases(facts)), ("CA", authority(facts, at))];
    for root in &facts.roots {
        lines.push(("root", described(root, at)));
    }
    lines.extend(facts.folder.as_ref().map(|folder| ("folder", folder_line(folder))));
    lines.extend(serves(facts).into_iter().map(|line| ("serves", line)));
    lines.push(("roots in", given(facts)));
    if facts.pending.is_empty() {
        lines.push(("restarts", "none pending".to_owned()));
    }
    lines.extend(facts.pending.iter().map(|line| ("restarts", line.clone())));
    lines.extend(facts.kept.as_ref().map(|kept| ("kept", kept.line(at))));
    let kept = facts.kept_folders.iter();
    lines.extend(
        kept.map(|kept| ("kept", format!("{}, {}", kept.path.display(), since(kept.since, at)))),
    );
    lines
}

impl Kept {
    /// `` `Mesh CA east` (sha256 ..), ends .., for `meshctl rollback`, since 2026-11-21, 7 days ago``.
    fn line(&self, at: Time) -> String {
        let what = match &self.ca {
            Some(ca) => described(ca, at),
            None => format!("no CA, but {}", self.files.join(", ")),
        };
        let since = self.since.map(|time| format!(", {}", since(time, at))).unwrap_or_default();
        format!("the previous secret, for `meshctl rollback`: {what}{since}")
    }
}

fn releases(facts: &Facts) -> String {
    if facts.istiods.is_empty() {
        return "not installed".to_owned();
    }
    let one = |istiod: &meshpki::istiod::LiveIstiod| {
        let multi = if istiod.settings.multi_root { ", ISTIO_MULTIROOT_MESH" } else { "" };
        format!("{} (revision {}{multi})", istiod.settings.version, istiod.revision)
    };
    facts.istiods.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn authority(facts: &Facts, at: Time) -> String {
    if facts.istiods.is_empty() && !facts.has_secret {
        return "none: there is neither an istiod nor a secret".to_owned();
    }
    let whose = match (facts.is_plugged, facts.has_secret) {
        (true, _) => "",
        (false, true) => "istiod's own, although there is a secret: ",
        (false, false) => "istiod's own, because there is no secret: ",
    };
    let ca = facts.ca.as_ref().map_or_else(|| "not seen".to_owned(), |ca| described(ca, at));
    format!("{whose}{ca}")
}

fn described(cert: &Cert, at: Time) -> String {
    let Some(end) = cert.not_after().time() else {
        return format!("{}, with an unreadable expiry date", cert.label());
    };
    let verb = if end < at { "expired" } else { "expires" };
    format!("{}, {verb} {}, {}", cert.label(), end.date(), relative(end, at))
}

fn folder_line(folder: &Folder) -> String {
    match folder {
        Folder::Absent(path) => format!("{} does not exist", path.display()),
        Folder::Same(path) => format!("{} matches the cluster", path.display()),
        Folder::Differs { path, what, .. } => {
            format!("{} differs: {}", path.display(), what.join(", "))
        }
    }
}

fn serves(facts: &Facts) -> Vec<String> {
    let live = facts.served.iter().filter(|served| served.is_live == Some(true)).count();
    let mut lines = Vec::new();
    if facts.served.is_empty() {
        lines.push("no pod of istiod is ready".to_owned());
    }
    if live > 0 {
        lines.push(format!("this CA, from {} of istiod", counted(live, "pod")));
    }
    let others = facts.served.iter().filter(|served| served.is_live != Some(true));
    lines.extend(others.map(other_served));
    lines
}

fn other_served(served: &Served) -> String {
    let pod = &served.pod;
    match &served.chain {
        Err(why) => format!("pod {pod} did not answer: {why}"),
        Ok(chain) => format!("a different CA, from pod {pod}: {}", issuer(chain)),
    }
}

/// Who issued what is served.
pub(super) fn issuer(chain: &[Cert]) -> String {
    let Some((leaf, rest)) = chain.split_first() else { return "nothing".to_owned() };
    let ca = rest.iter().find(|cert| chain::issued(cert, leaf));
    ca.map_or_else(|| format!("`{}`", leaf.issuer().label()), Cert::label)
}

fn given(facts: &Facts) -> String {
    const MANY: usize = 5;
    let lacking: Vec<&str> = facts.lacking().map(|given| given.namespace.as_str()).collect();
    let all = counted(facts.given.len(), "namespace");
    if lacking.is_empty() {
        return format!("{} of {all}", facts.given.len());
    }
    let some = lacking[..lacking.len().min(MANY)].join(", ");
    let more = if lacking.len() > MANY {
        format!(" and {} more", lacking.len() - MANY)
    } else {
        String::new()
    };
    format!("{} of {all}; not in {some}{more}", facts.given.len() - lacking.len())
}

/// Rows trust, columns sign. A cluster alone is shown only when it refuses itself.
fn matrix(report: &Report<'_>) -> String {
    let names: Vec<String> =
        report.clusters.iter().map(|cluster| safe(&cluster.target.name)).collect();
    let refused = refusals(&report.pairs);
    if names.len() < 2 && refused.is_empty() {
        return String::new();
    }
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(3);
    let mut text = "\nrow accepts certificates from column\n".to_owned();
    let heads: String = names.iter().map(|name| format!("  {name:<width$}")).collect();
    let _ = writeln!(text, "  {:width$}{}", "", heads.trim_end());
    for (name, row) in names.iter().zip(report.pairs.chunks(names.len())) {
        let cells: String = row.iter().map(|pair| format!("  {:<width$}", cell(pair))).collect();
        let _ = writeln!(text, "  {name:<width$}{}", cells.trim_end());
    }
    for line in refused {
        let _ = writeln!(text, "  {}", safe(&line));
    }
    let ends = report.pairs.iter().filter_map(|pair| match &pair.answer {
        Answer::Yes(end) => end.as_ref(),
        _ => None,
    });
    if let Some((end, cert)) = ends.min() {
        let _ = writeln!(
            text,
            "  `yes` holds until {}, {}, when {} expires",
            end.date(),
            relative(*end, report.at),
            safe(cert)
        );
    }
    text
}

const fn cell(pair: &Pair) -> &'static str {
    match &pair.answer {
        Answer::Yes(_) => "yes",
        Answer::No(_) if pair.is_needed => "NO",
        Answer::No(_) => "-",
        Answer::Unknown => "?",
    }
}

fn refusals(pairs: &[Pair]) -> Vec<String> {
    let line = |pair: &Pair| match &pair.answer {
        Answer::No(why) if pair.is_needed => {
            Some(format!("{} does not accept {}: {}", pair.truster, pair.signer, why.join("; ")))
        }
        _ => None,
    };
    pairs.iter().filter_map(line).collect()
}

fn problem_lines(report: &Report<'_>, problem: &Problem) -> String {
    let message = format!("{}: {}", problem.clusters.join(", "), problem.message);
    format!(
        "\n{}[{}]: {}\n  next: {}\n",
        problem.severity,
        problem.code,
        safe(&message),
        safe(&report.next(problem))
    )
}

fn sum(report: &Report<'_>) -> String {
    let silent = report.clusters.iter().filter(|cluster| cluster.facts.is_err()).count();
    let in_part = report.clusters.iter().filter(|c| c.facts.is_ok() && !c.is_whole).count();
    let of = match (silent, in_part) {
        (0, 0) => String::new(),
        (silent, 0) => format!(" ({silent} could not be reached)"),
        (0, some) => format!(" ({some} only partly read)"),
        (silent, some) => format!(" ({silent} could not be reached, {some} only partly read)"),
    };
    let counts = format!(
        "\n{}{of}: {}, {}\n",
        counted(report.clusters.len(), "cluster"),
        counted(report.count(Severity::Error), "error"),
        counted(report.count(Severity::Warning), "warning")
    );
    match report.next_command() {
        Some(next) => counts + &format!("next: {}\n", safe(&next)),
        None => counts,
    }
}

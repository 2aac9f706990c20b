//! Answers as text: one verifier's in full, or a table of all.

use meshpki::Cert;
use meshpki::verify::webpki::Peer;

use super::why::why;
use super::{Opinion, Panel, Refusal, Verifier};
use crate::text::safe;

impl Panel<'_> {
    /// What is printed.
    pub(in super::super) fn text(&self, explain: bool) -> String {
        match self.opinions.as_slice() {
            [only] => self.single(only, explain),
            all => self.table(all, explain),
        }
    }

    fn single(&self, opinion: &Opinion, explain: bool) -> String {
        let (name, verifier) = (safe(self.name), self.verifier(opinion));
        match &opinion.outcome {
            Ok(chain) => {
                let mut text = format!("{name}: accepted by {verifier}\n");
                for (depth, cert) in chain.iter().enumerate() {
                    text += &format!("  {depth}  {}\n", self.named(cert));
                }
                text
            }
            Err(refusal) => {
                let how = if refusal.undecided { "undecided for" } else { "rejected by" };
                format!("{name}: {how} {verifier}{}\n", said(refusal))
                    + &self.details(opinion.verifier, refusal, "  ", explain)
            }
        }
    }

    fn table(&self, opinions: &[Opinion], explain: bool) -> String {
        let mut text = format!("{}\n", safe(self.name));
        for opinion in opinions {
            let (verifier, verdict) = (self.verifier(opinion), opinion.verdict());
            match &opinion.outcome {
                Ok(_) => text += &format!("  {verifier:<13}{verdict}\n"),
                Err(refusal) => {
                    let said = said(refusal);
                    let said = said.strip_prefix(": ").unwrap_or(said.trim_start());
                    text += &format!("  {verifier:<13}{verdict:<11}{said}\n");
                    text += &self.details(opinion.verifier, refusal, &" ".repeat(26), explain);
                }
            }
        }
        text + &self.agreement()
    }

    /// The certificate a refusal is about, and why.
    fn details(
        &self,
        verifier: Verifier,
        refusal: &Refusal,
        indent: &str,
        explain: bool,
    ) -> String {
        let mut text = String::new();
        if let Some(cert) = &refusal.cert {
            text += &format!("{indent}certificate: {}\n", self.named(cert));
        }
        let why = if explain { why(verifier, refusal, self) } else { None };
        if let Some(why) = why {
            text += &format!("{indent}explain: {}\n", safe(&why));
        }
        text
    }

    pub(super) fn named(&self, cert: &Cert) -> String {
        format!("{} in {}", safe(&cert.label()), self.place(cert))
    }

    /// The last line of a table.
    fn agreement(&self) -> String {
        let group = |verdict: &str, verb: [&str; 2]| {
            let of = self.opinions.iter().filter(|opinion| opinion.verdict() == verdict);
            let names: Vec<&str> = of.map(|opinion| self.verifier(opinion)).collect();
            let verb = verb[usize::from(names.len() > 1)];
            (!names.is_empty()).then(|| format!("{} {verb}", listed(&names)))
        };
        if self.agree() {
            return match self.opinions[0].verdict() {
                "accepts" => "  They agree: all accept it.\n".to_owned(),
                "rejects" => "  They agree: all reject it.\n".to_owned(),
                _ => "  None of them can be decided.\n".to_owned(),
            };
        }
        let groups = [
            group("accepts", ["accepts it", "accept it"]),
            group("rejects", ["rejects it", "reject it"]),
            group("undecided", ["is undecided", "are undecided"]),
        ];
        let groups: Vec<String> = groups.into_iter().flatten().collect();
        format!("  They disagree: {}.\n", groups.join(", "))
    }
}

/// The words, and the side of the connection if only one is refused.
fn said(refusal: &Refusal) -> String {
    let side = match refusal.only_as {
        Some(Peer::Client) => " as a client's",
        Some(_) => " as a server's",
        None => "",
    };
    format!("{side}: {}", safe(&refusal.text))
}

/// `A`, `A and B`, `A, B and C`.
fn listed(names: &[&str]) -> String {
    match names {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

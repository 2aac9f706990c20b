//! `meshctl explain`: prints what codes mean, and what to do.

use std::collections::BTreeSet;

use crate::args::Explain;
use crate::codes::{self, Code, plain};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;

/// Runs the command.
pub(super) fn run(args: &Explain, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut found: Vec<Code<'_>> = Vec::new();
    for typed in &args.codes {
        let wish = typed_code(typed);
        let mut is_known = false;
        for code in codes::all().filter(|code| is_meant(code, wish)) {
            is_known = true;
            if !found.contains(&code) {
                found.push(code);
            }
        }
        if !is_known {
            return Err(unknown(wish));
        }
    }
    let texts: Vec<String> = found.iter().map(text).collect();
    io.print(&texts.join("\n"))?;
    Ok(Exit::Good)
}

/// The code in what may be the beginning of a message: `error[CODE]:`.
fn typed_code(typed: &str) -> &str {
    let inner = typed.split_once('[').map_or(typed, |(_, rest)| rest);
    inner.split(']').next().unwrap_or(inner)
}

fn is_meant(code: &Code<'_>, wish: &str) -> bool {
    let short = code.name.split_once('/').map_or(code.name, |(_, short)| short);
    let is_family = wish.ends_with('/') && code.name.starts_with(wish);
    code.name == wish || short == wish || is_family
}

fn text(code: &Code<'_>) -> String {
    let mut text = format!("{}\n  meaning  {}\n", code.name, plain(code.meaning));
    if !code.remedy.is_empty() {
        text += &format!("  remedy   {}\n", plain(code.remedy));
    }
    text
}

fn unknown(wish: &str) -> Failure {
    let families: BTreeSet<&str> =
        codes::all().filter_map(|code| Some(code.name.split_once('/')?.0)).collect();
    let family = wish.split_once('/').map(|(family, _)| family);
    let hint = match family.filter(|family| families.contains(family)) {
        Some(family) => format!("`meshctl explain {family}/` explains every code of this family"),
        None => {
            let all: Vec<String> = families.iter().map(|family| format!("`{family}/`")).collect();
            format!(
                "a code has the form FAMILY/NAME, as in `meshctl explain ctl/busy`; families: {}",
                all.join(", ")
            )
        }
    };
    Failure::usage(format!("there is no code `{wish}`")).hint(hint)
}

//! The option reader of `ca verify`, as `apps/lib/opt.c: opt_next` reads them.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use meshpki::verify::Release;

use crate::args::verify::{Id, OPTIONS, Wants};

/// One option as it was given.
#[derive(Debug)]
pub(crate) struct Given {
    /// Which option.
    pub(crate) id: Id,
    /// Its name, without dashes.
    pub(crate) name: &'static str,
    /// Its value; empty when it takes none.
    pub(crate) value: OsString,
    /// Its value as a number, if it must be one.
    pub(crate) number: i64,
}

impl Given {
    /// Whether it is a wish that only OpenSSL has, and no other verifier.
    pub(crate) fn is_openssls(&self, with_openssl: bool) -> bool {
        match self.id {
            Id::Purpose => !["sslclient", "sslserver"].contains(&&*self.text()),
            Id::CrlCheck | Id::CrlCheckAll => !with_openssl,
            Id::Policy
            | Id::Depth
            | Id::AuthLevel
            | Id::Hostname
            | Id::Email
            | Id::Ip
            | Id::IgnoreCritical
            | Id::PolicyCheck
            | Id::ExplicitPolicy
            | Id::InhibitAny
            | Id::InhibitMap
            | Id::PolicyPrint
            | Id::Strict
            | Id::CheckSelfSigned
            | Id::PartialChain
            | Id::NoCheckTime
            | Id::VerifyName
            | Id::ExtendedCrl
            | Id::UseDeltas
            | Id::SuiteB128Only
            | Id::SuiteB128
            | Id::SuiteB192
            | Id::AllowProxies
            | Id::VerifyOption => true,
            _ => false,
        }
    }

    /// The value as text, for messages and for values that are not files.
    pub(crate) fn text(&self) -> String {
        self.value.to_string_lossy().into_owned()
    }
}

/// Reads options off the front of a command line.
pub(crate) struct Options<'a> {
    args: &'a [OsString],
    release: Release,
}

impl<'a> Options<'a> {
    pub(crate) const fn new(args: &'a [OsString], release: Release) -> Self {
        Self { args, release }
    }

    /// The arguments after the options.
    pub(crate) const fn rest(&self) -> &'a [OsString] {
        self.args
    }

    /// The next option, `None` at the first argument that is not an option; an error is the line to print.
    pub(crate) fn next(&mut self) -> Result<Option<Given>, String> {
        let Some((arg, rest)) = self.args.split_first() else { return Ok(None) };
        let text = arg.to_string_lossy();
        let Some(name) = text.strip_prefix('-') else { return Ok(None) };
        self.args = rest;
        if name == "-" {
            return Ok(None);
        }
        let name = name.strip_prefix('-').unwrap_or(name);
        let (name, attached) = match name.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (name, None),
        };
        let wanted = if name == "h" { "help" } else { name };
        let known =
            OPTIONS.iter().find(|option| option.name == wanted && option.is_in(self.release));
        let Some(option) = known else {
            return Err(format!("verify: Unknown option: -{name}"));
        };
        let (name, wants, id) = (option.name, option.wants, option.id);
        if wants == Wants::Nothing {
            return match attached {
                Some(_) => Err(format!("verify: Option -{name} does not take a value")),
                None => Ok(Some(Given { id, name, value: OsString::new(), number: 0 })),
            };
        }
        let value = match attached {
            Some(value) => value,
            None => self.shift().ok_or(format!("verify: Option -{name} needs a value"))?,
        };
        if wants == Wants::Folder && !Path::new(&value).is_dir() {
            return Err(format!("verify: Not a directory: {}", value.to_string_lossy()));
        }
        let number = number(wants, &value)?;
        Ok(Some(Given { id, name, value, number }))
    }

    fn shift(&mut self) -> Option<OsString> {
        let (value, rest) = self.args.split_first()?;
        self.args = rest;
        Some(value.clone())
    }
}

/// `opt_int`, `opt_imax`: a value that must be a number.
fn number(wants: Wants, value: &OsStr) -> Result<i64, String> {
    if !matches!(wants, Wants::Int | Wants::Big) {
        return Ok(0);
    }
    let text = value.to_string_lossy();
    let Some(number) = integer(&text) else {
        let base = match text.as_ref() {
            text if text.starts_with("0x") || text.starts_with("0X") => "a hexadecimal",
            text if text.starts_with('0') => "an octal",
            _ => "a",
        };
        return Err(format!("verify: Can't parse \"{text}\" as {base} number"));
    };
    if wants == Wants::Int && i32::try_from(number).is_err() {
        return Err(format!("verify: Value \"{text}\" outside integer range"));
    }
    Ok(number)
}

/// C's `strtol(text, &end, 0)` if all of `text` must be the number.
fn integer(text: &str) -> Option<i64> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// C's `atoi`, which `-verify_depth` and `-auth_level` go through after their value was checked as
/// [`integer`]: `0x10` is 0 and `010` is 10 (`apps/lib/opt.c: opt_verify`).
pub(crate) fn atoi(text: &str) -> i64 {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let end = text
        .char_indices()
        .find(|(i, c)| !(c.is_ascii_digit() || (*i == 0 && "+-".contains(*c))))
        .map_or(text.len(), |(i, _)| i);
    text[..end].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(args: &[&str]) -> Result<(Id, String, i64), String> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let given = Options::new(&args, Release::V3_0).next()?.ok_or("no option")?;
        Ok((given.id, given.text(), given.number))
    }

    #[test]
    fn dashes_and_values() {
        for args in [&["-CAfile", "x"][..], &["--CAfile", "x"], &["--CAfile=x"], &["-CAfile=x"]] {
            assert_eq!(first(args), Ok((Id::CaFile, String::from("x"), 0)), "{args:?}");
        }
        assert_eq!(first(&["x"]).unwrap_err(), "no option");
        assert_eq!(first(&["--", "-CAfile"]).unwrap_err(), "no option");
        assert_eq!(first(&["-"]).unwrap_err(), "verify: Unknown option: -");
        assert_eq!(first(&["--foo=1"]).unwrap_err(), "verify: Unknown option: -foo");
        assert_eq!(first(&["-CAfile"]).unwrap_err(), "verify: Option -CAfile needs a value");
        assert_eq!(
            first(&["-x509_strict=1"]).unwrap_err(),
            "verify: Option -x509_strict does not take a value"
        );
    }

    #[test]
    fn numbers_as_strtol_reads_them() {
        for (text, number) in
            [("0", 0), ("-3", -3), ("0x1f", 31), ("010", 8), (" 5", 5), ("+5", 5), ("-0x10", -16)]
        {
            assert_eq!(first(&["-attime", text]).map(|o| o.2), Ok(number), "{text}");
        }
        for (text, line) in [
            ("", "verify: Can't parse \"\" as a number"),
            ("5 ", "verify: Can't parse \"5 \" as a number"),
            ("--5", "verify: Can't parse \"--5\" as a number"),
            ("0x", "verify: Can't parse \"0x\" as a hexadecimal number"),
            ("08", "verify: Can't parse \"08\" as an octal number"),
            ("2147483648", "verify: Value \"2147483648\" outside integer range"),
        ] {
            assert_eq!(first(&["-verify_depth", text]).unwrap_err(), line);
        }
        assert_eq!((atoi("0x10"), atoi("010"), atoi(" +5"), atoi("-3")), (0, 10, 5, -3));
    }
}

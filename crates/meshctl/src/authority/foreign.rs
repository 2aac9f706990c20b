//! What a file is that holds no certificate and no key that can be read, and the command that makes something readable of
//! it.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use meshapply::export::looks_like_json;
use meshpki::Cert;
use meshpki::internals::pem::Form;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::text::word;

const OPENSSH: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
/// How the marker of every private key ends.
const PRIVATE: &str = "PRIVATE KEY-----";

/// What a file is, and what to do with it.
pub(crate) struct Foreign {
    /// A sentence.
    pub(crate) what: String,
    /// The next step.
    pub(crate) hint: Option<String>,
}

impl Foreign {
    /// It and the next step, in one line.
    pub(crate) fn sentence(self) -> String {
        self.what + &self.hint.map(|hint| format!(": {hint}")).unwrap_or_default()
    }

    /// Adds it to a failure that says that something was not found.
    pub(crate) fn explain(path: &Path, bytes: &[u8], failure: Failure) -> Failure {
        let Some(this) = Self::of(path, bytes) else { return failure };
        let failure = failure.because(this.what);
        match this.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// The same where a private key could not be read, which may be of another format.
    pub(crate) fn explain_key(path: &Path, bytes: &[u8], failure: Failure) -> Failure {
        let is_openssh = bytes.windows(OPENSSH.len()).any(|window| window == OPENSSH.as_bytes());
        if is_openssh { Self::explain(path, bytes, failure) } else { failure }
    }

    /// What it is, if that is known.
    pub(crate) fn of(path: &Path, bytes: &[u8]) -> Option<Self> {
        let file = word(path);
        let has = |part: &str| bytes.windows(part.len()).any(|window| window == part.as_bytes());
        let text = bytes.trim_ascii();
        if text.is_empty() {
            return Some(Self::is("the file is empty", None));
        }
        if [&[0xfe, 0xed, 0xfe, 0xed], &[0xce; 4]].iter().any(|magic| bytes.starts_with(*magic)) {
            let convert = format!(
                "keytool -importkeystore -srckeystore {file} -destkeystore {file}.p12 -deststoretype PKCS12"
            );
            return Some(Self::is("it is a Java keystore", converted(path, &convert, false)));
        }
        if let Some(known) = by_start(text) {
            return Some(known);
        }
        if has(OPENSSH) {
            let convert =
                format!("cp {file} {file}.pem && ssh-keygen -p -N '' -m PKCS8 -f {file}.pem");
            let hint = converted(path, &convert, true)
                .map(|command| format!("{command} writes the key unencrypted to {file}.pem"));
            return Some(Self::is("it is a private key in OpenSSH's own format", hint));
        }
        let is_json = std::str::from_utf8(bytes).is_ok_and(looks_like_json);
        if has("-----\\n") && !is_json {
            let what = format!("{}, and no program reads that", Form::EscapedNewlines);
            let convert = format!(r#"<{file} awk '{{ gsub(/\\n/, "\n") }} 1' >{file}.pem"#);
            return Some(Self::is(&what, converted(path, &convert, has(PRIVATE))));
        }
        if is_json {
            return Some(json(path, has("-----BEGIN "), has(PRIVATE)));
        }
        if ["", "NEW "].iter().any(|new| has(&format!("-----BEGIN {new}CERTIFICATE REQUEST-----")))
        {
            let sign = format!("`meshctl ca sign {file} --ca DIR --out FOLDER` signs it");
            let what = "it is a certificate signing request, which a CA turns into a certificate";
            return Some(Self::is(what, Some(sign)));
        }
        if has(PRIVATE) {
            let what = "it is a private key; its certificate is in another file";
            return Some(Self::is(what, None));
        }
        base64(path, text)
    }

    fn is(what: &str, hint: Option<String>) -> Self {
        Self { what: what.to_owned(), hint }
    }
}

/// What is known by how it begins, in upper or lower case.
fn by_start(text: &[u8]) -> Option<Foreign> {
    let begins = |starts: &[&str]| {
        starts.iter().any(|start| {
            text.get(..start.len()).is_some_and(|at| at.eq_ignore_ascii_case(start.as_bytes()))
        })
    };
    if begins(&["<!doctype html", "<html", "<?xml"]) {
        return Some(Foreign::is(
            "it is a web page, such as that of a login or an error, not what was to be downloaded",
            Some(
                "open it in a browser to see what it says, then download the file again".to_owned(),
            ),
        ));
    }
    if begins(&["ssh-", "ecdsa-sha2-"]) {
        return Some(Foreign::is(
            "it is an SSH public key, which is not part of any certificate chain",
            Some("ask whoever sent it for the X.509 certificate in PEM or DER".to_owned()),
        ));
    }
    None
}

/// A command that writes another file, for its owner alone if it holds a key; none for standard input, which is gone.
fn converted(path: &Path, command: &str, has_key: bool) -> Option<String> {
    let command = match has_key {
        true => format!("`(umask 077; {command})`"),
        false => format!("`{command}`"),
    };
    (path != Path::new("-")).then_some(command)
}

fn json(path: &Path, has_pem: bool, has_key: bool) -> Foreign {
    if has_pem {
        let file = word(path);
        let convert =
            format!("jq -r '.. | strings | select(startswith(\"-----BEGIN\"))' {file} >{file}.pem");
        return Foreign::is("it is JSON with PEM text in it", converted(path, &convert, has_key));
    }
    Foreign {
        what: "it is JSON without PEM text in it".to_owned(),
        hint: Some("`meshctl ca adopt` and `meshctl ca bundle` read secrets that kubectl has printed; `meshctl trust bundle show` reads SPIFFE bundles".to_owned()),
    }
}

/// Base64 without BEGIN and END lines: of DER, or of PEM text, as in a secret.
fn base64(path: &Path, text: &[u8]) -> Option<Foreign> {
    // In one piece: what a growing buffer frees may be a key.
    let mut joined = Zeroizing::new(Vec::with_capacity(text.len()));
    joined.extend(text.iter().copied().filter(|b| !b.is_ascii_whitespace()));
    let content = Zeroizing::new(STANDARD.decode(&*joined).ok()?);
    let has = |part: &[u8]| content.windows(part.len()).any(|window| window == part);
    let (what, end, has_key) = match content.first()? {
        0x30 => ("DER", "der", Cert::from_der(&content).is_err()),
        _ if has(b"-----BEGIN ") => ("PEM text", "pem", has(PRIVATE.as_bytes())),
        _ => return None,
    };
    let file = word(path);
    let what = format!("it is base64 of {what}, without BEGIN and END lines");
    let convert = format!("base64 -d {file} >{file}.{end}");
    Some(Foreign::is(&what, converted(path, &convert, has_key)))
}

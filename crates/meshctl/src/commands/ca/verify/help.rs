//! `-help`: the sections of openssl's, in its order and layout (`apps/lib/opt.c: opt_help`), and after them what is ours.

use meshpki::verify::Release;

use crate::args::verify::{OPTIONS, OpensslOption, Wants, is_ours};

/// The first option of each section (`apps/verify.c: verify_options`).
const SECTIONS: [(&str, &str); 5] = [
    ("help", "General options:"),
    ("trusted", "Certificate chain options:"),
    ("policy", "Validation options:"),
    ("provider-path", "Provider options:"),
    ("explain", "Not in openssl:"),
];

/// Names for `-purpose` and what they mean (`crypto/x509/v3_purp.c: xstandard`).
const PURPOSES: [(&str, &str); 10] = [
    ("sslclient", "SSL client"),
    ("sslserver", "SSL server"),
    ("nssslserver", "Netscape SSL server"),
    ("smimesign", "S/MIME signing"),
    ("smimeencrypt", "S/MIME encryption"),
    ("crlsign", "CRL signing"),
    ("any", "Any Purpose"),
    ("ocsphelper", "OCSP helper"),
    ("timestampsign", "Time Stamp signing"),
    ("codesign", "Code signing"),
];
/// Names for `-verify_name` (`crypto/x509/x509_vpm.c: default_table`).
const POLICIES: [&str; 6] =
    ["code_sign", "default", "pkcs7", "smime_sign", "ssl_client", "ssl_server"];

/// What openssl's own text does not have.
const END: &str = "
An option has one dash or two, and -option=value is -option value. The release is MESHCTL_OPENSSL
or auto, the one that this system's distribution ships, unless --openssl names another.

--as takes the options that name files or the time, and -purpose sslclient or sslserver. Without
-purpose, the certificate must be valid for a client and for a server, as every workload is both.

Exit status: 0 if every certificate is valid, 1 if an option or a file cannot be used, 2 if a
certificate is not valid or cannot be read, 3 if a signature uses an algorithm that is not built in.
";

/// The text for a release.
pub(super) fn text(release: Release) -> String {
    let (ours, theirs): (Vec<_>, Vec<_>) = OPTIONS.iter().partition(|option| is_ours(option.id));
    let mut text = "Usage: verify [options] [cert...]\n".to_owned();
    for option in theirs.into_iter().filter(|option| option.is_in(release)) {
        add(&mut text, option);
    }
    text += "\nParameters:\n";
    text += &line(" cert", "Certificate(s) to verify (optional; stdin used otherwise)");
    text += "\nRecognized certificate chain purposes:\n";
    for (name, what) in
        PURPOSES.iter().filter(|(name, _)| *name != "codesign" || release.since(3, 2))
    {
        text += &format!("  {name:<15}  {what}\n");
    }
    text += "Recognized certificate policy names:\n";
    for name in POLICIES.iter().filter(|name| **name != "code_sign" || release.since(3, 2)) {
        text += &format!("  {name}\n");
    }
    for option in ours.into_iter().filter(|option| option.name != "o") {
        add(&mut text, option);
    }
    text + END
}

fn add(text: &mut String, option: &OpensslOption) {
    if let Some((_, title)) = SECTIONS.iter().find(|(first, _)| *first == option.name) {
        *text += &format!("\n{title}\n");
    }
    let dashes = if is_ours(option.id) { "--" } else { "-" };
    *text += &line(&format!(" {dashes}{} {}", option.name, kind(option)), option.help);
}

/// A name and what it is.
fn line(name: &str, what: &str) -> String {
    format!("{name:<22} {what}\n")
}

/// What openssl calls the kind of an option's value.
const fn kind(option: &OpensslOption) -> &'static str {
    match option.wants {
        Wants::Nothing => "",
        Wants::Folder => "dir",
        Wants::Int => "int",
        Wants::Big => "intmax",
        Wants::Text => match option.value.as_bytes() {
            b"FILE" => "infile",
            b"URI" => "uri",
            _ => "val",
        },
    }
}

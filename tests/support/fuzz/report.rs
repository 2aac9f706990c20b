//! The page of `meshctl report`: no name in a folder or a certificate becomes markup.

use meshpki::internals::{der, oid, pem};

use crate::{Shell, forge, page};

/// Characters of a name: a file name has 255 bytes at most.
const LONGEST: usize = 60;

/// The lines are a cluster's name, and the names of its CA and its root. The page has the same elements as with plain
/// names.
pub(super) fn report(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    // No name is empty, and no folder hidden.
    let names = ["a", "b", "c"].map(|first| format!("{first}{}", lines.next().unwrap_or("")));
    let plain = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(page::elements(&written(&names)), page::elements(&written(&plain)));
}

/// The page of a folder with these names.
fn written(names: &[String; 3]) -> String {
    let [cluster, ca, root] =
        names.each_ref().map(|name| name.chars().take(LONGEST).collect::<String>());
    let cluster = cluster.replace(['/', '\0'], "_");
    let [ca, root] = [ca, root]
        .map(|name| forge::name(&[(oid::COMMON_NAME, der::UTF8_STRING, name.as_bytes())]));
    let shell = Shell::new();
    for (file, subject, key) in [("ca-cert.pem", &ca, 0), ("root-cert.pem", &root, 1)] {
        let der = forge::CertPlan::new(subject.clone(), root.clone(), key, 1).sign();
        let text = pem::encode(pem::CERTIFICATE, &der);
        shell.scratch.write(&format!("ca/{cluster}/{file}"), text);
    }
    shell.run("report @/ca").out
}

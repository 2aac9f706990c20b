//! `meshctl ca chain`: certificates in any order become one chain, and what is left out is named.

use tests::Shell;
use tests::authority::{Authority, name};

use meshpki::{Cert, KeyType, Profile, Role};

const KIND: KeyType = KeyType::EcdsaP256;

/// Two roots, a middle CA below the first, a leaf CA below that, one by one in files.
fn shell() -> (Shell, [Authority; 4]) {
    let shell = Shell::new();
    let any = |p: &mut Profile| p.role = Role::Ca { path_len: None };
    let root = Authority::root(KIND, "CN=Root", any);
    let middle = root.below(KIND, "CN=Middle", any);
    let leaf = middle.below(KIND, "CN=Leaf", any);
    let other = Authority::root(KIND, "CN=Other Root", any);
    for (file, authority) in
        [("root.pem", &root), ("middle.pem", &middle), ("leaf.pem", &leaf), ("other.pem", &other)]
    {
        shell.scratch.write(file, authority.cert.to_pem());
    }
    (shell, [root, middle, leaf, other])
}

/// A CA that may have CAs below it.
fn below(subject: &str) -> Profile {
    let mut profile = Profile::cluster(name(subject));
    profile.role = Role::Ca { path_len: None };
    profile
}

/// Subjects of a chain on standard output.
fn subjects(pem: &str) -> Vec<String> {
    let certs = meshpki::cacerts::certs("stdout", pem.as_bytes()).unwrap();
    certs.iter().map(|cert| cert.subject().label()).collect()
}

#[test]
fn any_order_gives_the_same_bytes() {
    let (shell, [root, middle, leaf, _]) = shell();
    let wanted = [&leaf.cert, &middle.cert, &root.cert].map(Cert::to_pem).concat();
    for files in ["leaf middle root", "root middle leaf", "middle root leaf", "root leaf middle"] {
        let files: String = files.split(' ').map(|name| format!(" @/{name}.pem")).collect();
        assert_eq!(shell.good(&format!("ca chain{files}")), wanted, "{files}");
    }
    shell.scratch.write("middle.der", middle.cert.as_der());
    assert_eq!(shell.good("ca chain @/root.pem @/middle.der @/leaf.pem"), wanted);
    shell.check(
        "ca chain @/root.pem @/middle.pem @/leaf.pem --out @/chain.pem",
        r#"
        exit 0
        --- stderr
        0: CN = Leaf
        1: CN = Middle
        2: CN = Root
    "#,
    );
    assert_eq!(shell.scratch.read("chain.pem"), wanted);
    assert_eq!(shell.scratch.entries("")["chain.pem"].mode, 0o644);
    // An existing chain is replaced: it is not a key.
    shell.good("ca chain @/leaf.pem --out @/chain.pem");
    assert_eq!(shell.scratch.read("chain.pem"), leaf.cert.to_pem());
}

#[test]
fn duplicates_and_strays_are_named() {
    let (shell, [root, middle, ..]) = shell();
    shell
        .scratch
        .write("pile.pem", [&root.cert, &middle.cert, &root.cert].map(Cert::to_pem).concat());
    shell.check(
        "ca chain @/pile.pem @/other.pem @/leaf.pem @/middle.pem --out @/chain.pem",
        r#"
        exit 0
        --- stderr
        warning[ctl/strays]: a certificate appears twice
          in: @/pile.pem, certificate 3 (`Root`)
          because: it is the same as @/pile.pem, certificate 1
        warning[ctl/strays]: a certificate appears twice
          in: @/middle.pem (`Middle`)
          because: it is the same as @/pile.pem, certificate 2
        warning[ctl/strays]: a certificate does not belong to the chain and was left out
          in: @/other.pem (`Other Root`)
          because: it did not issue any certificate of the chain
        0: CN = Leaf
        1: CN = Middle
        2: CN = Root
    "#,
    );
    assert_eq!(subjects(&shell.scratch.read("chain.pem")), ["Leaf", "Middle", "Root"]);
    shell.check(
        "ca chain --leaf @/middle.pem @/middle.pem @/leaf.pem @/root.pem --out @/chain.pem",
        r#"
        exit 0
        --- stderr
        warning[ctl/strays]: a certificate does not belong to the chain and was left out
          in: @/leaf.pem (`Leaf`)
          because: it did not issue any certificate of the chain
        0: CN = Middle
        1: CN = Root
    "#,
    );
    assert_eq!(subjects(&shell.scratch.read("chain.pem")), ["Middle", "Root"]);
}

#[test]
fn of_cross_signed_twins_one_is_taken() {
    let (shell, [_, middle, _, other]) = shell();
    let twin = other.issue(&below("CN=Middle"), &middle.key);
    shell.scratch.write("twin.pem", twin.to_pem());
    shell.check("ca chain @/twin.pem @/root.pem @/middle.pem @/leaf.pem --out @/chain.pem", r#"
        exit 0
        --- stderr
        warning[ctl/strays]: another certificate would also fit into the chain and was left out
          in: @/twin.pem (`Middle`)
          because: OpenSSL and Envoy follow the first issuer that fits and never backtrack, so a chain needs exactly one of each
        0: CN = Leaf
        1: CN = Middle
        2: CN = Root
    "#);
    assert_eq!(subjects(&shell.scratch.read("chain.pem")), ["Leaf", "Middle", "Root"]);
}

#[test]
fn a_bridge_is_used_where_it_is_the_way_up() {
    let (shell, [root, ..]) = shell();
    let new = Authority::root(KIND, "CN=New Root", |_| {});
    let bridge = root.issue(&below("CN=New Root"), &new.key);
    shell.scratch.write("new.pem", new.cert.to_pem());
    shell.scratch.write("bridge.pem", bridge.to_pem());
    shell.scratch.write("east.pem", new.below(KIND, "CN=East", |_| {}).cert.to_pem());
    let chain = shell.good("ca chain @/root.pem @/bridge.pem @/east.pem");
    assert_eq!(subjects(&chain), ["East", "New Root", "Root"]);
    let chain = shell.good("ca chain @/root.pem @/bridge.pem @/east.pem @/new.pem");
    assert_eq!(subjects(&chain), ["East", "New Root"]);
}

#[test]
fn glue_is_recognised_and_said() {
    let (shell, [root, middle, leaf, _]) = shell();
    let glued = [&leaf.cert, &middle.cert, &root.cert].map(Cert::to_pem).concat();
    let glued = glued.replace("-----END CERTIFICATE-----\n", "-----END CERTIFICATE-----");
    shell.scratch.write("glued.pem", glued);
    shell.check(
        "ca chain @/glued.pem --out @/chain.pem",
        r#"
        exit 0
        --- stderr
        warning[pki/pem]: two PEM blocks share a line: a newline is missing between two files
          in: @/glued.pem, line 11

        hint: istiod and Go stop reading there; the chain that is written has the missing newline
        0: CN = Leaf
        1: CN = Middle
        2: CN = Root
    "#,
    );
    assert_eq!(subjects(&shell.scratch.read("chain.pem")), ["Leaf", "Middle", "Root"]);
    // Where it is not repaired it is refused, and the hint says what repairs it.
    shell.scratch.write("ca/root-cert.pem", shell.scratch.read("glued.pem"));
    shell.check("ca init @/ca --cluster east", r#"
        exit 1
        --- stderr
        error[pki/pem]: @/ca/root-cert.pem is not valid PEM
          because: line 11: the END and the next BEGIN marker are on one line: a newline is missing between two files

        hint: `meshctl ca chain @/ca/root-cert.pem` prints it with the missing newlines
    "#);
}

#[test]
fn refused_with_words() {
    let (shell, [root, ..]) = shell();
    let second = root.below(KIND, "CN=Second", |_| {});
    shell.scratch.write("second.pem", second.cert.to_pem());
    shell.check("ca chain @/second.pem @/root.pem @/middle.pem", r#"
        exit 1
        --- stderr
        error[pki/ambiguous-leaf]: 2 certificates could be the start of the chain: `Second`, `Middle`

        hint: name the first certificate of the chain: `meshctl ca chain --leaf FILE ...`
    "#);
    shell.scratch.write("none.pem", "no certificate\n");
    shell.check(
        "ca chain @/none.pem",
        r#"
        exit 1
        --- stderr
        error[pki/no-certificate]: no certificate in @/none.pem
    "#,
    );
    shell.check(
        "ca chain @/nowhere.pem",
        r#"
        exit 1
        --- stderr
        error[ctl/io]: cannot read `@/nowhere.pem`
          because: No such file or directory (os error 2)
    "#,
    );
    shell.check(
        "ca chain @/leaf.pem --out @/nowhere/chain.pem",
        r#"
        exit 1
        --- stderr
        error[ctl/io]: cannot write `@/nowhere/chain.pem`
          because: No such file or directory (os error 2)
    "#,
    );
    shell.check(
        "ca chain",
        r#"
        exit 64
        --- stderr
        error: the following required arguments were not provided:
          <FILES>...

        Usage: meshctl ca chain <FILES>...

        For more information, try '--help'.
    "#,
    );
}

#[test]
fn out_is_a_file_and_never_a_key() {
    let (shell, _) = shell();
    shell.scratch.write_key("key.pem", tests::authority::key(KIND).to_pem().as_bytes());
    let key = shell.scratch.read("key.pem");
    shell.check(
        "ca chain @/root.pem --out @/key.pem",
        r#"
        exit 1
        --- stderr
        error[ctl/exists]: `@/key.pem` contains a private key and is not overwritten

        hint: choose another file
    "#,
    );
    assert_eq!(shell.scratch.read("key.pem"), key);
    assert_eq!(subjects(&shell.good("ca chain @/root.pem --out -")), ["Root"]);
}

#[test]
fn only_what_is_glued_is_sent_to_ca_chain() {
    let (shell, [root, ..]) = shell();
    shell.scratch.write_key("key.pem", root.key.to_pem().as_bytes());
    shell
        .scratch
        .write("east.csr", tests::authority::csr("CN=East", &tests::authority::key(KIND)).to_pem());
    let pem = root.cert.to_pem();
    shell.scratch.write("cut off.pem", &pem[..100]);
    shell.scratch.write("glued ones.pem", pem.trim_end().to_owned() + &pem);
    let sign =
        |file: &str| format!("ca sign @/east.csr --ca-cert '@/{file}' --ca-key @/key.pem --out -");
    shell.check(
        &sign("cut off.pem"),
        r#"
        exit 1
        --- stderr
        error[pki/pem]: @/cut off.pem is not valid PEM
          because: line 1: `BEGIN CERTIFICATE` has no END marker
    "#,
    );
    shell.check(&sign("glued ones.pem"), r#"
        exit 1
        --- stderr
        error[pki/pem]: @/glued ones.pem is not valid PEM
          because: line 10: the END and the next BEGIN marker are on one line: a newline is missing between two files

        hint: `meshctl ca chain '@/glued ones.pem'` prints it with the missing newlines
    "#);
}

//! The command line: option forms, numbers, addresses, what is refused.

use super::{Topic, usual};

pub(super) fn options(topic: &mut Topic) {
    usual(topic);
    let good = [
        "-no-CApath",
        "-no-CAstore",
        "-attime",
        "1700000000",
        "-CAfile",
        "root.pem",
        "-untrusted",
        "int.pem",
        "leaf.pem",
    ];
    let with = |more: &[&'static str]| [more, &good].concat();
    let forms: [(&str, &[&str]); 6] = [
        (
            "two-dashes",
            &[
                "--no-CApath",
                "--CAfile",
                "root.pem",
                "-no-CAstore",
                "--untrusted=int.pem",
                "--attime=1700000000",
                "leaf.pem",
            ],
        ),
        (
            "attached",
            &[
                "-no-CApath",
                "-CAfile=root.pem",
                "-no-CAstore",
                "-untrusted=int.pem",
                "-attime=1700000000",
                "leaf.pem",
            ],
        ),
        ("end", &["-no-CApath", "-no-CAstore", "-CAfile", "root.pem", "--", "root.pem", "-CAfile"]),
        ("dash", &["-no-CApath", "-no-CAstore", "-CAfile", "root.pem", "-"]),
        (
            "behind",
            &["-no-CApath", "-no-CAstore", "-CAfile", "root.pem", "root.pem", "-show_chain"],
        ),
        (
            "last-wins",
            &[
                "-no-CApath",
                "-no-CAstore",
                "-CAfile",
                "leaf.pem",
                "-CAfile",
                "root.pem",
                "root.pem",
            ],
        ),
    ];
    for (name, args) in forms {
        topic.bare(name, "forms of options", args);
    }
    let wrong: [&[&str]; 16] = [
        &["-foo"],
        &["--foo=1"],
        &["-x509_strict=1"],
        &["-CAfile"],
        &["-purpose", "foo"],
        &["-purpose", ""],
        &["-policy", "foo"],
        &["-policy", "1"],
        &["-policy", ".1.2"],
        &["-policy", "1.40"],
        &["-policy", "1.2,3"],
        &["-trusted", "root.pem", "-CAfile", "root.pem", "leaf.pem"],
        &["-verify_hostname"],
        &["-attime"],
        &["=", "x"],
        &["-=x"],
    ];
    for args in wrong {
        topic.bare(
            &format!("wrong {}", args.join(" ")),
            "an option error: exit status 1, nothing is verified",
            args,
        );
    }
    for number in [
        "",
        "0",
        "5",
        "-3",
        "0x",
        "0xg",
        "0x1f",
        "08",
        "010",
        " 5",
        "5 ",
        "+5",
        "-",
        "--5",
        "2147483647",
        "2147483648",
        "-2147483649",
        "9223372036854775808",
        "0x8000000000000000",
        "1e3",
    ] {
        for option in ["-verify_depth", "-auth_level", "-attime"] {
            topic.bare(
                &format!("{option} \"{number}\""),
                "numbers as strtol reads them, in any base",
                &[
                    &["-no-CApath", "-no-CAstore", "-attime", "1700000000", option, number],
                    &good[4..],
                ]
                .concat(),
            );
        }
    }
    for address in [
        "1.2.3.4",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.2.3.4",
        "::1",
        "::",
        ":",
        "1::",
        "::1.2.3.4",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "1::2::3",
        "",
        " 1.2.3.4",
        "1.2.3.4 ",
        "12345::1",
        "1. 2.3.4",
        "::g",
        "1.2.3.4x",
        ":::",
        "+1.2.3.4",
        "0x1.2.3.4",
        "1:2:3:4:5:6:7::8",
    ] {
        topic.bare(
            &format!("ip \"{address}\""),
            "addresses; a bad one ends the run without a word",
            &with(&["-verify_ip", address]),
        );
    }
    for policy in
        ["1.2.3", "1.2.3.", "2.999", "0.39.1", "1.2..3", "1 2 3", "anyPolicy", "X509v3 Any Policy"]
    {
        topic.bare(
            &format!("policy \"{policy}\""),
            "policies as OBJ_txt2obj reads them",
            &with(&["-policy", policy]),
        );
    }
    for option in ["-verbose", "-trusted_first", "-issuer_checks", "-no_alt_chains"] {
        topic.bare(option, "accepted without effect", &with(&[option]));
    }
}

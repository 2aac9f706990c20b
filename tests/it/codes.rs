//! Every error and warning code is in docs/errors.md, in order, and every code there exists.

use meshconfig::Fault;
use meshctl::failure::Failure;
use meshpki::Error;
use meshpki::cfssl::Trap;
use meshpki::istiod::SecretProblem;

fn documented(prefix: &str) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
    let text = std::fs::read_to_string(path).expect("docs/errors.md");
    let codes = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    codes.filter(|code| code.starts_with(prefix)).map(str::to_owned).collect()
}

#[test]
fn codes_are_documented_in_order() {
    let check = |prefix: &str, codes: &[&str]| {
        let mut sorted = codes.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted, "{prefix} codes are sorted and unique");
        assert_eq!(documented(prefix), codes, "docs/errors.md and the codes of {prefix} differ");
    };
    check("pki/", Error::CODES);
    check("ctl/", Failure::CODES);
    check("cfssl/", Trap::CODES);
    check("istiod/", SecretProblem::CODES);
    check("apply/", meshapply::Error::CODES);
    check("remote/", meshapply::remote::Problem::CODES);
    check("endpoint/", meshapply::endpoint::Error::CODES);
    check("config/", Fault::CODES);
    check("lint/", meshconfig::lint::LintProblem::CODES);
}

//! What the fuzz target for kubeconfigs asserts: no error shows what the file holds.

use std::path::Path;
use std::time::Duration;

use meshapply::kube::{Context, Kubeconfig, Surroundings};

/// What no error may show, where it is in the file.
pub const CANARY: &str = "CANARY-7fKq2xZ9";

/// Reads a kubeconfig and every context of it; no plugin is run and no server asked.
///
/// # Panics
/// When an error shows the canary.
pub fn kubeconfig(data: &[u8]) {
    let around =
        Surroundings { env: &|_| None, hidden: &[], can_ask: false, patience: Duration::ZERO };
    let all = match Kubeconfig::parse(Path::new("/no/such/kubeconfig"), data) {
        Ok(all) => all,
        Err(error) => return silent(&error),
    };
    for name in all.contexts().filter(|name| !name.contains("CANARY")) {
        match Context::read(&all, name, &around) {
            Ok(context) => assert!(!context.server().contains(['@', '?', '#'])),
            Err(error) => silent(&error),
        }
    }
}

fn silent(error: &meshapply::Error) {
    let text = error.to_string();
    assert!(!text.contains(CANARY), "{text}");
}

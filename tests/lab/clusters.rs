//! `cargo xtask clusters`: real clusters with Istio to try commands on, until Enter is pressed.

use tests::mesh::Mesh;
use tests::rig::Istio;

/// Starts the clusters, prints how to reach them, and stops them when a line arrives or standard input ends.
pub(crate) fn run(names: &[&str]) -> Result<(), String> {
    let names = if names.is_empty() { &["east", "west"] } else { names };
    if let Some(bad) = names.iter().find(|name| name.starts_with('-')) {
        return Err(format!("unknown option `{bad}`; usage: cargo xtask clusters [NAME]..."));
    }
    println!("starting {} with Istio; this takes a minute", names.join(", "));
    let mesh = Mesh::with_istio(names, &Istio::default())
        .ok_or("`cargo xtask rig` builds what is missing")?;
    let at = |name: &str| mesh.shell.scratch.join(name).display().to_string();
    println!("export KUBECONFIG={}", at("admin.kubeconfig"));
    println!("contexts: {}; a CA for them: {}", names.join(", "), at("ca"));
    println!("press Enter to stop them");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| format!("standard input: {error}"))?;
    Ok(())
}

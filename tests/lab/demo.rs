//! `cargo xtask demo`: two real clusters with real istiods and proxies, from nothing to a mesh whose CAs and root are
//! replaced while calls are counted.

mod alone;
mod calls;
mod cast;
mod run;
mod screen;
mod stage;

use std::path::PathBuf;
use std::time::Duration;

use alone::alone;
use calls::Calls;
use run::Shell;
use screen::Screen;
use stage::Stage;
use tests::rig::istio::namespace;

const USAGE: &str = "usage: cargo xtask demo [--short] [--record FILE]";
const SPEC: &str = include_str!("../../fixtures/mesh/bookinfo-current/mesh.yaml");
const CONTEXTS: &str = "--context cluster1,cluster2";

/// What was asked for.
#[derive(Default)]
struct Options {
    /// It ends with the first calls.
    short: bool,
    /// An asciicast of what is shown.
    record: Option<PathBuf>,
}

impl Options {
    fn read(args: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match *arg {
                "--short" => options.short = true,
                "--record" => {
                    let file = args.next().ok_or(USAGE)?;
                    let file = std::path::absolute(file).map_err(|error| error.to_string())?;
                    options.record = Some(file);
                }
                _ => return Err(format!("unknown option `{arg}`; {USAGE}")),
            }
        }
        Ok(options)
    }
}

/// Runs it in a network of its own, so that it leaves nothing, whenever it ends.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let options = Options::read(args)?;
    alone(args, || show(&options))
}

fn show(options: &Options) -> Result<(), String> {
    let screen = Screen::new(options.record.as_deref())?;
    screen.say(
        "Two Kubernetes clusters start on this machine: API servers, a kubelet without containers.",
    );
    let mesh = tests::rig::Cluster::start_many(&["cluster1", "cluster2"])
        .ok_or("`cargo xtask rig` builds what is missing")?;
    let shell = Shell::new(&mesh, &screen)?;
    shell.write("mesh.yaml", SPEC)?;
    screen.title("One root, and a CA for each cluster");
    shell.run("ca init ca -f mesh.yaml --plain-root-key")?;
    shell.run("check ca")?;
    screen.title("Install them before Istio");
    screen.command("kubectl create namespace istio-system    # in both clusters");
    mesh.iter().for_each(|cluster| cluster.apply_object(&namespace("istio-system")));
    shell.run(&format!("push ca -f mesh.yaml {CONTEXTS} --before-install --yes"))?;
    screen.title("Install Istio 1.30 and Bookinfo: reviews v1 and v2 in cluster1, v3 in cluster2");
    screen.say("istiod, pilot-agent and Envoy are real; each pod is a network namespace.");
    let stage = Stage::new(&mesh)?;
    stage.play(|stage| {
        screen.title("Calls across clusters, from one spec");
        shell.run(&format!("mesh apply -f mesh.yaml {CONTEXTS} --yes"))?;
        let calls = Calls::new(stage);
        calls.count(&screen, || {
            calls.until_answered("v3")?;
            screen.say(
                "productpage calls reviews, as the policy says: 75 % go to the other cluster.",
            );
            screen.pause(Duration::from_secs(6));
            if options.short {
                return Ok(());
            }
            renew(&shell, &screen)?;
            replace_root(&shell, &screen)
        })?;
        calls.sum_up(&screen)
    })
}

/// New intermediates under the same root: nothing restarts.
fn renew(shell: &Shell<'_>, screen: &Screen) -> Result<(), String> {
    screen.title("Renew both CAs while calls are made");
    shell.run("ca renew ca --cluster cluster1,cluster2")?;
    shell.run(&format!("push ca -f mesh.yaml {CONTEXTS} --yes"))?;
    screen.pause(Duration::from_secs(4));
    Ok(())
}

/// Another root by a bridge: istiods restart once, nothing else does.
fn replace_root(shell: &Shell<'_>, screen: &Screen) -> Result<(), String> {
    screen.title("Replace the root while calls are made");
    shell.run("ca init new-ca -f mesh.yaml --plain-root-key --root-subject 'CN=New Root'")?;
    let bridge = "ca cross-sign --ca ca --root new-ca/root-cert.pem --out bridge.pem --yes";
    shell.run(bridge)?;
    let goal = format!("new-ca -f mesh.yaml {CONTEXTS} --bridge bridge.pem");
    shell.run(&format!("rotate root plan {goal}"))?;
    screen.say(
        "Certificates of these workloads live for one minute, so each phase takes about that long.",
    );
    shell.until(&format!("rotate root next {goal} --yes"), "every cluster is done")?;
    shell.run(&format!("status new-ca -f mesh.yaml {CONTEXTS}"))
}

//! The chart and the kustomization: helm, kubectl and the schemas of Kubernetes. `tests/it/deploy.rs` has a real API server
//! accept what they make.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::{at, output};
use super::{Bench, expect};

/// Values with everything in it.
const ALL: &str = "cluster=east,rotate.enabled=true,prometheusOperator=true,dashboard.enabled=true";

/// What a user of the kustomization writes.
const OVERLAY: &str = "\
resources: [../kustomize]
components: [../kustomize/rotate]
images: [{name: meshctl, newName: registry.example/meshctl, newTag: \"9\"}]
";

pub(super) fn check(bench: &Bench<'_>) -> Result<(), String> {
    let chart = bench.release.dist.join(format!("meshctl-{}.tgz", bench.release.version));
    let helm = |args: &[&str]| {
        let mut command = Command::new(bench.built.path("helm"));
        command.env("HOME", bench.scratch.path()).args(args);
        output(command.arg(&chart).args(["--namespace", "istio-system"]))
    };
    helm(&["lint", "--strict", "--set", ALL])?;
    let rendered = helm(&["template", "meshctl", "--set", ALL])?;
    let file = bench.scratch.path().join("rendered.yaml");
    fs::write(&file, &rendered).map_err(|error| at(&file, &error))?;
    conforms(bench, &file)?;
    let kustomize = bench.folder("kustomize")?;
    let archive = bench.artifact("-kustomize.tar.gz")?;
    output(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&kustomize))?;
    let overlay = bench.folder("kustomize/overlay")?.join("kustomization.yaml");
    fs::write(&overlay, OVERLAY).map_err(|error| at(&overlay, &error))?;
    let mut kubectl = Command::new(bench.built.path("kubectl"));
    let built = output(kubectl.arg("kustomize").arg(overlay.with_file_name("")))?;
    let images = built.matches("image: registry.example/meshctl:9").count();
    expect(images == 2, || format!("{images} of 2 images are those of the overlay"))?;
    fs::write(&file, built).map_err(|error| at(&file, &error))?;
    conforms(bench, &file)
}

/// kubeconform with the schemas of the oldest release that the chart names and of the rig's. The kinds of the Prometheus
/// operator are not Kubernetes'.
fn conforms(bench: &Bench<'_>, file: &Path) -> Result<(), String> {
    for version in ["v1.29", "v1.36"] {
        let folder = schemas(bench, version)?;
        let location =
            format!("{}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json", folder.display());
        let mut conform = Command::new(bench.built.path("kubeconform"));
        conform.args(["-strict", "-summary", "-skip", "PodMonitor,PrometheusRule"]);
        let said = output(conform.args(["-schema-location", &location]).arg(file))?;
        expect(!said.contains("Valid: 0"), || format!("it looked at nothing: {said}"))?;
    }
    Ok(())
}

/// The schemas of a release, whose references lead to each other instead of to a server.
fn schemas(bench: &Bench<'_>, version: &str) -> Result<PathBuf, String> {
    let folder = bench.scratch.path().join(version);
    if folder.exists() {
        return Ok(folder);
    }
    let folder = bench.folder(version)?;
    let from = bench.built.path(&format!("{version}/cronjob-batch-v1.json")).with_file_name("");
    for entry in fs::read_dir(&from).map_err(|error| at(&from, &error))?.flatten() {
        let text = fs::read_to_string(entry.path()).map_err(|error| at(&entry.path(), &error))?;
        let to = folder.join(entry.file_name());
        let text = text.replace("\"/api/_definitions.json#", "\"_definitions.json#");
        fs::write(&to, text.replace("\"$id\":", "\"x-id\":")).map_err(|error| at(&to, &error))?;
    }
    Ok(folder)
}

/// Every workflow, and the actions that they use from this repository.
pub(super) fn workflows(bench: &Bench<'_>) -> Result<(), String> {
    let mut lint = Command::new(bench.built.path("actionlint"));
    lint.current_dir(&bench.release.root).args(["-no-color", "-shellcheck=", "-pyflakes="]);
    let folder = bench.release.root.join(".github/workflows");
    for entry in fs::read_dir(&folder).map_err(|error| at(&folder, &error))?.flatten() {
        lint.arg(entry.path());
    }
    output(lint.arg("docs/ci/github.yaml")).map(drop)
}

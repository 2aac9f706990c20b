//! What `meshctl mesh lint --with` says of faults that people reported, each a folder of `fixtures/lint`, and random faults
//! judged by istiod's own generators.

use std::fs;
use std::path::Path;

use tests::Shell;
use tests::calls::{case, differences, fatal, ours, request, sound_case, wanted};
use tests::judges::xds;

/// Every folder has a spec, `CLUSTER.yaml` with what a cluster has, and `lint`, which is printed. `MESH_UPDATE=1` writes
/// what is printed now.
#[test]
fn reported_faults() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/lint");
    let mut differences = Vec::new();
    let mut cases: Vec<_> = fs::read_dir(&folder).expect("fixtures").flatten().collect();
    cases.sort_by_key(fs::DirEntry::file_name);
    assert!(!cases.is_empty());
    for case in cases {
        let shell = Shell::new();
        let mut line = String::from("mesh lint -f @/mesh.yaml");
        let mut files: Vec<_> = fs::read_dir(case.path()).expect("a case").flatten().collect();
        files.sort_by_key(fs::DirEntry::file_name);
        for file in files {
            let name = file.file_name().to_string_lossy().into_owned();
            let text = fs::read_to_string(file.path()).expect("a file");
            if let Some(cluster) = name.strip_suffix(".yaml") {
                shell.scratch.write(&name, &text);
                if cluster != "mesh" {
                    line += &format!(" --with {cluster}=@/{name}");
                }
            }
        }
        let ran = shell.run(&line);
        let found = format!("{}exit {}\n", ran.out, ran.status);
        let path = case.path().join("lint");
        if std::env::var_os("MESH_UPDATE").is_some() {
            fs::write(&path, &found).expect("a file");
        }
        if fs::read_to_string(&path).unwrap_or_default() != found {
            differences.push(format!("{}:\n{}{found}", case.path().display(), ran.err));
        }
    }
    assert!(differences.is_empty(), "{} (MESH_UPDATE=1 takes it over)", differences.join("\n"));
}

/// Random meshes with faults: lint has an error if, and only if, a call that the spec wants does not arrive by what
/// istiod's generators make of the resources. `cargo xtask calls` runs more.
#[test]
fn random_faults() {
    let Some(mut judge) = xds() else { return };
    let (mut lost, mut differences) = (0, Vec::new());
    for seed in 0..SEEDS {
        let case = case(seed);
        let all = wanted(&case, &judge.ask(&request(&case)));
        let failed: Vec<_> = all.iter().filter(|call| !call.arrives).collect();
        let problems = ours(&case);
        lost += failed.len();
        if fatal(&problems).is_empty() != failed.is_empty() {
            differences
                .push(format!("seed {seed}, {:?}: {problems:#?}, but {failed:#?}", case.faults));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(lost > 0, "no fault had an effect");
}

/// Random meshes without faults: routes, endpoints, SNIs, filter chains and pods are those that `explain` names.
#[test]
fn explained_calls() {
    let Some(mut judge) = xds() else { return };
    for seed in 0..SEEDS {
        let case = sound_case(seed);
        let found = differences(&case, &judge.ask(&request(&case)));
        assert!(found.is_empty(), "seed {seed}\n{}{found:#?}", case.spec);
    }
}

const SEEDS: u64 = 100;

use super::*;

#[test]
fn the_cluster_of_a_set() {
    let check = |name: &str, cluster: &str| {
        let kept =
            Kept { name: name.to_owned(), path: PathBuf::new(), files: Vec::new(), since: Time(0) };
        assert_eq!(kept.cluster(), cluster, "{name}");
    };
    check("east-1a2b3c4d", "east");
    check("east-1A2B3C4D-2", "east");
    check("east-2-1a2b3c4d", "east-2");
    check("prod-east-1a2b3c4d-12", "prod-east");
    // Left by a run that was interrupted: it has the name alone.
    check("east", "east");
    check("east-2", "east-2");
    check("-", "-");
}

use super::*;

fn read(files: &[(&str, &str)]) -> Result<Kubeconfig, Error> {
    let mut all = Kubeconfig { clusters: vec![], users: vec![], contexts: vec![], files: vec![] };
    for (file, text) in files {
        all.take(Path::new(file), text.as_bytes())?;
    }
    Ok(all)
}

#[test]
fn the_first_file_to_name_something_wins() {
    let one = "clusters:\n- name: c\n  cluster: {server: https://one}\ncontexts: null\n";
    let two = "clusters:\n- {name: c, cluster: {server: https://two}}\n- {name: d, cluster: {server: https://d}}\n\
               contexts:\n- {name: x, context: {cluster: c}}\n---\n---\ncontexts:\n- {name: y, context: {cluster: d, user: ''}}\n";
    let all = read(&[("one", one), ("two", two)]).unwrap();
    let server = |name: &str| {
        let selected = all.select(name).unwrap();
        let file = selected.cluster_file.display().to_string();
        assert!(selected.user.is_none());
        (selected.cluster.server.as_ref().unwrap().value.clone(), file)
    };
    assert_eq!(server("x"), ("https://one".to_owned(), "one".to_owned()));
    assert_eq!(server("y"), ("https://d".to_owned(), "two".to_owned()));
    assert!(read(&[("a", "")]).unwrap().contexts.is_empty());
}

#[test]
fn scalars_are_texts() {
    let text = "users:\n- name: 1\n  user: {token: 12345, username: ~, password: true, as: null}\n";
    let all = read(&[("a", text)]).unwrap();
    let user = all.users[0].value.as_ref().unwrap();
    assert_eq!(all.users[0].name.value, "1");
    assert_eq!(user.token.as_ref().unwrap().value, "12345");
    assert_eq!(user.password.as_ref().unwrap().value, "true");
    assert!(user.username.is_none() && user.impersonate.is_none());
}

#[test]
fn files_of_the_environment() {
    let list = std::env::join_paths(["/no/such/a", "", "/no/such/b"]).unwrap();
    let absent = |name: &str| (name == "KUBECONFIG").then(|| list.to_str().unwrap().to_owned());
    let error = Kubeconfig::read(None, &absent).err().unwrap().to_string();
    assert!(error.starts_with("cannot read kubeconfig /no/such/a: "), "{error}");
    let home = |name: &str| (name == "HOME").then(|| "/no/such".to_owned());
    let error = Kubeconfig::read(None, &home).err().unwrap().to_string();
    let file = Path::new("/no/such").join(".kube").join("config");
    let file = format!("cannot read kubeconfig {}: ", file.display());
    assert!(error.starts_with(&file), "{error}");
    let error = Kubeconfig::read(None, &|_| None).err().unwrap().to_string();
    assert_eq!(error, NO_HOME);
}

#[test]
fn encodings() {
    let check = |bytes: &[u8], expect: Option<&str>| assert_eq!(decoded(bytes).as_deref(), expect);
    check(b"a", Some("a"));
    check(b"\xef\xbb\xbfa", Some("a"));
    check(b"\xff\xfea\0", Some("a"));
    check(b"\xfe\xff\0a", Some("a"));
    check(b"\xff\xfea\0b", None);
    check(b"\xc3(", None);
}

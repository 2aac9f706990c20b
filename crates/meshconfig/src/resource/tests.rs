use super::*;

#[test]
fn yaml_is_for_people_and_for_every_reader() {
    let value = json!({
        "spec": {"hosts": ["a"], "z": "no", "b": "1_000", "a": 1, "on": "off", "empty": {}, "none": []},
        "metadata": {"namespace": "default", "name": "*.global"},
        "kind": "K",
        "apiVersion": "v1",
    });
    let expected = "\
apiVersion: v1
kind: K
metadata:
  name: \"*.global\"
  namespace: default
spec:
  hosts:
  - a
  a: 1
  b: \"1_000\"
  empty: {}
  none: []
  \"on\": \"off\"
  z: \"no\"
";
    assert_eq!(yaml(&value), expected);
    let long = json!({"pattern": "a ".repeat(80)});
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml(&long)).unwrap(), long);
    assert_eq!(yaml(&long).lines().count(), 1);
}

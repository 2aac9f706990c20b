//! `docs/schemas/mesh.json` and the command line agree: a validator of JSON schemas and `Mesh::new` judge the same specs,
//! with one or two values replaced.

use meshconfig::{Mesh, Spec};
use serde_json::{Value, json};
use tests::random::Random;

/// Errors about how parts of a file fit together, which no schema expresses.
const BETWEEN_PARTS: &[&str] = &[
    "config/address-pool",
    "config/dns-suffix",
    "config/duplicate",
    "config/failover",
    "config/gateway-missing",
    "config/imports-own",
    "config/not-federated",
    "config/not-imported",
    "config/policy-overlap",
    "config/ports-differ",
    "config/trust-model",
    "config/unknown-name",
    "config/weights",
];

/// A spec that has every field.
fn spec() -> Value {
    let port = json!({"name": "http", "number": 80, "protocol": "HTTP"});
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "Mesh",
        "name": "shop",
        "dns": {"suffix": "global"},
        "addresses": {"pool": "240.0.0.0/16", "graceDays": 30},
        "clusters": [
            {
                "name": "east", "context": "prod-east", "trustDomain": "east.example", "ambient": false, "network": "net1",
                "istioVersion": "1.30.3", "istioNamespace": "istio-system", "importNamespace": "istio-system",
                "clusterDomain": "cluster.local", "remoteSecrets": false, "stockMultiCluster": false,
                "gateway": {
                    "addresses": ["192.0.2.1", "gw.example.com"], "port": 15443, "targetPort": 15443,
                    "selector": {"istio": "eastwestgateway"}, "namespace": "istio-system",
                },
                "dns": {"way": "istio-coredns", "address": "10.0.0.9", "configMap": "kube-system/coredns"},
            },
            {"name": "west", "istioVersion": "1.30.3", "gateway": {"addresses": ["2001:db8::1"]}},
        ],
        "trust": {"model": "merged-roots", "pairs": [{"clusters": ["east", "west"], "model": "bridge"}]},
        "services": [
            {
                "name": "cart", "namespace": "shop", "cluster": "east", "ports": [port],
                "subsets": [{"name": "v1", "labels": {"version": "v1"}}],
                "serviceAccounts": ["cart"], "importedBy": ["west"],
            },
            {"name": "cart", "namespace": "shop", "cluster": "west", "ports": [port], "importedBy": ["*"]},
        ],
        "policies": [
            {
                "name": "split", "service": "shop/cart", "clients": ["east"],
                "route": [
                    {"cluster": "east", "subset": "v1", "weight": 60},
                    {"cluster": "west", "weight": 40},
                ],
                "timeout": "5s",
                "retries": {"attempts": 2, "perTryTimeout": "2s", "retryOn": "5xx"},
                "mirror": {"cluster": "east", "subset": "v1", "percent": 10},
            },
            {
                "name": "over", "service": "shop/cart", "clients": ["west"], "failover": ["west", "east"],
                "outlierDetection": {
                    "consecutive5xxErrors": 5, "interval": "10s", "baseEjectionTime": "30s",
                    "maxEjectionPercent": 100,
                },
            },
        ],
    })
}

/// What a value is replaced with.
fn values() -> Vec<Value> {
    let texts = [
        "",
        "a",
        "east",
        "West",
        "a_b",
        "-a",
        "a-",
        "a.b",
        "a..b",
        ".a.",
        "*",
        "1",
        "1.30",
        "v1.30",
        "1.5.4",
        "1.6",
        "0x10",
        "80",
        "80%",
        "65536",
        "192.0.2.9",
        "192.0.2.256",
        "fd00::1",
        "[fd00::1]",
        "10.0.0.0/8",
        "10.0.0.0",
        "5s",
        "0s",
        "1m30s",
        "1.5s",
        "0s5ms",
        "shop/cart",
        "shop/",
        "yes",
        "No",
        "HTTP",
        "http",
        "null",
        "kube-dns",
        "kube-system/coredns",
        "https://gw.example.com",
        "gw.example.com.",
    ];
    let label = "a".repeat(63);
    let more = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(101),
        json!(70000),
        json!(1.5),
        json!(5_000_000_000_u64),
        json!([]),
        json!({}),
        json!(["east"]),
        json!(["*"]),
        json!([null]),
        json!({"a": "b"}),
        json!({"a": 1}),
        json!({"a": null}),
        json!({"version": ["v1"]}),
        json!(label),
        json!(format!("{label}a")),
        json!(format!("{label}.{label}.{label}.{label}.a")),
    ];
    texts.iter().map(|text| json!(text)).chain(more).collect()
}

/// The pointers of all values inside one.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    for (name, value) in inside {
        let pointer = format!("{at}/{name}");
        pointers(value, &pointer, all);
        all.push(pointer);
    }
}

struct Judge {
    schemas: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Judge {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        let url = "https://example.com/mesh.json";
        compiler.add_resource(url, Spec::schema()).expect("a schema");
        let index = compiler.compile(url, &mut schemas).expect("a valid schema");
        Self { schemas, index }
    }

    /// How the judgements differ. A schema knows no form of a text that is a number or a boolean, and no range of a number
    /// that is quoted.
    fn differs(&self, spec: &Value, has_bare: bool) -> Option<String> {
        let text = spec.to_string();
        let codes: Vec<&str> = match Spec::read(&text) {
            Ok(spec) => {
                Mesh::new(&spec).err().unwrap_or_default().iter().map(|e| e.code()).collect()
            }
            Err(error) => vec![error.code()],
        };
        let is_alone = |code: &&str| !BETWEEN_PARTS.contains(code);
        match self.schemas.validate(spec, self.index) {
            Err(error) if codes.is_empty() => Some(format!("the schema is stricter: {error:#}")),
            Ok(()) if !has_bare && codes.iter().any(is_alone) => {
                Some(format!("the schema accepts what is {codes:?}"))
            }
            _ => None,
        }
    }
}

fn is_bare(value: &Value) -> bool {
    let is_quoted = value.as_str().is_some_and(|text| text.parse::<u64>().is_ok());
    value.is_number() || value.is_boolean() || is_quoted
}

#[test]
fn the_schema_is_as_strict_as_the_command_line() {
    let (judge, spec, values) = (Judge::new(), spec(), values());
    assert!(judge.schemas.validate(&spec, judge.index).is_ok());
    let mut all = Vec::new();
    pointers(&spec, "", &mut all);
    let replaced = |from: &Value, pointer: &str, value: &Value| {
        let mut changed = from.clone();
        if let Some(place) = changed.pointer_mut(pointer) {
            *place = value.clone();
        }
        changed
    };
    let mut found = Vec::new();
    let mut check = |spec: &Value, has_bare: bool, what: &str| {
        found.extend(judge.differs(spec, has_bare).map(|differs| format!("{what}: {differs}")));
    };
    check(&spec, false, "the whole");
    for pointer in &all {
        for value in &values {
            check(
                &replaced(&spec, pointer, value),
                is_bare(value),
                &format!("{pointer} = {value}"),
            );
        }
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        let mut changed = spec.clone();
        if let Some(fields) = changed.pointer_mut(parent).and_then(Value::as_object_mut) {
            let value = fields.remove(name).expect("a field");
            check(&changed, false, &format!("without {pointer}"));
            let fields = changed.pointer_mut(parent).and_then(Value::as_object_mut);
            fields.expect("fields").insert(format!("{name}s"), value);
            check(&changed, false, &format!("with {pointer}s"));
        }
    }
    let mut random = Random::new(13);
    for _ in 0..1000 {
        let pairs = [(); 2].map(|()| (random.pick(&all), random.pick(&values)));
        let changed =
            pairs.iter().fold(spec.clone(), |spec, (at, value)| replaced(&spec, at, value));
        let has_bare = pairs.iter().any(|(_, value)| is_bare(value));
        check(&changed, has_bare, &format!("{pairs:?}"));
    }
    assert!(
        found.is_empty(),
        "{} differ:\n{}",
        found.len(),
        found[..found.len().min(60)].join("\n")
    );
}

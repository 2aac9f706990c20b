//! Mesh specs from arbitrary choices: most of them are valid, so that rendering is tested too.

use serde_json::{Value, json};

use super::mesh;
use crate::random::Random;

pub(super) fn mesh(data: &[u8]) {
    let mut random = Random::of_bytes(data);
    let text = Grammar { random: &mut random }.spec().to_string();
    mesh::spec(&text);
    mesh::insertion(&text);
}

/// Draws a spec; mostly names that are there and values in range.
struct Grammar<'a> {
    random: &'a mut Random,
}

const CLUSTERS: [&str; 4] = ["east", "west", "old", "edge"];
const SERVICES: [&str; 3] = ["cart", "stock", "mail"];
const NAMESPACES: [&str; 3] = ["shop", "bank", "istio-system"];
const PROTOCOLS: [&str; 7] = ["HTTP", "HTTP2", "GRPC", "HTTPS", "TLS", "TCP", "MONGO"];
const RELEASES: [&str; 9] =
    ["1.30.3", "1.30.3", "1.24.0", "1.22.0", "1.18.1", "1.14.2", "1.9.2", "1.7.3", "1.6.4"];
const MODELS: [&str; 4] = ["shared-root", "merged-roots", "bridge", "scoped-bridge"];
const ODD: [&str; 8] = ["", "*", "A", "a.b", "-", "a b", "\u{1f512}", "cluster.local"];
const TIMES: [&str; 8] = ["1s", "1500ms", "0s", "1h", "-1s", "1.5s", "1", "99999h"];

impl Grammar<'_> {
    fn spec(&mut self) -> Value {
        let known = self.random.below(4) + 1;
        let clusters: Vec<Value> = (0..known).map(|i| self.cluster(CLUSTERS[i])).collect();
        let services: Vec<Value> = self.list(6, |grammar| grammar.service(known));
        let policies: Vec<Value> = self.list(4, |grammar| grammar.policy(known));
        let mut spec = json!({
            "apiVersion": "meshctl/v1",
            "kind": "Mesh",
            "clusters": clusters,
            "services": services,
            "policies": policies,
        });
        self.maybe(&mut spec, "name", |grammar| grammar.word(&["shop", "mesh"]));
        self.maybe(
            &mut spec,
            "dns",
            |grammar| json!({"suffix": grammar.word(&["global", "mesh", "a.b"])}),
        );
        self.maybe(&mut spec, "addresses", |grammar| {
            let pool =
                grammar.word(&["240.0.0.0/16", "fd00:240::/112", "240.0.0.0/30", "10.0.0.0/8"]);
            json!({"pool": pool, "graceDays": grammar.random.below(40)})
        });
        // Drawn last, so that what the corpus found stays what it was.
        self.maybe(&mut spec, "trust", |grammar| grammar.trust(known));
        for cluster in 0..known {
            if self.random.one_in(6) {
                spec["clusters"][cluster]["ambient"] = json!(true);
            }
        }
        spec
    }

    fn trust(&mut self, known: usize) -> Value {
        let pairs = self.list(3, |grammar| {
            let pair = [(); 2].map(|()| grammar.word(&CLUSTERS[..known]));
            json!({"clusters": pair, "model": grammar.word(&MODELS)})
        });
        let mut trust = json!({"pairs": pairs});
        if !self.random.one_in(3) {
            trust["model"] = self.word(&MODELS);
        }
        trust
    }

    /// Mostly one of `known`, once in a while something odd.
    fn word(&mut self, known: &[&str]) -> Value {
        let from = if self.random.one_in(40) { &ODD[..] } else { known };
        json!(self.random.pick(from))
    }

    fn list(&mut self, most: usize, one: impl Fn(&mut Self) -> Value) -> Vec<Value> {
        (0..self.random.below(most)).map(|_| one(self)).collect()
    }

    fn maybe(&mut self, object: &mut Value, field: &str, value: impl FnOnce(&mut Self) -> Value) {
        if self.random.one_in(3) {
            object[field] = value(self);
        }
    }

    fn cluster(&mut self, name: &str) -> Value {
        let mut cluster = json!({"name": name, "istioVersion": self.word(&RELEASES)});
        self.maybe(&mut cluster, "context", |grammar| grammar.word(&["a", "b"]));
        self.maybe(&mut cluster, "trustDomain", |grammar| {
            grammar.word(&["east.example", "west.example"])
        });
        self.maybe(&mut cluster, "network", |grammar| grammar.word(&["net-a", "net-b"]));
        self.maybe(&mut cluster, "importNamespace", |grammar| grammar.word(&NAMESPACES));
        self.maybe(&mut cluster, "clusterDomain", |grammar| {
            grammar.word(&["cluster.local", "k8s.example"])
        });
        self.maybe(&mut cluster, "remoteSecrets", |_| json!(true));
        if self.random.one_in(8) {
            cluster["stockMultiCluster"] = json!(true);
        }
        if !self.random.one_in(4) {
            cluster["gateway"] = self.gateway();
        }
        self.maybe(&mut cluster, "dns", |grammar| {
            json!({
                "way": grammar.word(&["proxy", "istio-coredns", "hosts", "none"]),
                "address": grammar.word(&["10.0.0.9", "fd00::9"]),
            })
        });
        cluster
    }

    fn gateway(&mut self) -> Value {
        let addresses = ["192.0.2.1", "192.0.2.2", "gw.example", "2001:db8::1"];
        let count = 1 + self.random.below(2);
        let addresses: Vec<Value> = (0..count).map(|_| self.word(&addresses)).collect();
        let mut gateway = json!({"addresses": addresses});
        self.maybe(&mut gateway, "port", |grammar| {
            json!(grammar.random.pick(&[15443, 443, 1, 65535]))
        });
        self.maybe(&mut gateway, "targetPort", |grammar| {
            json!(grammar.random.pick(&[15443, 8443]))
        });
        self.maybe(
            &mut gateway,
            "selector",
            |grammar| json!({"istio": grammar.word(&["eastwest"])}),
        );
        self.maybe(&mut gateway, "namespace", |grammar| grammar.word(&NAMESPACES));
        gateway
    }

    fn service(&mut self, known: usize) -> Value {
        let ports: Vec<Value> = (0..=self.random.below(3))
            .map(|i| {
                let number = self.random.pick(&[80, 8080, 443, 9090]) + i;
                let name = format!("p{i}");
                json!({"name": self.word(&[&name]), "number": number, "protocol": self.word(&PROTOCOLS)})
            })
            .collect();
        let subsets = self.list(3, |grammar| {
            json!({"name": grammar.word(&["v1", "v2"]), "labels": {"version": grammar.word(&["v1", "v2"])}})
        });
        let accounts = self.list(3, |grammar| grammar.word(&["cart", "stock"]));
        let importers =
            self.list(3, |grammar| grammar.word(&["*", "east", "west", CLUSTERS[known - 1]]));
        json!({
            "name": self.word(&SERVICES),
            "namespace": self.word(&NAMESPACES),
            "cluster": self.word(&CLUSTERS[..known]),
            "ports": ports,
            "subsets": subsets,
            "serviceAccounts": accounts,
            "importedBy": importers,
        })
    }

    fn policy(&mut self, known: usize) -> Value {
        let service = format!("{}/{}", self.random.pick(&NAMESPACES), self.random.pick(&SERVICES));
        let clients = ["*", CLUSTERS[self.random.below(known)]];
        let mut policy = json!({
            "name": self.word(&["one", "two", "three", "four"]),
            "service": self.word(&[&service]),
            "clients": [self.word(&clients)],
        });
        self.maybe(&mut policy, "route", |grammar| grammar.route(known));
        self.maybe(&mut policy, "failover", |grammar| {
            json!(grammar.list(4, |grammar| grammar.word(&CLUSTERS[..known])))
        });
        self.maybe(&mut policy, "timeout", |grammar| grammar.word(&TIMES));
        self.maybe(&mut policy, "retries", |grammar| {
            json!({"attempts": grammar.random.below(5), "perTryTimeout": grammar.word(&TIMES), "retryOn": "5xx"})
        });
        self.maybe(&mut policy, "outlierDetection", |grammar| {
            json!({
                "consecutive5xxErrors": grammar.random.below(5),
                "interval": grammar.word(&TIMES),
                "maxEjectionPercent": grammar.random.pick(&[0, 50, 100, 101]),
            })
        });
        self.maybe(&mut policy, "mirror", |grammar| {
            json!({"cluster": grammar.word(&CLUSTERS[..known]), "percent": grammar.random.pick(&[1, 100, 0, 101])})
        });
        policy
    }

    /// Shares that mostly come to a hundred.
    fn route(&mut self, known: usize) -> Value {
        let weight = self.random.pick(&[100, 90, 50, 1, 0]);
        let weights = if weight == 100 { vec![100] } else { vec![weight, 100 - weight] };
        let share = |grammar: &mut Self, weight: &i32| {
            let mut share = json!({"cluster": grammar.word(&CLUSTERS[..known]), "weight": weight});
            grammar.maybe(&mut share, "subset", |grammar| grammar.word(&["v1", "v2"]));
            share
        };
        weights.iter().map(|weight| share(self, weight)).collect()
    }
}

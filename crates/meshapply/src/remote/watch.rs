//! Whether istiod has taken a new secret: its own word, and the endpoints before and after.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// What one pod of istiod says about the clusters that it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The pod.
    pub pod: String,
    /// What it says, or why it did not answer.
    pub said: Result<Said, String>,
}

/// Cluster -> something.
type ByCluster<T> = BTreeMap<String, T>;

/// What a pod says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The secret, `NAMESPACE/NAME`, and the state of each cluster: `synced`, `syncing`, `timeout`, `closed`. `None`: a
    /// release before 1.11, which does not say.
    pub clusters: Option<ByCluster<(String, String)>>,
    /// Endpoints of each cluster, over all services and ports.
    pub endpoints: ByCluster<usize>,
}

impl View {
    /// The state of a cluster, as istiod has it.
    #[must_use]
    pub fn status(&self, cluster: &str) -> Option<&str> {
        let clusters = self.said.as_ref().ok()?.clusters.as_ref()?;
        Some(clusters.get(cluster).map_or("unknown", |(_, status)| status.as_str()))
    }

    /// The secret that a cluster is from, without its namespace.
    #[must_use]
    pub fn secret(&self, cluster: &str) -> Option<&str> {
        let (secret, _) = self.said.as_ref().ok()?.clusters.as_ref()?.get(cluster)?;
        Some(secret.rsplit_once('/').map_or(secret.as_str(), |(_, name)| name))
    }

    /// How many endpoints a cluster has; `None`: the pod did not answer.
    #[must_use]
    pub fn endpoints(&self, cluster: &str) -> Option<usize> {
        Some(self.said.as_ref().ok()?.endpoints.get(cluster).copied().unwrap_or(0))
    }
}

/// Reads `/debug/clusterz` (`pkg/cluster/debug.go: DebugInfo`); `None` if it is something else.
#[must_use]
pub fn clusters(body: &[u8]) -> Option<ByCluster<(String, String)>> {
    let all: Vec<Value> = serde_json::from_slice(body).ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |value: Value| {
        let state = (text(&value["secretName"]), text(&value["syncStatus"]));
        Some((value["id"].as_str()?.to_owned(), state))
    };
    all.into_iter().map(one).collect()
}

/// The shards of a service in one namespace (`pilot/pkg/model/endpointshards.go: EndpointShards`).
#[derive(Deserialize)]
struct Shards {
    #[serde(rename = "Shards", default)]
    shards: Option<BTreeMap<String, Option<Vec<IgnoredAny>>>>,
}

/// Counts `/debug/endpointShardz`, service -> namespace -> shards: endpoints by cluster; `None` if it is something else.
#[must_use]
pub fn endpoints(body: &[u8]) -> Option<ByCluster<usize>> {
    type All = BTreeMap<String, BTreeMap<String, Shards>>;
    let all: All = serde_json::from_slice(body).ok()?;
    let mut counts = BTreeMap::new();
    let shards = all.into_values().flat_map(BTreeMap::into_values);
    for (key, endpoints) in shards.filter_map(|one| one.shards).flatten() {
        // `Kubernetes/west`; releases before 1.12 say `west`. ServiceEntries of the own cluster are `External/east`.
        let cluster = match key.split_once('/') {
            Some(("Kubernetes", cluster)) => cluster,
            Some(_) => continue,
            None => &key,
        };
        *counts.entry(cluster.to_owned()).or_default() += endpoints.map_or(0, |all| all.len());
    }
    Some(counts)
}

/// Waits for every pod of istiod to have taken a new secret for a cluster. Pure: it is shown one look after another.
#[derive(Clone, Debug)]
pub struct Watch {
    cluster: String,
    /// Seconds after the write before a good look counts: istiod does not say which kubeconfig it uses.
    settle: u64,
    /// Pod -> endpoints before the write.
    before: BTreeMap<String, usize>,
    /// The fewest endpoints of any look, by pod.
    lowest: BTreeMap<String, usize>,
}

/// What a look shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Too early to say, or something is still missing.
    Wait {
        /// What is missing.
        missing: String,
        /// Endpoints are missing.
        lost: bool,
    },
    /// Every pod has synced the cluster and has its endpoints.
    Good {
        /// Pod -> endpoints before, the fewest in between, and after.
        pods: BTreeMap<String, [usize; 3]>,
    },
}

impl Watch {
    /// Begins with what the pods said before the write; `settle` in seconds.
    #[must_use]
    pub fn new(cluster: &str, settle: u64, before: &[View]) -> Self {
        let count = |view: &View| Some((view.pod.clone(), view.endpoints(cluster)?));
        let before: BTreeMap<String, usize> = before.iter().filter_map(count).collect();
        Self { cluster: cluster.to_owned(), settle, lowest: before.clone(), before }
    }

    /// One look, that many seconds after the write.
    pub fn look(&mut self, seconds: u64, views: &[View]) -> Watched {
        let mut pods = BTreeMap::new();
        let (mut missing, mut lost) = (Vec::new(), false);
        for view in views {
            let Some(count) = view.endpoints(&self.cluster) else {
                let why = view.said.as_ref().err().map_or("", String::as_str);
                missing.push(format!("pod {} does not answer: {why}", view.pod));
                continue;
            };
            let before = self.expected(&view.pod);
            let lowest = self.lowest.entry(view.pod.clone()).or_insert(count);
            *lowest = (*lowest).min(count);
            match view.status(&self.cluster) {
                Some("synced") | None => {}
                Some(status) => missing.push(format!("pod {} says `{status}`", view.pod)),
            }
            if count < floor(before) {
                lost = true;
                missing.push(format!("pod {} has {count} endpoints, {before} before", view.pod));
            }
            pods.insert(view.pod.clone(), [before, *lowest, count]);
        }
        if views.is_empty() {
            missing.push("no pod of istiod is ready".to_owned());
        }
        if !missing.is_empty() {
            return Watched::Wait { missing: missing.join("; "), lost };
        }
        if seconds < self.settle {
            let missing = format!("{seconds} s of {} s have passed", self.settle);
            return Watched::Wait { missing, lost };
        }
        Watched::Good { pods }
    }

    /// What a pod had before; one that is new should have what another had.
    fn expected(&self, pod: &str) -> usize {
        let most = || self.before.values().copied().max().unwrap_or(0);
        self.before.get(pod).copied().unwrap_or_else(most)
    }
}

/// The fewest endpoints that churn explains: nine tenths, or two less; never none if there were some.
fn floor(before: usize) -> usize {
    let fewer = before.saturating_sub((before / 10).max(2));
    fewer.max(usize::from(before > 0))
}

//! The node object and its lease.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, from_value, json};

use super::NODE;

/// Says that the node is alive, and makes it where it is not there. Whether that worked.
pub(super) async fn beat(client: &Client, port: u16) -> bool {
    let nodes = Api::<Node>::all(client.clone());
    let status = status(port);
    let patch = Patch::Merge(json!({"status": status}));
    match nodes.patch_status(NODE, &PatchParams::default(), &patch).await {
        Ok(_) => {}
        Err(kube::Error::Api(answer)) if answer.code == 404 => {
            let metadata = json!({"name": NODE, "labels": {"kubernetes.io/hostname": NODE}});
            let node = from_value(json!({"metadata": metadata, "status": status}));
            let made = nodes.create(&PostParams::default(), &node.expect("a node")).await;
            if made.is_err() {
                return false;
            }
        }
        Err(_) => return false,
    }
    lease(client).await
}

fn status(port: u16) -> Value {
    let resources = json!({"cpu": "32", "memory": "64Gi", "pods": "500"});
    let now = Timestamp::now().to_string();
    let info = [
        "architecture",
        "bootID",
        "containerRuntimeVersion",
        "kernelVersion",
        "kubeProxyVersion",
        "kubeletVersion",
        "machineID",
        "operatingSystem",
        "osImage",
        "systemUUID",
    ];
    json!({
        "capacity": resources,
        "allocatable": resources,
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "KubeletReady",
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        }],
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "nodeInfo": info.iter().map(|name| ((*name).to_owned(), "rig".into())).collect::<serde_json::Map<_, _>>(),
    })
}

async fn lease(client: &Client) -> bool {
    let leases = Api::<Lease>::namespaced(client.clone(), "kube-node-lease");
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": NODE},
        "spec": {
            "holderIdentity": NODE,
            "leaseDurationSeconds": 40,
            "renewTime": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        },
    });
    let params = PatchParams::apply("kubelet").force();
    leases.patch(NODE, &params, &Patch::Apply(lease)).await.is_ok()
}

//! What the kubelet says of a pod.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

/// What there is to say of a pod; said again only when it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) state: State,
    pub(super) ready: bool,
    /// How often its container was started again.
    pub(super) restarts: u32,
    /// How it ended the last time.
    pub(super) last_exit: Option<Exit>,
}

/// The state of a pod's containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting { reason: &'static str, message: String },
    Running { since: String },
}

/// The end of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    pub(super) code: i32,
    pub(super) at: String,
}

impl State {
    /// Volumes are not there yet.
    pub(super) fn creating(message: String) -> Self {
        Self::Waiting { reason: "ContainerCreating", message }
    }

    /// The containers run, or did.
    fn has_run(&self) -> bool {
        match self {
            Self::Running { .. } => true,
            Self::Waiting { reason, .. } => *reason == "CrashLoopBackOff",
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Running { since } => json!({"running": {"startedAt": since}}),
            Self::Waiting { reason, message } => {
                json!({"waiting": {"reason": reason, "message": message}})
            }
        }
    }
}

/// The patch of a pod's status; `changed` is when its readiness last changed.
pub(super) fn patch(pod: &Pod, view: &View, address: &str, started: &str, changed: &str) -> Value {
    let running = matches!(view.state, State::Running { .. });
    let spec = pod.spec.as_ref();
    let containers = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let last = view.last_exit.as_ref().map(|exit| {
        json!({"terminated": {
            "exitCode": exit.code, "reason": "Error", "finishedAt": exit.at, "containerID": format!("rig://{uid}"),
        }})
    });
    let statuses = containers.iter().map(|container| {
        json!({
            "name": container.name,
            "image": container.image,
            "imageID": "rig",
            "containerID": format!("rig://{uid}"),
            "restartCount": view.restarts,
            "ready": view.ready,
            "started": running,
            "state": view.state.to_json(),
            "lastState": last.clone().unwrap_or_else(|| json!({})),
        })
    });
    let ready = if view.ready {
        json!({"status": "True", "lastTransitionTime": changed, "reason": null, "message": null})
    } else {
        json!({"status": "False", "lastTransitionTime": changed, "reason": "ContainersNotReady",
               "message": "containers with unready status"})
    };
    let condition = |kind: &str, body: &Value| {
        let mut condition = body.clone();
        condition["type"] = kind.into();
        condition
    };
    let done = json!({"status": "True", "lastTransitionTime": started});
    json!({
        "metadata": {"uid": uid},
        "status": {
            "phase": if view.state.has_run() { "Running" } else { "Pending" },
            "hostIP": "127.0.0.1",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": started,
            "containerStatuses": statuses.collect::<Vec<_>>(),
            "conditions": [
                condition("PodScheduled", &done),
                condition("Initialized", &done),
                condition("Ready", &ready),
                condition("ContainersReady", &ready),
            ],
        },
    })
}

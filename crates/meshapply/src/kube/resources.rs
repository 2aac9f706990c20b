//! Istio's resources in a cluster, and what a spec is discovered from: listed, applied on the server's side, deleted.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIResourceList, ObjectMeta};
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions,
    ValidationDirective,
};
use kube::discovery::ApiResource;
use serde_json::{Value, json};

use super::ask::Bound;
use super::{Kube, ask, ask_optional, write};
use crate::error::Error;
use crate::names::{FIELD_MANAGER, OLD_FIELD_MANAGER};

/// The group of Istio's traffic resources.
const GROUP: &str = "networking.istio.io";
/// The group of Istio's security resources.
const SECURITY: &str = "security.istio.io";
/// Versions of both, newest first; only the first has the last.
const VERSIONS: [&str; 3] = ["v1", "v1beta1", "v1alpha3"];
/// The kinds we write, and how the API calls them.
const KINDS: [(&str, &str); 5] = [
    ("DestinationRule", "destinationrules"),
    ("EnvoyFilter", "envoyfilters"),
    ("Gateway", "gateways"),
    ("ServiceEntry", "serviceentries"),
    ("VirtualService", "virtualservices"),
];
/// The kinds we only read, since they decide whether calls arrive.
const DECIDING: [(&str, &str, &str); 2] =
    [(GROUP, "Sidecar", "sidecars"), (SECURITY, "PeerAuthentication", "peerauthentications")];
/// What a spec is discovered from, in all namespaces: group, version, kind, plural.
const SEEN: [(&str, &str, &str, &str); 5] = [
    ("", "v1", "Namespace", "namespaces"),
    ("", "v1", "Service", "services"),
    ("apps", "v1", "Deployment", "deployments"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("apps", "v1", "DaemonSet", "daemonsets"),
];

impl Kube {
    /// Namespaces, Services, Deployments, StatefulSets and DaemonSets of all namespaces, each with its `kind`.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn inventory(&self) -> Result<Vec<Value>, Error> {
        let mut all = Vec::new();
        for (group, version, kind, plural) in SEEN {
            all.extend(self.list(&resource(group, version, kind, plural)).await?);
        }
        Ok(all)
    }

    /// Every resource of `networking.istio.io` of a kind we write, whosever it is, in all namespaces.
    ///
    /// `needed` are the `apiVersion` and `kind` of what will be written.
    ///
    /// # Errors
    /// `apply/no-crd` when the cluster does not know one of those, and those of a request.
    pub(super) async fn istio_resources(
        &self,
        needed: &BTreeSet<(String, String)>,
    ) -> Result<Vec<Value>, Error> {
        let served = self.served_kinds(GROUP).await?;
        let unknown = needed.iter().find(|one| !served.contains(one));
        if let Some((api_version, kind)) = unknown {
            return Err(Error::NoCrd { api_version: api_version.clone(), kind: kind.clone() });
        }
        let mut all = Vec::new();
        for (kind, plural) in KINDS {
            all.extend(self.list_served(&served, (GROUP, kind, plural)).await?);
        }
        Ok(all)
    }

    /// Services, Sidecars and PeerAuthentications of all namespaces; none of a kind that the cluster does not know.
    ///
    /// # Errors
    /// Those of a request.
    pub(super) async fn deciding_resources(&self) -> Result<Vec<Value>, Error> {
        let mut all = self.list(&resource("", "v1", "Service", "services")).await?;
        for kind in DECIDING {
            let served = self.served_kinds(kind.0).await?;
            all.extend(self.list_served(&served, kind).await?);
        }
        Ok(all)
    }

    /// Applies a resource on the server's side, unknown fields refused; returns it as it is then.
    ///
    /// `basis` is the `resourceVersion` of the one that was read: it must still be that, and fields others set
    /// in it are taken over. Without one no resource may exist whose fields another manager owns.
    ///
    /// # Errors
    /// `apply/api` with status 409 when another write came first, and those of a request.
    pub(super) async fn apply_resource(
        &self,
        wanted: &Value,
        basis: Option<&str>,
        dry_run: bool,
    ) -> Result<Value, Error> {
        let (api, name, told) = self.addressed(wanted);
        let mut body = wanted.clone();
        let mut params = PatchParams::apply(FIELD_MANAGER);
        params.dry_run = dry_run;
        params.field_validation = Some(ValidationDirective::Strict);
        if let Some(basis) = basis {
            body["metadata"]["resourceVersion"] = basis.into();
            params.force = true;
        }
        let what = || format!("apply {told}");
        let patch = Patch::Apply(&body);
        let applied = ask(what, || api.patch(&name, &params, &patch)).await?;
        if dry_run || !is_of_old_manager(&applied.metadata) {
            return Ok(value(&applied));
        }
        // What we leave out now, and set under our old name, would stay: its last owner lets go of it.
        let (release, params) = (release(&wanted["apiVersion"], &wanted["kind"], &name), old());
        let what = || format!("apply {told}");
        let patch = Patch::Apply(&release);
        let applied = write(Bound::Nothing, what, || api.patch(&name, &params, &patch)).await?;
        Ok(value(&applied))
    }

    /// A resource as it is, found by its kind, namespace and name; `None` if there is none.
    ///
    /// # Errors
    /// Those of a request.
    pub(super) async fn find_resource(&self, wanted: &Value) -> Result<Option<Value>, Error> {
        let (api, name, told) = self.addressed(wanted);
        // Whoever may compare clusters may list, and perhaps not get.
        let params = ListParams::default().fields(&format!("metadata.name={name}"));
        let found = ask(|| format!("get {told}"), || api.list(&params)).await?;
        Ok(found.items.first().map(value))
    }

    /// Deletes a resource, if it is the one that was read; one that is gone already is fine.
    ///
    /// # Errors
    /// `apply/api` with status 409 when it is another one by now, and those of a request.
    pub(super) async fn delete_resource(&self, live: &Value, dry_run: bool) -> Result<(), Error> {
        let (api, name, told) = self.addressed(live);
        let text = |key: &str| live["metadata"][key].as_str().map(str::to_owned);
        let preconditions =
            Preconditions { resource_version: text("resourceVersion"), uid: text("uid") };
        let params =
            DeleteParams { dry_run, preconditions: Some(preconditions), ..DeleteParams::default() };
        match ask(|| format!("delete {told}"), || api.delete(&name, &params)).await {
            Ok(_) | Err(Error::Api { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The API a resource is behind, its name, and what it is called in messages.
    fn addressed(&self, value: &Value) -> (Api<DynamicObject>, String, String) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text(&value["apiVersion"]), text(&value["kind"]));
        let (namespace, name) =
            (text(&value["metadata"]["namespace"]), text(&value["metadata"]["name"]));
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let plural =
            KINDS.iter().find(|(known, _)| *known == kind).map_or("", |(_, plural)| plural);
        let resource = resource(group, version, &kind, plural);
        let told = format!("{kind} {namespace}/{name}");
        (Api::namespaced_with(self.client.clone(), &namespace, &resource), name, told)
    }

    async fn list(&self, resource: &ApiResource) -> Result<Vec<Value>, Error> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), resource);
        let what = || format!("list {} in all namespaces", resource.plural);
        let params = ListParams::default();
        let list = ask(what, || api.list(&params)).await?;
        // Items of a list do not say what they are.
        let typed = |object: &DynamicObject| {
            let mut value = value(object);
            value["apiVersion"] = resource.api_version.as_str().into();
            value["kind"] = resource.kind.as_str().into();
            value
        };
        Ok(list.items.iter().map(typed).collect())
    }

    /// All resources of a kind in the newest version that is served: all versions are the same objects.
    async fn list_served(
        &self,
        served: &BTreeSet<(String, String)>,
        (group, kind, plural): (&str, &str, &str),
    ) -> Result<Vec<Value>, Error> {
        let is_served = |version: &&&str| {
            let api_version = format!("{group}/{version}");
            served.iter().any(|(api, known)| *api == api_version && known == kind)
        };
        match VERSIONS.iter().find(is_served) {
            Some(version) => self.list(&resource(group, version, kind, plural)).await,
            None => Ok(Vec::new()),
        }
    }

    /// `apiVersion` and `kind` of everything the cluster serves of a group.
    async fn served_kinds(&self, group: &str) -> Result<BTreeSet<(String, String)>, Error> {
        let mut served = BTreeSet::new();
        for version in VERSIONS {
            let api_version = format!("{group}/{version}");
            let what = || format!("ask for the kinds of {api_version}");
            let answer = ask_optional(what, || self.client.list_api_group_resources(&api_version));
            let list: Option<APIResourceList> = answer.await?;
            let kinds = list.into_iter().flat_map(|list| list.resources);
            served.extend(kinds.map(|resource| (api_version.clone(), resource.kind)));
        }
        Ok(served)
    }
}

/// Whether fields were applied under the name we had before.
pub(super) fn is_of_old_manager(metadata: &ObjectMeta) -> bool {
    metadata.managed_fields.iter().flatten().any(|entry| {
        entry.manager.as_deref() == Some(OLD_FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
    })
}

/// An object without fields: applied under our old name, after all fields we want were applied under the new one, it
/// leaves nothing to the old name, and takes away what only the old name owned.
pub(super) fn release(api_version: &Value, kind: &Value, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

/// How it is applied.
pub(super) fn old() -> PatchParams {
    PatchParams::apply(OLD_FIELD_MANAGER)
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    let api_version =
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

fn value(object: &DynamicObject) -> Value {
    // What came as JSON goes back to JSON.
    serde_json::to_value(object).unwrap_or_default()
}

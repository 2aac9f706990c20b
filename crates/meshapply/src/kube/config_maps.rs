//! The ConfigMap a cluster's DNS reads: read, and patched while it is still the one that was read.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use serde_json::Value;

use super::{Kube, ask, ask_optional};
use crate::error::Error;
use crate::names::FIELD_MANAGER;

impl Kube {
    /// A ConfigMap; `None` if there is none of that name.
    ///
    /// # Errors
    /// Those of a request.
    pub(super) async fn find_config_map(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, Error> {
        let what = || format!("get configmap {namespace}/{name}");
        let api = self.config_maps(namespace);
        let found = ask_optional(what, || api.get(name)).await?;
        // What came as JSON goes back to JSON.
        Ok(found.map(|map| serde_json::to_value(map).unwrap_or_default()))
    }

    /// Merges a patch into a ConfigMap that is there; a `resourceVersion` in it must be the one it has. Returns it as it
    /// is then.
    ///
    /// # Errors
    /// `apply/api` with status 409 when another write came first, and those of a request.
    pub async fn patch_config_map(
        &self,
        namespace: &str,
        name: &str,
        patch: &Value,
        dry_run: bool,
    ) -> Result<Value, Error> {
        let params = PatchParams {
            dry_run,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let (api, patch) = (self.config_maps(namespace), Patch::Merge(patch));
        let what = || format!("patch configmap {namespace}/{name}");
        let patched = ask(what, || api.patch(name, &params, &patch)).await?;
        Ok(serde_json::to_value(patched).unwrap_or_default())
    }

    fn config_maps(&self, namespace: &str) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

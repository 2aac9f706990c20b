//! A cluster behind an API server, as an apply of a mesh sees it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Kube;
use crate::error::Error;
use crate::mesh::{MeshClient, WriteRequest};

impl MeshClient for Kube {
    async fn resources(&self, needed: &BTreeSet<(String, String)>) -> Result<Vec<Value>, Error> {
        self.istio_resources(needed).await
    }

    async fn deciding(&self) -> Result<Vec<Value>, Error> {
        self.deciding_resources().await
    }

    async fn resource(&self, like: &Value) -> Result<Option<Value>, Error> {
        self.find_resource(like).await
    }

    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<Value>, Error> {
        self.find_config_map(namespace, name).await
    }

    async fn write(&self, request: WriteRequest<'_>, dry_run: bool) -> Result<Value, Error> {
        match request {
            WriteRequest::Apply { resource, over } => {
                self.apply_resource(resource, over, dry_run).await
            }
            WriteRequest::Delete { live } => {
                self.delete_resource(live, dry_run).await.map(|()| Value::Null)
            }
            WriteRequest::Edit(edit) => {
                self.patch_config_map(&edit.namespace, &edit.name, &edit.patch(), dry_run).await
            }
        }
    }
}

//! Writes to the API server: JSON Patches that are refused if somebody else was faster.

use super::kinds::{self, Kind, Versions};
use super::refusal;
use crate::input::manifest::Object;
use http::Request;
use kube::{Client, Error};
use serde_json::Value;

/// Why nothing was written.
pub enum Refused {
    /// The object is not what it was when it was read.
    Changed,
    /// Anything else, in one line.
    Said(String),
}

/// Patches an object; what it is then. The patch has to hold what guards it.
pub async fn patch(client: &Client, versions: &Versions, object: &Object, patch: &Value) -> Result<Value, Refused> {
    let said = |error: String| Refused::Said(error);
    let kind = [&[kinds::PLUGINS, kinds::EXTENSIONS][..], &kinds::OTHERS]
        .concat()
        .into_iter()
        .find(|kind: &Kind| kind.name == object.kind);
    let kind = kind.ok_or_else(|| said(format!("{} is no kind that is written", object.kind)))?;
    let version = versions.of(kind).ok_or_else(|| said(format!("the cluster does not know {}", kind.group)))?;
    let path = kinds::path(&version, kind, Some(&object.namespace));
    let request = Request::patch(format!("{path}/{}?fieldManager=canary-split", object.name))
        .header("content-type", "application/json-patch+json")
        .body(patch.to_string().into_bytes())
        .map_err(|error| said(error.to_string()))?;
    client.request(request).await.map_err(|error| match &error {
        // 422 is what a `test` that fails becomes, and 409 a write in between.
        Error::Api(status) if status.code == 409 || status.code == 422 && is_of_a_test(&status.message) => {
            Refused::Changed
        }
        error => said(refusal::said(error)),
    })
}

fn is_of_a_test(message: &str) -> bool {
    message.contains("testing value") || message.contains("testing path") || message.contains("test failed")
}

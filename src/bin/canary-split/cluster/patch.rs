//! Writes to the API server: JSON Patches, which are refused if somebody else was faster.

use super::kinds::{self, Kind, Versions};
use super::refusal;
use crate::input::manifest::Object;
use http::Request;
use kube::{Client, Error};
use serde_json::Value;

/// Why nothing was written.
pub enum Refused {
    /// The object has changed since it was read.
    Changed,
    /// Anything else, in one line.
    Said(String),
}

impl Refused {
    /// In words.
    pub fn said(self) -> String {
        match self {
            Refused::Changed => "it was changed by somebody else meanwhile; look again".to_owned(),
            Refused::Said(why) => why,
        }
    }
}

/// Patches an object and returns it. The patch has to contain the tests that guard it.
pub async fn patch(client: &Client, versions: &Versions, object: &Object, patch: &Value) -> Result<Value, Refused> {
    let said = |error: String| Refused::Said(error);
    let kind = [&[kinds::PLUGINS, kinds::EXTENSIONS, kinds::POLICIES][..], &kinds::OTHERS]
        .concat()
        .into_iter()
        .find(|kind: &Kind| kind.name == object.kind);
    let kind = kind.ok_or_else(|| said(format!("{} is not a kind that this tool writes", object.kind)))?;
    let version = versions.of(kind).ok_or_else(|| said(format!("the cluster does not know {}", kind.group)))?;
    let path = kinds::path(&version, kind, Some(&object.namespace));
    let request = Request::patch(format!("{path}/{}?fieldManager=canary-split", object.name))
        .header("content-type", "application/json-patch+json")
        .body(patch.to_string().into_bytes())
        .map_err(|error| said(error.to_string()))?;
    match client.request(request).await {
        Ok(object) => Ok(object),
        // 422 means a failed `test` or an invalid object: whether the object has changed tells which.
        Err(Error::Api(status)) if [409, 422].contains(&status.code) => {
            let now = current(client, &format!("{path}/{}", object.name)).await;
            let is_same = now.is_some_and(|now| object.text(&["metadata", "resourceVersion"]) == Some(&now));
            Err(if is_same { Refused::Said(status.message.clone()) } else { Refused::Changed })
        }
        Err(error) => Err(Refused::Said(refusal::said(&error))),
    }
}

/// The version of an object; `None`: it no longer exists, or cannot be read.
async fn current(client: &Client, path: &str) -> Option<String> {
    let object: Value = client.request(Request::get(path).body(Vec::new()).ok()?).await.ok()?;
    object.pointer("/metadata/resourceVersion")?.as_str().map(str::to_owned)
}

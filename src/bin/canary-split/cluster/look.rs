//! One look at a gateway pod: what it says of the filter, and what has arrived behind it.

use super::admin::{self, Arrived, Unknown};
use super::pods::Pod;
use super::refusal;
use super::statistics::Statistics;
use http::Request;
use kube::{Client, Error};
use std::time::Duration;

/// How long a pod has for its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The port at which each of Istio's proxies shows Prometheus its statistics, and which of them are asked for.
const STATISTICS: &str = "15090/proxy/stats/prometheus?filter=%5Ewasmcustom%5C.%7Cupdate_rejected";

/// What a pod has said.
#[derive(Debug)]
pub struct Look {
    /// Of the filter.
    pub statistics: Statistics,
    /// The requests that each cluster has got; `None`: not asked, or the right is missing.
    pub arrived: Option<Arrived>,
    /// Why it is not known what arrived.
    pub unknown: Option<String>,
}

/// Why a pod says nothing.
#[derive(Debug)]
pub enum Silence {
    /// The user may not ask it.
    Forbidden(String),
    /// It does not answer.
    Silent(String),
}

impl Silence {
    /// In words.
    pub fn said(self) -> String {
        let (Silence::Forbidden(why) | Silence::Silent(why)) = self;
        why
    }
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// What is in force.
    InForce,
    /// That, and what arrived behind it.
    Arrived,
}

/// Looks at all of these at once.
pub async fn at_all(client: &Client, pods: &[&Pod], question: Question) -> Vec<Result<Look, Silence>> {
    futures::future::join_all(pods.iter().map(|pod| at(client, pod, question))).await
}

async fn at(client: &Client, pod: &Pod, question: Question) -> Result<Look, Silence> {
    let late = || Silence::Silent(format!("no answer within {} s", PATIENCE.as_secs()));
    let (statistics, arrived) = tokio::time::timeout(PATIENCE, async {
        futures::join!(statistics(client, pod), async {
            match question {
                Question::InForce => None,
                Question::Arrived => Some(admin::arrived(client, &pod.namespace, &pod.name).await),
            }
        })
    })
    .await
    .map_err(|_| late())?;
    let statistics = statistics?;
    let (arrived, unknown) = match arrived {
        None => (None, None),
        Some(Ok(arrived)) => (Some(arrived), None),
        Some(Err(Unknown(why))) => (None, Some(why)),
    };
    Ok(Look { statistics, arrived, unknown })
}

async fn statistics(client: &Client, pod: &Pod) -> Result<Statistics, Silence> {
    let path = format!("/api/v1/namespaces/{}/pods/{}:{STATISTICS}", pod.namespace, pod.name);
    let request = Request::get(path).body(Vec::new()).map_err(|error| Silence::Silent(error.to_string()))?;
    match client.request_text(request).await {
        Ok(text) => Ok(Statistics::read(&text)),
        Err(error) if refusal::is_forbidden(&error) => Err(Silence::Forbidden(refusal::said(&error))),
        // What the pod itself has said is long; its status says enough.
        Err(Error::Api(status)) => {
            Err(Silence::Silent(format!("statistics at 15090: {} {}", status.code, first_line(&status.message))))
        }
        Err(error) => Err(Silence::Silent(refusal::innermost(&error))),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

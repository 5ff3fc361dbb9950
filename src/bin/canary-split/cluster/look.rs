//! One look at a gateway pod: the filter's statistics, and what has arrived behind it.

use super::admin::{self, Arrived, Unknown};
use super::pods::Pod;
use super::refusal;
use super::statistics::Statistics;
use http::Request;
use kube::{Client, Error};
use std::time::Duration;

/// The time limit for a pod's answer.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Where statistics are served to Prometheus, and the filter for the answer.
pub const STATISTICS: &str = "/stats/prometheus?filter=%5Ewasmcustom%5C.%7Cupdate_rejected";

/// The answer of a pod.
#[derive(Debug)]
pub struct Look {
    /// The statistics of the filter.
    pub statistics: Statistics,
    /// The requests of each cluster; `None`: not asked, or the right is missing.
    pub arrived: Option<Arrived>,
    /// Why it is unknown what arrived.
    pub unknown: Option<String>,
}

/// Why a pod gives no answer.
#[derive(Debug)]
pub enum Silence {
    /// The user may not ask it.
    Forbidden(String),
    /// It does not answer.
    Silent(String),
    /// It has ended.
    Gone,
}

impl Silence {
    /// In words.
    pub fn said(&self) -> String {
        match self {
            Silence::Forbidden(why) | Silence::Silent(why) => why.clone(),
            Silence::Gone => "it has ended".to_owned(),
        }
    }
}

/// The extent of a look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// What is in force.
    InForce,
    /// Also what arrived behind the gateway.
    Arrived,
}

/// Looks at all of these pods at the same time.
pub async fn at_all(client: &Client, pods: &[&Pod], question: Question) -> Vec<Result<Look, Silence>> {
    futures::future::join_all(pods.iter().map(|pod| at(client, pod, question))).await
}

async fn at(client: &Client, pod: &Pod, question: Question) -> Result<Look, Silence> {
    let late = || Silence::Silent(format!("no answer within {} s", PATIENCE.as_secs()));
    let (statistics, arrived) = tokio::time::timeout(PATIENCE, async {
        futures::join!(statistics(client, pod), async {
            match question {
                Question::InForce => None,
                Question::Arrived => Some(admin::arrived(client, pod).await),
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
    let (namespace, name, port) = (&pod.namespace, &pod.name, pod.ports().statistics);
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:{port}/proxy{STATISTICS}");
    let request = Request::get(path).body(Vec::new()).map_err(|error| Silence::Silent(error.to_string()))?;
    match client.request_text(request).await {
        Ok(text) => Ok(Statistics::read(&text)),
        Err(error) if refusal::is_forbidden(&error) => Err(Silence::Forbidden(refusal::said(&error))),
        Err(Error::Api(status)) if status.code == 404 && status.reason == "NotFound" => Err(Silence::Gone),
        // The pod's own answer is long; its status says enough.
        Err(Error::Api(status)) => {
            Err(Silence::Silent(format!("statistics at {port}: {} {}", status.code, first_line(&status.message))))
        }
        Err(error) => Err(Silence::Silent(refusal::innermost(&error))),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

//! Envoy's admin interface in a gateway pod, through a port-forward, as istioctl does.

use super::pods::Pod;
use super::refusal;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1;
use kube::{Api, Client, Error};
use serde::Deserialize;
use std::collections::HashMap;

/// The question what arrived.
pub const CLUSTERS: &str = "/clusters?format=json";

/// No answer of an Envoy is longer.
const LONGEST: usize = 64 << 20;

/// The requests of each cluster since its hosts are known, by the cluster's name.
pub type Arrived = HashMap<String, u64>;

/// Why the number is unknown: a missing right, or a pod that does not answer.
#[derive(Debug)]
pub struct Unknown(pub String);

/// What arrived.
pub async fn arrived(client: &Client, pod: &Pod) -> Result<Arrived, Unknown> {
    let body = ask(client, pod, CLUSTERS).await?;
    read(&body).map_err(|why| silent(pod, &why))
}

fn silent(pod: &Pod, why: &str) -> Unknown {
    Unknown(format!("port-forward to {}, port {}: {why}", pod.title(), pod.ports().admin))
}

/// What Envoy answers.
pub async fn ask(client: &Client, pod: &Pod, path: &str) -> Result<Bytes, Unknown> {
    let (namespace, port) = (&pod.namespace, pod.ports().admin);
    let pods: Api<v1::Pod> = Api::namespaced(client.clone(), namespace);
    let mut forwarder = pods.portforward(&pod.name, &[port]).await.map_err(|error| match &error {
        Error::UpgradeConnection(kube::client::UpgradeConnectionError::ProtocolSwitch(status))
            if status.as_u16() == 403 =>
        {
            Unknown(format!("no right to port-forward to pods (pods/portforward) in namespace {namespace}"))
        }
        error => Unknown(format!("port-forward to {}: {}", pod.title(), refusal::innermost(error))),
    })?;
    let silent = |why: &str| silent(pod, why);
    let stream = forwarder.take_stream(port).ok_or_else(|| silent("no stream"))?;
    let body = get(TokioIo::new(stream), path).await.map_err(|why| silent(&why))?;
    forwarder.abort();
    Ok(body)
}

/// What Envoy answers on this stream.
pub async fn get<S>(stream: S, path: &str) -> Result<Bytes, String>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let said = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(stream).await.map_err(said)?;
    let request = hyper::Request::get(path).header("host", "localhost").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(said)?;
        if response.status() != StatusCode::OK {
            return Err(response.status().to_string());
        }
        let body = Limited::new(response.into_body(), LONGEST).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                format!("an answer of more than {} MiB", LONGEST >> 20)
            } else {
                error.to_string()
            }
        })?;
        Ok(body.to_bytes())
    };
    // The connection must be driven until the answer arrives.
    tokio::pin!(answered);
    tokio::select! {
        answer = &mut answered => answer,
        ended = connection => match ended {
            Err(error) => Err(error.to_string()),
            Ok(()) => answered.await,
        },
    }
}

#[derive(Deserialize)]
struct Clusters {
    #[serde(default)]
    cluster_statuses: Vec<Cluster>,
}

#[derive(Deserialize)]
struct Cluster {
    name: String,
    #[serde(default)]
    host_statuses: Vec<Host>,
}

#[derive(Deserialize)]
struct Host {
    #[serde(default)]
    stats: Vec<Stat>,
}

#[derive(Deserialize)]
struct Stat {
    name: String,
    #[serde(default)]
    value: Option<Number>,
}

/// Envoy writes 64-bit numbers as strings.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Number(u64),
}

/// What arrived, by the answer to `/clusters?format=json`.
pub fn read(body: &[u8]) -> Result<Arrived, String> {
    let clusters: Clusters = serde_json::from_slice(body).map_err(|error| format!("/clusters: {error}"))?;
    let requests = |stat: &Stat| match &stat.value {
        Some(Number::Text(text)) => text.parse().unwrap_or(0),
        Some(Number::Number(number)) => *number,
        None => 0,
    };
    let sum = |cluster: &Cluster| {
        let stats = cluster.host_statuses.iter().flat_map(|host| &host.stats);
        stats.filter(|stat| stat.name == "rq_total").map(requests).fold(0, u64::saturating_add)
    };
    let mut arrived = Arrived::new();
    for cluster in clusters.cluster_statuses {
        let sum = sum(&cluster);
        let all = arrived.entry(cluster.name).or_default();
        *all = all.saturating_add(sum);
    }
    Ok(arrived)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn requests_are_summed_over_the_hosts_of_a_cluster() {
        let text = br#"{"cluster_statuses": [
            {"name": "outbound|80|v1|shop.shop.svc.cluster.local", "host_statuses": [
                {"stats": [{"name": "cx_total", "value": "9"}, {"name": "rq_total", "value": "40"}]},
                {"stats": [{"name": "rq_total", "value": "2"}, {"name": "rq_error"}]}]},
            {"name": "outbound|80|v2|shop.shop.svc.cluster.local", "host_statuses": [{"stats": [{"name": "rq_total"}]}]},
            {"name": "empty"}]}"#;
        let arrived = read(text).unwrap();
        assert_eq!(arrived["outbound|80|v1|shop.shop.svc.cluster.local"], 42);
        assert_eq!(arrived["outbound|80|v2|shop.shop.svc.cluster.local"], 0);
        assert_eq!(arrived["empty"], 0);
        assert!(read(b"upstream connect error").is_err());
    }
}

//! Session affinity: the filter's cookie keeps visitors with a version, and a DestinationRule keeps them with a pod.

use super::super::extra::Extra;
use super::super::refusal::Refusal;
use super::paths::{Backend, Canary, Site};
use super::read::Ingress;
use crate::world::World;
use crate::world::host::ServiceName;
use serde_json::{Value, json};

/// The longest lifetime of a cookie that browsers accept, in seconds.
const LONGEST: u64 = 400 * 86_400;

/// The default name of ingress-nginx's cookie.
const DEFAULT_COOKIE: &str = "INGRESSCOOKIE";

/// The content of a DestinationRule that keeps visitors with a pod.
#[derive(Debug)]
pub struct Pods {
    /// The Service whose pods are meant.
    pub backend: Backend,
    /// The value of `httpCookie`.
    pub cookie: Value,
}

/// Whether an Ingress keeps visitors with a pod.
fn is_kept(ingress: &Ingress) -> bool {
    ingress.get("affinity").is_some_and(|said| said.text == "cookie")
}

/// Whether a visitor of the canary stays with it.
fn keeps(main: &Ingress, canary: &Ingress) -> bool {
    is_kept(main) && canary.get("affinity-canary-behavior").is_none_or(|said| said.text != "legacy")
}

/// The lifetime of the cookie in seconds; 0: until the browser closes.
fn lives(ingress: &Ingress) -> Result<u64, Refusal> {
    let said = ingress.get("session-cookie-max-age").or_else(|| ingress.get("session-cookie-expires"));
    let seconds = said.map(|said| said.text.parse::<u64>().map_err(|_| ingress.refuse(&said, "no number of seconds")));
    Ok(seconds.transpose()?.unwrap_or(0).min(LONGEST))
}

/// Adds the affinity of the main Ingress to the settings of its canary's rule.
pub fn of(main: &Ingress, canary: &Canary, extra: &mut Extra, notes: &mut Vec<String>) -> Result<(), Refusal> {
    if !keeps(main, canary.ingress) {
        return Ok(());
    }
    extra.keeps = true;
    let mut add = |name: &str, value: Value| extra.cookie.insert(name.to_owned(), value);
    add("ttl", json!(format!("{}s", lives(main)?)));
    if let Some(path) = main.get("session-cookie-path") {
        add("path", json!(path.text));
    }
    if let Some(domain) = main.get("session-cookie-domain") {
        add("domain", json!(domain.text));
    }
    if let Some(same) = main.get("session-cookie-samesite") {
        add("sameSite", json!(same.text));
    }
    if let Some(secure) = main.get("session-cookie-secure") {
        add("secure", json!(secure.is_true()));
    }
    if let (Some(said), false) = (main.get("affinity"), extra.overrides.is_empty()) {
        notes.push(main.note(
            &said,
            "counted before the canary's header and cookie; now these count first, even for visitors who have a subset already",
        ));
    }
    Ok(())
}

/// A DestinationRule for each Service whose visitors stay with a pod, unless one is given.
pub fn destination_rules(site: &Site, world: &World, notes: &mut Vec<String>) -> Vec<Pods> {
    let mut all: Vec<Pods> = Vec::new();
    for location in site.locations.iter().filter(|location| is_kept(location.ingress)) {
        let main = location.ingress;
        let name = main.get("session-cookie-name").map_or(DEFAULT_COOKIE, |said| said.text);
        let path = main.get("session-cookie-path").map_or("/", |said| said.text);
        let ttl = format!("{}s", lives(main).unwrap_or_default());
        let canary = location.canary.as_ref().filter(|canary| keeps(main, canary.ingress));
        for backend in [Some(&location.backend), canary.map(|canary| &canary.backend)].into_iter().flatten() {
            if all
                .iter()
                .any(|known| (&known.backend.namespace, &known.backend.name) == (&backend.namespace, &backend.name))
            {
                continue;
            }
            let service = ServiceName { name: &backend.name, namespace: &backend.namespace };
            let is_its = |host: Option<&str>| {
                host.and_then(|host| ServiceName::of(host, &backend.namespace)).is_some_and(|own| own.is(&service))
            };
            let cookie = json!({"name": name, "path": path, "ttl": ttl});
            match world.destination_rules.iter().find(|rule| is_its(rule.object.text(&["spec", "host"]))) {
                Some(rule) => notes.push(format!(
                    "{} ({}) is for Service {} already: write trafficPolicy.loadBalancer.consistentHash.httpCookie {cookie} into it, so that visitors stay with a pod",
                    rule.object.title(),
                    rule.object.place(),
                    backend.name
                )),
                None => all.push(Pods { backend: backend.clone(), cookie }),
            }
        }
    }
    all
}

//! Writes the objects that replace Ingresses, in the YAML style of people.

use super::affinity::Pods;
use super::paths::{Backend, Canary, Location, Site};
use super::tls::{Does, Server};
use crate::edit::flow;
use crate::world::labels::Labels;
use serde_json::{Value, json};
use std::fmt::Write;

/// A route with its canary.
#[derive(Debug)]
pub struct Route<'s, 'i, 'o> {
    /// The path, and where its requests go.
    pub location: &'s Location<'i, 'o>,
    /// A canary by weights: stable's weight and its own.
    pub canary: Option<(&'s Canary<'i, 'o>, [u32; 2])>,
    /// A canary by the header and value that traffic-tag writes.
    pub tag: Option<(&'s Canary<'i, 'o>, (String, String))>,
}

/// The lines written so far.
struct Lines(String);

impl Lines {
    fn add(&mut self, line: impl AsRef<str>) {
        let _ = writeln!(self.0, "{}", line.as_ref());
    }

    fn head(&mut self, kind: &str, name: &str, namespace: &str) {
        self.add("apiVersion: networking.istio.io/v1");
        self.add(format!("kind: {kind}"));
        let mut metadata = format!("name: {}", one(&json!(name)));
        if !namespace.is_empty() {
            let _ = write!(metadata, ", namespace: {}", one(&json!(namespace)));
        }
        self.add(format!("metadata: {{{metadata}}}"));
        self.add("spec:");
    }
}

fn one(value: &Value) -> String {
    flow(value, false)
}

/// The Gateway, the VirtualService and the DestinationRules of a site.
pub fn written(
    site: &Site,
    name: &str,
    selector: &Labels,
    routes: &[Route],
    servers: &[Server],
    pods: &[Pods],
) -> String {
    let mut lines = Lines(String::new());
    let Some(main) = site.locations.first().map(|location| location.ingress.object) else { return String::new() };
    let namespace = &*main.namespace;
    lines.head("Gateway", name, namespace);
    let selector: Value = selector.pairs().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    lines.add(format!("  selector: {}", one(&selector)));
    lines.add("  servers:");
    for (at, server) in servers.iter().enumerate() {
        // Port names must be unique.
        let number = servers.iter().take(at).filter(|other| is_https(other) == is_https(server)).count();
        let number = if number == 0 { String::new() } else { format!("-{}", number + 1) };
        let port = match &server.does {
            Does::Https(_) => format!("{{number: 443, name: https{number}, protocol: HTTPS}}"),
            _ => format!("{{number: 80, name: http{number}, protocol: HTTP}}"),
        };
        lines.add(format!("  - port: {port}"));
        lines.add(format!("    hosts: {}", one(&json!(server.hosts))));
        match &server.does {
            Does::Http => {}
            Does::Redirect => lines.add("    tls: {httpsRedirect: true}"),
            Does::Https(secret) => {
                lines.add(format!("    tls: {{mode: SIMPLE, credentialName: {}}}", one(&json!(secret))));
            }
        }
    }
    lines.add("---");
    lines.head("VirtualService", name, namespace);
    lines.add(format!("  hosts: {}", one(&json!(site.hosts))));
    lines.add(format!("  gateways: {}", one(&json!([name]))));
    lines.add("  http:");
    for route in routes {
        lines.route(route, namespace);
    }
    for Pods { backend, cookie } in pods {
        lines.add("---");
        lines.head("DestinationRule", &backend.name, &backend.namespace);
        lines.add(format!("  host: {}", one(&json!(backend.name))));
        lines.add("  trafficPolicy:");
        lines.add("    loadBalancer:");
        lines.add(format!("      consistentHash: {{httpCookie: {}}}", one(cookie)));
    }
    lines.0
}

fn is_https(server: &Server) -> bool {
    matches!(server.does, Does::Https(_))
}

impl Lines {
    fn route(&mut self, route: &Route, namespace: &str) {
        let location = route.location;
        let matches = if location.takes_all() { Vec::new() } else { location.matches() };
        if let Some((canary, (header, value))) = &route.tag {
            let asked = json!({"headers": {header: {"exact": value}}});
            let paths = if matches.is_empty() { vec![json!({})] } else { matches.clone() };
            let tagged = paths.iter().filter_map(|path| super::super::extra::both(path, &asked));
            self.entries(&tagged.collect::<Vec<_>>());
            self.rest(route, &[(&canary.backend, None)], namespace, false);
        }
        self.entries(&matches);
        let mut to = vec![(&location.backend, route.canary.as_ref().map(|(_, [weight, _])| *weight))];
        to.extend(route.canary.as_ref().map(|(canary, [_, weight])| (&canary.backend, Some(*weight))));
        self.rest(route, &to, namespace, matches.is_empty());
    }

    fn entries(&mut self, matches: &[Value]) {
        for (at, entry) in matches.iter().enumerate() {
            if at == 0 {
                self.add("  - match:");
            }
            self.add(format!("    - {}", one(entry)));
        }
    }

    /// Writes everything except the match. `is_first`: the route has no match, so this begins its list item.
    fn rest(&mut self, route: &Route, to: &[(&Backend, Option<u32>)], namespace: &str, is_first: bool) {
        let mut dash = if is_first { "  - " } else { "    " };
        let mut rewrite = Vec::new();
        if let Some(target) = &route.location.rewrite {
            // nginx replaces the whole path.
            rewrite.push(format!("uriRegexRewrite: {{match: /.*, rewrite: {}}}", one(&json!(target))));
        }
        if let Some(host) = route.location.ingress.get("upstream-vhost") {
            rewrite.push(format!("authority: {}", one(&json!(host.text))));
        }
        if !rewrite.is_empty() {
            self.add(format!("{dash}rewrite: {{{}}}", rewrite.join(", ")));
            dash = "    ";
        }
        self.add(format!("{dash}route:"));
        for (backend, weight) in to {
            let host = if backend.namespace == namespace {
                backend.name.clone()
            } else {
                format!("{}.{}.svc.cluster.local", backend.name, backend.namespace)
            };
            let host = one(&json!(host));
            self.add(format!("    - destination: {{host: {host}, port: {{number: {}}}}}", backend.port));
            if let Some(weight) = weight {
                self.add(format!("      weight: {weight}"));
            }
        }
    }
}

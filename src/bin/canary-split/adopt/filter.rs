//! The EnvoyFilters, which let routes pick a destination by the header.

use crate::convert::gateway::Home;
use crate::edit::flow;
use serde_json::json;
use std::fmt::Write;

#[derive(Debug)]
pub struct Filter {
    pub name: String,
    /// The gateway that it is for.
    pub home: Home,
    /// The patched routes.
    pub patches: Vec<Patch>,
}

/// A patch that lets routes pick by the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// A host of the routes' virtual host.
    pub host: String,
    /// The routes' name; `None`: all routes that forward requests.
    pub route: Option<String>,
    /// The header with the position.
    pub header: String,
}

const HEAD: &str = "\
# Lets Envoy pick the destination by the number that the filter writes, instead of by chance. Only on these routes: Envoy refuses all
# routes of a port if one without weights has header_name.
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata:
";

impl Filter {
    /// The kind, namespace and name, for messages.
    pub fn title(&self) -> String {
        format!("EnvoyFilter {}/{}", self.home.namespace, self.name)
    }

    /// The EnvoyFilter as YAML.
    pub fn text(&self) -> String {
        let word = |text: &str| flow(&json!(text), false);
        let mut text = HEAD.to_owned();
        let _ = writeln!(text, "  name: {}", word(&self.name));
        let _ = writeln!(text, "  namespace: {}", word(&self.home.namespace));
        text.push_str("  labels: {app.kubernetes.io/part-of: canary-split}\nspec:\n  workloadSelector:\n    labels:\n");
        for (name, value) in &self.home.labels {
            let _ = writeln!(text, "      {}: {}", word(name), word(value));
        }
        text.push_str("  configPatches:\n");
        for Patch { host, route, header } in &self.patches {
            let (host, header) = (word(host), word(header));
            let route = match route {
                Some(name) => format!("name: {}", word(name)),
                None => "action: ROUTE".to_owned(),
            };
            let _ = write!(
                text,
                "  - applyTo: HTTP_ROUTE
    match:
      context: GATEWAY
      routeConfiguration:
        vhost:
          domainName: {host}
          route: {{{route}}}
    patch:
      operation: MERGE
      value:
        route:
          weighted_clusters: {{header_name: {header}}}
        request_headers_to_remove: [{header}]
"
            );
        }
        text
    }
}

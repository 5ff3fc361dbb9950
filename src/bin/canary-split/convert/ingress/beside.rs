//! The annotations that are not about a canary, or that nobody knows, and how each is handled.

use super::super::refusal::Refusal;
use super::paths::Site;
use super::read::Said;

/// How an annotation is handled.
enum Becomes {
    /// The result does what it says.
    Written,
    /// The result does not, and a note says so.
    Lost(&'static str),
    /// The result would be wrong or unsafe without it, so the Ingress is refused.
    Refused(&'static str),
}

use Becomes::{Lost, Refused, Written};

const ACCESS: &str = "it says who may come in, and the result would let everybody in; put it into an AuthorizationPolicy or RequestAuthentication at the gateway, remove it here, and convert again";
const SNIPPET: &str = "nginx's own directives, which may say who may come in; put what they do into Istio's objects, remove it here, and convert again";
const UNKNOWN: &str = "is not converted";
const REDIRECTS: &str = "all of its requests are redirected, and none meets a canary";

/// Looks up an annotation by its name without the prefix.
fn becomes(said: &Said) -> Becomes {
    match said.name {
        // Other files of this folder convert these.
        "canary"
        | "canary-by-header"
        | "canary-by-header-value"
        | "canary-by-header-pattern"
        | "canary-by-cookie"
        | "canary-weight"
        | "canary-weight-total" => Written,
        name if name.starts_with("canary") => Lost("is not known, so it is not converted; is it misspelt?"),
        "affinity"
        | "affinity-canary-behavior"
        | "session-cookie-name"
        | "session-cookie-path"
        | "session-cookie-max-age"
        | "session-cookie-expires"
        | "session-cookie-samesite"
        | "session-cookie-secure"
        | "session-cookie-domain"
        | "ssl-redirect"
        | "force-ssl-redirect"
        | "rewrite-target"
        | "server-alias"
        | "upstream-vhost" => Written,
        "use-regex" if !said.is_true() => Written,
        "use-regex" => Refused(
            "paths are regexes in any case of letters, and the longest is tried first; write the routes by hand",
        ),
        "affinity-mode" if said.text == "balanced" => Written,
        "affinity-mode" => Lost("is not converted: where pods come or go, some visitors get another one"),
        "session-cookie-change-on-failure" | "session-cookie-conditional-samesite-none" => {
            Lost("is not converted: Envoy's cookie for pods has no such option")
        }
        "backend-protocol" if ["HTTP", "http"].contains(&said.text) => Written,
        "backend-protocol" if ["GRPC", "grpc"].contains(&said.text) => {
            Lost("is for the Service to say: name its port grpc-…, or give it appProtocol: grpc")
        }
        "backend-protocol" => Refused(
            "no request would be answered without it; write DestinationRules with trafficPolicy.tls, remove it here, and convert again",
        ),
        "enable-global-auth" | "enable-modsecurity" | "enable-owasp-core-rules" | "ssl-passthrough"
            if said.is_false() =>
        {
            Written
        }
        "ssl-passthrough" => Refused("the gateway would not see the requests, and so nobody would decide"),
        "whitelist-source-range" | "allowlist-source-range" | "denylist-source-range" | "satisfy" => Refused(ACCESS),
        name if name.starts_with("auth-") && !name.ends_with("-snippet") => Refused(ACCESS),
        "enable-modsecurity" | "enable-owasp-core-rules" | "modsecurity-snippet" | "modsecurity-transaction-id" => {
            Refused(
                "a firewall for requests, and the result has none; put one at the gateway, remove it here, and convert again",
            )
        }
        name if name.ends_with("-snippet") => Refused(SNIPPET),
        "permanent-redirect" | "temporal-redirect" => Refused(REDIRECTS),
        name if name.starts_with("limit-") || name.starts_with("global-rate-limit") => {
            Lost("is not converted: the gateway does not limit requests until it has a rate limit of its own")
        }
        name if name.contains("cors") => {
            Lost("is not converted: write corsPolicy into each route of the VirtualService")
        }
        name if name.starts_with("proxy-") && name.ends_with("-timeout") => {
            Lost("is not converted: a VirtualService's timeout is for all of a request, and it has none by default")
        }
        "app-root" | "from-to-www-redirect" => Lost("is not converted: write a route with redirect"),
        name if name.starts_with("mirror-") => Lost("is not converted: write mirror into the routes"),
        "load-balance" | "upstream-hash-by" | "upstream-hash-by-subset" => Lost(
            "is not converted: how a Service's pods are chosen is in trafficPolicy.loadBalancer of a DestinationRule",
        ),
        _ => Lost(UNKNOWN),
    }
}

/// Notes the annotations that are lost, and refuses those that must not be.
pub fn check(site: &Site, notes: &mut Vec<String>) -> Result<(), Refusal> {
    let ingresses = site.ingresses();
    for ingress in &ingresses {
        for said in ingress.annotations() {
            // ingress-nginx reads all other settings from the main Ingress, so those of a canary do not count.
            let is_of_main = || {
                let mut main = ingresses.iter().filter(|other| !other.is_canary);
                main.any(|main| main.annotations().any(|other| other.name == said.name))
            };
            match becomes(&said) {
                Lost(says)
                    if ingress.is_canary && (says != UNKNOWN && !said.name.starts_with("canary") || is_of_main()) => {}
                Lost(says) => notes.push(ingress.note(&said, says)),
                Refused(why) if !ingress.is_canary => return Err(ingress.refuse(&said, why)),
                Written | Refused(_) => {}
            }
        }
    }
    Ok(())
}

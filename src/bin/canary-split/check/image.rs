//! Which module the gateway fetches, and what becomes of requests while it has none.

use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;

const FAIL_STRATEGY: Code = Code {
    name: "fail-strategy",
    severity: Severity::Warning,
    why: "while the module cannot be fetched or loaded, the gateway refuses all requests, those to other applications too; FAIL_CLOSE is the default",
    fix: "set failStrategy: FAIL_OPEN, or failOpen: true in an EnvoyExtensionPolicy; everybody then sees stable meanwhile",
};

const WITHOUT_DIGEST: Code = Code {
    name: "image-without-digest",
    severity: Severity::Warning,
    why: "the url may lead to another module tomorrow: pods that start later then decide with another build than the others",
    fix: "pin what you have tested: @sha256:… in the url, or sha256 next to it; make image prints the digest",
};

/// The codes of this file.
pub const CODES: [&Code; 2] = [&FAIL_STRATEGY, &WITHOUT_DIGEST];

/// Looks at every plugin.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    for plugin in &world.plugins {
        let (Some(object), Some(module)) = (plugin.object(), plugin.module()) else {
            continue;
        };
        let (Some(url), digest) = plugin.url() else { continue };
        let field = if plugin.is_policy() { "failOpen" } else { "failStrategy" };
        let strategy = module.get(field);
        let said = strategy.map(|strategy| strategy.text().map_or_else(|| strategy.to_json(), str::to_owned));
        match said.as_deref().filter(|said| *said != "null") {
            Some("FAIL_OPEN") if !plugin.is_policy() => {}
            Some("true") if plugin.is_policy() => {}
            Some(other) => {
                let span = &strategy.unwrap_or(url).span;
                findings.push(Finding::new(&FAIL_STRATEGY, &object.source, span, format!("{field}: {other}")));
            }
            None => {
                let message = format!("{} has no {field}", object.title());
                findings.push(Finding::new(&FAIL_STRATEGY, &object.source, &url.span, message));
            }
        }
        let text = url.text().unwrap_or_default();
        let is_pinned =
            text.contains("@sha256:") || digest.is_some_and(|digest| !["null", "\"\""].contains(&&*digest.to_json()));
        // A file is a part of the gateway's own image.
        if !is_pinned && !text.is_empty() && !text.starts_with("file://") {
            let message = format!("{text} names no digest");
            findings.push(Finding::new(&WITHOUT_DIGEST, &object.source, &url.span, message));
        }
    }
}

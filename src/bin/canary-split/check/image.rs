//! Which module the gateway fetches, and what becomes of requests while it has none.

use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;

const FAIL_STRATEGY: Code = Code {
    name: "fail-strategy",
    severity: Severity::Warning,
    why: "while the module cannot be fetched or loaded, the gateway refuses all requests, those to other applications too; FAIL_CLOSE is the default",
    fix: "set failStrategy: FAIL_OPEN; everybody then sees stable meanwhile",
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
        let Some(url) = module.get("url") else { continue };
        let strategy = module.get("failStrategy");
        match strategy.and_then(Node::text) {
            Some("FAIL_OPEN") => {}
            Some(other) => {
                let span = &strategy.unwrap_or(url).span;
                findings.push(Finding::new(&FAIL_STRATEGY, &object.source, span, format!("failStrategy: {other}")));
            }
            None => {
                let message = format!("{} has no failStrategy", object.title());
                findings.push(Finding::new(&FAIL_STRATEGY, &object.source, &url.span, message));
            }
        }
        let text = url.text().unwrap_or_default();
        let is_pinned = text.contains("@sha256:")
            || module.get("sha256").is_some_and(|digest| !["null", "\"\""].contains(&&*digest.to_json()));
        // A file is a part of the gateway's own image.
        if !is_pinned && !text.is_empty() && !text.starts_with("file://") {
            let message = format!("{text} names no digest");
            findings.push(Finding::new(&WITHOUT_DIGEST, &object.source, &url.span, message));
        }
    }
}

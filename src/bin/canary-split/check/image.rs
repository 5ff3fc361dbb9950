//! Which module the gateway fetches, and what becomes of requests while it has none.

use crate::input::yaml::Node;
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

const URL: Code = Code {
    name: "image-url",
    severity: Severity::Error,
    why: "Envoy Gateway cannot fetch the module from there, though the cluster accepts it: everybody sees stable, or gets 500 without failOpen: true",
    fix: "write REGISTRY/REPOSITORY@sha256:… into code.image.url, without a scheme; a file on a web server is code: {type: HTTP, http: {url: https://…}}",
};

/// The codes of this file.
pub const CODES: [&Code; 3] = [&FAIL_STRATEGY, &WITHOUT_DIGEST, &URL];

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
        if let Some(problem) = misspelt(module, plugin.is_policy()) {
            findings.push(Finding::new(&URL, &object.source, &url.span, problem));
            continue;
        }
        let is_pinned =
            text.contains("@sha256:") || digest.is_some_and(|digest| !["null", "\"\""].contains(&&*digest.to_json()));
        // A file is a part of the gateway's own image.
        if !is_pinned && !text.is_empty() && !text.starts_with("file://") {
            let message = format!("{text} names no digest");
            findings.push(Finding::new(&WITHOUT_DIGEST, &object.source, &url.span, message));
        }
    }
}

/// What is wrong with the url in a policy of Envoy Gateway. An image may have `oci://`, which is put before it where it is missing.
fn misspelt(module: &Node, is_policy: bool) -> Option<String> {
    let text = |keys: &[&str]| module.at(keys).and_then(Node::text).filter(|text| is_policy && !text.is_empty());
    if let Some(url) = text(&["code", "http", "url"]) {
        let is_known = ["http://", "https://", "oci://"].iter().any(|scheme| url.starts_with(scheme));
        return (!is_known).then(|| format!("{url} in code.http does not begin with https:// or http://"));
    }
    let image = text(&["code", "image", "url"])?;
    let name = image.strip_prefix("oci://").unwrap_or(image);
    if let Some((scheme, _)) = name.split_once("://") {
        return Some(format!("{image} in code.image begins with {scheme}://, and is no name of an image"));
    }
    // Its host may have any letters.
    let (_, repository) = name.split_once('/').unwrap_or(("", name));
    let repository = repository.split(['@', ':']).next().unwrap_or_default();
    let is_upper = repository.bytes().any(|byte| byte.is_ascii_uppercase());
    is_upper.then(|| format!("{image} in code.image has capital letters in the name of the repository"))
}

//! Which module the gateway fetches, and what becomes of requests while it has none.

use crate::input::manifest::Object;
use crate::input::yaml::{Node, Value};
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
    why: "the gateway cannot fetch the module from there: everybody sees stable, or gets an error without failStrategy: FAIL_OPEN or failOpen: true",
    fix: "write oci://REGISTRY/REPOSITORY@sha256:… into url of a WasmPlugin, or https://… or file:///…; in an EnvoyExtensionPolicy write the image into code.image.url without a scheme, and a file on a web server as code: {type: HTTP, http: {url: https://…}}",
};

/// The codes of this file.
pub const CODES: [&Code; 3] = [&FAIL_STRATEGY, &WITHOUT_DIGEST, &URL];

/// Looks at every plugin.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    for plugin in &world.plugins {
        let (Some(object), Some(module)) = (plugin.object(), plugin.module()) else {
            continue;
        };
        let (url, digest) = plugin.url();
        let Some(url) = url.filter(|url| !matches!(url.value, Value::Null)) else {
            // A file may be a patch of the plugin that has it.
            if !plugin.is_policy() && object.source.rendered_from.is_some() {
                findings.push(without(object));
            }
            continue;
        };
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
        let problem = if plugin.is_policy() { misspelt(module) } else { unknown_to_istio(url) };
        if let Some(problem) = problem {
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
fn misspelt(module: &Node) -> Option<String> {
    let text = |keys: &[&str]| module.at(keys).and_then(Node::text).filter(|text| !text.is_empty());
    if let Some(url) = text(&["code", "http", "url"]) {
        let is_known = ["http://", "https://", "oci://"].iter().any(|scheme| url.starts_with(scheme));
        return (!is_known).then(|| format!("{url} in code.http does not begin with https:// or http://"));
    }
    let image = text(&["code", "image", "url"])?;
    let name = image.strip_prefix("oci://").unwrap_or(image);
    if let Some((scheme, _)) = name.split_once("://") {
        return Some(format!("{image} in code.image begins with {scheme}://, and is no name of an image"));
    }
    is_upper(name).then(|| format!("{image} in code.image has capital letters in the name of the repository"))
}

/// Whether the repository of an image has capital letters; its host may have any.
fn is_upper(image: &str) -> bool {
    let (_, repository) = image.split_once('/').unwrap_or(("", image));
    let repository = repository.split(['@', ':']).next().unwrap_or_default();
    repository.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// What is wrong with the url of a plugin of Istio's, which takes one without a scheme for an image.
fn unknown_to_istio(node: &Node) -> Option<String> {
    let Some(url) = node.text().filter(|url| !url.is_empty()) else {
        return Some("url is empty; it names no module".to_owned());
    };
    // What a template is still to fill in may be anything.
    if url.contains(['$', '{', '<']) {
        return None;
    }
    let begins = url.split(['/', '@', '?', '#']).next().unwrap_or_default();
    let Some((scheme, after)) = begins.split_once(':') else {
        // A colon before the first slash ends a scheme.
        let is_split = url.split('/').next().unwrap_or_default().contains(':');
        let problem = || format!("{url} has a colon before its first slash: write oci:// before it");
        return image(url, url.strip_prefix("//").unwrap_or(url)).or(is_split.then(problem));
    };
    let rest = if after.is_empty() { url.get(begins.len()..).unwrap_or_default() } else { "" };
    match (&*scheme.to_ascii_lowercase(), rest.strip_prefix("//")) {
        ("oci", Some(name)) => image(url, name),
        ("http" | "https", Some(name)) if !name.is_empty() && !name.starts_with('/') => None,
        ("file", Some(path)) if !path.is_empty() => None,
        ("http" | "https" | "file", Some(_)) => Some(format!("{url} names nothing after {scheme}://")),
        (known @ ("oci" | "http" | "https" | "file"), None) => {
            Some(format!("{url} begins with {scheme}: and not with {known}://"))
        }
        (_, Some(_)) => Some(format!(
            "{url} begins with {scheme}://, which Istio does not know; it knows oci://, https://, http:// and file://"
        )),
        (_, None) => {
            Some(format!("{url} begins with {scheme}:, which Istio takes for a scheme: write oci:// before it"))
        }
    }
}

/// What is wrong with an image, without its scheme.
fn image(url: &str, name: &str) -> Option<String> {
    match name.split_once("://") {
        Some((scheme, _)) => Some(format!("{url} has two schemes: leave out {scheme}://")),
        None if name.is_empty() || name.starts_with(['/', '@', ':']) => Some(format!("{url} names no registry")),
        None => is_upper(name).then(|| format!("{url} has capital letters in the name of the repository")),
    }
}

fn without(object: &Object) -> Finding {
    let node = object.at(&["metadata", "name"]).unwrap_or(&object.node);
    let message = format!("{} has no url: it names no module", object.title());
    Finding::new(&URL, &object.source, &node.span, message)
}

#[cfg(test)]
mod tests {
    use super::unknown_to_istio;
    use crate::input::yaml::{Node, Value};

    #[test]
    fn a_url_is_read_as_istio_reads_it() {
        let sum = format!("@sha256:{}", "4be1c09a".repeat(8));
        let table = [
            ("oci://registry.acme.io/canary-split", true),
            ("OCI://registry.acme.io:5000/canary-split", true),
            ("registry.acme.io/canary-split", true),
            ("https://files.acme.io/canary-split.wasm?a=1", true),
            ("http://files.acme.io:8080/canary-split.wasm", true),
            ("file:///etc/canary-split.wasm", true),
            ("oci:/registry.acme.io/canary-split", false),
            ("oci:registry.acme.io/canary-split", false),
            ("oci:///canary-split", false),
            ("oci://", false),
            ("oci://https://registry.acme.io/canary-split", false),
            ("oci://oci://registry.acme.io/canary-split", false),
            ("docker://registry.acme.io/canary-split", false),
            ("ocl://registry.acme.io/canary-split", false),
            ("https:/files.acme.io/canary-split.wasm", false),
            ("https:///canary-split.wasm", false),
            ("file:/etc/canary-split.wasm", false),
            ("//registry.acme.io/canary-split", true),
            ("registry.acme.io:5000/canary-split", false),
            ("localhost:5000/canary-split", false),
            ("canary-split:1.0", false),
            ("oci://registry.acme.io/Canary-Split", false),
            ("oci://registry.acme.io/${REPOSITORY}/canary-split", true),
            ("", false),
        ];
        for (url, is_known) in table {
            for sum in ["", &sum] {
                let text = if url.is_empty() { String::new() } else { format!("{url}{sum}") };
                let node = Node { value: Value::String(text.as_str().into()), span: 0..0, is_alias: false };
                assert_eq!(unknown_to_istio(&node).is_none(), is_known, "{text} {:?}", unknown_to_istio(&node));
            }
        }
    }
}

//! Values that are still to be filled in: it is unknown what will be applied.

use super::yaml::Node;
use std::ops::Range;

/// Kinds whose texts may be meant for the programs in a pod.
const PODS: [&str; 6] = ["Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout"];

/// Fields whose texts may well have braces.
const TEXTS: [&str; 6] = ["regex", "safe_regex", "string", "bytes", "rewrite", "annotations"];

/// Where an object has a placeholder.
pub fn placeholder(kind: &str, object: &Node) -> Option<Range<usize>> {
    if !PODS.contains(&kind) {
        return find(object);
    }
    let template = ["spec", "template", "metadata"];
    let parts = [object.get("metadata"), object.at(&["spec", "selector"]), object.at(&template)];
    parts.into_iter().flatten().find_map(find)
}

fn find(node: &Node) -> Option<Range<usize>> {
    if node.text().is_some_and(is_placeholder) {
        return Some(node.span.clone());
    }
    let entries = node.entries().iter().filter(|(key, _)| !TEXTS.contains(&&*key.name)).map(|(_, value)| value);
    node.items().iter().chain(entries).find_map(find)
}

/// Braces of Helm, Go or Jinja anywhere; `${…}` as the whole.
fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let is_whole = |open: &str| {
        text.strip_prefix(open)
            .and_then(|rest| rest.strip_suffix('}'))
            .is_some_and(|name| !name.contains(['{', '}']) && !name.is_empty())
    };
    let has = |open: &str, close: &str| {
        text.find(open).is_some_and(|at| text.get(at..).is_some_and(|rest| rest.contains(close)))
    };
    is_whole("${") || is_whole("$${") || has("{{", "}}") || has("{%", "%}")
}

#[cfg(test)]
mod tests {
    use super::is_placeholder;

    #[test]
    fn what_is_put_in_later_is_known_by_its_braces() {
        for text in ["${WEIGHT}", "{{ .Values.host }}", "a.{{ domain }}", " ${A_B:-1} ", "{% if x %}", "{{- x -}}"] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["", "$", "${}", "$(WEIGHT)", "a{2}", "{a}", "%REQ(:path)%", "^/[a-z]{2}$", "}} {{", "x${Y}"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}

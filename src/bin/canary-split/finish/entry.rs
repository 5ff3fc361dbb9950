//! The conditions of an entry of a match, apart from one header: as a VirtualService would write them.

use serde_json::{Map, Value, json};

/// An entry of a rule of the Gateway API.
pub struct Entry {
    /// The exact value that it asks for; an error: it asks otherwise.
    pub value: Result<Option<String>, ()>,
    /// Its other conditions.
    pub rest: Value,
}

/// The entries of a rule of a route of this kind; without any, one that takes every request.
pub fn of_rule(rule: &Value, kind: &str, header: &str) -> Vec<Entry> {
    let entries = rule.get("matches").and_then(Value::as_array).filter(|entries| !entries.is_empty());
    match entries {
        None => vec![Entry { value: Ok(None), rest: Map::new().into() }],
        Some(entries) => entries.iter().map(|entry| of_entry(entry, kind, header)).collect(),
    }
}

fn of_entry(entry: &Value, kind: &str, header: &str) -> Entry {
    let mut rest = entry.as_object().cloned().unwrap_or_default();
    let mut value = Ok(None);
    if let Some(Value::Array(headers)) = rest.remove("headers") {
        let text = |asked: &Value, key: &str| asked.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_header = |asked: &Value| text(asked, "name").eq_ignore_ascii_case(header);
        let is_exact = |asked: &Value| ["", "Exact"].contains(&&*text(asked, "type"));
        let (own, others): (Vec<Value>, Vec<Value>) = headers.into_iter().partition(is_header);
        value = match own.as_slice() {
            [] => Ok(None),
            [asked, ..] if is_exact(asked) => Ok(Some(text(asked, "value"))),
            _ => Err(()),
        };
        if !others.is_empty() {
            rest.insert("headers".to_owned(), others.into());
        }
    }
    if kind == "httproute"
        && let Some(path) = rest.remove("path")
    {
        let text = |key: &str, usual: &str| path.get(key).and_then(Value::as_str).unwrap_or(usual).to_owned();
        let value = text("value", "/");
        let uri = match &*text("type", "PathPrefix") {
            "PathPrefix" => {
                Some(value.trim_end_matches('/')).filter(|path| !path.is_empty()).map(|path| json!({ "below": path }))
            }
            "Exact" => Some(json!({ "exact": value })),
            _ => Some(json!({ "regex": value })),
        };
        rest.extend(uri.map(|uri| ("uri".to_owned(), uri)));
    }
    Entry { value, rest: rest.into() }
}

/// Whether one request may match an entry of both.
pub fn are_overlapping(one: &[Value], other: &[Value]) -> bool {
    one.iter().any(|one| other.iter().any(|other| !are_disjoint(one, other)))
}

/// Whether all requests that meet an entry meet another one; unknown counts as no.
pub fn is_within(one: &Value, other: &Value) -> bool {
    let ignores = |entry: &Value| entry.get("ignoreUriCase").is_some();
    let is_of_path = other.as_object().is_some_and(|fields| fields.keys().all(|key| key == "uri"));
    if !is_of_path || other.get("uri").is_none() {
        return is_of_path;
    }
    let (Some(own), Some(around)) = (uri(one).filter(|_| !ignores(one)), uri(other)) else { return false };
    match (own, around) {
        (Uri::Prefix(_) | Uri::Below(_), Uri::Exact(_)) => false,
        (Uri::Prefix(prefix), Uri::Below(base)) => prefix.strip_prefix(base).is_some_and(|rest| rest.starts_with('/')),
        _ => may_meet(own, around),
    }
}

/// A condition on a path.
#[derive(Clone, Copy)]
enum Uri<'v> {
    Exact(&'v str),
    Prefix(&'v str),
    /// This path, and all that is below it.
    Below(&'v str),
}

fn are_disjoint(one: &Value, other: &Value) -> bool {
    let ignores = |entry: &Value| entry.get("ignoreUriCase").is_some_and(|value| *value == Value::Bool(true));
    if ignores(one) || ignores(other) {
        return false;
    }
    let (Some(one), Some(other)) = (uri(one), uri(other)) else { return false };
    !may_meet(one, other) && !may_meet(other, one)
}

fn uri(entry: &Value) -> Option<Uri<'_>> {
    let text = |key: &str| entry.get("uri")?.get(key)?.as_str();
    let exact = text("exact").map(Uri::Exact);
    exact.or(text("prefix").map(Uri::Prefix)).or(text("below").map(Uri::Below))
}

/// Whether the text of one is a path of the other.
fn may_meet(one: Uri, other: Uri) -> bool {
    let (Uri::Exact(path) | Uri::Prefix(path) | Uri::Below(path)) = one;
    match other {
        Uri::Exact(exact) => path == exact,
        Uri::Prefix(prefix) => path.starts_with(prefix),
        Uri::Below(base) => path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::{are_overlapping, is_within, of_rule};
    use serde_json::json;

    #[test]
    fn an_entry_is_read_as_a_virtual_service_would_write_it() {
        let header = |kind: &str| json!({"headers": [{"name": "X-Canary-Subset", "value": "v2", "type": kind}]});
        let other = json!([{"name": "x-a", "value": "b"}]);
        let with_other = json!({"headers": [other[0], {"name": "x-canary-subset", "value": "v2"}]});
        let path = |path| json!({ "path": path });
        for (entry, value, rest) in [
            (json!({}), Ok(None), json!({})),
            (header("Exact"), Ok(Some("v2")), json!({})),
            (header("RegularExpression"), Err(()), json!({})),
            (with_other, Ok(Some("v2")), json!({ "headers": other })),
            (json!({ "headers": other }), Ok(None), json!({ "headers": other })),
            (path(json!({})), Ok(None), json!({})),
            (path(json!({"type": "PathPrefix", "value": "/"})), Ok(None), json!({})),
            (path(json!({"value": "/a/"})), Ok(None), json!({"uri": {"below": "/a"}})),
            (path(json!({"type": "Exact", "value": "/a"})), Ok(None), json!({"uri": {"exact": "/a"}})),
            (path(json!({"type": "RegularExpression", "value": "/a"})), Ok(None), json!({"uri": {"regex": "/a"}})),
            (json!({"method": "GET"}), Ok(None), json!({"method": "GET"})),
        ] {
            let read = of_rule(&json!({"matches": [entry]}), "httproute", "x-canary-subset");
            let [read] = read.as_slice() else { panic!("{entry}") };
            assert_eq!(
                (read.value.as_ref().map(Option::as_deref), &read.rest),
                (value.as_ref().map(|value| *value), &rest),
                "{entry}"
            );
        }
        for rule in [json!({}), json!({"matches": []})] {
            let read = of_rule(&rule, "httproute", "x-canary-subset");
            assert!(matches!(read.as_slice(), [all] if all.value == Ok(None) && all.rest == json!({})), "{rule}");
        }
    }

    #[test]
    fn paths_are_apart_if_no_request_has_both() {
        let uri = |kind: &str, path: &str| vec![json!({"uri": {kind: path}})];
        for (one, other, expected) in [
            (uri("exact", "/a"), uri("exact", "/a"), true),
            (uri("exact", "/a"), uri("exact", "/b"), false),
            (uri("exact", "/ab"), uri("prefix", "/a"), true),
            (uri("exact", "/ab"), uri("below", "/a"), false),
            (uri("exact", "/a/b"), uri("below", "/a"), true),
            (uri("prefix", "/a"), uri("prefix", "/ab"), true),
            (uri("prefix", "/a"), uri("prefix", "/b"), false),
            (uri("below", "/a"), uri("below", "/ab"), false),
            (uri("below", "/a"), uri("below", "/a/b"), true),
            (uri("regex", "/a"), uri("exact", "/b"), true),
            (vec![json!({"uri": {"exact": "/a"}, "ignoreUriCase": true})], uri("exact", "/b"), true),
            (vec![json!({})], uri("exact", "/b"), true),
        ] {
            assert_eq!(are_overlapping(&one, &other), expected, "{one:?} {other:?}");
            assert_eq!(are_overlapping(&other, &one), expected, "{other:?} {one:?}");
        }
    }

    #[test]
    fn an_entry_is_within_one_that_takes_all_its_paths() {
        let uri = |kind: &str, path: &str| json!({"uri": {kind: path}});
        for (one, other, expected) in [
            (uri("exact", "/a/b"), uri("below", "/a"), true),
            (uri("exact", "/ab"), uri("below", "/a"), false),
            (uri("exact", "/ab"), uri("prefix", "/a"), true),
            (uri("prefix", "/a"), uri("exact", "/a"), false),
            (uri("below", "/a"), uri("exact", "/a"), false),
            (uri("prefix", "/a/"), uri("below", "/a"), true),
            (uri("prefix", "/a"), uri("below", "/a"), false),
            (uri("below", "/a/b"), uri("below", "/a"), true),
            (uri("below", "/a"), uri("below", "/a/b"), false),
            (uri("below", "/a"), uri("prefix", "/a/"), false),
            (uri("below", "/a"), json!({}), true),
            (json!({}), uri("below", "/a"), false),
            (uri("regex", "/a"), uri("below", "/a"), false),
            (uri("exact", "/a"), uri("regex", "/a"), false),
            (uri("exact", "/a"), json!({"uri": {"exact": "/a"}, "method": {"exact": "GET"}}), false),
            (json!({"uri": {"exact": "/a"}, "method": {"exact": "GET"}}), uri("exact", "/a"), true),
            (json!({"uri": {"exact": "/a"}, "ignoreUriCase": true}), uri("exact", "/a"), false),
        ] {
            assert_eq!(is_within(&one, &other), expected, "{one} {other}");
        }
    }
}

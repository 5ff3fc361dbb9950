//! An entry of `matches` of the Gateway API: its conditions, and how specific it is.

use super::asked::{Asked, Subject, Written};
use super::text::Text;
use crate::input::yaml::Node;
use std::cell::OnceCell;
use std::cmp::Reverse;

/// What comes first, whatever the order in the text: an exact path, then the longer path, then a method, then more headers, then
/// more query parameters. Which regex of a path comes first is not said anywhere; Istio tries it last, as is done here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(Reverse<(u8, usize, bool, usize, usize)>);

/// The conditions of an entry; without one, those of every request.
pub fn read<'o>(kind: &str, entry: Option<&'o Node>) -> (Vec<Asked<'o>>, Rank) {
    let path = if kind == "GRPCRoute" { grpc(entry) } else { path(entry) };
    let method = entry.filter(|_| kind != "GRPCRoute").and_then(|entry| text(entry, "method"));
    let list = |key: &str| entry.and_then(|entry| entry.get(key)).map_or(&[][..], Node::items);
    let (headers, params) = (list("headers"), list("queryParams"));
    let rank = (path.0, path.1, method.is_some(), headers.len(), params.len());
    let mut all: Vec<Asked> = path.2.into_iter().map(|text| Asked::of_other(Subject::Uri, text)).collect();
    all.extend(method.map(|method| Asked::of_other(Subject::Method, Text::Exact(method))));
    all.extend(headers.iter().filter_map(header));
    all.extend(
        params
            .iter()
            .filter_map(|param| Some(Asked::of_other(Subject::QueryParam(text(param, "name")?), value(param)))),
    );
    // What is not known here may be anything.
    let others = entry.map_or(&[][..], Node::entries).iter();
    let others = others.filter(|(key, _)| !["path", "method", "headers", "queryParams"].contains(&&*key.name));
    all.extend(others.map(|(key, node)| Asked::of_other(Subject::Other(&key.name), Text::Unclear(node))));
    (all, Rank(Reverse(rank)))
}

fn text<'o>(node: &'o Node, key: &str) -> Option<&'o str> {
    node.get(key)?.text()
}

/// The rank of a path, its length, and the condition on it.
fn path(entry: Option<&Node>) -> (u8, usize, Option<Text<'_>>) {
    let Some(node) = entry.and_then(|entry| entry.get("path")) else { return (2, 1, None) };
    let value = text(node, "value").unwrap_or("/");
    match text(node, "type").unwrap_or("PathPrefix") {
        "Exact" => (3, value.len(), Some(Text::Exact(value))),
        // The slash at the end makes no difference.
        "PathPrefix" => {
            let below = value.strip_suffix('/').unwrap_or(value);
            (2, below.len().max(1), Some(Text::Below(below)))
        }
        "RegularExpression" => (1, value.len(), Some(Text::Regex(value, OnceCell::new()))),
        _ => (1, value.len(), Some(Text::Unclear(node))),
    }
}

/// The same of a gRPC method, `/SERVICE/METHOD`.
fn grpc(entry: Option<&Node>) -> (u8, usize, Option<Text<'_>>) {
    let Some(node) = entry.and_then(|entry| entry.get("method")) else { return (2, 1, None) };
    let lengths = ["service", "method"].map(|key| text(node, key).map_or(0, str::len));
    let [service, method] = lengths;
    let is_exact = text(node, "type").is_none_or(|kind| kind == "Exact");
    let kind = match (service, method) {
        (0, 0) => return (2, 1, None),
        (0, _) => 1,
        (_, 0) if is_exact => 2,
        _ if is_exact => 3,
        _ => 1,
    };
    (kind, service + method + 2, Some(Text::Unclear(node)))
}

/// A condition on a header.
fn header(node: &Node) -> Option<Asked<'_>> {
    let name = node.get("name")?;
    let value = value(node);
    let exact = node.get("value").and_then(|node| Some((node, node.text()?)));
    let exact = exact.filter(|_| matches!(value, Text::Exact(_)));
    Some(Asked::of_header(value, Written { name: (&name.span, name.text()?), node, exact }))
}

/// What a header or a query parameter is compared with.
fn value(node: &Node) -> Text<'_> {
    match (text(node, "type").unwrap_or("Exact"), text(node, "value")) {
        ("Exact", Some(value)) => Text::Exact(value),
        ("RegularExpression", Some(value)) => Text::Regex(value, OnceCell::new()),
        _ => Text::Unclear(node),
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::input::yaml::Node;

    fn entry(text: &str) -> Node {
        crate::input::sources::Source::new("a".to_owned(), text).read().0.remove(0)
    }

    #[test]
    fn the_most_specific_comes_first_whatever_the_order_in_the_text() {
        let entries = [
            "{path: {type: Exact, value: /a}}",
            "{path: {value: /a/b}}",
            "{path: {type: PathPrefix, value: /a}, method: GET}",
            "{path: {type: PathPrefix, value: /a/}, headers: [{name: x, value: '1'}, {name: y, value: '1'}]}",
            "{path: {value: /a}, headers: [{name: x, value: '1'}], queryParams: [{name: q, value: '1'}]}",
            "{path: {value: /a}, headers: [{name: x, value: '1'}]}",
            "{path: {value: /a}, queryParams: [{name: q, value: '1'}]}",
            "{method: POST}",
            "{headers: [{name: x, value: '1'}]}",
            "{path: {type: PathPrefix, value: /}}",
            "{path: {type: RegularExpression, value: /.*}}",
        ];
        let nodes = entries.map(entry);
        let ranks: Vec<_> = nodes.iter().map(|node| read("HTTPRoute", Some(node)).1).collect();
        assert!(ranks.is_sorted() && ranks.windows(2).all(|two| two[0] != two[1]), "{ranks:?}");
        assert_eq!(read("HTTPRoute", None).1, ranks[9]);
    }

    #[test]
    fn a_grpc_method_comes_before_its_service() {
        let entries =
            ["{method: {service: a.B, method: C}}", "{method: {service: a.B}}", "{}", "{method: {method: C}}"];
        let nodes = entries.map(entry);
        let ranks: Vec<_> = nodes.iter().map(|node| read("GRPCRoute", Some(node)).1).collect();
        assert!(ranks.is_sorted() && ranks.windows(2).all(|two| two[0] != two[1]), "{ranks:?}");
    }
}

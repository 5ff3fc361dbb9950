//! An entry of `matches` of the Gateway API: its conditions, and how specific it is.

use super::asked::{Asked, Subject, Written};
use super::text::Text;
use crate::input::yaml::Node;
use std::cell::OnceCell;
use std::cmp::Reverse;

/// How specific an entry is, to each of the two who order entries by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    istio: Specificity,
    envoy_gateway: Specificity,
}

/// The most specific comes first, whatever the order in the text.
pub type Specificity = Reverse<[usize; 6]>;

/// Who orders entries. The Gateway API says: an exact path, then the longer path, then a method, then more headers, then more query
/// parameters. What it leaves open differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precedence {
    /// A regex of a path comes last (pilot/pkg/config/kube/gateway/conversion.go).
    Istio,
    /// A regex of a path comes before prefixes, a method is a header, and of as many headers the exact ones count more
    /// (internal/gatewayapi/sort.go).
    EnvoyGateway,
}

impl Rank {
    /// As one of them reads it.
    pub fn by(self, precedence: Precedence) -> Specificity {
        match precedence {
            Precedence::Istio => self.istio,
            Precedence::EnvoyGateway => self.envoy_gateway,
        }
    }
}

/// The conditions of an entry; without one, those of every request.
pub fn read<'o>(kind: &str, entry: Option<&'o Node>) -> (Vec<Asked<'o>>, Rank) {
    let path = if kind == "GRPCRoute" { grpc(entry) } else { path(entry) };
    let method = entry.filter(|_| kind != "GRPCRoute").and_then(|entry| text(entry, "method"));
    let list = |key: &str| entry.and_then(|entry| entry.get(key)).map_or(&[][..], Node::items);
    let (headers, params) = (list("headers"), list("queryParams"));
    let exact = |list: &[Node]| list.iter().filter(|node| matches!(value(node), Text::Exact(_))).count();
    let method_count = usize::from(method.is_some());
    let rank = Rank {
        istio: Reverse([path.0.istio(), path.1, method_count, headers.len(), params.len(), 0]),
        envoy_gateway: Reverse([
            path.0.envoy_gateway(),
            path.1,
            headers.len() + method_count,
            exact(headers) + method_count,
            params.len(),
            exact(params),
        ]),
    };
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
    (all, rank)
}

fn text<'o>(node: &'o Node, key: &str) -> Option<&'o str> {
    node.get(key)?.text()
}

/// How a path is compared.
#[derive(Clone, Copy)]
enum PathKind {
    Regex,
    Prefix,
    Exact,
}

impl PathKind {
    fn istio(self) -> usize {
        match self {
            PathKind::Exact => 2,
            PathKind::Prefix => 1,
            PathKind::Regex => 0,
        }
    }

    fn envoy_gateway(self) -> usize {
        match self {
            PathKind::Exact => 2,
            PathKind::Regex => 1,
            PathKind::Prefix => 0,
        }
    }
}

/// How a path is compared, its length, and the condition on it.
fn path(entry: Option<&Node>) -> (PathKind, usize, Option<Text<'_>>) {
    let Some(node) = entry.and_then(|entry| entry.get("path")) else { return (PathKind::Prefix, 1, None) };
    let value = text(node, "value").unwrap_or("/");
    match text(node, "type").unwrap_or("PathPrefix") {
        "Exact" => (PathKind::Exact, value.len(), Some(Text::Exact(value))),
        // The slash at the end makes no difference.
        "PathPrefix" => {
            let below = value.strip_suffix('/').unwrap_or(value);
            (PathKind::Prefix, below.len().max(1), Some(Text::Below(below)))
        }
        "RegularExpression" => (PathKind::Regex, value.len(), Some(Text::Regex(value, OnceCell::new()))),
        _ => (PathKind::Regex, value.len(), Some(Text::Unclear(node))),
    }
}

/// The same of a gRPC method, `/SERVICE/METHOD`.
fn grpc(entry: Option<&Node>) -> (PathKind, usize, Option<Text<'_>>) {
    let Some(node) = entry.and_then(|entry| entry.get("method")) else { return (PathKind::Prefix, 1, None) };
    let lengths = ["service", "method"].map(|key| text(node, key).map_or(0, str::len));
    let [service, method] = lengths;
    let is_exact = text(node, "type").is_none_or(|kind| kind == "Exact");
    let kind = match (service, method) {
        (0, 0) => return (PathKind::Prefix, 1, None),
        (0, _) => PathKind::Regex,
        (_, 0) if is_exact => PathKind::Prefix,
        _ if is_exact => PathKind::Exact,
        _ => PathKind::Regex,
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
    use super::{Precedence, read};
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
        let ranks: Vec<_> = nodes.iter().map(|node| read("HTTPRoute", Some(node)).1.by(Precedence::Istio)).collect();
        assert!(ranks.is_sorted() && ranks.windows(2).all(|two| two[0] != two[1]), "{ranks:?}");
        assert_eq!(read("HTTPRoute", None).1.by(Precedence::Istio), ranks[9]);
    }

    #[test]
    fn to_envoy_gateway_a_method_is_a_header_and_a_regex_comes_before_prefixes() {
        let entries = [
            "{path: {type: Exact, value: /a}}",
            "{path: {type: RegularExpression, value: /.*}}",
            "{path: {value: /a/b}}",
            "{path: {value: /a}, headers: [{name: x, value: '1'}, {name: y, value: '1'}]}",
            "{path: {value: /a}, headers: [{name: x, value: '1'}, {name: y, type: RegularExpression, value: '1'}]}",
            "{path: {value: /a}, method: GET}",
            "{path: {value: /a}, headers: [{name: x, type: RegularExpression, value: '1'}]}",
            "{path: {value: /a}, queryParams: [{name: q, value: '1'}]}",
            "{path: {value: /a}, queryParams: [{name: q, type: RegularExpression, value: '1'}]}",
            "{path: {value: /a}}",
        ];
        let nodes = entries.map(entry);
        let rank = |node| read("HTTPRoute", Some(node)).1.by(Precedence::EnvoyGateway);
        let ranks: Vec<_> = nodes.iter().map(rank).collect();
        assert!(ranks.is_sorted() && ranks.windows(2).all(|two| two[0] != two[1]), "{ranks:?}");
    }

    #[test]
    fn a_grpc_method_comes_before_its_service() {
        let entries =
            ["{method: {service: a.B, method: C}}", "{method: {service: a.B}}", "{}", "{method: {method: C}}"];
        let nodes = entries.map(entry);
        let ranks: Vec<_> = nodes.iter().map(|node| read("GRPCRoute", Some(node)).1.by(Precedence::Istio)).collect();
        assert!(ranks.is_sorted() && ranks.windows(2).all(|two| two[0] != two[1]), "{ranks:?}");
    }
}

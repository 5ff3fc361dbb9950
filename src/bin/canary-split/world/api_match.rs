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
/// parameters. The rest is up to each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precedence {
    /// A regex of a path comes last (pilot/pkg/config/kube/gateway/conversion.go).
    Istio,
    /// A regex of a path comes before prefixes, of which a slash at the end counts; a method is a header, and of as many headers the
    /// exact ones count more (internal/gatewayapi/sort.go).
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

    /// How specific its path is; two entries of which this is the same differ by the rest.
    pub fn path(self, precedence: Precedence) -> [usize; 2] {
        let Reverse([kind, length, ..]) = self.by(precedence);
        [kind, length]
    }

    /// That of an entry that asks for an exact header more.
    pub fn with_header(mut self) -> Rank {
        let Reverse([_, _, _, headers, ..]) = &mut self.istio;
        *headers += 1;
        let Reverse([_, _, headers, exact, ..]) = &mut self.envoy_gateway;
        *headers += 1;
        *exact += 1;
        self
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
        istio: Reverse([path.istio.0.to_istio(), path.istio.1, method_count, headers.len(), params.len(), 0]),
        envoy_gateway: Reverse([
            path.envoy_gateway.0.to_envoy_gateway(),
            path.envoy_gateway.1,
            headers.len() + method_count + path.suffixes,
            exact(headers) + method_count,
            params.len(),
            exact(params),
        ]),
    };
    let mut all: Vec<Asked> = path.text.into_iter().map(|text| Asked::of_other(Subject::Uri, text)).collect();
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

/// A condition on the path, and how specific it is to each of the two: how it is compared, and its length.
struct Path<'o> {
    istio: (PathKind, usize),
    envoy_gateway: (PathKind, usize),
    /// Conditions on the end of a path, which are headers to Envoy Gateway.
    suffixes: usize,
    text: Option<Text<'o>>,
}

/// How a path is compared.
#[derive(Clone, Copy)]
enum PathKind {
    /// Not at all, as that of a gRPC call whose method does not matter.
    Open,
    Regex,
    Prefix,
    Exact,
}

impl PathKind {
    fn to_istio(self) -> usize {
        match self {
            PathKind::Exact => 3,
            PathKind::Prefix => 2,
            PathKind::Regex => 1,
            PathKind::Open => 0,
        }
    }

    fn to_envoy_gateway(self) -> usize {
        match self {
            PathKind::Exact => 2,
            PathKind::Regex => 1,
            PathKind::Prefix | PathKind::Open => 0,
        }
    }
}

impl<'o> Path<'o> {
    /// One that both compare alike.
    fn alike(kind: PathKind, length: usize, text: Option<Text<'o>>) -> Path<'o> {
        Path { istio: (kind, length), envoy_gateway: (kind, length), suffixes: 0, text }
    }
}

/// The condition on the path of an HTTPRoute; the API server fills in the prefix `/` where there is none.
fn path(entry: Option<&Node>) -> Path<'_> {
    let node = entry.and_then(|entry| entry.get("path"));
    let own = |key: &str| node.and_then(|node| text(node, key));
    let value = own("value").unwrap_or("/");
    match own("type").unwrap_or("PathPrefix") {
        "Exact" => Path::alike(PathKind::Exact, value.len(), Some(Text::Exact(value))),
        // The slash at the end makes no difference to what it takes. Envoy Gateway counts it, but for that of `/` alone.
        "PathPrefix" => {
            let below = value.strip_suffix('/').unwrap_or(value);
            let length = if below.is_empty() { 1 } else { value.len() };
            Path {
                istio: (PathKind::Prefix, below.len().max(1)),
                envoy_gateway: (PathKind::Prefix, length),
                suffixes: 0,
                text: node.map(|_| Text::Below(below)),
            }
        }
        "RegularExpression" => Path::alike(PathKind::Regex, value.len(), Some(Text::Regex(value, OnceCell::new()))),
        _ => Path::alike(PathKind::Regex, value.len(), node.map(Text::Unclear)),
    }
}

/// The same of a gRPC method, whose path is `/SERVICE/METHOD`.
fn grpc(entry: Option<&Node>) -> Path<'_> {
    let open = (PathKind::Open, 1);
    let Some(node) = entry.and_then(|entry| entry.get("method")) else { return Path::alike(open.0, open.1, None) };
    let [service, method] = ["service", "method"].map(|key| text(node, key).map_or(0, str::len));
    let is_exact = text(node, "type").is_none_or(|kind| kind == "Exact");
    let length = service + method + 2;
    // Only the order among each other counts.
    let regex = (PathKind::Regex, length);
    let (istio, envoy_gateway, suffixes) = match (service, method) {
        (0, 0) => return Path::alike(open.0, open.1, None),
        (0, _) if is_exact => (regex, open, 1),
        (_, 0) if is_exact => ((PathKind::Prefix, length), (PathKind::Prefix, length), 0),
        _ if is_exact => ((PathKind::Exact, length), (PathKind::Exact, length), 0),
        // What takes the place of the missing half is written out, and counts as well.
        (0, _) => (regex, (PathKind::Regex, length + ANY_SERVICE), 0),
        (_, 0) => (regex, (PathKind::Regex, length + ANY_METHOD), 0),
        _ => (regex, regex, 0),
    };
    Path { istio, envoy_gateway, suffixes, text: Some(Text::Unclear(node)) }
}

/// The lengths of the patterns that Envoy Gateway writes for any service and any method (internal/gatewayapi/route.go).
const ANY_SERVICE: usize = r"(?i)\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*".len();
const ANY_METHOD: usize = "[A-Za-z_][A-Za-z_0-9]*".len();

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
        // Istio leaves out a slash at the end.
        let istio = |text: &str| read("HTTPRoute", Some(&entry(text))).1.by(Precedence::Istio);
        assert_eq!(istio("{path: {value: /a/}}"), istio("{path: {value: /a}}"));
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
            "{path: {value: /a/}}",
            "{path: {value: /a}, headers: [{name: x, value: '1'}, {name: y, value: '1'}]}",
            "{path: {value: /a}, headers: [{name: x, value: '1'}, {name: y, type: RegularExpression, value: '1'}]}",
            "{path: {value: /a}, method: GET}",
            "{path: {value: /a}, headers: [{name: x, type: RegularExpression, value: '1'}]}",
            "{path: {value: /a}, queryParams: [{name: q, value: '1'}]}",
            "{path: {value: /a}, queryParams: [{name: q, type: RegularExpression, value: '1'}]}",
            "{path: {value: /a}}",
            "{path: {value: /}}",
        ];
        let nodes = entries.map(entry);
        let rank = |node| read("HTTPRoute", Some(node)).1.by(Precedence::EnvoyGateway);
        let ranks: Vec<_> = nodes.iter().map(rank).collect();
        assert!(ranks.is_sorted() && ranks.windows(2).all(|two| two[0] != two[1]), "{ranks:?}");
        assert_eq!(Some(&read("HTTPRoute", None).1.by(Precedence::EnvoyGateway)), ranks.last());
    }

    #[test]
    fn a_grpc_method_comes_before_its_service() {
        let table = [
            (
                Precedence::Istio,
                [
                    "{method: {service: a.B, method: C}}",
                    "{method: {service: a.B}}",
                    "{method: {method: C}, headers: [{name: x, value: '1'}]}",
                    "{method: {method: C}}",
                    "{headers: [{name: x, value: '1'}]}",
                    "{}",
                ],
            ),
            // A method without a service is a header there, though not an exact one.
            (
                Precedence::EnvoyGateway,
                [
                    "{method: {service: a.B, method: C}}",
                    "{method: {type: RegularExpression, method: C}}",
                    "{method: {service: a.B}}",
                    "{headers: [{name: x, value: '1'}]}",
                    "{method: {method: C}}",
                    "{}",
                ],
            ),
        ];
        for (precedence, entries) in table {
            let nodes = entries.map(entry);
            let ranks: Vec<_> = nodes.iter().map(|node| read("GRPCRoute", Some(node)).1.by(precedence)).collect();
            assert!(ranks.is_sorted() && ranks.windows(2).all(|two| two[0] != two[1]), "{ranks:?}");
            assert_eq!(Some(&read("GRPCRoute", None).1.by(precedence)), ranks.last());
        }
    }

    #[test]
    fn one_header_more_is_as_if_it_were_written() {
        let (one, more) = (
            entry("{path: {value: /a}, method: GET}"),
            entry("{path: {value: /a}, method: GET, headers: [{name: x, value: '1'}]}"),
        );
        assert_eq!(read("HTTPRoute", Some(&one)).1.with_header(), read("HTTPRoute", Some(&more)).1);
    }
}

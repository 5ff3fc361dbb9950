//! What one match of a route asks for.

use crate::input::manifest::Object;
use crate::input::yaml::{Key, Node};
use crate::world::api_match::{self, Rank};
use serde_json::{Map, Value, json};

/// One match of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The path.
    pub path: Path,
    /// How specific it is.
    pub rank: Rank,
    /// The method.
    pub method: Option<String>,
    /// Headers, by their names in lower case.
    pub headers: Vec<(String, Text)>,
    /// Query parameters.
    pub params: Vec<(String, Text)>,
}

/// A condition on the path.
#[derive(Clone, Debug, PartialEq)]
pub enum Path {
    /// This one alone.
    Exact(String),
    /// This one, and all below it; no slash at the end, so an empty one takes all.
    Prefix(String),
    /// All that a pattern takes.
    Regex(String),
}

/// A condition on a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Text {
    /// This one alone.
    Exact(String),
    /// All that a pattern takes.
    Regex(String),
}

impl Entry {
    /// A match of a kind of routes that takes every request.
    pub fn all(kind: &str) -> Entry {
        Entry::open(api_match::read(kind, None).1)
    }

    fn open(rank: Rank) -> Entry {
        Entry { path: Path::Prefix(String::new()), rank, method: None, headers: Vec::new(), params: Vec::new() }
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// The place of what is not known, and what it is.
    pub fn of<'o>(object: &Object, node: &'o Node) -> Result<Entry, (&'o Node, String)> {
        let mut entry = Entry::open(api_match::read(object.kind, Some(node)).1);
        for (key, value) in node.entries() {
            let unknown = || (value, format!("a match asks for {}, of which nothing is known here", key.name));
            match &*key.name {
                "path" => entry.path = path(value).ok_or_else(unknown)?,
                "method" if object.kind == "GRPCRoute" => entry.path = service(value).ok_or_else(unknown)?,
                "method" => entry.method = Some(value.text().ok_or_else(unknown)?.to_owned()),
                "headers" => entry.headers = texts(value, true).ok_or_else(unknown)?,
                "queryParams" => entry.params = texts(value, false).ok_or_else(unknown)?,
                _ => return Err(unknown()),
            }
        }
        Ok(entry)
    }

    /// Whether it takes every request.
    pub fn takes_all(&self) -> bool {
        *self == Entry::open(self.rank)
    }

    /// Whether it asks for a header.
    pub fn asks_for(&self, header: &str) -> bool {
        self.headers.iter().any(|(name, _)| name == header)
    }

    /// Whether some request may meet both.
    pub fn may_meet(&self, other: &Entry) -> bool {
        let differ = |own: &[(String, Text)], others: &[(String, Text)]| {
            own.iter().any(|(name, text)| others.iter().any(|(other, theirs)| name == other && text.excludes(theirs)))
        };
        self.path.may_meet(&other.path)
            && !matches!((&self.method, &other.method), (Some(own), Some(other)) if own != other)
            && !differ(&self.headers, &other.headers)
            && !differ(&self.params, &other.params)
    }

    /// The same as entries of a rule's match: any of them.
    pub fn conditions(&self) -> Vec<Value> {
        let uris = match &self.path {
            Path::Exact(path) => vec![Some(json!({"exact": path}))],
            Path::Prefix(path) if path.is_empty() => vec![None],
            Path::Prefix(path) => vec![Some(json!({"exact": path})), Some(json!({"prefix": format!("{path}/")}))],
            Path::Regex(pattern) => vec![Some(json!({"regex": pattern}))],
        };
        let map = |texts: &[(String, Text)]| {
            texts.iter().map(|(name, text)| (name.clone(), text.condition())).collect::<Map<_, _>>()
        };
        let of_uri = |uri: Option<Value>| {
            let mut entry = Map::new();
            entry.extend(uri.map(|uri| ("uri".to_owned(), uri)));
            entry.extend(self.method.as_ref().map(|method| ("method".to_owned(), json!({"exact": method}))));
            for (key, texts) in [("headers", &self.headers), ("queryParams", &self.params)] {
                if !texts.is_empty() {
                    entry.insert(key.to_owned(), map(texts).into());
                }
            }
            Value::Object(entry)
        };
        uris.into_iter().map(of_uri).collect()
    }
}

impl Path {
    /// Whether some path may meet both.
    fn may_meet(&self, other: &Path) -> bool {
        let is_below = |path: &str, prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match (self, other) {
            (Path::Regex(_), _) | (_, Path::Regex(_)) => true,
            (Path::Exact(one), Path::Exact(other)) => one == other,
            (Path::Exact(path), Path::Prefix(prefix)) | (Path::Prefix(prefix), Path::Exact(path)) => {
                is_below(path, prefix)
            }
            (Path::Prefix(one), Path::Prefix(other)) => is_below(one, other) || is_below(other, one),
        }
    }
}

impl Text {
    fn excludes(&self, other: &Text) -> bool {
        matches!((self, other), (Text::Exact(one), Text::Exact(other)) if one != other)
    }

    fn condition(&self) -> Value {
        match self {
            Text::Exact(text) => json!({"exact": text}),
            Text::Regex(pattern) => json!({"regex": pattern}),
        }
    }
}

fn path(node: &Node) -> Option<Path> {
    let value = node.get("value").map_or(Some("/"), Node::text)?;
    match node.get("type").map_or(Some("PathPrefix"), Node::text)? {
        "Exact" => Some(Path::Exact(value.to_owned())),
        "PathPrefix" => Some(Path::Prefix(value.trim_end_matches('/').to_owned())),
        "RegularExpression" => Some(Path::Regex(value.to_owned())),
        _ => None,
    }
}

/// The path by which gRPC asks for a method of a service.
fn service(node: &Node) -> Option<Path> {
    let text = |key: &str| node.get(key).and_then(Node::text);
    let kind = node.get("type").map_or(Some("Exact"), Node::text)?;
    let any = "[^/]+";
    Some(match (kind, text("service"), text("method")) {
        ("Exact", Some(service), Some(method)) => Path::Exact(format!("/{service}/{method}")),
        ("Exact", Some(service), None) => Path::Prefix(format!("/{service}")),
        ("RegularExpression", Some(service), None) => Path::Regex(format!("/{service}/.+")),
        ("RegularExpression", Some(service), Some(method)) => Path::Regex(format!("/{service}/{method}")),
        ("Exact" | "RegularExpression", None, Some(method)) => Path::Regex(format!("/{any}/{method}")),
        _ => return None,
    })
}

/// Of entries with one name the first counts.
fn texts(node: &Node, is_lower: bool) -> Option<Vec<(String, Text)>> {
    let mut all: Vec<(String, Text)> = Vec::new();
    for entry in node.items() {
        let known = |(key, _): &(Key, Node)| ["type", "name", "value"].contains(&&*key.name);
        let (name, value) = (entry.get("name")?.text()?, entry.get("value")?.text()?.to_owned());
        let name = if is_lower { name.to_ascii_lowercase() } else { name.to_owned() };
        let text = match entry.get("type").map_or(Some("Exact"), Node::text)? {
            "Exact" => Text::Exact(value),
            "RegularExpression" => Text::Regex(value),
            _ => return None,
        };
        if !entry.entries().iter().all(known) {
            return None;
        }
        if !all.iter().any(|(own, _)| *own == name) {
            all.push((name, text));
        }
    }
    Some(all)
}

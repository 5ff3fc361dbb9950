//! YAML → a tree that knows where each value stands, read as `kubectl` reads it (YAML 1.1's words for true and false).

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::rc::Rc;

/// Deeper than any manifest.
const MAX_DEPTH: usize = 100;
/// What aliases may unfold to.
const MAX_NODES: usize = 2_000_000;

/// A value and where its bytes are in the text.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it says.
    pub value: Value,
    /// Where it stands; an alias stands where it is used.
    pub span: Range<usize>,
    /// Whether it is an alias: what it says stands elsewhere.
    pub is_alias: bool,
}

/// What a node says.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as JSON writes it.
    Number(Rc<str>),
    /// Text.
    String(Rc<str>),
    /// A sequence.
    List(Rc<[Node]>),
    /// A mapping, in its order.
    Map(Rc<[(Key, Node)]>),
}

/// The key of an entry of a mapping.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its name.
    pub name: Rc<str>,
    /// Where it stands.
    pub span: Range<usize>,
}

/// Why a text is not YAML.
#[derive(Debug)]
pub struct Malformed {
    /// The byte at which the reader noticed.
    pub at: usize,
    /// What is wrong.
    pub problem: String,
}

/// All documents of a text; empty ones are left out.
pub fn documents(text: &str) -> Result<Vec<Node>, Malformed> {
    let mut reader = Reader::new(text);
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(documents),
            (Event::DocumentStart(_), _) => reader.anchors.clear(),
            (Event::StreamStart | Event::DocumentEnd | Event::Nothing, _) => {}
            (event, span) => {
                let node = reader.node(event, span, 0)?;
                if !matches!(node.value, Value::Null) {
                    documents.push(node);
                }
            }
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    /// The parser counts characters; where each of them begins.
    bytes: Vec<usize>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        let bytes = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        Reader { parser: Parser::new_from_str(text), bytes, anchors: HashMap::new(), nodes: 0 }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Malformed> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.malformed(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn malformed(&self, error: &ScanError) -> Malformed {
        Malformed { at: self.byte(error.marker().index()), problem: error.info().to_owned() }
    }

    fn byte(&self, character: usize) -> usize {
        self.bytes.get(character).or(self.bytes.last()).copied().unwrap_or(0)
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Malformed> {
        let start = self.range(span).start;
        let too_much = |problem: String| Err(Malformed { at: start, problem });
        if depth > MAX_DEPTH {
            return too_much(format!("nested deeper than {MAX_DEPTH}"));
        }
        self.count(1, start)?;
        let (value, anchor, span) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
                let value =
                    if style == ScalarStyle::Plain && !is_text { plain(&text) } else { Value::String(text.into()) };
                (value, anchor, self.range(span))
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::SequenceEnd, span) => break self.range(span).end,
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                };
                (Value::List(items.into()), anchor, start..end.max(start))
            }
            Event::MappingStart(anchor, _) => {
                let (entries, end) = self.entries(depth)?;
                (Value::Map(entries.into()), anchor, start..end.max(start))
            }
            Event::Alias(anchor) => {
                let Some(known) = self.anchors.get(&anchor).cloned() else {
                    return too_much("an alias of what is not finished".to_owned());
                };
                self.count(size(&known), start)?;
                return Ok(Node { value: known.value, span: self.range(span), is_alias: true });
            }
            _ => return too_much("a value is missing".to_owned()),
        };
        let node = Node { value, span, is_alias: false };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, more: usize, at: usize) -> Result<(), Malformed> {
        self.nodes += more;
        let problem = || format!("more than {MAX_NODES} values");
        if self.nodes > MAX_NODES { Err(Malformed { at, problem: problem() }) } else { Ok(()) }
    }

    /// The entries of a mapping, and where it ends. `<<` gives what the mapping itself does not.
    fn entries(&mut self, depth: usize) -> Result<(Vec<(Key, Node)>, usize), Malformed> {
        let (mut entries, mut merged) = (Vec::<(Key, Node)>::new(), Vec::new());
        let end = loop {
            let key = match self.next()? {
                (Event::MappingEnd, span) => break self.range(span).end,
                (event, span) => self.node(event, span, depth + 1)?,
            };
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            match key.name() {
                Some(name) if &*name == "<<" => merged.push(node),
                Some(name) => entries.push((Key { name, span: key.span }, node)),
                None => return Err(Malformed { at: key.span.start, problem: "a key that is no scalar".to_owned() }),
            }
        };
        for node in merged {
            let sources = if let Value::List(items) = &node.value { items.to_vec() } else { vec![node] };
            for (key, value) in sources.iter().flat_map(Node::entries) {
                if !entries.iter().any(|(known, _)| known.name == key.name) {
                    entries.push((key.clone(), Node { is_alias: true, ..value.clone() }));
                }
            }
        }
        Ok((entries, end))
    }
}

fn size(node: &Node) -> usize {
    1 + node.items().iter().map(size).sum::<usize>()
        + node.entries().iter().map(|(_, value)| size(value)).sum::<usize>()
}

impl Node {
    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(known, _)| &*known.name == key).map(|(_, value)| value)
    }

    /// The value at the end of these keys.
    pub fn at(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The items of a sequence; none of anything else.
    pub fn items(&self) -> &[Node] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// The entries of a mapping; none of anything else.
    pub fn entries(&self) -> &[(Key, Node)] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    /// A string.
    pub fn text(&self) -> Option<&str> {
        if let Value::String(text) = &self.value { Some(text) } else { None }
    }

    /// Whether this is `true`.
    pub fn is_true(&self) -> bool {
        matches!(self.value, Value::Bool(true))
    }

    /// A number that is a `u32`.
    pub fn number(&self) -> Option<u32> {
        if let Value::Number(text) = &self.value { text.parse().ok() } else { None }
    }

    /// What this says as the name of a key.
    fn name(&self) -> Option<Rc<str>> {
        match &self.value {
            Value::String(text) | Value::Number(text) => Some(Rc::clone(text)),
            Value::Bool(value) => Some(value.to_string().into()),
            Value::Null => Some("null".into()),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The same as JSON; a key that is given twice is there twice.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        self.write_json(&mut json);
        json
    }

    fn write_json(&self, json: &mut String) {
        match &self.value {
            Value::Null => json.push_str("null"),
            Value::Bool(value) => {
                let _ = write!(json, "{value}");
            }
            Value::Number(text) => json.push_str(text),
            Value::String(text) => write_string(text, json),
            Value::List(items) => {
                json.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        json.push(',');
                    }
                    item.write_json(json);
                }
                json.push(']');
            }
            Value::Map(entries) => {
                json.push('{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        json.push(',');
                    }
                    write_string(&key.name, json);
                    json.push(':');
                    value.write_json(json);
                }
                json.push('}');
            }
        }
    }
}

fn write_string(text: &str, json: &mut String) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

/// What a plain scalar is, by the rules of go-yaml 2, which `kubectl` reads manifests with.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => return Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    match number(text) {
        Some(number) => Value::Number(number.into()),
        None => Value::String(text.into()),
    }
}

/// A number as JSON writes it: decimal integers of 64 bits, others by their base, and decimal fractions.
fn number(text: &str) -> Option<String> {
    let text = text.replace('_', "");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let based = |base: u32, digits: &str| {
        let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(base));
        u64::from_str_radix(digits, base).ok().filter(|_| is_number).map(|number| format!("{sign}{number}"))
    };
    for (prefixes, base) in [(["0x", "0X"], 16), (["0o", "0O"], 8), (["0b", "0B"], 2)] {
        if let Some(digits) = prefixes.iter().find_map(|prefix| digits.strip_prefix(prefix)) {
            return based(base, digits);
        }
    }
    let is_integer = digits.bytes().all(|digit| digit.is_ascii_digit());
    if let Some(octal) = digits.strip_prefix('0').filter(|octal| is_integer && !octal.is_empty()) {
        return based(8, octal).or_else(|| based(10, octal));
    }
    if is_integer {
        return Some(format!("{sign}{digits}"));
    }
    // JSON wants digits on both sides of the point.
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => digits.split_at_checked(at)?,
        None => (digits, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_decimal = [whole, fraction].iter().all(|part| part.bytes().all(|digit| digit.is_ascii_digit()));
    let power = exponent.strip_prefix(['e', 'E']).map(|power| power.strip_prefix(['+', '-']).unwrap_or(power));
    let is_power = power.is_none_or(|power| !power.is_empty() && power.bytes().all(|digit| digit.is_ascii_digit()));
    if !is_decimal || !is_power || whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { whole.trim_start_matches('0') };
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() {
        format!("{sign}{whole}{exponent}")
    } else {
        format!("{sign}{whole}.{fraction}{exponent}")
    })
}

#[cfg(test)]
mod tests {
    use super::documents;

    fn json(text: &str) -> String {
        documents(text).unwrap().iter().map(super::Node::to_json).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn scalars_are_what_kubectl_takes_them_for() {
        let table = [
            ("[80, 80.0, 1e2, +5, -1, .5, 5., 007, 0x10, 1_000, 0o17]", "[80,80.0,1e2,5,-1,0.5,5,7,16,1000,15]"),
            ("[on, No, y, TRUE, ~, null]", "[true,false,true,true,null,null]"),
            (
                r#"["80", 'on', !!str 80, v1, 1.2.3, 720h, 2026-01-01, .inf, '']"#,
                r#"["80","on","80","v1","1.2.3","720h","2026-01-01",".inf",""]"#,
            ),
            ("{a: &x {b: 1}, c: *x, d: {<<: *x, b: 2, e: 3}}", r#"{"a":{"b":1},"c":{"b":1},"d":{"b":2,"e":3}}"#),
            ("a: 1\na: 2", r#"{"a":1,"a":2}"#),
            ("a: 1\n---\n# nothing\n---\n- b", "{\"a\":1}\n[\"b\"]"),
        ];
        for (text, expected) in table {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn a_value_knows_its_bytes() {
        let text = "# ü\nrules:\r\n- {name: ü, weight: 20} # x\n- two\n";
        let tree = &documents(text).unwrap()[0];
        let weight = tree.at(&["rules"]).unwrap().items()[0].get("weight").unwrap();
        assert_eq!(text.get(weight.span.clone()), Some("20"));
        assert_eq!(text.get(tree.at(&["rules"]).unwrap().items()[1].span.clone()), Some("two"));
    }

    #[test]
    fn what_is_not_yaml_is_an_error_and_no_trap() {
        let bomb = "a: &a [x]\n".to_owned()
            + &(0..40)
                .map(|at| {
                    let (new, old) = (char::from(b'b' + at as u8 % 25), char::from(b'a' + at as u8 % 25));
                    format!(
                        "k{at}: &{new}{at} [{}]\n",
                        vec![if at == 0 { "*a".to_owned() } else { format!("*{old}{}", at - 1) }; 10].join(",")
                    )
                })
                .collect::<String>();
        for text in ["{", "a: b: c", "*a", "? [a]\n: b", &"[".repeat(10_000), "a: 'x", &bomb] {
            assert!(documents(text).is_err(), "{:.40}", text);
        }
        assert!(documents("").unwrap().is_empty());
    }
}

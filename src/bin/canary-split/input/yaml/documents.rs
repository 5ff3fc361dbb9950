//! A text → its documents. Each is read separately, so a malformed one does not hide the others.

use super::node::{Node, Value};
pub use super::token::Malformed;
use super::{json, tree};
use std::ops::Range;

/// The message for a text that is not a manifest yet.
pub const TEMPLATE: &str = "a template: render it first";

/// The readable content of a text.
#[derive(Debug, Default)]
pub struct Read {
    /// Empty ones are left out.
    pub documents: Vec<Node>,
    /// Values that are written but have no effect: a merge replaces them.
    pub replaced: Vec<Node>,
    /// One error for each document that cannot be read.
    pub malformed: Vec<Malformed>,
}

/// All documents of a text.
///
/// # Errors
///
/// If one of them cannot be read.
pub fn documents(text: &str) -> Result<Vec<Node>, Malformed> {
    let read = read(text);
    match read.malformed.into_iter().next() {
        Some(malformed) => Err(malformed),
        None => Ok(read.documents),
    }
}

/// All documents of a text that can be read.
pub fn read(text: &str) -> Read {
    let (mut read, begin) = objects(text);
    for range in parts(text, begin, &mut read.malformed) {
        let part = text.get(range.clone()).unwrap_or_default();
        if let Err(malformed) = tree::read(part, range.start, &mut read.documents, &mut read.replaced) {
            let problem = if is_template(part, malformed.at.saturating_sub(range.start)) {
                TEMPLATE.to_owned()
            } else {
                format!("not YAML: {}", malformed.problem)
            };
            read.malformed.push(Malformed { problem, ..malformed });
        }
    }
    read.documents.retain(|node| !matches!(node.value, Value::Null));
    read
}

/// The parts of a text that are read separately: the JSON objects at its beginning, and what is between lines that begin with `---`.
pub fn pieces(text: &str) -> Vec<Range<usize>> {
    let (_, begin) = objects(text);
    let json = Some(0..begin).filter(|json| !json.is_empty());
    json.into_iter().chain(parts(text, begin, &mut Vec::new())).collect()
}

/// The JSON objects at the beginning of a text, and their end. As in `kubectl`, YAML may follow after the first.
fn objects(text: &str) -> (Read, usize) {
    let (mut read, mut at) = (Read::default(), 0);
    let next = |at: usize| text.len() - text.get(at..).unwrap_or_default().trim_start().len();
    if !text.get(next(0)..).is_some_and(|rest| rest.starts_with('{')) {
        return (read, 0);
    }
    while next(at) < text.len() {
        match json::value(text, next(at)) {
            Ok((node, end)) => {
                read.documents.push(node);
                at = end;
            }
            Err(malformed) if read.documents.len() > 1 => {
                let problem = format!("not JSON: {}", malformed.problem);
                read.malformed.push(Malformed { problem, ..malformed });
                return (read, text.len());
            }
            Err(_) => break,
        }
    }
    (read, at)
}

/// The parts of a text, from a byte on, between lines that begin with `---`, as `kubectl` cuts it.
fn parts(text: &str, begin: usize, malformed: &mut Vec<Malformed>) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut at) = (Vec::new(), begin, begin);
    for line in text.get(begin..).unwrap_or_default().split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---").map(str::trim_start) {
            parts.push(start..at);
            start = at + line.len();
            if !(rest.is_empty() || rest.starts_with('#')) {
                malformed.push(Malformed::new(at, "not YAML: kubectl takes nothing but a comment after ---"));
            }
        }
        at += line.len();
    }
    parts.push(start..text.len());
    parts
}

/// Whether the text has template braces of Helm, Go or Jinja: on the line that cannot be read, or at the start of any line.
fn is_template(text: &str, at: usize) -> bool {
    let braces = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let has = |line: &str, (open, close): (&str, &str)| {
        line.find(open).is_some_and(|at| line.get(at..).is_some_and(|rest| rest.contains(close)))
    };
    has(line, ("${", "}"))
        || braces.iter().any(|pair| has(line, *pair))
        || text
            .lines()
            .any(|line| braces.iter().take(2).any(|pair| line.trim_start().starts_with(pair.0) && has(line, *pair)))
}

#[cfg(test)]
mod tests {
    use super::{documents, read};
    use crate::input::yaml::node::Node;

    fn json(text: &str) -> String {
        documents(text).unwrap().iter().map(Node::to_json).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn scalars_are_what_kubectl_takes_them_for() {
        let table = [
            ("[80, 80.0, 1e2, +5, -1, .5, 5., 007, 0x10, 1_000, 0o17]", "[80,80.0,1e2,5,-1,0.5,5,7,16,1000,15]"),
            ("[on, No, y, TRUE, ~, null]", "[true,false,true,true,null,null]"),
            (
                r#"["80", 'on', !!str 80, v1, 1.2.3, 720h, 2026-01-01, '']"#,
                r#"["80","on","80","v1","1.2.3","720h","2026-01-01",""]"#,
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

    #[test]
    fn a_document_that_cannot_be_read_does_not_hide_the_others() {
        let read = read("a: 1\n---\nb: [\n---\nc: 3\n--- # d\n{{- if .Values.x }}\nd: 4\n{{- end }}\n");
        assert_eq!(read.documents.iter().map(Node::to_json).collect::<Vec<_>>(), [r#"{"a":1}"#, r#"{"c":3}"#]);
        let problems: Vec<_> = read.malformed.iter().map(|one| (one.at, one.problem.as_str())).collect();
        assert_eq!(problems, [(14, "not YAML: the text ends where a value should be"), (33, super::TEMPLATE)]);
    }

    #[test]
    fn what_is_no_template_is_not_called_one() {
        for (text, is_template) in [
            ("a: {{ .Values.x }}\n", true),
            ("a: {{x}}\n", true),
            ("{% if x %}\na: 1\n{% endif %}\n", true),
            ("summary: '{{ $x }}'\na: [\n", false),
            ("a: {b: {c: 1}}}\n", false),
            ("a: b: c\n", false),
        ] {
            let read = read(text);
            assert_eq!(read.malformed.iter().any(|one| one.problem == super::TEMPLATE), is_template, "{text}");
            assert!(!read.malformed.is_empty(), "{text}");
        }
    }
}

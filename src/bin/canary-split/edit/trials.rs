//! Edits of random texts, and of some that are easy to get wrong.

use super::text::{Refused, edited};
use super::{Edit, Step, patch};
use crate::input::yaml;
use fastrand::Rng;
use serde_json::{Map, Value, json};

fn path(text: &str) -> Vec<Step> {
    text.split('.').map(|part| part.parse().map_or_else(|_| Step::from(part), Step::Item)).collect()
}

/// Edits the only document of a text.
fn done(text: &str, edits: &[Edit]) -> Result<String, Refused> {
    let root = yaml::documents(text).unwrap()[0].span.clone();
    edited(text, &root, edits).map(|edited| edited.text)
}

#[test]
fn every_other_byte_stays() {
    let set = |at: &str, new: Value| Edit::set(path(at), new);
    let remove = |at: &str| Edit::remove(path(at));
    let insert = |at: &str, new: Value| Edit::insert(path(at), new);
    let entry = || json!({"match": [{"uri": {"prefix": "/a"}}], "name": "yes"});
    let table: &[(&str, &[Edit], &str)] = &[
        // Scalars, with their quotes.
        ("a: 'x' # c\r\nb: 1\r\n", &[set("a", json!("it's"))], "a: 'it''s' # c\r\nb: 1\r\n"),
        ("a: \"x\"\n", &[set("a", json!("\"y\""))], "a: \"\\\"y\\\"\"\n"),
        ("a: x\n", &[set("a", json!("true"))], "a: \"true\"\n"),
        ("a: x  # c\n", &[set("a", json!("v2.seal-1"))], "a: v2.seal-1  # c\n"),
        ("a:\nb: 1\n", &[set("a", json!(2))], "a: 2\nb: 1\n"),
        ("a: |\n  x\n  y\nb: 1\n", &[set("a", json!("z"))], "a: z\nb: 1\n"),
        // Blocks.
        ("a:\n  b: 1\n  c: 2 # c\nd: 3\n", &[remove("a")], "d: 3\n"),
        ("a:\n  b: 1 # b\n  # c\n  c: 2\n", &[remove("a.b")], "a:\n  # c\n  c: 2\n"),
        ("a:\n  b: 1\nc: 2\n", &[remove("a.b")], "a: {}\nc: 2\n"),
        ("a:\n- b: 1\n  c: 2\n", &[remove("a.0.b")], "a:\n- c: 2\n"),
        ("a:\n- b: 1\n- c: 2 # c\n- d", &[remove("a.1")], "a:\n- b: 1\n- d"),
        ("a:\n  - b\nc: 1\n", &[remove("a.0")], "a: []\nc: 1\n"),
        ("- - a\n  - b\n- c\n", &[remove("0.0")], "- - b\n- c\n"),
        ("a:\n-\n  b: 1\n- c\n", &[remove("a.0")], "a:\n- c\n"),
        (
            "a:\n  b: 1\nc: 2\n",
            &[set("a", json!({"x": [1, {"v": 2, "z": []}]}))],
            "a:\n  x:\n  - 1\n  - v: 2\n    z: []\nc: 2\n",
        ),
        ("a:\n  b: 1\nc: 2\n", &[set("a", json!("x"))], "a: x\nc: 2\n"),
        ("a: 1 # c\n", &[set("a", json!({"x": "z"}))], "a: {x: z} # c\n"),
        ("b: 1\n", &[set("a", json!({"x": 1}))], "a:\n  x: 1\nb: 1\n"),
        // Items.
        (
            "a:\n  - b: 1\n    c: [1]\n  # d\n  - d\n",
            &[insert("a.1", entry())],
            "a:\n  - b: 1\n    c: [1]\n  # d\n  - match:\n      - uri:\n          prefix: /a\n    name: yes\n  - d\n"
                .replace("name: yes", "name: \"yes\"")
                .leak(),
        ),
        (
            "a:\r\n- 1 # one\r\nb: 2\r\n",
            &[insert("a.1", json!({"c": "x", "d": 1}))],
            "a:\r\n- 1 # one\r\n- c: x\r\n  d: 1\r\nb: 2\r\n",
        ),
        ("a:\n- 1", &[insert("a.1", json!(2))], "a:\n- 1\n- 2"),
        ("- - a\n", &[insert("0.0", json!("b"))], "- - b\n  - a\n"),
        // Braces.
        ("a: [1, 2, 3]\n", &[remove("a.0"), remove("a.1")], "a: [2]\n"),
        ("a: [x] # c\n", &[insert("a.0", json!("w")), insert("a.2", json!({"z": 1}))], "a: [w, x, {z: 1}] # c\n"),
        ("a: []\n", &[insert("a.0", json!(1))], "a: [1]\n"),
        ("a: {b: 1, c: 2}\n", &[remove("a.c"), set("a.d", json!([1])), remove("a.b")], "a: {d: [1]}\n"),
        ("a: {}\n", &[set("a.b", json!("x"))], "a: {b: x}\n"),
        // JSON.
        (
            "{\n\t\"a\": [\n\t\t1,\n\t\t2\n\t],\n\t\"b\": \"x\"\n}\n",
            &[insert("a.1", json!({"c": "d"})), set("b", json!(1))],
            "{\n\t\"a\": [\n\t\t1,\n\t\t{\"c\": \"d\"},\n\t\t2\n\t],\n\t\"b\": 1\n}\n",
        ),
        // More than one document.
        (
            "# a\n---\na: 1\n---\n# b\nb: [ 2 ]\n...\n",
            &[set("a", json!(3))],
            "# a\n---\na: 3\n---\n# b\nb: [ 2 ]\n...\n",
        ),
    ];
    for (old, edits, new) in table {
        assert_eq!(done(old, edits).as_deref(), Ok(*new), "{old}");
    }
}

#[test]
fn what_says_something_elsewhere_too_stays() {
    let set = |at: &str| Edit::set(path(at), 2);
    let table = [
        ("a: &x {b: 1}\nc: *x\n", set("a.b"), Refused::Aliased(0, 10)),
        ("a: &x {b: 1}\nc: *x\n", set("c.b"), Refused::Aliased(0, 10)),
        ("a: &x {b: 1}\nc: {<<: *x}\n", set("c.b"), Refused::Aliased(0, 10)),
        ("a: &x [1]\nc: *x\n", Edit::insert(path("c.1"), 2), Refused::Aliased(0, 7)),
        ("a: &x 1\nc: *x\n", set("a"), Refused::Unwritable),
        ("a: &x [1]\nc: *x\n", Edit::remove(path("a")), Refused::Unwritable),
        ("a: 1\n", set("b.c"), Refused::Missing(0)),
        ("a: [1]\n", Edit::insert(path("a.2"), 2), Refused::Missing(0)),
        ("a: [1]\n", set("a.1"), Refused::Missing(0)),
        ("a: 1\na: 2\n", Edit::remove(path("a")), Refused::Unwritable),
    ];
    for (text, edit, expected) in table {
        let found = done(text, std::slice::from_ref(&edit));
        assert_eq!(found, Err(expected), "{text}{edit:?}");
    }
}

/// A random value; a collection, if `depth` is not 0.
fn value(random: &mut Rng, depth: usize) -> Value {
    let texts = [
        "x",
        "a b",
        "",
        "yes",
        "80",
        "*",
        "- a",
        "a: b",
        "x #y",
        "#",
        "ü",
        "'",
        "\"",
        "[",
        "{a",
        "~",
        "two\nlines",
        "@",
        "a,b",
        ":",
    ];
    match random.usize(if depth == 0 { 0..5 } else { 5..9 }) {
        0 => Value::Null,
        1 => random.bool().into(),
        2 => random.u32(0..200).into(),
        3 | 4 => texts[random.usize(0..texts.len())].into(),
        5 | 6 => (0..random.usize(0..4)).map(|_| inner(random, depth)).collect(),
        _ => {
            let keys = ["name", "split", "a b", "x-canary", "on", "7", "match", "k: v"];
            let mut fields = Map::new();
            for _ in 0..random.usize(0..4) {
                fields.insert(keys[random.usize(0..keys.len())].into(), inner(random, depth));
            }
            fields.into()
        }
    }
}

fn inner(random: &mut Rng, depth: usize) -> Value {
    let depth = if random.bool() { 0 } else { depth - 1 };
    value(random, depth)
}

/// Writes a value in one of the styles that people use.
struct Writer<'r> {
    random: &'r mut Rng,
    /// The indentation of a list below its key.
    list: usize,
}

impl Writer<'_> {
    fn scalar(&mut self, value: &Value) -> String {
        match value {
            Value::String(text) if !text.contains('\n') && self.random.bool() => {
                format!("'{}'", text.replace('\'', "''"))
            }
            Value::String(text)
                if ["x", "a b", "ü", "a,b"].contains(&&**text) && text != "a,b" && self.random.bool() =>
            {
                text.clone()
            }
            value => value.to_string(),
        }
    }

    fn comment(&mut self) -> &'static str {
        if self.random.u32(0..4) == 0 { "  # - a: {c" } else { "" }
    }

    fn lines(&mut self, column: usize) -> String {
        let indent = " ".repeat(column);
        match self.random.u32(0..6) {
            0 => format!("\n{indent}# x: y\n{indent}"),
            1 => format!("\n\n{indent}"),
            _ => format!("\n{indent}"),
        }
    }

    fn flow(&mut self, value: &Value) -> String {
        let space = if self.random.bool() { " " } else { "" };
        match value {
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| self.flow(item)).collect();
                format!("[{space}{}{space}]", items.join(", "))
            }
            Value::Object(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(key, value)| format!("{}: {}", Value::from(&**key), self.flow(value)))
                    .collect();
                format!("{{{space}{}{space}}}", fields.join(", "))
            }
            value => self.scalar(value),
        }
    }

    /// A value that begins at a column.
    fn block(&mut self, value: &Value, column: usize) -> String {
        match value {
            Value::Array(items) if !items.is_empty() => {
                let mut text = String::new();
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        text += &self.lines(column);
                    }
                    text += "- ";
                    text += &self.either(item, column + 2);
                }
                text
            }
            Value::Object(fields) if !fields.is_empty() => {
                let mut text = String::new();
                for (at, (key, value)) in fields.iter().enumerate() {
                    if at > 0 {
                        text += &self.lines(column);
                    }
                    text += &self.scalar(&Value::from(&**key));
                    text += ":";
                    let below = match value {
                        Value::Array(items) if !items.is_empty() => column + self.list,
                        Value::Object(fields) if !fields.is_empty() => column + 2,
                        _ => 0,
                    };
                    if below > 0 && self.random.u32(0..4) > 0 {
                        text += self.comment();
                        text += &self.lines(below);
                        text += &self.block(value, below);
                    } else {
                        text += " ";
                        text += &self.flow(value);
                        text += self.comment();
                    }
                }
                text
            }
            value => self.flow(value),
        }
    }

    fn either(&mut self, value: &Value, column: usize) -> String {
        if self.random.u32(0..4) > 0 {
            self.block(value, column)
        } else {
            format!("{}{}", self.flow(value), self.comment())
        }
    }
}

/// All possible edits of a value.
fn edits(random: &mut Rng, value: &Value, way: &[Step], all: &mut Vec<Edit>) {
    let mut at = |step: Step, child: Option<&Value>, random: &mut Rng| {
        let path = [way, &[step]].concat();
        if let Some(child) = child {
            all.push(Edit::remove(path.clone()));
            edits(random, child, &path, all);
        }
        let depth = random.usize(0..3);
        let new = self::value(random, depth);
        all.push(match path.last() {
            Some(Step::Item(_)) if child.is_none() || random.bool() => Edit::insert(path, new),
            _ => Edit::set(path, new),
        });
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                at(Step::from(&**name), Some(value), random);
            }
            at(Step::from("new"), None, random);
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                at(Step::Item(place), Some(item), random);
            }
            at(Step::Item(items.len()), None, random);
        }
        _ => {}
    }
}

#[test]
fn a_text_says_after_edits_what_its_value_is_after_them() {
    let (mut done, mut refused) = (0, Vec::new());
    for seed in 0..4000 {
        let mut random = Rng::with_seed(seed);
        let mut expected = value(&mut random, 4);
        let list = if random.bool() { 2 } else { 0 };
        let text = Writer { random: &mut random, list }.either(&expected, 0) + if seed % 3 == 0 { "" } else { "\n" };
        let text = if seed % 5 == 0 { format!("# before\n---\n{text}\n---\n- after # it\n") } else { text };
        let is_crlf = seed % 4 == 0 && text.contains('\n');
        let text = if is_crlf { text.replace('\n', "\r\n") } else { text };
        let documents = yaml::documents(&text).unwrap();
        let read: Value = serde_json::from_str(&documents[0].to_json()).unwrap();
        assert_eq!(read, expected, "{text}");
        let mut asked = Vec::new();
        for _ in 0..random.usize(1..4) {
            let mut all = Vec::new();
            edits(&mut random, &expected, &[], &mut all);
            let Some(edit) = random.choice(all) else { continue };
            patch::apply(&mut expected, std::slice::from_ref(&edit)).unwrap();
            asked.push(edit);
        }
        match edited(&text, &documents[0].span, &asked) {
            Ok(edited) => {
                let read: Value = serde_json::from_str(&yaml::documents(&edited.text).unwrap()[0].to_json()).unwrap();
                assert_eq!(read, expected, "{text}\n{asked:?}\n{}", edited.text);
                let is_foreign = |line: &&str| ["# before", "---", "- after # it"].contains(line);
                let foreign = |text: &str| text.lines().filter(is_foreign).count();
                assert_eq!(foreign(&edited.text), foreign(&text), "{text}\n{}", edited.text);
                let ends = edited.text.matches("\r\n").count();
                assert_eq!(
                    ends,
                    if is_crlf { edited.text.matches('\n').count() } else { 0 },
                    "{text}\n{}",
                    edited.text
                );
                done += 1;
            }
            Err(why) => refused.push(format!("{why:?}\n{text}\n{asked:?}")),
        }
    }
    assert!(
        refused.is_empty(),
        "{} of {}:\n{}",
        refused.len(),
        refused.len() + done,
        refused[..refused.len().min(4)].join("\n\n")
    );
}

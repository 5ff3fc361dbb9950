//! Trial 25: the tool reads every text as kubectl does.

use super::documents::read;
use super::node::Node;
use serde_json::{Value, json};

/// In JSON a repeated key has its last value, as in Go.
fn said(node: &Node) -> Value {
    numbered(&serde_json::from_str(&node.to_json()).unwrap())
}

/// Numbers as doubles.
fn numbered(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.to_string().parse::<f64>().unwrap() + 0.0),
        Value::Array(items) => items.iter().map(numbered).collect(),
        Value::Object(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (key.clone(), numbered(value))).collect())
        }
        other => other.clone(),
    }
}

#[test]
fn the_corpus_is_read_as_kubectl_reads_it() {
    let texts: Vec<Value> =
        serde_saphyr::from_str(include_str!("../../../../../tests/istio/reading/corpus.yaml")).unwrap();
    let known: Vec<Value> = serde_json::from_str(include_str!("../../../../../tests/istio/reading/read.json")).unwrap();
    let mut wrong = Vec::new();
    assert!(texts.len() == known.len() && texts.len() > 90, "make fixtures");
    for (text, known) in texts.iter().zip(&known) {
        assert_eq!(text["name"], known["name"], "make fixtures");
        let read = read(text["text"].as_str().unwrap());
        let documents: Vec<Value> = read.documents.iter().map(said).collect();
        let is_refused = known["refused"] == true;
        // If kubectl refuses one document, the others are still compared.
        let is_same = is_refused || documents == numbered(&known["documents"]).as_array().unwrap().as_slice();
        if is_refused == read.malformed.is_empty() || !is_same {
            wrong.push(format!("{}: {documents:?}, {:?}; kubectl: {known}", text["name"], read.malformed));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

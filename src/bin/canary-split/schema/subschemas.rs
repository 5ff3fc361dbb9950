//! Conditions on the fields of an object.

use serde_json::{Value, json};

/// A subschema: exactly one of these fields is there and not null. Each field comes with its type.
pub fn one_of(fields: &[(&str, &str)]) -> Value {
    fields.iter().map(|&(field, kind)| is_given(field, &json!({"type": kind}))).collect()
}

/// A subschema: this field is there and is like this.
pub fn is_given(field: &str, like: &Value) -> Value {
    json!({"required": [field], "properties": {field: like}})
}

/// A subschema: an object of which no field is there, or all are null.
pub fn nothing() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "null"}})
}

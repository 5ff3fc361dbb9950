//! Conditions on the fields of an object.

use serde_json::{Value, json};

/// Exactly one of these fields exists and is not null. Each field comes with its type.
pub fn one_of(fields: &[(&str, &str)]) -> Value {
    fields.iter().map(|&(field, kind)| is_given(field, &json!({"type": kind}))).collect()
}

/// This field exists and has this form.
pub fn is_given(field: &str, like: &Value) -> Value {
    json!({"required": [field], "properties": {field: like}})
}

/// An object without fields, or with only null in them.
pub fn nothing() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "null"}})
}

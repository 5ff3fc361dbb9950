//! Claims of a verified token, as Envoy hands them to the filter.

use canary_split::request::claim::ClaimPath;
use serde_json::Value;

/// The claim at the end of a path: an item of a list by its index.
pub fn find<'v>(claims: &'v Value, path: &ClaimPath) -> Option<&'v Value> {
    path.names().try_fold(claims, |claim, name| match claim {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    })
}

/// The bytes of a claim: strings as they are (an empty one is absent), numbers as doubles, lists of strings as pairs.
pub fn bytes(claim: &Value) -> Option<Vec<u8>> {
    match claim {
        Value::String(text) => (!text.is_empty()).then(|| text.clone().into_bytes()),
        Value::Bool(value) => Some(vec![u8::from(*value)]),
        Value::Number(number) => Some(number.as_f64()?.to_le_bytes().to_vec()),
        Value::Array(items) => {
            let items = items.iter().map(Value::as_str).collect::<Option<Vec<&str>>>()?;
            let mut bytes = u32::try_from(items.len()).ok()?.to_le_bytes().to_vec();
            // The length of an item, and that of the empty half behind it.
            items.iter().for_each(|item| bytes.extend((item.len() as u64).to_le_bytes()));
            items.iter().for_each(|item| bytes.extend([item.as_bytes(), &[0, 0]].concat()));
            Some(bytes)
        }
        Value::Object(_) | Value::Null => None,
    }
}

//! Edits as a JSON Patch (RFC 6902), which the API server applies completely or not at all.

use super::edit::{Action, Edit, Test};
use super::path::{Step, pointer};
use json_patch::Patch;
use serde_json::{Value, json};

/// The patch that makes these edits if all tests hold.
pub fn of(tests: &[Test], edits: &[Edit]) -> Value {
    let test = |Test { path, value }: &Test| json!({"op": "test", "path": pointer(path), "value": value});
    tests.iter().map(test).chain(edits.iter().map(operation)).collect()
}

fn operation(Edit { path, action }: &Edit) -> Value {
    let at = pointer(path);
    match action {
        // `add` replaces an existing field; it inserts an item.
        Action::Set(new) if matches!(path.last(), Some(Step::Item(_)) | None) => {
            json!({"op": "replace", "path": at, "value": new})
        }
        Action::Set(new) | Action::Insert(new) => json!({"op": "add", "path": at, "value": new}),
        Action::Remove => json!({"op": "remove", "path": at}),
    }
}

/// Applies edits to a value; it stays as it is if one of them cannot be applied.
pub fn apply(value: &mut Value, edits: &[Edit]) -> Result<(), String> {
    let patch: Patch = serde_json::from_value(of(&[], edits)).map_err(|error| error.to_string())?;
    json_patch::patch(value, &patch).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Edit, Test, apply, of};
    use crate::edit::path::{Step, fields};
    use serde_json::json;

    #[test]
    fn a_patch_is_what_the_edits_say() {
        let rule = |at: usize| vec![Step::from("rules"), at.into()];
        let tests = [Test { path: fields(["metadata", "a/b~c"]), value: json!("7") }];
        let edits = [
            Edit::set(rule(0), json!({"name": "a"})),
            Edit::set(fields(["new"]), 1),
            Edit::insert(rule(1), 2),
            Edit::remove(fields(["old"])),
        ];
        assert_eq!(
            of(&tests, &edits),
            json!([
                {"op": "test", "path": "/metadata/a~1b~0c", "value": "7"},
                {"op": "replace", "path": "/rules/0", "value": {"name": "a"}},
                {"op": "add", "path": "/new", "value": 1},
                {"op": "add", "path": "/rules/1", "value": 2},
                {"op": "remove", "path": "/old"},
            ])
        );
        let mut value = json!({"rules": [0, 1], "old": 3});
        apply(&mut value, &edits).unwrap();
        assert_eq!(value, json!({"rules": [{"name": "a"}, 2, 1], "new": 1}));
    }

    #[test]
    fn what_cannot_be_done_as_a_whole_is_not_done() {
        let mut value = json!({"a": 1, "list": [1]});
        for edit in [
            Edit::remove(fields(["b"])),
            Edit::set(vec![Step::from("list"), 1.into()], 2),
            Edit::insert(vec![Step::from("list"), 2.into()], 2),
            Edit::set(fields(["b", "c"]), 2),
        ] {
            assert!(apply(&mut value, &[Edit::set(fields(["a"]), 2), edit.clone()]).is_err(), "{edit:?}");
            assert_eq!(value, json!({"a": 1, "list": [1]}));
        }
    }
}

//! Edits of a rule, independent of how it is written: as JSON they are operations of a patch, in a file bytes.

use canary_split::config::ConfigError;
use serde_json::Value;
use std::fmt;

/// A step from a value to one in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The field of this name.
    Field(String),
    /// The item at this place.
    Item(usize),
}

/// A value of a rule that becomes another one.
///
/// The paths of all edits are those before any of them; done one after the other in their order they are right as well.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// From the rule on.
    pub path: Vec<Step>,
    /// `None`: it is removed. What does not exist is added.
    pub new: Option<Value>,
}

impl Edit {
    /// A value at a path.
    pub fn set(path: Vec<Step>, new: impl Into<Value>) -> Edit {
        Edit { path, new: Some(new.into()) }
    }

    /// Nothing at a path.
    pub fn remove(path: Vec<Step>) -> Edit {
        Edit { path, new: None }
    }

    /// Does it to a rule.
    pub fn apply(&self, rule: &mut Value) {
        let Some((last, way)) = self.path.split_last() else { return };
        let Some(parent) = way.iter().try_fold(rule, |value, step| step.of_mut(value)) else { return };
        match (parent, last, &self.new) {
            (Value::Object(fields), Step::Field(name), Some(new)) => {
                fields.insert(name.clone(), new.clone());
            }
            (Value::Object(fields), Step::Field(name), None) => {
                fields.remove(name);
            }
            (Value::Array(items), Step::Item(at), Some(new)) => {
                if let Some(item) = items.get_mut(*at) {
                    *item = new.clone();
                }
            }
            (Value::Array(items), Step::Item(at), None) if *at < items.len() => {
                items.remove(*at);
            }
            _ => {}
        }
    }
}

impl Step {
    /// The value to which it leads.
    pub fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match self {
            Step::Field(name) => value.get(name),
            Step::Item(at) => value.get(at),
        }
    }

    fn of_mut<'v>(&self, value: &'v mut Value) -> Option<&'v mut Value> {
        match self {
            Step::Field(name) => value.get_mut(name),
            Step::Item(at) => value.get_mut(at),
        }
    }
}

/// A path of fields, as in `["ramp"]`.
pub fn fields<const N: usize>(names: [&str; N]) -> Vec<Step> {
    names.map(|name| Step::Field(name.to_owned())).to_vec()
}

/// The weight of a subset.
pub fn weight(at: usize) -> Vec<Step> {
    vec![Step::Field("split".to_owned()), Step::Item(at), Step::Field("weight".to_owned())]
}

/// A path as config errors name places, as in `split[1].weight`.
pub struct Shown<'p>(pub &'p [Step]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if number == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Item(at) => write!(f, "[{at}]")?,
            }
        }
        Ok(())
    }
}

/// The path within a rule to the place of a config error, or as far as it exists. Names may contain points: the longest that exists.
pub fn path_of(error: &ConfigError, index: usize, rule: &Value) -> Vec<Step> {
    let start = format!("rules[{index}]");
    let mut rest = error.place.strip_prefix(&start).unwrap_or_default();
    let (mut value, mut path) = (rule, Vec::new());
    loop {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let item = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (step, after) = match (item.and_then(|(at, after)| Some((at.parse().ok()?, after))), value) {
            (Some((at, after)), Value::Array(_)) => (Step::Item(at), after),
            (_, Value::Object(fields)) => {
                let begins = |name: &&String| {
                    rest.strip_prefix(name.as_str())
                        .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
                };
                let Some(name) = fields.keys().filter(begins).max_by_key(|name| name.len()) else { return path };
                (Step::Field(name.clone()), rest.get(name.len()..).unwrap_or_default())
            }
            _ => return path,
        };
        let Some(inner) = step.of(value) else { return path };
        (value, rest) = (inner, after);
        path.push(step);
    }
}

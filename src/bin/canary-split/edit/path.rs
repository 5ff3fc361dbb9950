//! The path from a value to one inside it.

use crate::input::yaml::Node;
use serde_json::Value;
use std::fmt;

/// A step from a value to one inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The field of this name.
    Field(String),
    /// The item at this place.
    Item(usize),
}

impl Step {
    /// The value that it leads to.
    pub fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match self {
            Step::Field(name) => value.get(name),
            Step::Item(at) => value.get(at),
        }
    }

    /// The same in a text.
    pub fn of_node<'n>(&self, node: &'n Node) -> Option<&'n Node> {
        match self {
            Step::Field(name) => node.get(name),
            Step::Item(at) => node.items().get(*at),
        }
    }
}

impl From<&str> for Step {
    fn from(name: &str) -> Step {
        Step::Field(name.to_owned())
    }
}

impl From<usize> for Step {
    fn from(at: usize) -> Step {
        Step::Item(at)
    }
}

/// A path of fields, as in `["ramp"]`.
pub fn fields<const N: usize>(names: [&str; N]) -> Vec<Step> {
    names.map(Step::from).to_vec()
}

/// A path as a JSON Pointer (RFC 6901).
pub fn pointer(path: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Field(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        Step::Item(at) => format!("/{at}"),
    };
    path.iter().map(step).collect()
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

//! Labels and selectors.

use crate::input::yaml::Node;

/// Labels of an object, or those that a selector asks for.
#[derive(Clone, Debug, Default)]
pub struct Labels<'o>(Vec<(&'o str, &'o str)>);

impl<'o> Labels<'o> {
    /// The labels of a mapping; `None` if they cannot be read.
    pub fn of(node: &'o Node) -> Option<Labels<'o>> {
        let pairs = node.entries().iter().map(|(key, value)| Some((&*key.name, value.text()?)));
        pairs.collect::<Option<_>>().map(Labels)
    }

    /// The value of a label; for a repeated label the last one.
    pub fn get(&self, name: &str) -> Option<&'o str> {
        self.0.iter().rfind(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// All of them.
    pub fn pairs(&self) -> impl Iterator<Item = (&'o str, &'o str)> {
        self.0.iter().copied()
    }

    /// Whether no label is given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of both.
    pub fn with(&self, others: &Labels<'o>) -> Labels<'o> {
        Labels(self.0.iter().chain(&others.0).copied().collect())
    }

    /// Whether this selects something with those labels.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.0.iter().all(|(name, _)| labels.get(name) == self.get(name))
    }

    /// Whether nothing can have both: the first label that differs, with both values.
    pub fn contradiction<'l>(&'l self, other: &'l Labels) -> Option<(&'l str, &'l str, &'l str)> {
        self.0.iter().find_map(|(name, value)| {
            let there = other.get(name)?;
            (there != *value).then_some((*name, *value, there))
        })
    }

    /// Whether one of them is put on pods by a controller or an injector, so that no manifest has it.
    pub fn are_generated(&self) -> bool {
        self.0.iter().any(|(name, _)| name.contains('/') || name.ends_with("hash"))
    }
}

impl<'o> FromIterator<(&'o str, &'o str)> for Labels<'o> {
    fn from_iter<I: IntoIterator<Item = (&'o str, &'o str)>>(pairs: I) -> Labels<'o> {
        Labels(pairs.into_iter().collect())
    }
}

/// `name: value, …`
impl std::fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        f.write_str(&pairs.join(", "))
    }
}

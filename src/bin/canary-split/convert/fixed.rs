//! Rules for requests that only one version serves. Without them their visitors get a draw that has no effect: it is counted, and an
//! error of this version is booked to the one that was drawn.

use super::rule::{Rule, Target, unique};
use canary_split::rule::re2::Re2;
use serde_json::Value;

/// A version that some requests always get.
#[derive(Clone, Debug, PartialEq)]
pub struct Fixed {
    /// Its name in the rules.
    pub subset: String,
    /// The end of the rule's name.
    suffix: String,
}

impl Fixed {
    /// A version of a split with this stable and this number of versions.
    pub fn of(subset: &str, stable: &str, count: usize) -> Fixed {
        let suffix = match count {
            _ if subset == stable => "stable".to_owned(),
            2 => "always".to_owned(),
            _ => format!("always-{subset}"),
        };
        Fixed { subset: subset.to_owned(), suffix }
    }

    /// Its rule, under a name that no other rule has.
    pub fn rule(&self, base: &str, hosts: &[String], matches: Vec<Value>, is_taken: impl Fn(&str) -> bool) -> Rule {
        let subset = self.subset.clone();
        let target = if self.suffix == "stable" { Target::Subset(subset) } else { Target::Asked(subset) };
        Rule { name: unique(&format!("{base}-{}", self.suffix), is_taken), hosts: hosts.to_vec(), matches, target }
    }
}

/// Whether a rule can ask for this: the filter refuses some patterns that a gateway takes.
pub fn can_be_asked(conditions: &[Value]) -> bool {
    let is_good = |(key, value): (&String, &Value)| match value {
        Value::String(pattern) if key == "regex" => Re2::new(pattern).is_ok(),
        other => can_be_asked(std::slice::from_ref(other)),
    };
    conditions.iter().filter_map(Value::as_object).all(|fields| fields.iter().all(is_good))
}

/// Groups of things that are alike. They come in the order in which they count: none is put before one that it may meet.
pub fn grouped<T>(
    all: impl IntoIterator<Item = T>,
    are_alike: impl Fn(&T, &T) -> bool,
    may_meet: impl Fn(&T, &T) -> bool,
) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    for one in all {
        let from = groups.iter().rposition(|group| group.iter().any(|other| may_meet(other, &one))).unwrap_or(0);
        let is_its = |group: &&mut Vec<T>| group.first().is_some_and(|first| are_alike(first, &one));
        match groups.iter_mut().skip(from).find(is_its) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn nothing_is_put_before_what_it_may_meet() {
        let kind = |one: &str| one.chars().next();
        let place = |one: &str| one.chars().nth(1);
        // The capital is the kind, and those with one small letter meet.
        for (all, expected) in [
            ("Aa Bb Ac", "Aa,Ac Bb"),
            ("Aa Ba Aa", "Aa Ba Aa"),
            ("Aa Bb Ab Ac", "Aa,Ac Bb Ab"),
            ("Aa Bb Ba Ab", "Aa Bb,Ba Ab"),
        ] {
            let groups =
                grouped(all.split(' '), |one, other| kind(one) == kind(other), |one, other| place(one) == place(other));
            let shown: Vec<String> = groups.iter().map(|group| group.join(",")).collect();
            assert_eq!(shown.join(" "), expected, "{all}");
        }
    }
}

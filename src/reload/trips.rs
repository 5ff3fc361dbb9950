//! Which canaries the guard has removed, and until when: all VMs of a gateway have to know.

use crate::rollout::guard::Action;
use crate::rollout::ramp::Second;
use crate::rule::{Rule, Target, WeightedSubsets};
use std::fmt::Write;

/// A canary that the guard has removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// The rule's name.
    pub rule: String,
    /// The canary's name.
    pub subset: String,
    /// The version of the rule at that time: [`crate::rollout::Rollout::version`].
    pub version: u64,
    /// When it returns; `None`: when the rule is edited.
    pub until: Option<Second>,
}

/// All canaries of a plugin that guards have removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trips(Vec<Trip>);

impl Trips {
    /// Adds a trip; false if it is known.
    pub fn add(&mut self, trip: Trip) -> bool {
        let is_known =
            |known: &Trip| (&known.rule, &known.subset, known.version) == (&trip.rule, &trip.subset, trip.version);
        if self.0.iter().any(is_known) {
            return false;
        }
        self.0.push(trip);
        true
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Trip> {
        self.0.iter()
    }

    /// Keeps the trips of rules that are unchanged in this list; returns the others.
    pub fn retain_unedited(&mut self, rules: &[Rule]) -> Vec<Trip> {
        let is_unedited = |trip: &Trip| rules.iter().any(|rule| trip.concerns(rule).is_some());
        self.take(|trip| !is_unedited(trip))
    }

    /// Removes the trips whose time is over and that may end, and returns them.
    pub fn expire(&mut self, now: Second, may_end: impl Fn(&Trip) -> bool) -> Vec<Trip> {
        self.take(|trip| trip.until.is_some_and(|until| until <= now) && may_end(trip))
    }

    fn take(&mut self, is_taken: impl Fn(&Trip) -> bool) -> Vec<Trip> {
        let (taken, kept) = std::mem::take(&mut self.0).into_iter().partition(is_taken);
        self.0 = kept;
        taken
    }

    /// Removes a rule's tripped canaries from its split, unless its guard only observes; puts the others back.
    pub fn apply(&self, rule: &Rule) {
        let Target::Split(WeightedSubsets { rollout: Some(rollout), .. }) = &rule.target else { return };
        let acts = rollout.guard.as_ref().is_some_and(|guard| guard.action == Action::Rollback);
        rollout.trip(if acts { self.of(rule) } else { 0 });
    }

    /// The tripped canaries of a rule, a bit for each place in its split.
    pub fn of(&self, rule: &Rule) -> u64 {
        self.0.iter().filter_map(|trip| trip.concerns(rule)).fold(0, |places, at| places | 1 << at)
    }

    /// The list as it is stored: a line for each trip.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = String::new();
        for Trip { rule, subset, version, until } in &self.0 {
            let until = until.map_or_else(|| "-".to_owned(), |until| until.0.to_string());
            let _ = writeln!(text, "{version} {until} {rule} {subset}");
        }
        text.into_bytes()
    }

    /// Reads what [`Trips::to_bytes`] wrote; any other line is no trip.
    pub fn from_bytes(bytes: &[u8]) -> Trips {
        let trip = |line: &str| {
            let mut parts = line.split(' ');
            let version = parts.next()?.parse().ok()?;
            let until = match parts.next()? {
                "-" => None,
                until => Some(Second(until.parse().ok()?)),
            };
            Some(Trip { version, until, rule: parts.next()?.to_owned(), subset: parts.next()?.to_owned() })
        };
        Trips(std::str::from_utf8(bytes).unwrap_or_default().lines().filter_map(trip).collect())
    }
}

impl Trip {
    /// The place of its canary in this rule's split, if it is the same rule, unedited.
    fn concerns(&self, rule: &Rule) -> Option<usize> {
        let Target::Split(WeightedSubsets { subsets, rollout: Some(rollout), .. }) = &rule.target else { return None };
        let is_of_this = rule.name == self.rule && rollout.version == self.version;
        let at = subsets.iter().position(|subset| *subset.name == *self.subset)?;
        is_of_this.then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::{Second, Trip, Trips};
    use crate::config::Config;
    use crate::rule::{Rule, Target};

    fn rules(margin: &str) -> Vec<Rule> {
        let text = format!(
            r#"{{"rules":[{{"name":"r","split":[{{"subset":"v1","weight":1}},{{"subset":"v2","weight":1}}],"guard":{{"margin":"{margin}"}}}},{{"name":"plain","split":[{{"subset":"v2","weight":1}}]}}]}}"#
        );
        Config::from_json(text.as_bytes()).unwrap().rules
    }

    fn trip_of(rules: &[Rule], until: Option<u64>) -> Trip {
        let Target::Split(split) = &rules[0].target else { panic!("a split") };
        let version = split.rollout.as_ref().unwrap().version;
        Trip { rule: "r".to_owned(), subset: "v2".to_owned(), version, until: until.map(Second) }
    }

    #[test]
    fn what_is_stored_is_what_is_read_and_any_other_line_is_no_trip() {
        let mut trips = Trips::default();
        assert!(trips.add(trip_of(&rules("1%"), None)) && trips.add(trip_of(&rules("2%"), Some(7))));
        assert!(!trips.add(trip_of(&rules("1%"), Some(9))), "it is tripped already");
        assert_eq!(Trips::from_bytes(&trips.to_bytes()), trips);
        let strange = [&b"1 - r\nx - r v2\n1 soon r v2\n\n\xff"[..], &trips.to_bytes()].concat();
        assert!(Trips::from_bytes(&strange).is_empty(), "not UTF-8 is nothing at all");
        assert_eq!(Trips::from_bytes(b"1 - r\nx - r v2\n1 - r v2\n").iter().count(), 1);
    }

    #[test]
    fn a_trip_takes_out_of_its_rule_as_it_was_and_of_no_other() {
        let (rules, edited) = (rules("1%"), rules("2%"));
        let mut trips = Trips::default();
        trips.add(trip_of(&rules, None));
        assert_eq!((trips.of(&rules[0]), trips.of(&rules[1]), trips.of(&edited[0])), (0b10, 0, 0));
        trips.apply(&rules[0]);
        let Target::Split(split) = &rules[0].target else { panic!("a split") };
        assert_eq!((split.or_stable(0), split.or_stable(1)), (0, 0));
        Trips::default().apply(&rules[0]);
        assert_eq!(split.or_stable(1), 1);
        assert_eq!(trips.retain_unedited(&rules), []);
        assert_eq!(trips.retain_unedited(&edited).len(), 1);
        assert!(trips.is_empty());
    }

    #[test]
    fn a_trip_is_over_at_its_time() {
        let mut trips = Trips::default();
        trips.add(trip_of(&rules("1%"), Some(100)));
        trips.add(trip_of(&rules("2%"), None));
        assert_eq!(trips.expire(Second(99), |_| true).len(), 0);
        assert_eq!(trips.expire(Second(100), |_| false).len(), 0);
        assert_eq!(trips.expire(Second(100), |_| true).len(), 1);
        assert_eq!(trips.expire(Second(u64::MAX), |_| true).len(), 0);
    }
}

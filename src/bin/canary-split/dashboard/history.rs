//! What has been counted between looks, since the dashboard was started.

use crate::cluster::reading::RuleReading;
use serde::Serialize;
use std::collections::BTreeMap;

/// So many points of a rule are kept; then two neighbours become one.
const MOST: usize = 720;

/// The points of each rule.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub struct History(BTreeMap<String, Vec<Point>>);

/// What was counted up to a moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Seconds since 1970.
    pub at: u64,
    /// In the order of the rule.
    pub subsets: Vec<Counted>,
}

/// What was counted of a subset since the point before.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// Its name.
    pub name: String,
    /// Its share of the weights in force at that moment; `None`: the gateways differ.
    pub in_force: Option<f64>,
    /// Requests for which it was chosen.
    pub decided: f64,
    /// Requests that got there; `None`: not known.
    pub arrived: Option<f64>,
    /// Final responses.
    pub responses: f64,
    /// Those of them that were 5xx.
    pub failed: f64,
    /// Visitors who began to fail; `None`: no guard counts them.
    pub failing: Option<f64>,
}

impl Point {
    /// What two looks say about a rule.
    pub fn of(rule: &RuleReading, at: u64) -> Point {
        let sum: Option<u64> = rule.subsets.iter().map(|subset| subset.in_force).sum();
        let counted = rule.subsets.iter().map(|subset| Counted {
            name: subset.name.clone(),
            in_force: subset.in_force.zip(sum).filter(|(_, sum)| *sum > 0).map(|(own, sum)| own as f64 / sum as f64),
            decided: subset.counted.0,
            arrived: subset.counted.1,
            responses: subset.ended.responses,
            failed: subset.ended.failed,
            failing: subset.ended.failing.map(|(lately, _)| lately),
        });
        Point { at, subsets: counted.collect() }
    }

    /// This one and the next as one.
    fn with(&self, next: &Point) -> Point {
        let both = next.subsets.iter().map(|later| {
            let Some(own) = self.subsets.iter().find(|own| own.name == later.name) else { return later.clone() };
            let sum = |one: Option<f64>, other: Option<f64>| one.zip(other).map(|(one, other)| one + other);
            Counted {
                name: later.name.clone(),
                in_force: later.in_force,
                decided: own.decided + later.decided,
                arrived: sum(own.arrived, later.arrived),
                responses: own.responses + later.responses,
                failed: own.failed + later.failed,
                failing: sum(own.failing, later.failing).or(later.failing),
            }
        });
        Point { at: next.at, subsets: both.collect() }
    }
}

impl History {
    /// Adds a point of a rule.
    pub fn add(&mut self, rule: &str, point: Point) {
        let points = self.0.entry(rule.to_owned()).or_default();
        points.push(point);
        if points.len() >= MOST {
            *points = points
                .chunks(2)
                .filter_map(|pair| match pair {
                    [one, next] => Some(one.with(next)),
                    rest => rest.first().cloned(),
                })
                .collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, History, MOST, Point};

    fn point(at: u64) -> Point {
        let subset = |name: &str, decided, arrived| Counted {
            name: name.to_owned(),
            in_force: Some(0.5),
            decided,
            arrived,
            responses: 10.0,
            failed: 1.0,
            failing: None,
        };
        Point { at, subsets: vec![subset("v1", 8.0, Some(8.0)), subset("v2", 2.0, Some(2.0))] }
    }

    #[test]
    fn a_long_history_gets_coarser_and_loses_no_request() {
        let mut history = History::default();
        let (points, per_point) = (5 * MOST as u64, 10.0);
        for at in 1..=points {
            history.add("a", point(at));
        }
        let kept = &history.0["a"];
        assert!(kept.len() < MOST && kept.len() > MOST / 4, "{}", kept.len());
        assert_eq!(kept.last().unwrap().at, points);
        assert!(kept.is_sorted_by_key(|point| point.at));
        let sum =
            |count: &dyn Fn(&Counted) -> f64| -> f64 { kept.iter().flat_map(|point| &point.subsets).map(count).sum() };
        assert_eq!(sum(&|subset| subset.decided), points as f64 * per_point);
        assert_eq!(sum(&|subset| subset.arrived.unwrap()), points as f64 * per_point);
        assert_eq!(sum(&|subset| subset.failed), points as f64 * 2.0);
    }

    #[test]
    fn what_is_not_known_of_a_part_is_not_known_of_the_whole() {
        let (mut one, other) = (point(1), point(2));
        one.subsets[1].arrived = None;
        let both = one.with(&other);
        assert_eq!(both.subsets.iter().map(|subset| subset.arrived).collect::<Vec<_>>(), [Some(16.0), None]);
        assert_eq!((both.at, both.subsets[0].decided, both.subsets[0].in_force), (2, 16.0, Some(0.5)));
        assert_eq!((both.subsets[0].responses, both.subsets[0].failed), (20.0, 2.0));
    }

    #[test]
    fn a_counter_and_a_subset_begin_with_what_they_count_first() {
        for (before, later, expected) in [
            (None, None, None),
            (None, Some(2.0), Some(2.0)),
            (Some(1.0), Some(2.0), Some(3.0)),
            (Some(1.0), None, None),
        ] {
            let (mut one, mut other) = (point(1), point(2));
            (one.subsets[0].failing, other.subsets[0].failing) = (before, later);
            assert_eq!(one.with(&other).subsets[0].failing, expected, "{before:?} {later:?}");
        }
        let mut one = point(1);
        one.subsets.truncate(1);
        assert_eq!(one.with(&point(2)).subsets[1], point(2).subsets[1]);
    }
}

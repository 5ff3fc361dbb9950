//! Visitors who come and return, day by day, while the weights follow a plan; decided by the filter's own code.

use super::schedule::Step;
use crate::simulate::options::{OnWeightChange, Options};
use crate::simulate::visitors::draw;
use crate::simulate::weights::slashed;
use canary_split::config::Config;
use canary_split::decide::decide;
use canary_split::request::Request;
use canary_split::request::claim::ClaimPath;
use canary_split::rollout::ramp::Second;
use canary_split::split::Split;
use xxhash_rust::xxh64::xxh64;

/// The results.
pub struct Simulation {
    /// One by one.
    pub days: Vec<Day>,
    /// The numbers of visitors who have changed their subset never, once, more often.
    pub changed: [u64; 3],
    /// All changes.
    pub changes: u64,
}

/// A day and its results.
pub struct Day {
    /// The weights, stable first.
    pub weights: Vec<u32>,
    /// First visits.
    pub new: u64,
    /// By subset.
    pub subsets: Vec<Tally>,
}

/// A subset on a day.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    /// Visits.
    pub visits: u64,
    /// Visits by visitors who were in another subset the time before.
    pub came: u64,
    /// Visitors of this or an earlier day whom cookies keep in it despite a weight of 0.
    pub draining: u64,
}

impl Day {
    /// Adds up all subsets.
    pub fn sum(&self, what: impl Fn(&Tally) -> u64) -> u64 {
        self.subsets.iter().map(what).sum()
    }
}

/// A browser that comes with its cookie.
struct Browser {
    cookie: Option<String>,
}

impl<'c> Request<'c> for Browser {
    fn header(&mut self, name: &'c str) -> Option<&[u8]> {
        if name == "cookie" { self.cookie.as_deref().map(str::as_bytes) } else { None }
    }

    fn claim(&mut self, _: &'c ClaimPath) -> Option<&[u8]> {
        None
    }

    fn client_address(&mut self) -> Option<&[u8]> {
        None
    }
}

/// Lets all visitors come.
pub fn simulated(steps: &[Step], days: u32, options: &Options) -> Result<Simulation, String> {
    let configs = steps.iter().map(|step| config(&step.weights, options)).collect::<Result<Vec<_>, _>>()?;
    let widest = steps.iter().map(|step| step.weights.len()).max().unwrap_or(0);
    // The step and the config of each day.
    let plan: Vec<(&Step, &Config)> =
        (1..=days).filter_map(|day| steps.iter().zip(&configs).rfind(|(step, _)| step.day <= day)).collect();
    let empty = |(step, _): &(&Step, &Config)| Day {
        weights: step.weights.clone(),
        new: 0,
        subsets: vec![Tally::default(); widest],
    };
    let mut simulation = Simulation { days: plan.iter().map(empty).collect(), changed: [0; 3], changes: 0 };
    for visitor in 0..options.visitors {
        let first = u64::from(visitor) * u64::from(days) / u64::from(options.visitors);
        let mut browser = Browser { cookie: None };
        let (mut home, mut changes) = (None, 0_usize);
        for (at, (day, (step, config))) in (0_u32..).zip(simulation.days.iter_mut().zip(&plan)).skip(first as usize) {
            if home.is_none() || returns(visitor, at, options) {
                let now = Second(u64::from(at) * 86_400);
                let decision = decide(config, &mut browser, || draw(visitor, options), || now);
                let Some(decision) = decision else { continue };
                if let Some(cookie) = decision.cookie {
                    browser.cookie = cookie.header.split(';').next().map(str::to_owned);
                }
                day.new += u64::from(home.is_none());
                let has_changed = home.is_some_and(|home| home != decision.subset_at);
                changes += usize::from(has_changed);
                if let Some(tally) = day.subsets.get_mut(decision.subset_at) {
                    tally.visits += 1;
                    tally.came += u64::from(has_changed);
                }
                home = Some(decision.subset_at);
            }
            let drained = home.filter(|&home| step.weights.get(home) == Some(&0));
            if let Some(tally) = drained.and_then(|home| day.subsets.get_mut(home)).filter(|_| is_kept(options)) {
                tally.draining += 1;
            }
        }
        simulation.changes += changes as u64;
        if let Some(count) = simulation.changed.get_mut(changes.min(2)) {
            *count += 1;
        }
    }
    Ok(simulation)
}

/// Whether cookies keep the subset.
pub fn is_kept(options: &Options) -> bool {
    options.on_weight_change == OnWeightChange::Keep
}

/// Whether a visitor comes again on a day.
fn returns(visitor: u32, day: u32, options: &Options) -> bool {
    let hash = xxh64(&[visitor.to_le_bytes(), day.to_le_bytes()].concat(), options.seed);
    ((hash >> 11) as f64 / (1_u64 << 53) as f64) < options.return_rate
}

/// The filter's config for these weights; its cookies outlive every simulation.
fn config(weights: &[u32], options: &Options) -> Result<Config, String> {
    Split::new(weights).map_err(|error| format!("\"{}\": {error}", slashed(weights)))?;
    let split: Vec<_> = weights
        .iter()
        .enumerate()
        .map(|(at, weight)| serde_json::json!({"subset": name(at), "weight": weight}))
        .collect();
    let sticky = serde_json::json!({"cookie": {"ttl": "9600h"}, "onWeightChange": options.on_weight_change.name()});
    let json = serde_json::json!({"rules": [{"name": "simulation", "split": split, "sticky": sticky}]});
    Config::from_json(json.to_string().as_bytes())
        .map_err(|errors| errors.first().map(ToString::to_string).unwrap_or_default())
}

/// The name of the subset at a place in the list.
pub fn name(at: usize) -> String {
    format!("v{}", at + 1)
}

//! `WEIGHTS…` or `WEIGHTS@DAY…` → the weights of each day.

use crate::input::quoted::quoted;
use crate::input::weights::list;

/// The most days of a plan.
const MAX_DAYS: u32 = 366;

/// Weights from a day on.
pub struct Step {
    /// The first day, from 1.
    pub day: u32,
    /// The weights, stable first.
    pub weights: Vec<u32>,
}

/// Spreads steps evenly over the days, or begins each on the day that it names; the first one begins on day 1.
pub fn read(plan: &[String], days: u32) -> Result<Vec<Step>, String> {
    if plan.is_empty() {
        return Err("--days needs WEIGHTS, or --guard".to_owned());
    }
    if days > MAX_DAYS {
        return Err(format!("{days} days are more than {MAX_DAYS}"));
    }
    let is_named = plan.iter().skip(1).any(|step| step.contains('@'));
    let count = plan.len() as u64;
    if count > u64::from(days) {
        return Err(format!("{count} steps are more than {days} days"));
    }
    let mut steps: Vec<Step> = Vec::new();
    for (number, text) in (0_u64..).zip(plan) {
        let shown = quoted(text);
        let (weights, day) = match text.split_once('@') {
            Some((weights, day)) => {
                let day = day.parse().ok().filter(|day| (1..=days).contains(day));
                (weights, day.ok_or_else(|| format!("{shown}: the day is not from 1 to {days}"))?)
            }
            None if is_named && number > 0 => {
                return Err(format!(
                    "{shown}: on which day? Either all steps after the first name theirs, or none does"
                ));
            }
            // Less than the number of days.
            None => (text.as_str(), (number * u64::from(days) / count) as u32 + 1),
        };
        match steps.last() {
            None if day > 1 => return Err(format!("{shown}: the first step begins on day 1")),
            Some(before) if before.day >= day => {
                return Err(format!(
                    "{shown}: day {day} is not after day {}, on which the step before begins",
                    before.day
                ));
            }
            _ => steps.push(Step { day, weights: list(weights)? }),
        }
    }
    Ok(steps)
}

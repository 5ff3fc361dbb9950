//! Which routes are converted together: those that a gateway merges, because they are for one host.

use super::attached::{Attached, Gateways};
use super::read::Route;
use crate::convert::refusal::Refusal;

/// Routes that are one to the visitors.
#[derive(Debug)]
pub struct Unit<'o>(pub Vec<(Route<'o>, Attached)>);

/// All units in which something has weights, and why other routes are in none.
pub fn all<'o>(routes: Vec<Result<Route<'o>, Refusal>>, gateways: &Gateways) -> (Vec<Unit<'o>>, Vec<Refusal>) {
    let (mut units, mut refused): (Vec<Unit>, Vec<Refusal>) = (Vec::new(), Vec::new());
    for route in routes {
        let has_weights = |route: &Route| !route.weighted.is_empty() || route.to_one.is_some();
        let route = match route {
            Ok(route) => route,
            Err(refusal) => {
                refused.push(refusal);
                continue;
            }
        };
        let attached = match gateways.attached(&route) {
            Ok(attached) => attached,
            // Nobody asks about what is not to be converted.
            Err(refusal) => {
                refused.extend(Some(refusal).filter(|_| has_weights(&route)));
                continue;
            }
        };
        let is_near = |unit: &Unit| {
            let points = unit.0.iter().flat_map(|(_, other)| &other.points);
            points.into_iter().any(|other| attached.points.iter().any(|own| own.meets(other)))
        };
        let (near, others): (Vec<Unit>, Vec<Unit>) = units.into_iter().partition(is_near);
        let mut all: Vec<_> = near.into_iter().flat_map(|unit| unit.0).collect();
        all.push((route, attached));
        units = others;
        units.push(Unit(all));
    }
    let has_weights = |(route, _): &(Route, Attached)| !route.weighted.is_empty() || route.to_one.is_some();
    units.retain(|unit| unit.0.iter().any(has_weights));
    (units, refused)
}

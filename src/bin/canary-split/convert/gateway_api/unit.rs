//! Which routes are converted together: those that a gateway merges, because they are for one host.

use super::attached::{Attached, Gateways};
use super::entry::Entry;
use super::read::Route;
use crate::convert::refusal::Refusal;

/// Routes that are one to the visitors.
#[derive(Debug)]
pub struct Unit<'o>(pub Vec<(Route<'o>, Attached)>);

impl<'o> Unit<'o> {
    /// The same without some matches.
    pub fn without(&self, gone: &[&Entry]) -> Unit<'o> {
        let is_left = |entry: &&Entry| !gone.iter().any(|gone| std::ptr::eq(*gone, *entry));
        let of_rule = |entries: &Vec<Entry>| entries.iter().filter(is_left).cloned().collect();
        let of_route = |route: &Route<'o>| Route { rules: route.rules.iter().map(of_rule).collect(), ..route.clone() };
        Unit(self.0.iter().map(|(route, attached)| (of_route(route), attached.clone())).collect())
    }
}

/// All units in which something has weights, and why other routes are in none.
pub fn all<'o>(routes: Vec<Route<'o>>, gateways: &Gateways) -> (Vec<Unit<'o>>, Vec<Refusal>) {
    let (mut units, mut refused): (Vec<Unit>, Vec<Refusal>) = (Vec::new(), Vec::new());
    for route in routes {
        let attached = match gateways.attached(&route) {
            Ok(attached) => attached,
            // Nobody asks about what is not to be converted.
            Err(refusal) => {
                refused.extend(Some(refusal).filter(|_| route.has_weights()));
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
    units.retain(|unit| unit.0.iter().any(|(route, _)| route.has_weights()));
    (units, refused)
}

//! Which routes are converted together: those that a gateway merges, because they are for one host.

use super::attached::{Attached, Gateways, Point};
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
    let elsewhere: Vec<Option<Refusal>> = units.iter().map(|unit| decides_elsewhere(unit, &units)).collect();
    let mut all = Vec::new();
    for (unit, refusal) in units.into_iter().zip(elsewhere) {
        match refusal {
            Some(refusal) => refused.push(refusal),
            None => all.push(unit),
        }
    }
    (all, refused)
}

/// Whether rules for the hosts of a unit would also decide at a listener where other routes have these hosts.
fn decides_elsewhere(unit: &Unit, units: &[Unit]) -> Option<Refusal> {
    let own: Vec<Point> = unit.0.iter().flat_map(|(_, attached)| attached.points.clone()).collect();
    let others = units.iter().filter(|other| !std::ptr::eq(*other, unit)).flat_map(|other| &other.0);
    let (route, _) = unit.0.iter().find(|(route, _)| route.has_weights())?;
    for (other, attached) in others {
        let found = attached.points.iter().find_map(|point| {
            own.iter().find_map(|own_point| Some((&own_point.host, point.listener_without(&own_point.host, &own)?)))
        });
        if let Some((host, listener)) = found {
            let node = route.object.at(&["spec", "parentRefs"]).unwrap_or(&route.object.node);
            let reason = format!(
                "{} has requests for {host} at the listener {listener}, where this route is not attached: a rule cannot ask for a listener, so it would decide there too; attach both to the same listeners",
                other.object.title()
            );
            return Some(Refusal::at(route.object, node, reason));
        }
    }
    None
}

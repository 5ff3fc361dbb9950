//! Names of destinations in a rule: from the subset, or from the Service.

use crate::world::routing::Destination;
use canary_split::subset::is_label;

/// The names of one route's destinations, in the route's order.
///
/// # Errors
///
/// The index of a destination without a valid or unique name, and the reason.
pub fn of(destinations: &[Destination]) -> Result<Vec<String>, (usize, String)> {
    let services: Vec<Option<&str>> = destinations.iter().map(service).collect();
    let called = called(&services);
    let mut names: Vec<String> = Vec::new();
    for (at, destination) in destinations.iter().enumerate() {
        let service = called.get(at).copied().flatten();
        let host = destination.host.1;
        let Some(name) = destination.subset.map(|(_, subset)| subset).or(service) else {
            return Err((
                at,
                format!(
                    "{host} has no subset and is no Service (NAME, or NAME.NAMESPACE.svc.cluster.local), so a rule has no name for it"
                ),
            ));
        };
        if !is_label(name.as_bytes()) {
            return Err((
                at,
                format!("a rule cannot name a subset {name}: lower-case letters, digits and - alone; rename it"),
            ));
        }
        if let Some(first) = names.iter().position(|known| known == name) {
            let is_one = destinations.get(first).is_some_and(|first| first.is_same(destination));
            let why = if !is_one {
                format!("two destinations would both be called {name}; give them subsets of different names")
            } else if destination.subset.is_none()
                && destinations.get(first).is_some_and(|first| port(first) != port(destination))
            {
                format!(
                    "{host} is there twice, with another port; ports do not tell pods apart, so make subsets in a DestinationRule"
                )
            } else {
                format!("{name} of {host} is there twice; add the weights up in one destination")
            };
            return Err((at, why));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

/// The names that Services give: the version at the end if every Service has one, otherwise the whole name.
pub fn called<'n>(services: &[Option<&'n str>]) -> Vec<Option<&'n str>> {
    let versions: Vec<Option<&str>> = services.iter().map(|name| name.and_then(version)).collect();
    let are_versions = services.iter().zip(&versions).all(|(name, version)| name.is_none() == version.is_none());
    if are_versions { versions } else { services.to_vec() }
}

/// The Service of a destination, if it has no subset.
fn service<'o>(destination: &Destination<'o>) -> Option<&'o str> {
    destination.service().filter(|_| destination.subset.is_none()).map(|service| service.name)
}

/// The version at the end of a Service's name: `v2` for `reviews-v2`.
fn version(service: &str) -> Option<&str> {
    let (_, last) = service.rsplit_once('-')?;
    last.strip_prefix('v').filter(|number| number.starts_with(|first: char| first.is_ascii_digit())).map(|_| last)
}

fn port(destination: &Destination) -> Option<u32> {
    destination.port.map(|(_, port)| port)
}

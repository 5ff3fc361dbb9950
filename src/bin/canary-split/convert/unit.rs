//! Groups of VirtualServices that are converted together: one with hosts, its delegates, and others that share these.

use crate::world::World;
use crate::world::routing::VirtualService;

/// VirtualServices that are converted together.
#[derive(Debug, Default)]
pub struct Unit<'w, 'o> {
    /// VirtualServices with hosts.
    pub roots: Vec<&'w VirtualService<'o>>,
    /// VirtualServices that the roots delegate to.
    pub delegates: Vec<&'w VirtualService<'o>>,
}

impl<'w, 'o> Unit<'w, 'o> {
    /// Roots and delegates.
    pub fn members(&self) -> impl Iterator<Item = &'w VirtualService<'o>> {
        self.roots.iter().chain(&self.delegates).copied()
    }

    fn has_any(&self, delegates: &[&VirtualService]) -> bool {
        self.delegates.iter().any(|own| delegates.iter().any(|other| std::ptr::eq(*own, *other)))
    }

    fn add(&mut self, other: Unit<'w, 'o>) {
        self.roots.extend(other.roots);
        for delegate in other.delegates {
            if !self.has_any(&[delegate]) {
                self.delegates.push(delegate);
            }
        }
    }
}

/// All units, and the orphans: VirtualServices without hosts that no given VirtualService delegates to.
pub fn all<'w, 'o>(world: &'w World<'o>) -> (Vec<Unit<'w, 'o>>, Vec<&'w VirtualService<'o>>) {
    let mut units: Vec<Unit> = Vec::new();
    for root in world.virtual_services().filter(|service| !service.hosts.is_empty()) {
        let delegates: Vec<_> = root.routes.iter().filter_map(|route| world.delegate(root, route)).collect();
        let mut unit = Unit { roots: vec![root], delegates: Vec::new() };
        unit.add(Unit { roots: Vec::new(), delegates });
        let (shared, mut others): (Vec<Unit>, Vec<Unit>) =
            units.into_iter().partition(|known| known.has_any(&unit.delegates));
        let mut first = shared.into_iter().reduce(|mut one, other| {
            one.add(other);
            one
        });
        match &mut first {
            Some(first) => first.add(unit),
            None => first = Some(unit),
        }
        others.extend(first);
        units = others;
    }
    let has = |service: &VirtualService| units.iter().any(|unit| unit.has_any(&[service]));
    let orphans = world.virtual_services().filter(|service| service.hosts.is_empty() && !has(service)).collect();
    (units, orphans)
}

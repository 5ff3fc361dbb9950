//! The requests that a split decides, as far as routes and rules name them, and where those of each subset go.

use crate::input::yaml::Node;
use crate::world::World;
use crate::world::asked::Asked;
use crate::world::beside::Beside;
use crate::world::plugin::{Named, Plugin};
use crate::world::reached::{Coming, Reached, reached};
use crate::world::site::Site;
use crate::world::table::Entry;
use crate::world::text::Taken;
use crate::world::witness::{Kind, Way, Witness, kinds};
use canary_split::config::Config;
use canary_split::decide::answer;
use canary_split::reload::State;
use canary_split::rollout::ramp::Second;
use canary_split::split::Draw;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// The most requests of a kind that are tried, and of these that the rule decides.
const MAX_TRIED: usize = 256;
const MAX_DECIDED: usize = 48;

/// What is known of a plugin's requests.
pub struct Walks<'w, 'o> {
    world: &'w World<'o>,
    plugin: &'w Plugin,
    beside: Beside<'w, 'o>,
    config: Config,
    /// By host, and whether it is https.
    reached: HashMap<(String, bool), Rc<Vec<Reached<'w, 'o>>>>,
    /// The deciding rule by host, path and method.
    deciding: HashMap<(String, String, String), Option<String>>,
}

/// One request, and where it goes as each subset's.
pub struct Walked<'t, 'w, 'o> {
    /// The request.
    pub witness: &'t Witness<'t>,
    /// What it meets.
    pub reached: &'t Reached<'w, 'o>,
    /// The way of each subset that the rule can choose, and of stable.
    pub ways: Vec<(Named<'w>, Way<'t, 'w, 'o>)>,
}

impl<'w, 'o> Walks<'w, 'o> {
    /// Those of a plugin all of whose rules can be read.
    pub fn of(world: &'w World<'o>, plugin: &'w Plugin) -> Option<Walks<'w, 'o>> {
        let evaluation = plugin.is_whole.then(|| State::default().evaluate(plugin.config.json().as_bytes()))?;
        let (reached, deciding) = (HashMap::new(), HashMap::new());
        Some(Walks { world, plugin, beside: world.beside(plugin), config: evaluation.config, reached, deciding })
    }

    /// Whether it is about this plugin.
    pub fn is_of(&self, plugin: &Plugin) -> bool {
        std::ptr::eq(self.plugin, plugin)
    }

    /// Entries about the port, the scheme or the gateway that no request for a site's first host meets: those that come in there are sent
    /// to https, or nothing serves it. None if a gateway is not given.
    pub fn unmet(&mut self, site: &Site<'w, 'o>) -> HashSet<*const Node> {
        let entries = site.steps().flat_map(|step| &step.entries);
        let mut unmet: HashSet<*const Node> = entries
            .filter(|entry| entry.asked.iter().any(|asked| asked.is_about_entrance()))
            .map(|entry| std::ptr::from_ref(entry.node))
            .collect();
        let hosts = if unmet.is_empty() { Vec::new() } else { site.tried_hosts() };
        for (host, is_tls) in hosts.iter().flat_map(|host| [(host, true), (host, false)]) {
            for one in self.reached(host, is_tls).iter().filter(|one| !one.sends_to_https) {
                if !one.is_given {
                    return HashSet::new();
                }
                let scheme = Asked::scheme(if is_tls { "https" } else { "http" });
                let is_met =
                    |entry: &&Entry| !entry.asked.iter().any(|asked| asked.taken_of(&[&scheme]) == Taken::None);
                for met in one.table.steps.iter().flat_map(|step| &step.entries).filter(is_met) {
                    unmet.remove(&std::ptr::from_ref(met.node));
                }
            }
        }
        unmet
    }

    /// Looks at requests of a rule at its routes: at each gateway, for each kind, one after the other.
    pub fn each(&mut self, site: &Site<'w, 'o>, mut look: impl FnMut(&Walked<'_, 'w, 'o>)) {
        let (subsets, kinds) = (site.subsets(), kinds(site.rule));
        for host in site.tried_hosts() {
            for is_tls in [true, false] {
                let reached = self.reached(&host, is_tls);
                for one in reached.iter().filter(|one| !one.sends_to_https) {
                    let scheme = one.is_given.then_some(if is_tls { "https" } else { "http" });
                    kinds.iter().for_each(|kind| self.each_of(kind, site, (&host, scheme), &subsets, one, &mut look));
                }
            }
        }
    }

    fn each_of(
        &mut self,
        kind: &Kind,
        site: &Site<'w, 'o>,
        (host, scheme): (&str, Option<&'static str>),
        subsets: &[Named<'w>],
        reached: &Reached<'w, 'o>,
        look: &mut impl FnMut(&Walked<'_, 'w, 'o>),
    ) {
        let mut decided = 0;
        for asked in kind.tried(&reached.table).into_iter().take(MAX_TRIED) {
            let mut witness = Witness::new(kind, host, scheme, asked);
            if decided >= MAX_DECIDED || !self.is_decided_by(site, kind, (host, asked), &mut witness) {
                continue;
            }
            decided += 1;
            let witness = &witness;
            let counts = |named: &&Named| named.is_chosen || named.is_stable;
            let way = |named: &Named<'w>| {
                let known = witness.known(site.header, &named.subset.header_value);
                (*named, reached.table.way(&known.iter().collect::<Vec<_>>()))
            };
            look(&Walked { witness, reached, ways: subsets.iter().filter(counts).map(way).collect() });
        }
    }

    fn reached(&mut self, host: &str, is_tls: bool) -> Rc<Vec<Reached<'w, 'o>>> {
        let port = if is_tls { 443 } else { 80 };
        let (world, plugin, beside) = (self.world, self.plugin, &self.beside);
        let find = || Rc::new(reached(world, plugin, beside, Coming { host, port, is_tls }));
        Rc::clone(self.reached.entry((host.to_owned(), is_tls)).or_insert_with(find))
    }

    /// Whether the rule decides a request, and none before it.
    fn is_decided_by(
        &mut self,
        site: &Site,
        kind: &Kind,
        (host, (path, method)): (&str, (&str, &str)),
        witness: &mut Witness,
    ) -> bool {
        let decide = |witness: &mut Witness| {
            let answer = answer(&self.config, witness, || Draw(0), || Second(0));
            answer.decision.map(|decision| decision.rule.name.clone())
        };
        if !kind.is_plain() {
            return decide(witness).as_ref() == Some(&site.rule.name);
        }
        let key = (host.to_owned(), path.to_owned(), method.to_owned());
        self.deciding.entry(key).or_insert_with(|| decide(witness)).as_ref() == Some(&site.rule.name)
    }
}

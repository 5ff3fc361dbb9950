//! The difference between two versions of a rule.

use super::cookies::unread;
use super::matches::{entries, of_clients};
use super::moves::{Carried, Layout, Move, moved};
use super::note::Note;
use super::reasons::reasons;
use super::remember;
use super::sticky::carried;
use crate::report::share::Share;
use canary_split::rule::hosts::HostPattern;
use canary_split::rule::{Rule, Target};
use serde::Serialize;

/// The change of a rule or a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// It is new.
    New,
    /// It is gone.
    Gone,
    /// It has changed.
    Changed,
    /// In effect it is unchanged.
    Same,
}

/// A rule before and after.
#[derive(Debug, Serialize)]
pub struct RuleDiff {
    /// Its name.
    pub rule: String,
    /// Its change.
    pub change: Change,
    /// All subsets, the earlier ones first.
    pub subsets: Vec<SubsetDiff>,
    /// What its visitors do.
    pub visitors: Vec<VisitorsDiff>,
    /// Notes.
    pub notes: Vec<Note>,
    /// The draws from the first to the last.
    pub picture: Picture,
}

/// A subset before and after.
#[derive(Debug, Serialize)]
pub struct SubsetDiff {
    /// Its name.
    pub subset: String,
    /// `None`: it is new.
    pub old: Option<Owned>,
    /// `None`: it is gone.
    pub new: Option<Owned>,
}

/// What a subset has.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Owned {
    /// Its weight; `None`: it is fixed.
    pub weight: Option<u32>,
    /// Its part of all draws.
    #[serde(flatten)]
    pub share: Share,
}

/// What visitors do.
#[derive(Debug, Serialize)]
pub struct VisitorsDiff {
    /// Which visitors.
    pub who: String,
    /// What happens to their draws.
    pub carried: Carried,
    /// From each subset to each, including the visitors who stay.
    pub moves: Vec<Move>,
    /// All visitors who do not stay; `None`: somebody else's weights decide that.
    pub moved: Option<Share>,
    /// The least that any scheme had to move; `None` likewise.
    pub least: Option<Share>,
    /// Why more move than the least.
    pub reasons: Vec<Note>,
}

/// `(subset, draws)` from the first draw to the last; a subset by its place in [`RuleDiff::subsets`].
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Picture {
    /// Before; empty: the rule is new.
    pub old: Vec<(usize, u64)>,
    /// After; empty: the rule is gone.
    pub new: Vec<(usize, u64)>,
    /// Whether a draw has the same place in both.
    pub is_comparable: bool,
}

impl RuleDiff {
    /// A new rule.
    pub fn new(rule: &Rule) -> RuleDiff {
        let layout = Layout::of(rule);
        RuleDiff {
            rule: rule.name.clone(),
            change: Change::New,
            subsets: subsets(None, Some(&layout)),
            visitors: Vec::new(),
            notes: Vec::new(),
            picture: Picture { new: own(&layout), ..Picture::default() },
        }
    }

    /// A rule that is gone.
    pub fn gone(rule: &Rule) -> RuleDiff {
        let layout = Layout::of(rule);
        let text = "its requests go by the next rule that matches, or the default route";
        let mut notes = vec![Note::new("gone", text)];
        if let Some(cookie) = rule.sticky().and_then(|sticky| sticky.cookie.as_ref()) {
            notes.push(unread(cookie, "its rule is gone"));
        }
        notes.extend(rule.remember.as_ref().map(|remember| unread(&remember.cookie, "its rule is gone")));
        RuleDiff {
            rule: rule.name.clone(),
            change: Change::Gone,
            subsets: subsets(Some(&layout), None),
            visitors: Vec::new(),
            notes,
            picture: Picture { old: own(&layout), ..Picture::default() },
        }
    }

    /// A rule that exists before and after.
    pub fn between(old: &Rule, new: &Rule) -> RuleDiff {
        let mut notes = Vec::new();
        if hosts(old) != hosts(new) {
            notes.push(Note::new("hosts", "its hosts changed: other requests"));
        }
        if entries(&old.matches) != entries(&new.matches) {
            notes.push(Note::new("match", "its match changed: other requests"));
            notes.extend(of_clients(old, new));
        }
        match (&old.target, &new.target) {
            (Target::Split(_), Target::Fixed(subset)) => {
                notes.push(Note::new("fixed", format!("all go to {}: a fixed subset instead of weights", subset.name)));
            }
            (Target::Fixed(_), Target::Split(_)) => notes.push(Note::new("fixed", "weights instead of a fixed subset")),
            (Target::Adopted(old), Target::Adopted(new)) if old.header != new.header => {
                let text = format!("positions are in {} instead of {}", new.header, old.header);
                let help = "edit the EnvoyFilter with it: until both name one header, visitors are drawn again with every request";
                notes.push(Note::new("adopt", text).help(help));
            }
            (Target::Adopted(_), Target::Adopted(_)) => {}
            (_, Target::Adopted(_)) => notes.push(Note::new("adopt", "somebody else's weights instead of its own")),
            (Target::Adopted(_), Target::Fixed(subset)) => {
                notes.push(Note::new(
                    "fixed",
                    format!("all go to {}: a fixed subset instead of somebody else's weights", subset.name),
                ));
            }
            (Target::Adopted(_), Target::Split(_)) => {
                notes.push(Note::new("adopt", "its own weights instead of somebody else's"));
            }
            (Target::Split(_), Target::Split(_)) | (Target::Fixed(_), Target::Fixed(_)) => {}
        }
        let (kinds, more) = carried(old, new);
        notes.extend(more);
        notes.extend(remember::notes(old, new));
        let (before, after) = (Layout::of(old), Layout::of(new));
        let visitors: Vec<VisitorsDiff> = kinds
            .into_iter()
            .map(|kind| {
                let is_known = before.is_known_with(&after, &kind.carried);
                let moves = if is_known { before.moves(&after, &kind.carried) } else { Vec::new() };
                VisitorsDiff {
                    who: kind.who,
                    moved: is_known.then(|| moved(&moves)),
                    least: is_known.then(|| before.least(&after, &kind.carried)),
                    reasons: reasons(&before, &after, &kind.carried),
                    carried: kind.carried,
                    moves,
                }
            })
            .collect();
        let subsets = subsets(Some(&before), Some(&after));
        let is_same = notes.is_empty()
            && visitors.iter().all(|kind| kind.moved == Some(Share::default()) && kind.reasons.is_empty())
            && subsets.iter().all(SubsetDiff::is_same);
        let picture = Picture {
            old: owners(&before, &after, &subsets).map(|(old, _, draws)| (old, draws)).collect(),
            new: owners(&before, &after, &subsets).map(|(_, new, draws)| (new, draws)).collect(),
            is_comparable: visitors.iter().any(|kind| matches!(kind.carried, Carried::Draw | Carried::Subset)),
        };
        let change = if is_same { Change::Same } else { Change::Changed };
        RuleDiff { rule: new.name.clone(), change, subsets, visitors, notes, picture }
    }
}

impl SubsetDiff {
    /// Whether its part of all draws is unchanged.
    fn is_same(&self) -> bool {
        let share = |owned: Option<Owned>| owned.map(|owned| owned.share).unwrap_or_default();
        share(self.old) == share(self.new)
    }
}

/// The owners of the draws of a rule that is only on one side.
fn own(layout: &Layout) -> Vec<(usize, u64)> {
    layout.beside(layout).into_iter().map(|(at, _, draws)| (at, draws)).collect()
}

/// The owners of the draws in both, by the places in this list.
fn owners(old: &Layout, new: &Layout, subsets: &[SubsetDiff]) -> impl Iterator<Item = (usize, usize, u64)> {
    let place = |layout: &Layout, at| {
        let name = layout.name(at);
        subsets.iter().position(|known| known.subset == name).unwrap_or_default()
    };
    old.beside(new).into_iter().map(move |(from, to, draws)| (place(old, from), place(new, to), draws))
}

/// All subsets of both.
fn subsets(old: Option<&Layout>, new: Option<&Layout>) -> Vec<SubsetDiff> {
    let before = old.map(|layout| layout.names.clone()).unwrap_or_default();
    let after = new.map(|layout| layout.names.clone()).unwrap_or_default();
    let added = after.iter().filter(|name| !before.contains(name));
    let owned = |layout: &Layout, name: &str| {
        let share = Share::of_draws(layout.owned_by(name)?);
        Some(Owned { weight: layout.weight_of(name), share })
    };
    before
        .iter()
        .chain(added)
        .map(|name| SubsetDiff {
            subset: (*name).to_owned(),
            old: old.and_then(|layout| owned(layout, name)),
            new: new.and_then(|layout| owned(layout, name)),
        })
        .collect()
}

/// The sorted hosts; no host means every host.
fn hosts(rule: &Rule) -> Vec<String> {
    let mut hosts: Vec<String> = rule.hosts.iter().map(|host| format!("{host:?}")).collect();
    if hosts.is_empty() || rule.hosts.contains(&HostPattern::Any) {
        return Vec::new();
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

/// The identity of a split rule apart from its name: hosts, match and subsets.
pub fn identity(rule: &Rule) -> Option<[Vec<String>; 3]> {
    let Target::Split(split) = &rule.target else { return None };
    let names = split.subsets.iter().map(|subset| subset.name.to_string()).collect();
    Some([hosts(rule), entries(&rule.matches), names])
}

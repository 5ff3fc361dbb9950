//! Who moves from which subset to which: counted from the intervals of the draws, never sampled.

use crate::report::share::{DRAWS, Share};
use canary_split::rule::{Rule, Target};
use canary_split::split::Split;
use serde::Serialize;
use std::collections::BTreeMap;

/// How a rule divides the draws.
pub struct Layout<'r> {
    /// The subsets in the order of the list.
    pub names: Vec<&'r str>,
    /// Their weights; none for a fixed subset, and none if somebody else owns them.
    weights: Vec<u32>,
    /// Who owns which position; `None`: the only subset owns all.
    split: Option<&'r Split>,
}

/// Stands for the subset if somebody else owns the weights; no subset can have this name.
pub const ADOPTED: &str = "(adopted)";

/// What happens to the draws that visitors have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "how", rename_all = "camelCase")]
pub enum Carried {
    /// Each draw stays, and the new weights decide whose it is.
    Draw,
    /// The visitor stays in the subset while it is in the split; after that the draw decides.
    Subset,
    /// Everyone is drawn again.
    Anew {
        /// What has changed.
        why: String,
    },
    /// No visitor has a draw: every request is drawn again.
    Nothing,
}

/// These draws go from one subset to another, or stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// The subset before.
    pub from: String,
    /// The subset after.
    pub to: String,
    /// How many.
    #[serde(flatten)]
    pub share: Share,
}

impl Move {
    /// Whether these visitors see another subset.
    pub fn is_move(&self) -> bool {
        self.from != self.to
    }
}

impl<'r> Layout<'r> {
    /// Of a rule.
    pub fn of(rule: &'r Rule) -> Layout<'r> {
        match &rule.target {
            Target::Fixed(subset) => Layout { names: vec![&subset.name], weights: Vec::new(), split: None },
            Target::Adopted(_) => Layout { names: vec![ADOPTED], weights: Vec::new(), split: None },
            Target::Split(split) => Layout {
                names: split.subsets.iter().map(|subset| &*subset.name).collect(),
                weights: split.weights.to_vec(),
                split: Some(&split.split),
            },
        }
    }

    /// The layout of a split without a rule.
    pub fn of_split(names: Vec<&'r str>, weights: Vec<u32>, split: &'r Split) -> Layout<'r> {
        Layout { names, weights, split: Some(split) }
    }

    /// The subset at a place in the list.
    pub fn name(&self, at: usize) -> &'r str {
        self.names.get(at).copied().unwrap_or_default()
    }

    /// The owners, from the first draw to the last, cut where the owner on either side changes: `(here, there, draws)`.
    pub fn beside(&self, there: &Layout) -> Vec<(usize, usize, u64)> {
        match (self.split, there.split) {
            (Some(old), Some(new)) => old.overlap(new).collect(),
            (Some(old), None) => old.overlap(old).map(|(from, _, draws)| (from, 0, draws)).collect(),
            (None, Some(new)) => new.overlap(new).map(|(_, to, draws)| (0, to, draws)).collect(),
            (None, None) => vec![(0, 0, DRAWS)],
        }
    }

    /// The number of draws of each subset, in the order of the list.
    pub fn owned(&self) -> Vec<u64> {
        let mut owned = vec![0; self.names.len()];
        for (at, _, draws) in self.beside(self) {
            if let Some(own) = owned.get_mut(at) {
                *own += draws;
            }
        }
        owned
    }

    /// The number of draws of a subset; `None`: it is not in the split.
    pub fn owned_by(&self, name: &str) -> Option<u64> {
        self.owned().get(self.place(name)?).copied()
    }

    /// The weight of a subset; `None`: it is not in the split.
    pub fn weight_of(&self, name: &str) -> Option<u32> {
        self.weights.get(self.place(name)?).copied()
    }

    /// The place of a subset in the list; `None`: it is not in the split.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| *known == name)
    }

    /// Whether it is known who moves: visitors who are drawn again and divided by somebody else's weights cannot be counted.
    pub fn is_known_with(&self, new: &Layout, carried: &Carried) -> bool {
        let is_adopted = |layout: &Layout| layout.names.first() == Some(&ADOPTED);
        let (old, new) = (is_adopted(self), is_adopted(new));
        matches!(carried, Carried::Nothing) || old == new && (!old || !matches!(carried, Carried::Anew { .. }))
    }

    /// From each subset to each, including the visitors who stay; in the order of the lists.
    pub fn moves(&self, new: &Layout, carried: &Carried) -> Vec<Move> {
        let mut shares = BTreeMap::<(usize, usize), Share>::new();
        let mut add = |from: usize, to: usize, share| {
            let sum = shares.entry((from, to)).or_default();
            *sum = *sum + share;
        };
        // A visitor who stays in the old subset, wherever that is in the list now.
        let kept = |from: usize| new.place(self.name(from));
        match carried {
            Carried::Nothing => {}
            Carried::Anew { .. } => {
                for (from, old) in self.owned().into_iter().enumerate() {
                    for (to, new) in new.owned().into_iter().enumerate() {
                        add(from, to, Share::product(old, new));
                    }
                }
            }
            Carried::Draw => {
                self.beside(new).into_iter().for_each(|(from, to, draws)| add(from, to, Share::of_draws(draws)));
            }
            Carried::Subset => {
                for (from, to, draws) in self.beside(new) {
                    add(from, kept(from).unwrap_or(to), Share::of_draws(draws));
                }
            }
        }
        let named = |((from, to), share)| Move { from: self.name(from).to_owned(), to: new.name(to).to_owned(), share };
        shares.into_iter().filter(|(_, share)| *share > Share::default()).map(named).collect()
    }

    /// The least that any scheme has to move to reach the new shares: what the subsets gain. If subsets are kept: the visitors of
    /// removed subsets.
    pub fn least(&self, new: &Layout, carried: &Carried) -> Share {
        let gain = |(&name, now): (&&str, u64)| now.saturating_sub(self.owned_by(name).unwrap_or(0));
        let gone = |(name, was): (&&str, u64)| if new.names.contains(name) { 0 } else { was };
        Share::of_draws(match carried {
            Carried::Nothing => 0,
            Carried::Subset => self.names.iter().zip(self.owned()).map(gone).sum(),
            Carried::Draw | Carried::Anew { .. } => new.names.iter().zip(new.owned()).map(gain).sum(),
        })
    }
}

/// All moves to another subset.
pub fn moved(moves: &[Move]) -> Share {
    moves.iter().filter(|one| one.is_move()).map(|one| one.share).sum()
}

//! Why an edit moves more visitors than any scheme would have to, and the way out.

use super::moves::{Carried, Layout, moved};
use super::note::Note;
use crate::report::share::{DRAWS, Share};
use canary_split::split::{MAX_SUBSETS, Split};

/// Why more move than the least.
pub fn reasons(old: &Layout, new: &Layout, carried: &Carried) -> Vec<Note> {
    let (least, now) = (old.least(new, carried), moved(&old.moves(new, carried)));
    match carried {
        Carried::Nothing | Carried::Subset => Vec::new(),
        Carried::Anew { why } => {
            let note = Note::new("anew", format!("everyone is drawn again, because {why}"));
            let left = moved(&old.moves(new, &Carried::Draw));
            let help = || format!("leave that as it was: {left} would move, so {} move needlessly", now - left);
            vec![if left < now { note.help(help()) } else { note }]
        }
        Carried::Draw if now <= least => Vec::new(),
        Carried::Draw => {
            let better = in_old_places(old, new).filter(|(_, left)| *left < now);
            let left = better.as_ref().map_or(now, |(_, left)| *left);
            let mut reasons = Vec::new();
            if let Some((list, _)) = better {
                let help = format!("write the list as {list}: {left} would move, so {} move needlessly", now - left);
                reasons.push(places(old, new).help(help));
            }
            if left > least {
                reasons.extend(through_stable(old, new));
                reasons.extend([old, new].into_iter().filter_map(outgrown).next_back());
            }
            // If stable is replaced, no list is better.
            if reasons.is_empty() {
                reasons.push(places(old, new));
            }
            reasons
        }
    }
}

/// The new weights with every subset in its old place and new ones at the end: the list, and who would move.
fn in_old_places(old: &Layout, new: &Layout) -> Option<(String, Share)> {
    let appended = new.names.iter().filter(|name| !old.names.contains(name));
    let names: Vec<&str> = old.names.iter().chain(appended).copied().collect();
    let weights: Vec<u32> = names.iter().map(|name| new.weight_of(name).unwrap_or(0)).collect();
    if names.len() > MAX_SUBSETS {
        return None;
    }
    let split = Split::new(&weights).ok()?;
    let list: Vec<String> = names.iter().zip(&weights).map(|(name, weight)| format!("{name} {weight}")).collect();
    let better = Layout::of_split(names, weights, &split);
    Some((list.join(", "), moved(&old.moves(&better, &Carried::Draw))))
}

/// The note that subsets have other places in the list than before.
fn places(old: &Layout, new: &Layout) -> Note {
    let (stayed, gone): (Vec<&str>, Vec<&str>) = old.names.iter().partition(|name| new.names.contains(name));
    let (others, inserted): (Vec<&str>, Vec<&str>) = new.names.iter().partition(|name| old.names.contains(name));
    let has_same_order = stayed == others;
    let displaced: Vec<&str> = stayed.into_iter().filter(|name| old.place(name) != new.place(name)).collect();
    let is = |names: &[&str]| if names.len() == 1 { "is" } else { "are" };
    let what = match displaced.as_slice() {
        _ if has_same_order && inserted.is_empty() => {
            format!("{} {} removed from the middle of the list", gone.join(", "), is(&gone))
        }
        _ if has_same_order && gone.is_empty() => {
            format!("{} {} put before the end of the list", inserted.join(", "), is(&inserted))
        }
        [one, other] if gone.is_empty() && inserted.is_empty() => format!("{one} and {other} have changed places"),
        [] => format!("{} {} where {} was in the list", inserted.join(", "), is(&inserted), gone.join(", ")),
        names => format!("{} {} elsewhere in the list than before", names.join(", "), is(names)),
    };
    Note::new("places", format!("{what}: a canary is told by its place, and its visitors are those drawn there"))
}

/// A canary shrinks while another one grows.
fn through_stable(old: &Layout, new: &Layout) -> Option<Note> {
    let canaries: Vec<&str> =
        old.names.iter().chain(&new.names).copied().filter(|name| Some(name) != new.names.first()).collect();
    let owned = |layout: &Layout, name: &str| layout.owned_by(name).unwrap_or(0);
    let shrinks = canaries.iter().find(|name| owned(new, name) < owned(old, name))?;
    let grows = canaries.iter().find(|name| owned(new, name) > owned(old, name))?;
    Some(
        Note::new(
            "throughStable",
            format!("{shrinks} shrinks and {grows} grows: the one gives to stable, the other takes from stable"),
        )
        .help("so nobody goes from canary to canary; under onWeightChange: keep its visitors would stay"),
    )
}

/// A canary that does not fit into its lane: with three or more canaries, each has its own.
fn outgrown(layout: &Layout) -> Option<Note> {
    let canaries = layout.names.len().saturating_sub(1);
    if canaries < 3 {
        return None;
    }
    let lanes = canaries.next_power_of_two();
    let lane = DRAWS / lanes as u64;
    let (name, _) = layout.names.iter().zip(layout.owned()).skip(1).find(|(_, owned)| *owned > lane)?;
    let text = format!("{name} has more than its lane, which is {} with {canaries} canaries", Share::of_draws(lane));
    Some(
        Note::new("lane", text)
            .help("fewer canaries have wider lanes; visitors who do not fit go into the lanes of others"),
    )
}

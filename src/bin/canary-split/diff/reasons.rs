//! Why an edit moves more visitors than any scheme would have to, and the way out.

use super::moves::{Carried, Layout, moved};
use super::note::Note;
use super::share::{DRAWS, Share};
use canary_split::split::{MAX_SUBSETS, Split};

/// Why more move than the least.
pub fn reasons(old: &Layout, new: &Layout, carried: &Carried) -> Vec<Note> {
    let (least, now) = (old.least(new, carried), moved(&old.moves(new, carried)));
    match carried {
        Carried::Nothing | Carried::Subset => Vec::new(),
        Carried::Anew { why } => {
            let note = Note::new("anew", format!("everyone is drawn anew, because {why}"));
            let left = moved(&old.moves(new, &Carried::Draw));
            let help = || format!("leave that as it was: {left} would move, so {} move needlessly", now - left);
            vec![if left < now { note.help(help()) } else { note }]
        }
        Carried::Draw if now <= least => Vec::new(),
        Carried::Draw => {
            let places = places(old, new, now);
            let left = places.as_ref().map_or(now, |(_, left)| *left);
            let mut reasons: Vec<Note> = places.into_iter().map(|(note, _)| note).collect();
            if left > least {
                reasons.extend(through_stable(old, new));
                reasons.extend([old, new].into_iter().filter_map(outgrown).next_back());
            }
            reasons
        }
    }
}

/// A canary that stands elsewhere in the list than before, if it is better to leave them in their places; and who moves then.
fn places(old: &Layout, new: &Layout, now: Share) -> Option<(Note, Share)> {
    let appended = new.names.iter().filter(|name| !old.names.contains(name));
    let names: Vec<&str> = old.names.iter().chain(appended).copied().collect();
    let weights: Vec<u32> = names.iter().map(|name| new.weight_of(name).unwrap_or(0)).collect();
    if names.len() > MAX_SUBSETS || names == new.names {
        return None;
    }
    let split = Split::new(&weights).ok()?;
    let better = Layout::of_split(names.clone(), weights.clone(), &split);
    let left = moved(&old.moves(&better, &Carried::Draw));
    if left >= now {
        return None;
    }
    let place = |list: &[&str], name: &str| list.iter().position(|known| *known == name);
    let displaced: Vec<&str> = old
        .names
        .iter()
        .enumerate()
        .filter(|(at, name)| place(&new.names, name).is_some_and(|now| now != *at))
        .map(|(_, name)| *name)
        .collect();
    let gone: Vec<&str> = old.names.iter().filter(|name| !new.names.contains(name)).copied().collect();
    let inserted: Vec<&str> = new.names.iter().filter(|name| !old.names.contains(name)).copied().collect();
    let in_order = |list: &Layout, other: &Layout| -> Vec<String> {
        list.names.iter().filter(|name| other.names.contains(name)).map(|name| (*name).to_owned()).collect()
    };
    let what = if in_order(old, new) != in_order(new, old) {
        match displaced.as_slice() {
            [one, other] if gone.is_empty() && inserted.is_empty() => format!("{one} and {other} have changed places"),
            _ => "the list has another order".to_owned(),
        }
    } else if inserted.is_empty() {
        format!("{} {} taken out of the middle of the list", gone.join(", "), is_or_are(&gone))
    } else if gone.is_empty() {
        format!("{} {} put before the end of the list", inserted.join(", "), is_or_are(&inserted))
    } else {
        format!(
            "{} {} the place of {}",
            inserted.join(", "),
            if inserted.len() == 1 { "takes" } else { "take" },
            gone.join(", ")
        )
    };
    let what = format!("{what}: a canary is told by its place, and its visitors are whoever is drawn there");
    let list: Vec<String> = names.iter().zip(&weights).map(|(name, weight)| format!("{name} {weight}")).collect();
    let help = format!("write the list as {}: {left} would move, so {} move needlessly", list.join(", "), now - left);
    Some((Note::new("places", what).help(help), left))
}

fn is_or_are(names: &[&str]) -> &'static str {
    if names.len() == 1 { "is" } else { "are" }
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
        .help("so nobody goes from canary to canary; under onWeightChange: keep those who are there would stay"),
    )
}

/// A canary that has no room in its lane: with three or more of them each has one of its own.
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
            .help("fewer canaries at a time have wider lanes; what does not fit goes into those of others"),
    )
}

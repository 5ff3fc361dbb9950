//! The effect of an edit on a match: whether it changes, and which clients are new and gone in `remoteIpBlocks`.

use super::note::Note;
use canary_split::request::address::Blocks;
use canary_split::rule::Rule;
use canary_split::rule::condition::{Condition, Match};

/// The number of ranges that are named.
const MOST: usize = 3;

/// Sorted entries as text, only for comparison: it may contain secrets.
pub fn entries(list: &[Match]) -> Vec<String> {
    let mut entries: Vec<String> = list.iter().map(|entry| format!("{entry:?}")).collect();
    entries.sort();
    entries.dedup();
    entries
}

/// The addresses that are new in a rule's match, and those that are gone from it.
pub fn of_clients(old: &Rule, new: &Rule) -> Option<Note> {
    let (before, after) = (blocks(old), blocks(new));
    let (added, removed) = (ranges(&after, &before), ranges(&before, &after));
    let said: Vec<String> = [("new", added), ("gone", removed)]
        .into_iter()
        .filter_map(|(what, ranges)| Some(format!("{what}: {}", ranges?)))
        .collect();
    (!said.is_empty())
        .then(|| Note::new("remoteIpBlocks", format!("its client addresses changed: {}", said.join("; "))))
}

fn blocks(rule: &Rule) -> Blocks {
    let conditions = rule.matches.iter().flat_map(|entry| &entry.conditions);
    Blocks::together(conditions.filter_map(|condition| match condition {
        Condition::RemoteIpBlocks(blocks) => Some(blocks),
        _ => None,
    }))
}

/// The ranges that are in these and not in those.
fn ranges(these: &Blocks, those: &Blocks) -> Option<String> {
    let ranges = these.without(those);
    let named = |(first, last): &(std::net::IpAddr, std::net::IpAddr)| {
        if first == last { first.to_string() } else { format!("{first} to {last}") }
    };
    let mut list: Vec<String> = ranges.iter().take(MOST).map(named).collect();
    if ranges.len() > MOST {
        list.push(format!("{} more ranges", ranges.len() - MOST));
    }
    (!list.is_empty()).then(|| list.join(", "))
}

//! Which places of a program a value can lead to at the same time: a bound on the size of states, if there are too many to
//! look at.

use super::places::Places;
use super::program::{Inst, Program};

/// The most places for which this is tried: the effort grows with their square.
const MOST: usize = 128;

/// The most instructions that one step visits, if it can be found.
pub(super) fn most_visits_together(program: &Program) -> Option<u32> {
    let is_set = |(_, inst): &(usize, &Inst)| matches!(inst, Inst::Chars(_));
    let places: Vec<usize> = program.insts.iter().enumerate().filter(is_set).map(|(place, _)| place).collect();
    if places.len() > MOST {
        return None;
    }
    let mut visits = Vec::new();
    let mut next = Vec::new();
    for place in &places {
        let (followers, count) = followers(program, &places, place + 1);
        next.push(followers);
        visits.push(count + 1);
    }
    let meet = meetings(program, &places, &next);
    // Places that never meet are one group, so a state has at most one of each group.
    let mut groups: Vec<(u128, u32)> = Vec::new();
    for ((at, visits), met) in visits.into_iter().enumerate().zip(&meet) {
        match groups.iter_mut().find(|(members, _)| members & met == 0) {
            Some((members, most)) => (*members, *most) = (*members | 1 << at, visits.max(*most)),
            None => groups.push((1 << at, visits)),
        }
    }
    let others = program.insts.iter().filter(|inst| matches!(inst, Inst::Look(_) | Inst::Match)).count() as u32;
    Some(groups.iter().map(|(_, visits)| visits).sum::<u32>() + 2 * others + 1)
}

/// The numbers of the places that a place leads to without a character, if every condition holds, and the number of instructions.
fn followers(program: &Program, places: &[usize], place: usize) -> (Vec<usize>, u32) {
    let mut all = Places::new(program);
    let visits = all.add(program, place, |_| true);
    let mut found = Vec::new();
    all.drain(program, |place| found.extend(places.binary_search(&place.into())));
    (found, visits)
}

/// For each place the places that can be in one state with it, as bits.
fn meetings(program: &Program, places: &[usize], next: &[Vec<usize>]) -> Vec<u128> {
    let mut meet = vec![0; places.len()];
    let mut open = Vec::new();
    let mut pair = |a: usize, b: usize, open: &mut Vec<(usize, usize)>| {
        let Some(met) = meet.get_mut(a) else { return };
        let bit = 1_u128 << b;
        if *met & bit == 0 {
            *met |= bit;
            open.push((a, b));
        }
    };
    let (first, _) = followers(program, places, program.start.into());
    for &a in &first {
        first.iter().for_each(|&b| pair(a, b, &mut open));
    }
    while let Some((a, b)) = open.pop() {
        if !overlap(ranges(program, places, a), ranges(program, places, b)) {
            continue;
        }
        let (Some(after_a), Some(after_b)) = (next.get(a), next.get(b)) else { continue };
        for &a in after_a {
            after_b.iter().for_each(|&b| pair(a, b, &mut open));
        }
    }
    meet
}

fn ranges<'p>(program: &'p Program, places: &[usize], number: usize) -> &'p [(u16, u16)] {
    match places.get(number).and_then(|&place| program.insts.get(place)) {
        Some(Inst::Chars(set)) => program.ranges(*set),
        _ => &[],
    }
}

fn overlap(a: &[(u16, u16)], b: &[(u16, u16)]) -> bool {
    a.iter().any(|&(low, high)| b.iter().any(|&(other_low, other_high)| low <= other_high && other_low <= high))
}

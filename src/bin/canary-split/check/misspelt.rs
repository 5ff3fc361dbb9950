//! Names that differ by one slip of the pen.

use std::collections::HashMap;

/// The fewest letters of a part of a name in which one more or fewer is a slip, and not another name.
const FEW: usize = 4;
/// The same for another letter: `app` and `api` are two names.
const MANY: usize = 5;

/// Names that are found by similar ones.
#[derive(Debug, Default)]
pub struct Names<'n> {
    /// By themselves, and by what is left of them without one of their characters.
    all: HashMap<String, Vec<&'n str>>,
}

impl<'n> Names<'n> {
    /// Adds a name.
    pub fn add(&mut self, name: &'n str) {
        for short in shortened(name) {
            self.all.entry(short).or_default().push(name);
        }
    }

    /// A name that is written almost like this one.
    pub fn near(&self, name: &str) -> Option<&'n str> {
        let mut found = shortened(name).into_iter().filter_map(|short| self.all.get(&short)).flatten();
        found.find(|known| is_slip(known, name)).copied()
    }
}

/// Whether two Gateways' names mean the same: `public-gw`, `public-gateway` and `public`; or differ by a slip.
pub fn are_alike(one: &str, other: &str) -> bool {
    let meant = |name: &str| {
        let parts = name.split('-').filter(|part| !["gw", "gateway"].contains(part));
        parts.map(str::to_owned).collect::<Vec<_>>()
    };
    let (own, others) = (meant(one), meant(other));
    one != other && (is_slip(one, other) || own == others && !own.is_empty())
}

/// A name without each of its characters, and whole.
fn shortened(name: &str) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    let without = |(at, letter): (usize, char)| {
        let rest = name.get(at + letter.len_utf8()..).unwrap_or_default();
        format!("{}{rest}", name.get(..at).unwrap_or_default())
    };
    let mut all: Vec<_> = name.char_indices().map(without).collect();
    all.push(name.clone());
    all
}

/// Whether two names differ by one letter, or by two that are swapped, in a part that is long enough. Numbers are no slips: `api1` and
/// `api2` are two names.
fn is_slip(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_ascii_lowercase().into_bytes(), other.to_ascii_lowercase().into_bytes());
    let same = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    let (own, others) = (one.get(same..).unwrap_or_default(), other.get(same..).unwrap_or_default());
    let last = own.iter().rev().zip(others.iter().rev()).take_while(|(one, other)| one == other).count();
    let middle = |bytes: &[u8]| bytes.get(..bytes.len() - last).unwrap_or_default().to_vec();
    let (own, others) = (middle(own), middle(others));
    if own.iter().chain(&others).any(|byte| byte.is_ascii_digit() || *byte == b'*') {
        return false;
    }
    let part = |name: &[u8]| {
        let is_end = |byte: &u8| *byte == b'.';
        let begin = name.get(..same).and_then(|before| before.iter().rposition(is_end)).map_or(0, |dot| dot + 1);
        let rest = name.get(begin..).unwrap_or_default();
        rest.iter().position(is_end).unwrap_or(rest.len())
    };
    let length = part(&one).max(part(&other));
    match (own.as_slice(), others.as_slice()) {
        ([_], []) | ([], [_]) => length >= FEW,
        ([first, second], [third, fourth]) => length >= FEW && (first, second) == (fourth, third),
        ([_], [_]) => length >= MANY,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, are_alike};

    #[test]
    fn the_names_of_one_gateway_are_alike() {
        let table = [
            ("public-gw", "public-gateway", true),
            ("public", "public-gateway", true),
            ("public-gateway", "pubic-gateway", true),
            ("public-gw", "public-gw", false),
            ("public-gw", "internal-gw", false),
            ("gw", "gateway", false),
            ("public-1", "public-2", false),
        ];
        for (one, other, expected) in table {
            assert_eq!(are_alike(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn a_slip_is_found_and_another_name_is_not() {
        let table = [
            ("tickets.acme.io", "tikets.acme.io", true),
            ("tickets.acme.io", "ticket.acme.io", true),
            ("tickets.acme.io", "tickkets.acme.io", true),
            ("tickets.acme.io", "tickest.acme.io", true),
            ("tickets.acme.io", "Tickats.acme.io", true),
            ("tickets.acme.io", "tickets.amce.io", true),
            ("tickets.acme.io", "tickets-acme.io", true),
            ("*.tickets.acme.io", "*.tikets.acme.io", true),
            ("tickets.acme.io", "tickets.acme.io", false),
            ("tickets.acme.io", "tkts.acme.io", false),
            ("tickets.acme.io", "tickets.acme.eu", false),
            ("tickets.acme.com", "tickets.acme.co", false),
            ("a.acme.io", "b.acme.io", false),
            ("app.acme.io", "api.acme.io", false),
            ("tickets1.acme.io", "tickets2.acme.io", false),
            ("tickets.acme.io", "tickets2.acme.io", false),
            ("tickets-eu.acme.io", "tickets-us.acme.io", false),
            ("*.acme.io", "acme.io", false),
            ("", "a", false),
        ];
        for (known, written, expected) in table {
            let mut names = Names::default();
            names.add(known);
            assert_eq!(names.near(written).is_some(), expected, "{known} {written}");
        }
    }
}

//! The sorted order of things, without moving them.

use std::cmp::Ordering;

/// The places `0..count`, sorted by `compare`; equal ones keep their order.
///
/// One function for all kinds of things: each instance of a sort adds 3 KB to the module.
pub fn sorted(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_unstable_by(|&a, &b| compare(a, b).then(a.cmp(&b)));
    places
}

#[cfg(test)]
mod tests {
    use super::sorted;

    #[test]
    fn what_is_equal_keeps_its_order() {
        let words: Vec<String> = (0..200).map(|n| format!("{}", n * 7 % 13)).collect();
        let mut expected: Vec<usize> = (0..words.len()).collect();
        expected.sort_by_key(|&at| &words[at]);
        assert_eq!(sorted(words.len(), &|a, b| words[a].cmp(&words[b])), expected);
    }
}

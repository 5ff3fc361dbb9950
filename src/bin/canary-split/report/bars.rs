//! Bars of text that show the parts of a whole.

/// The letters of the first owner, the second, …; the last one is for all others.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+";

/// The background colours of the letters, repeated: blue, green, yellow, magenta, cyan, red.
const COLOURS: [u8; 6] = [44, 42, 43, 45, 46, 41];

/// The letter of an owner.
pub fn letter(owner: usize) -> char {
    LETTERS.get(owner).or(LETTERS.last()).copied().map_or('+', char::from)
}

/// An owner's letter as it is in a bar.
pub fn painted(owner: usize, is_colourful: bool) -> String {
    match COLOURS.get(owner % COLOURS.len()) {
        Some(colour) if is_colourful => format!("\x1b[30;{colour}m{}\x1b[0m", letter(owner)),
        _ => letter(owner).to_string(),
    }
}

/// Cuts a whole, given as `(owner, amount)` from its beginning to its end, into cells: each belongs to its largest owner. Every
/// owner gets a cell, if there are enough.
pub fn cells(parts: &[(usize, u64)], width: usize) -> Vec<usize> {
    let whole: u128 = parts.iter().map(|&(_, amount)| u128::from(amount)).sum();
    // In units in which a cell has as many as the whole has parts.
    let edge = |cell: usize| cell as u128 * whole;
    let owners = parts.iter().filter(|part| part.1 > 0).map(|part| part.0 + 1).max().unwrap_or(0);
    // The share of each owner in each cell.
    let mut amounts = vec![vec![0_u128; owners]; width];
    let mut from = 0;
    for &(owner, amount) in parts {
        let to = from + u128::from(amount) * width as u128;
        for (cell, amounts) in amounts.iter_mut().enumerate() {
            let common = to.min(edge(cell + 1)).saturating_sub(from.max(edge(cell)));
            if let Some(own) = amounts.get_mut(owner).filter(|_| common > 0) {
                *own += common;
            }
        }
        from = to;
    }
    // The first of equals.
    let largest =
        |amounts: &[u128]| amounts.iter().enumerate().rev().max_by_key(|(_, own)| **own).map_or(0, |(at, _)| at);
    let mut cells: Vec<usize> = amounts.iter().map(|amounts| largest(amounts)).collect();
    for owner in 0..owners {
        let own = |cell: usize| amounts.get(cell).and_then(|amounts| amounts.get(owner)).copied().unwrap_or(0);
        let count = |owner: usize| cells.iter().filter(|&&cell| cell == owner).count();
        let spare =
            (0..width).rev().filter(|&cell| own(cell) > 0 && cells.get(cell).is_some_and(|&other| count(other) > 1));
        if count(owner) == 0
            && let Some(best) = spare.max_by_key(|&cell| own(cell))
            && let Some(cell) = cells.get_mut(best)
        {
            *cell = owner;
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::{cells, letter};

    fn bar(parts: &[(usize, u64)], width: usize) -> String {
        cells(parts, width).into_iter().map(letter).collect()
    }

    #[test]
    fn a_cell_is_its_largest_owners_and_nobody_is_left_out() {
        for (parts, width, expected) in [
            (&[(0, 3), (1, 1)][..], 4, "aaab"),
            (&[(1, 20), (0, 60), (1, 20)], 10, "bbaaaaaabb"),
            (&[(0, 999), (1, 1)], 10, "aaaaaaaaab"),
            (&[(0, 1), (1, 999)], 10, "abbbbbbbbb"),
            (&[(0, 4), (1, 0), (2, 4)], 4, "aacc"),
            (&[(0, 1), (1, 1), (2, 1)], 2, "ac"),
            (&[(0, 0), (1, 1)], 3, "bbb"),
            (&[(0, 1), (1, 2)], 4, "abbb"),
            (&[(70, 1)], 3, "+++"),
            (&[(0, 1 << 32)], 1, "a"),
        ] {
            assert_eq!(bar(parts, width), expected, "{parts:?}");
        }
    }
}

//! The split's promises: exact shares, and nobody moves without need.

use canary_split::split::{Draw, Salt, Split, SplitError};
use std::collections::BTreeMap;

const SPACE: u64 = 1 << 32;

/// Every list of `length` weights that add up to `sum`.
fn weights(length: usize, sum: u32) -> Vec<Vec<u32>> {
    if length == 1 {
        return vec![vec![sum]];
    }
    (0..=sum)
        .flat_map(|first| weights(length - 1, sum - first).into_iter().map(move |rest| [vec![first], rest].concat()))
        .collect()
}

/// The obvious way to say what each subset owns.
fn naive_shares(weights: &[u32]) -> Vec<u64> {
    let sum: u64 = weights.iter().map(|&w| u64::from(w)).sum();
    let mut shares: Vec<u64> = weights.iter().map(|&w| u64::from(w) * SPACE / sum).collect();
    let rest = SPACE - shares.iter().sum::<u64>();
    let heir = if weights[0] > 0 { 0 } else { weights.iter().rposition(|&w| w > 0).unwrap() };
    shares[heir] += rest;
    shares
}

/// Who moves from where to where: exact counts of positions.
fn moves(old: &Split, new: &Split) -> BTreeMap<(usize, usize), u64> {
    let mut moves = BTreeMap::new();
    for (from, to, positions) in old.overlap(new) {
        *moves.entry((from, to)).or_default() += positions;
    }
    moves
}

fn shares(split: &Split, subsets: usize) -> Vec<u64> {
    let own = moves(split, split);
    (0..subsets).map(|subset| own.get(&(subset, subset)).copied().unwrap_or(0)).collect()
}

#[track_caller]
fn assert_moves_only_what_it_must(old: &[u32], new: &[u32]) {
    let length = old.len().max(new.len());
    let share = |weights: &[u32]| {
        let mut shares = naive_shares(weights);
        shares.resize(length, 0);
        shares
    };
    let (was, is) = (share(old), share(new));
    let moves = moves(&Split::new(old).unwrap(), &Split::new(new).unwrap());
    for canary in 1..length {
        let gains: u64 = moves.iter().filter(|((from, to), _)| *to == canary && *from != canary).map(|(_, n)| n).sum();
        let losses: u64 = moves.iter().filter(|((from, to), _)| *from == canary && *to != canary).map(|(_, n)| n).sum();
        let expected = (is[canary].saturating_sub(was[canary]), was[canary].saturating_sub(is[canary]));
        assert_eq!((gains, losses), expected, "canary {canary} of {old:?} → {new:?}");
        for other in (1..length).filter(|&other| other != canary) {
            // With one other canary, only what exceeds the whole goes over; with more this is not promised.
            if length <= 3 {
                let over = (was[canary] + is[other]).saturating_sub(SPACE);
                let moved = moves.get(&(canary, other)).copied().unwrap_or(0);
                assert_eq!(moved, over, "{canary} → {other} of {old:?} → {new:?}");
            }
        }
    }
}

#[test]
fn every_subset_owns_exactly_its_share() {
    for length in 1..=5 {
        for sum in 1..=9 {
            for weights in weights(length, sum) {
                let split = Split::new(&weights).unwrap();
                assert_eq!(shares(&split, length), naive_shares(&weights), "{weights:?}");
            }
        }
    }
}

#[test]
fn extreme_weights_own_exactly_their_share() {
    let max = u32::MAX;
    let mut many = vec![max / 64; 64];
    many[0] = 0;
    let half_and_ones = [vec![1], vec![1; 31], vec![max / 2], vec![1; 31]].concat();
    for weights in [&[max][..], &[0, max], &[max - 1, 1], &[1, max - 1], &[0, 1, max - 1], &many, &half_and_ones] {
        let split = Split::new(weights).unwrap();
        assert_eq!(shares(&split, weights.len()), naive_shares(weights), "{weights:?}");
    }
}

#[test]
fn a_weight_of_zero_owns_nothing() {
    for weights in weights(4, 6) {
        let split = Split::new(&weights).unwrap();
        for (subset, share) in shares(&split, 4).into_iter().enumerate() {
            assert!(weights[subset] > 0 || share == 0, "subset {subset} of {weights:?} owns {share}");
        }
    }
}

#[test]
fn weights_that_make_no_split_are_refused() {
    assert_eq!(Split::new(&[]), Err(SplitError::Nothing));
    assert_eq!(Split::new(&[0, 0]), Err(SplitError::Nothing));
    assert_eq!(Split::new(&[u32::MAX, 1]), Err(SplitError::TooMuch(1 << 32)));
    assert_eq!(Split::new(&[1; 65]), Err(SplitError::TooMany));
    assert!(Split::new(&[1; 64]).is_ok());
}

#[test]
fn pick_agrees_with_the_runs_at_every_boundary() {
    for weights in weights(5, 7) {
        let split = Split::new(&weights).unwrap();
        let mut end = 0;
        for (subset, same, positions) in split.overlap(&split) {
            assert_eq!(subset, same);
            let last = end + positions - 1;
            assert_eq!((split.pick(end as u32), split.pick(last as u32)), (subset, subset), "{weights:?}");
            end += positions;
        }
        assert_eq!(end, SPACE);
    }
}

#[test]
fn up_to_two_canaries_move_only_what_they_must() {
    for (old_sum, new_sum) in [(10, 10), (7, 9), (8, 3)] {
        for old in weights(3, old_sum) {
            for new in weights(3, new_sum) {
                assert_moves_only_what_it_must(&old, &new);
            }
        }
    }
}

#[test]
fn appending_a_canary_moves_only_the_users_it_needs() {
    for old in weights(2, 10) {
        for new in weights(3, 10).into_iter().filter(|new| new[1] == old[1]) {
            assert_moves_only_what_it_must(&old, &new);
        }
    }
    for length in 3..=8 {
        // Each fits its lane before and after.
        assert_moves_only_what_it_must(
            &[vec![100], vec![6; length]].concat(),
            &[vec![94], vec![6; length + 1]].concat(),
        );
    }
}

#[test]
fn more_canaries_move_only_what_they_must_while_each_fits_its_lane() {
    let mut random = fastrand::Rng::with_seed(7);
    for canaries in 3..=16_usize {
        let lane = 1000 / canaries.next_power_of_two() as u32;
        for _ in 0..300 {
            let mut list = || {
                let weights: Vec<u32> = (0..canaries).map(|_| random.u32(0..=lane)).collect();
                let stable = 1000 - weights.iter().sum::<u32>();
                [vec![stable], weights].concat()
            };
            assert_moves_only_what_it_must(&list(), &list());
        }
    }
}

#[test]
fn two_canaries_that_share_a_segment_may_use_each_others_room() {
    // 40 % is more than a lane of four, but canaries 1 and 3 need no more than their half together.
    assert_moves_only_what_it_must(&[60, 40], &[55, 40, 0, 5]);
    assert_moves_only_what_it_must(&[50, 5, 0, 45], &[45, 5, 45, 5]);
}

#[test]
fn of_a_segment_too_small_for_both_each_canary_is_sure_of_one_half() {
    // The first and the third canary share the lower half of the space: one grows from its bottom, one from its top.
    let twentieths = |count: u64| count * (SPACE / 20);
    for (first, third, meet) in [(12, 7, twentieths(5)), (12, 4, twentieths(6)), (4, 12, twentieths(4))] {
        let split = Split::new(&[20 - first - third, first, 0, third]).unwrap();
        let around = [1, meet - 100, meet + 100, SPACE / 2 - 1].map(|position| split.pick(position as u32));
        assert_eq!(around, [1, 1, 3, 3], "{first} and {third} of 20");
    }
}

#[test]
fn another_sum_with_the_same_shares_moves_nobody() {
    for weights in weights(4, 8) {
        let tenfold: Vec<u32> = weights.iter().map(|w| w * 10).collect();
        assert_eq!(Split::new(&weights), Split::new(&tenfold), "{weights:?}");
    }
}

#[test]
fn a_ramp_never_sends_anybody_back_and_the_last_in_go_first() {
    let ramp: Vec<Split> = [0, 1, 5, 25, 50, 100].map(|w| Split::new(&[100 - w, w]).unwrap()).to_vec();
    for steps in ramp.windows(2) {
        assert!(!moves(&steps[0], &steps[1]).contains_key(&(1, 0)), "the way up");
        assert!(!moves(&steps[1], &steps[0]).contains_key(&(0, 1)), "the way down");
    }
}

/// MurmurHash3's fmix32 backwards, step by step.
fn unmix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7ed1_b41d); // 1 / 0xc2b2_ae35
    x ^= (x >> 13) ^ (x >> 26);
    x = x.wrapping_mul(0xa5cb_9243); // 1 / 0x85eb_ca6b
    x ^ (x >> 16)
}

#[test]
fn the_salt_is_a_bijection() {
    // If every position leads back to its draw, no two draws share a position.
    let key = xxhash_rust::xxh64::xxh64(b"httpbin", 0);
    let draw_at = |position: u32| unmix(unmix(position) ^ (key >> 32) as u32) ^ key as u32;
    let salt = Salt::new(b"httpbin");
    for draw in (0..=u32::MAX).step_by(4099).chain(0..1000).chain(u32::MAX - 1000..=u32::MAX) {
        assert_eq!(draw_at(salt.position(Draw(draw))), draw);
    }
}

#[test]
fn two_salts_give_independent_cohorts() {
    let names = ["httpbin", "api", "shop", "httpbin2", "a", "b", "c", ""];
    let split = Split::new(&[50, 50]).unwrap();
    let visitors = 20_000;
    for (i, one) in names.iter().enumerate() {
        for other in &names[i + 1..] {
            let (one, other) = (Salt::new(one.as_bytes()), Salt::new(other.as_bytes()));
            let side = |salt: Salt, draw: u32| if split.pick(salt.position(Draw(draw))) == 0 { 1.0 } else { -1.0 };
            let sum: f64 = (0..visitors).map(|draw| side(one, draw) * side(other, draw)).sum();
            assert!((sum / f64::from(visitors)).abs() < 0.035);
        }
    }
}

#[test]
fn positions_are_golden() {
    // Changing these would move every visitor of every rule.
    let table: [(&str, u32, u32); 8] = [
        ("httpbin", 0x0000_0000, 0x9590_14c7),
        ("httpbin", 0x0000_0001, 0x3a1b_7fb2),
        ("httpbin", 0x600d_f00d, 0xce49_497b),
        ("httpbin", 0xfeed_face, 0x05b3_707b),
        ("httpbin", 0xffff_ffff, 0x64ff_2243),
        ("other", 0x0000_0000, 0xb413_38ea),
        ("other", 0xffff_ffff, 0x6d7e_8970),
        ("x", 0xdead_beef, 0x6cde_0bfc),
    ];
    for (salt, draw, position) in table {
        assert_eq!(Salt::new(salt.as_bytes()).position(Draw(draw)), position, "{salt} {draw:08x}");
    }
}

#[test]
fn every_canary_has_an_anchor_of_its_own_and_grows_from_there_in_one_direction() {
    // In sixteenths of the space, in the order of the list: two grow from each, one upwards and one downwards.
    let (up, down) = (true, false);
    let finer = |place: u64, direction| [0, 8, 4, 12].map(|eighth| (eighth + place, direction)).into_iter();
    let first = [(0, up), (8, up), (8, down), (16, down), (4, down), (12, down), (4, up), (12, up)].into_iter();
    let eighths = |direction| [2, 10, 6, 14].map(|anchor| (anchor, direction)).into_iter();
    let sixteenths = |direction| finer(1, direction).chain(finer(3, direction));
    let all = first.chain(eighths(down)).chain(eighths(up)).chain(sixteenths(down)).chain(sixteenths(up));
    let anchors: Vec<(u64, bool)> = all.collect();
    assert_eq!(anchors.len(), 32);
    // However many there are.
    for count in 1..=anchors.len() {
        let split = Split::new(&[vec![968], vec![1; count]].concat()).unwrap();
        for (canary, &(anchor, up)) in anchors[..count].iter().enumerate() {
            let position = anchor * (SPACE / 16) - u64::from(!up);
            assert_eq!(split.pick(position as u32), canary + 1, "canary {canary} of {count}");
        }
    }
}

#[test]
fn layouts_are_golden() {
    type Row<'a> = (&'a [u32], &'a [(usize, u64)]);
    let table: [Row; 4] = [
        (&[80, 20], &[(1, 858_993_459), (0, 3_435_973_837)]),
        (&[40, 60], &[(1, 2_147_483_648), (0, 1_717_986_919), (1, 429_496_729)]),
        (&[80, 10, 10], &[(1, 429_496_729), (0, 1_717_986_919), (2, 429_496_729), (0, 1_717_986_919)]),
        (
            &[85, 5, 5, 5],
            &[(1, 214_748_364), (0, 1_717_986_920), (3, 214_748_364), (2, 214_748_364), (0, 1_932_735_284)],
        ),
    ];
    for (weights, layout) in table {
        let split = Split::new(weights).unwrap();
        let runs: Vec<(usize, u64)> = split.overlap(&split).map(|(subset, _, positions)| (subset, positions)).collect();
        assert_eq!(runs, layout, "{weights:?}");
    }
}

//! Ramp and guard as pure functions.

use canary_split::config::Config;
use canary_split::rollout::Totals;
use canary_split::rollout::ramp::{Between, Moment, Ramp, Second, Step};
use canary_split::rollout::watch::{Evidence, Tick, Watch};
use canary_split::rule::{Target, WeightedSubsets};
use canary_split::split::{Draw, Split};

const START: u64 = 1_800_000_000;

fn ramp(between: Between, steps: &[(u32, &[u32])], paused_at: Option<u64>) -> Ramp {
    let steps = steps.iter().map(|&(after, weights)| Step { after, weights: weights.into() }).collect();
    Ramp { start: Second(START), steps, between, paused_at: paused_at.map(|at| Second(START + at)) }
}

#[test]
fn a_ramp_is_where_the_clock_says() {
    let plan: &[(u32, &[u32])] = &[(0, &[99, 1]), (60, &[90, 10]), (120, &[0, 100])];
    let late: &[(u32, &[u32])] = &[(10, &[0, 100])];
    let towards = |step, passed, of| Moment::Towards { step, passed, of };
    use Between::{Linear, Step};
    let table = [
        (Step, plan, None, -1, Moment::Ahead, true),
        (Step, plan, None, 0, Moment::At(0), true),
        (Step, plan, None, 59, Moment::At(0), true),
        (Step, plan, None, 60, Moment::At(1), true),
        (Step, plan, None, 119, Moment::At(1), true),
        (Step, plan, None, 120, Moment::At(2), false),
        (Step, plan, None, 1_000_000_000, Moment::At(2), false),
        (Step, late, None, 9, Moment::Ahead, true),
        (Step, late, None, 10, Moment::At(0), false),
        (Step, plan, Some(70), 69, Moment::At(1), true),
        (Step, plan, Some(70), 1000, Moment::At(1), true),
        (Step, plan, Some(120), 1000, Moment::At(2), false),
        (Linear, plan, None, -1, Moment::Ahead, true),
        (Linear, plan, None, 0, Moment::At(0), true),
        (Linear, plan, None, 1, towards(1, 1, 60), true),
        (Linear, plan, None, 60, Moment::At(1), true),
        (Linear, plan, None, 119, towards(2, 59, 60), true),
        (Linear, plan, None, 120, Moment::At(2), false),
        (Linear, late, None, 0, Moment::Ahead, true),
        (Linear, late, None, 3, towards(0, 3, 10), true),
        (Linear, late, Some(4), 9, towards(0, 4, 10), true),
    ];
    for (between, steps, paused, at, moment, is_ahead) in table {
        let ramp = ramp(between, steps, paused);
        let now = Second(START.checked_add_signed(at).unwrap());
        assert_eq!((ramp.moment(now), ramp.is_ahead(now)), (moment, is_ahead), "{between:?} {steps:?} {paused:?} {at}");
    }
    for jump in [0, 1, u64::from(u32::MAX) + 1, u64::MAX] {
        ramp(Between::Linear, plan, None).moment(Second(jump));
        ramp(Between::Linear, plan, Some(30)).is_ahead(Second(jump));
    }
}

/// The share of the visitors, as they move in a ramp, who see the canary and then stable again: 5 gateways have clocks that differ at
/// random by so much at most, and a request goes to any of them.
fn flips(requests_within: f64, visitors: u32) -> f64 {
    const DIFFERENCE: u64 = 100_000;
    let mut random = fastrand::Rng::with_seed(7);
    let ramp = ramp(Between::Step, &[(0, &[100, 0]), (DIFFERENCE as u32, &[0, 100])], None);
    let rate = requests_within / DIFFERENCE as f64;
    let mut flipped = 0;
    for _ in 0..visitors {
        let behind: [u64; 5] = std::array::from_fn(|_| random.u64(..DIFFERENCE));
        let (mut after, mut has_moved) = (0.0, false);
        loop {
            after -= (1.0 - random.f64()).ln() / rate;
            if after >= DIFFERENCE as f64 {
                break;
            }
            let clock = START + DIFFERENCE + after as u64 - behind[random.usize(..behind.len())];
            match ramp.moment(Second(clock)) {
                Moment::At(1) => has_moved = true,
                _ if has_moved => {
                    flipped += 1;
                    break;
                }
                _ => {}
            }
        }
    }
    f64::from(flipped) / f64::from(visitors)
}

#[test]
fn clocks_that_differ_flip_as_many_as_the_document_says() {
    let (_, page) = include_str!("../docs/rollout.md").split_once("| requests within the difference |").unwrap();
    let rows = page.lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut seen = 0;
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (requests, said) = (cells[1].parse().unwrap(), cells[2].strip_suffix(" %").unwrap());
        let found = 100.0 * flips(requests, if requests < 1.0 { 1_000_000 } else { 20_000 });
        println!("{requests} requests within the difference: {found:.3} %");
        let said: f64 = said.parse().unwrap();
        assert!((found / said - 1.0).abs() < 0.15, "{row}: {found}");
        seen += 1;
    }
    assert_eq!(seen, 4);
}

fn split(config: &str) -> WeightedSubsets {
    let rule = Config::from_json(config.as_bytes()).unwrap().rules.remove(0);
    match rule.target {
        Target::Split(split) => split,
        _ => panic!("a split"),
    }
}

#[test]
fn between_steps_every_canary_owns_exactly_its_share_of_that_second() {
    for (from, to, of) in [
        ([100, 0, 0], [0, 70, 30], 60_u32),
        ([4_294_967_295, 0, 0], [0, 4_294_967_294, 1], 34_560_000),
        ([1, 1, 1], [0, 3, 0], 7),
    ] {
        let ramp = ramp(Between::Linear, &[(0, &from), (of, &to)], None);
        for passed in [1, 2, of / 2, of - 1] {
            let moment = ramp.moment(Second(START + u64::from(passed)));
            let layout = Split::exact(&ramp.weights(&from, moment)).unwrap();
            let mut owned = [0_u64; 3];
            layout.overlap(&layout).for_each(|(subset, _, positions)| owned[subset] += positions);
            let exact = |at: usize| {
                let mixed = u128::from(from[at]) * u128::from(of - passed) + u128::from(to[at]) * u128::from(passed);
                let sum = from.iter().map(|&weight| u128::from(weight)).sum::<u128>() * u128::from(of);
                ((mixed << 32) / sum) as u64
            };
            assert_eq!(owned[1..], [exact(1), exact(2)], "{passed} of {of} s");
            assert_eq!(owned.iter().sum::<u64>(), 1 << 32);
        }
    }
}

#[test]
fn on_a_ramp_up_nobody_is_ever_sent_back() {
    for between in ["step", "linear"] {
        let config = format!(
            r#"{{"rules":[{{"name":"r","split":[{{"subset":"v1","weight":100}},{{"subset":"v2","weight":0}}],"ramp":{{"start":"2027-01-15T08:00:00Z","between":"{between}","steps":[{{"after":"0s","weights":{{"v1":99,"v2":1}}}},{{"after":"3m","weights":{{"v1":75,"v2":25}}}},{{"after":"10m","weights":{{"v1":0,"v2":100}}}}]}}}}]}}"#
        );
        let split = split(&config);
        let draws: Vec<Draw> = (0..2000_u32).map(|n| Draw(n.wrapping_mul(0x9e37_79b9))).collect();
        let mut before = vec![0; draws.len()];
        for second in START - 2..START + 605 {
            let now: Vec<usize> = draws.iter().map(|&draw| split.pick(draw, || Second(second))).collect();
            assert!(before.iter().zip(&now).all(|(then, now)| now >= then), "{between} {second}");
            before = now;
        }
        assert_eq!(before.iter().sum::<usize>(), draws.len());
    }
}

#[test]
fn a_tripped_canarys_share_is_stables_and_nobody_else_moves() {
    let split = split(
        r#"{"rules":[{"name":"r","split":[{"subset":"v1","weight":60},{"subset":"v2","weight":30},{"subset":"v3","weight":10}],"guard":{}}]}"#,
    );
    let draws: Vec<Draw> = (0..5000_u32).map(|n| Draw(n.wrapping_mul(0x9e37_79b9))).collect();
    let no_clock = || panic!("no ramp exists");
    let before: Vec<usize> = draws.iter().map(|&draw| split.pick(draw, no_clock)).collect();
    let rollout = split.rollout.as_ref().unwrap();
    rollout.trip(0b011);
    for (&draw, &before) in draws.iter().zip(&before) {
        assert_eq!(split.pick(draw, no_clock), if before == 1 { 0 } else { before });
    }
    assert_eq!(split.weights_in_force(Moment::Ahead), (vec![90, 0, 10], 1));
    assert!(!rollout.is_tripped(0), "stable is never removed");
    rollout.trip(0);
    assert_eq!(split.weights_in_force(Moment::Ahead), (vec![60, 30, 10], 1));
}

/// Ticks of a rule whose v1 has a weight of 80 and v2 of 20.
struct Ticks {
    watch: Watch,
    now: u64,
    failing: [u64; 2],
    totals: [Totals; 2],
}

const TICK: Tick<'_> = Tick { now: Second(0), weights: &[80, 20], keeps: false, tripped: 0, margin: 0.01 };

impl Ticks {
    fn new() -> Ticks {
        Ticks {
            watch: Watch::new(Second(START), vec![0; 2]),
            now: START,
            failing: [0; 2],
            totals: [Totals::default(); 2],
        }
    }

    /// A second in which these numbers of visitors fail on v1 and on v2, of these numbers of requests.
    fn tick(&mut self, failing: [u64; 2], requests: [u64; 2], tick: Tick) -> Vec<Evidence> {
        self.now += 1;
        for at in 0..2 {
            self.failing[at] += failing[at];
            self.totals[at].failures += failing[at];
            self.totals[at].requests += requests[at];
        }
        let totals = self.totals;
        self.watch.tick(Tick { now: Second(self.now), ..tick }, self.failing.to_vec(), || totals.to_vec())
    }
}

#[test]
fn a_canary_trips_when_it_gets_the_failures() {
    let mut ticks = Ticks::new();
    assert!((0..100).all(|_| ticks.tick([0, 0], [80, 20], TICK).is_empty()));
    assert!(ticks.tick([1, 4], [80, 20], TICK).is_empty());
    assert!(ticks.tick([0, 4], [80, 20], TICK).is_empty());
    let [evidence] = ticks.tick([0, 4], [80, 20], TICK)[..] else { panic!("a trip") };
    assert_eq!(evidence, Evidence { canary: 1, failing: 12, of: 13, seconds: 3, expected: 0.2 });
    assert_eq!(evidence.line("v2"), "12 of the 13 visitors that failed in the last 3 s had v2, expected 20 %");
    assert_eq!(Evidence { expected: 0.0049, ..evidence }.line("v2").rsplit(' ').nth(1), Some("0.49"));
    assert_eq!(Evidence { expected: 0.0149, ..evidence }.line("v2").rsplit(' ').nth(1), Some("1"));
}

#[test]
fn an_outage_of_both_trips_nothing_however_it_falls_into_ticks() {
    for seed in 0..50 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut ticks = Ticks::new();
        for _ in 0..600 {
            let most = random.u64(1..200);
            let failing = (0..most).filter(|_| random.f64() < 0.2).count() as u64;
            assert!(ticks.tick([most - failing, failing], [400, 100], TICK).is_empty(), "seed {seed}");
        }
    }
}

#[test]
fn the_gates_hold_five_visitors_and_the_margin() {
    // At a share of one percent four failures in a row would be proof enough.
    let rare = Tick { weights: &[99, 1], ..TICK };
    let mut ticks = Ticks::new();
    for _ in 0..4 {
        assert!(ticks.tick([0, 1], [10, 10], rare).is_empty());
    }
    assert_eq!(ticks.tick([0, 1], [10, 10], rare).len(), 1);
    // Twice as bad as stable, but by less than the margin.
    let mut ticks = Ticks::new();
    for _ in 0..500 {
        assert!(ticks.tick([1, 4], [800, 400], TICK).is_empty());
    }
    assert_eq!(ticks.tick([1, 4], [800, 400], Tick { margin: 0.005, ..TICK }).len(), 1);
    let mut ticks = Ticks::new();
    for _ in 0..500 {
        assert!(ticks.tick([0, 15], [80, 100], Tick { margin: 0.2, ..TICK }).is_empty());
    }
    assert_eq!(ticks.tick([0, 15], [80, 100], Tick { margin: 0.1, ..TICK }).len(), 1);
}

#[test]
fn a_guard_is_idle_without_stable_without_weight_and_for_what_is_out() {
    for tick in [
        Tick { weights: &[0, 100], ..TICK },
        Tick { weights: &[100, 0], ..TICK },
        Tick { tripped: 0b10, ..TICK },
        Tick { weights: &[], ..TICK },
    ] {
        let mut ticks = Ticks::new();
        assert!((0..100).all(|_| ticks.tick([0, 20], [20, 20], tick).is_empty()), "{tick:?}");
    }
    // What is said against it while it is out does not count when it is back.
    let mut ticks = Ticks::new();
    (0..10).for_each(|_| assert!(ticks.tick([0, 20], [20, 20], Tick { tripped: 0b10, ..TICK }).is_empty()));
    assert!(ticks.tick([0, 1], [20, 20], TICK).is_empty());
}

#[test]
fn under_keep_the_shares_of_the_requests_count() {
    // All the weight is v1's, but half of the visitors have stayed with v2.
    let kept = Tick { weights: &[100, 0], keeps: true, ..TICK };
    let mut ticks = Ticks::new();
    for _ in 0..300 {
        assert!(ticks.tick([5, 5], [50, 50], kept).is_empty());
    }
    assert!((0..100).any(|_| ticks.tick([0, 5], [50, 50], kept).len() == 1));
}

#[test]
fn what_is_long_past_no_longer_counts_for_the_margin() {
    let mut ticks = Ticks::new();
    // There is always some suspicion, and a million good requests.
    for _ in 0..300 {
        assert!(ticks.tick([4, 1], [4000, 1000], TICK).is_empty());
    }
    let trip = (1..1000).find(|_| !ticks.tick([0, 5], [0, 10], TICK).is_empty()).unwrap();
    assert!(trip < 700, "{trip} s");
}

#[test]
fn a_clock_that_jumps_or_counters_that_begin_again_harm_nothing() {
    let mut ticks = Ticks::new();
    for now in [START, 0, u64::from(u32::MAX) + 7, u64::MAX - 9, START] {
        ticks.now = now;
        for failing in [[0, 0], [1, 1], [5, 1]] {
            assert!(ticks.tick(failing, [80, 20], TICK).is_empty(), "{now}");
        }
        ticks.failing = [0, 0];
        ticks.totals = [Totals::default(); 2];
        ticks.now = now;
    }
}

#[test]
fn an_outage_that_the_canary_answers_late_is_one_of_both_all_the_same() {
    let mut ticks = Ticks::new();
    // Stable fails at once; what the canary is asked hangs, also from before the first failure, and fails later.
    for _ in 0..4 {
        assert!(ticks.tick([80, 0], [80, 20], TICK).is_empty());
    }
    assert!(ticks.tick([0, 100], [0, 0], TICK).is_empty());
}

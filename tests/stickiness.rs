//! Many visitors over many edits: who stays, who moves, and how many see what.

use canary_split::config::Config;
use canary_split::decide::{Source, decide};
use canary_split::request::Request;
use canary_split::request::claim::ClaimPath;
use canary_split::rollout::ramp::Second;
use canary_split::split::Draw;
use canary_split::visitor::cookie::Minutes;
use std::collections::HashMap;

const NOW: u32 = 0x1c8_9b43;

struct Visitor {
    headers: Vec<(&'static str, String)>,
    address: String,
}

impl Request<'_> for Visitor {
    fn header(&mut self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_bytes())
    }

    fn claim(&mut self, _: &ClaimPath) -> Option<&[u8]> {
        None
    }

    fn client_address(&mut self) -> Option<&[u8]> {
        Some(self.address.as_bytes())
    }
}

fn config(weights: &[(&str, u32)], sticky: &str) -> Config {
    let split: Vec<String> = weights.iter().map(|(s, w)| format!("{{\"subset\":\"{s}\",\"weight\":{w}}}")).collect();
    let text = format!("{{\"rules\":[{{\"name\":\"r\",\"split\":[{}],\"sticky\":{sticky}}}]}}", split.join(","));
    Config::from_json(text.as_bytes()).unwrap()
}

const BY_KEY: &str = r#"{"keys":[{"header":"x-user"}]}"#;

/// The subset of a user, by a key.
fn of_user(config: &Config, user: usize) -> String {
    let mut visitor = Visitor { headers: vec![("x-user", format!("user-{user}"))], address: String::new() };
    let no_chance = || panic!("a keyed visitor needs no chance");
    let decision = decide(config, &mut visitor, no_chance, || panic!("nor a clock")).unwrap();
    assert_eq!((decision.source, decision.cookie), (Source::Key, None));
    decision.choice.subset().unwrap().name.to_string()
}

const USERS: usize = 20_000;

#[test]
fn twenty_thousand_users_share_as_the_weights_say() {
    for weights in [&[("v1", 80), ("v2", 20)][..], &[("v1", 90), ("v2", 7), ("v3", 3)], &[("v1", 1), ("v2", 1)]] {
        let config = config(weights, BY_KEY);
        let mut counts = HashMap::<String, usize>::new();
        for user in 0..USERS {
            *counts.entry(of_user(&config, user)).or_default() += 1;
        }
        let sum: u32 = weights.iter().map(|(_, weight)| weight).sum();
        for (subset, weight) in weights {
            let share = f64::from(*weight) / f64::from(sum);
            let (expected, sigma) = (USERS as f64 * share, (USERS as f64 * share * (1.0 - share)).sqrt());
            let count = counts[*subset] as f64;
            assert!((count - expected).abs() <= 3.0 * sigma, "{weights:?}: {count} users of {subset}");
        }
    }
}

#[test]
fn a_ramp_up_and_down_moves_exactly_the_minimum() {
    let homes = |weight: u32| -> Vec<bool> {
        let config = config(&[("v1", 100 - weight), ("v2", weight)], BY_KEY);
        (0..USERS).map(|user| of_user(&config, user) == "v2").collect()
    };
    let ramp = [1, 5, 25, 100, 25, 0].map(homes);
    for pair in ramp.windows(2) {
        let moved = pair[0].iter().zip(&pair[1]).filter(|(old, new)| old != new).count();
        let on = |homes: &[bool]| homes.iter().filter(|&&canary| canary).count();
        assert_eq!(moved, on(&pair[0]).abs_diff(on(&pair[1])), "all who move, move the same way");
    }
    assert_eq!(ramp[2], ramp[4], "the last in go first");
}

#[test]
fn the_cohorts_of_two_rules_are_independent() {
    let cohort = |salt: &str| -> Vec<f64> {
        let sticky = format!(r#"{{"keys":[{{"header":"x-user"}}],"salt":"{salt}"}}"#);
        let config = config(&[("v1", 50), ("v2", 50)], &sticky);
        (0..USERS).map(|user| f64::from(u8::from(of_user(&config, user) == "v2")) - 0.5).collect()
    };
    let (one, other) = (cohort("search"), cohort("checkout"));
    let correlation = one.iter().zip(&other).map(|(a, b)| a * b * 4.0).sum::<f64>() / USERS as f64;
    assert!(correlation.abs() < 0.035, "{correlation}");
}

/// A visitor with a cookie jar.
#[derive(Clone, Default)]
struct Browser {
    cookie: Option<String>,
    home: Option<String>,
}

impl Browser {
    /// Visits and takes the cookie; the subset that answered.
    fn visit(&mut self, config: &Config, random: &mut fastrand::Rng) -> String {
        let headers = self.cookie.iter().map(|cookie| ("cookie", format!("a=b; {cookie}"))).collect();
        let mut visitor = Visitor { headers, address: "192.0.2.1:1".to_owned() };
        let decision = decide(config, &mut visitor, || Draw(random.u32(..)), || Second(u64::from(NOW) * 60)).unwrap();
        if let Some(cookie) = decision.cookie {
            self.cookie = Some(cookie.header.split(';').next().unwrap().to_owned());
        }
        decision.choice.subset().unwrap().name.to_string()
    }
}

/// Two to five subsets of six with any weights, at least one of which is positive.
fn any_weights(random: &mut fastrand::Rng) -> Vec<(&'static str, u32)> {
    let mut names = ["v1", "v2", "v3", "v4", "v5", "v6"];
    random.shuffle(&mut names);
    let mut weights: Vec<_> = names[..random.usize(2..=5)].iter().map(|&name| (name, random.u32(0..4) * 10)).collect();
    weights[0].1 = weights[0].1.max(1);
    weights
}

#[test]
fn under_keep_nobody_leaves_a_subset_that_is_in_the_split() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut browsers = vec![Browser::default(); 300];
    let (mut stayed, mut drained, mut evicted) = (0, 0, 0);
    for _ in 0..60 {
        let weights = any_weights(&mut random);
        let config = config(&weights, r#"{"cookie":{},"onWeightChange":"keep"}"#);
        for browser in &mut browsers {
            let there = browser.home.as_ref().and_then(|home| weights.iter().find(|(name, _)| name == home));
            let subset = browser.visit(&config, &mut random);
            match (&browser.home, there) {
                (Some(home), Some((_, weight))) => {
                    assert_eq!(subset, *home, "{weights:?}");
                    stayed += 1;
                    drained += usize::from(*weight == 0);
                }
                (home, _) => {
                    let weight = weights.iter().find(|(name, _)| *name == subset).unwrap().1;
                    assert!(weight > 0, "nobody comes to a weight of 0: {weights:?}");
                    evicted += usize::from(home.is_some());
                }
            }
            browser.home = Some(subset);
            assert_eq!(Some(browser.visit(&config, &mut random)), browser.home, "the first page is the next page");
        }
    }
    assert!(stayed > 1000 && drained > 100 && evicted > 100, "{stayed} {drained} {evicted}");
}

#[test]
fn under_rebalance_the_subset_is_a_function_of_draw_and_split_alone() {
    let mut random = fastrand::Rng::with_seed(12);
    let mut browsers = vec![Browser::default(); 200];
    let sticky = r#"{"cookie":{}}"#;
    let splits: Vec<_> = (0..20).map(|_| any_weights(&mut random)).collect();
    let mut walk = |browsers: &mut Vec<Browser>| -> Vec<Vec<String>> {
        let visit_all = |weights: &Vec<(&str, u32)>| {
            let config = config(weights, sticky);
            browsers.iter_mut().map(|browser| browser.visit(&config, &mut random)).collect()
        };
        splits.iter().map(visit_all).collect()
    };
    let first = walk(&mut browsers);
    assert_eq!(first, walk(&mut browsers), "whatever came between");
    for (weights, homes) in splits.iter().zip(first) {
        for home in homes {
            assert!(weights.iter().any(|(name, weight)| *name == home && *weight > 0), "{home} of {weights:?}");
        }
    }
}

#[test]
fn parallel_first_requests_of_a_client_agree_under_draw_client() {
    let config = config(&[("v1", 50), ("v2", 50)], r#"{"cookie":{"draw":"client"}}"#);
    let mut random = fastrand::Rng::with_seed(13);
    let mut seen = HashMap::<String, usize>::new();
    for client in 0..400 {
        let mut first = None;
        for _ in 0..10 {
            let headers = vec![("user-agent", format!("browser {}", client % 7))];
            let mut visitor =
                Visitor { headers, address: format!("198.51.{}.{}:{}", client / 250, client % 250, random.u16(..)) };
            let decision =
                decide(&config, &mut visitor, || panic!("no chance"), || Second(u64::from(NOW) * 60)).unwrap();
            let is = (decision.choice.subset().unwrap().name.to_string(), decision.cookie);
            assert_eq!(*first.get_or_insert_with(|| is.clone()), is);
        }
        *seen.entry(first.unwrap().0).or_default() += 1;
    }
    assert!(seen["v1"] > 140 && seen["v2"] > 140, "{seen:?}");
}

#[test]
fn a_minute_is_that_of_its_seconds_as_far_as_the_cookie_can_say() {
    for (seconds, minutes) in
        [(0, 0), (59, 0), (60, 1), (119, 1), (3600, 60), (60 << 28, 0x0fff_ffff), (u64::MAX, 0x0fff_ffff)]
    {
        assert_eq!(Minutes::of_seconds(seconds), Minutes(minutes), "{seconds}");
    }
}

#[test]
fn a_cookie_is_renewed_after_more_than_half_its_ttl() {
    let sticky = |ttl: &str| format!(r#"{{"cookie":{{"ttl":"{ttl}"}}}}"#);
    let due = |ttl: &str, minutes: u32| {
        let made = NOW - minutes;
        let headers = vec![("cookie", format!("canary-r=1.00000000.{made:07x}"))];
        let mut visitor = Visitor { headers, address: String::new() };
        let config = config(&[("v1", 1), ("v2", 1)], &sticky(ttl));
        decide(&config, &mut visitor, || panic!("no chance"), || Second(u64::from(NOW) * 60)).unwrap().cookie.is_some()
    };
    // What was made a minute ago may be 119 seconds old.
    assert!(!due("238s", 1) && due("237s", 1));
    assert!(!due("358s", 2) && due("357s", 2));
}

#[test]
fn every_newcomer_draws_afresh_also_from_one_address() {
    for sticky in [r#"{"cookie":{}}"#, r#"{"cookie":{},"onWeightChange":"keep"}"#] {
        let config = config(&[("v1", 50), ("v2", 50)], sticky);
        for fresh in [0, 1, 0xfeed_face, u32::MAX] {
            let mut visitor = Visitor { headers: Vec::new(), address: "192.0.2.1:1".to_owned() };
            let decision = decide(&config, &mut visitor, || Draw(fresh), || Second(u64::from(NOW) * 60)).unwrap();
            let cookie = decision.cookie.unwrap().header;
            assert!(cookie.starts_with(&format!("canary-r=1.{fresh:08x}.")), "{cookie}");
        }
    }
}

//! The case table through the decision as a Rust function. The format is in `tests/cases/README.md`.

mod common;

use canary_split::config::Config;
use canary_split::decide::{Answer, answer};
use canary_split::metrics;
use canary_split::reload::{Served, State};
use canary_split::request::Request;
use canary_split::request::claim::ClaimPath;
use canary_split::rollout::ramp::Second;
use canary_split::split::Draw;
use common::{Observed, Phase, Sent};

const NOW: u32 = 0x1c8_9b43;

/// A request as the filter sees it.
struct Seen {
    sent: Sent,
    claim: Option<Vec<u8>>,
}

impl Request<'_> for Seen {
    fn header(&mut self, name: &str) -> Option<&[u8]> {
        self.sent.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice())
    }

    fn claim(&mut self, path: &ClaimPath) -> Option<&[u8]> {
        self.claim = self.sent.visitor.claim(path.names());
        self.claim.as_deref()
    }

    fn client_address(&mut self) -> Option<&[u8]> {
        Some(self.sent.visitor.address.as_bytes())
    }
}

/// What comes of a request; `ours` are the headers that the filter alone may write.
fn observe(config: &Config, sent: &Sent, fresh: u32, ours: &[String]) -> Observed {
    let mut request = Seen { sent: sent.clone(), claim: None };
    let Answer { decision, forgotten } = answer(config, &mut request, || Draw(fresh), || Second(u64::from(NOW) * 60));
    let location = || sent.response_headers.iter().find(|(name, _)| name == "location").map(|(_, value)| value.clone());
    // What the glue does with it.
    let mut response_headers = sent.response_headers.clone();
    let subset = decision.as_ref().and_then(|decision| decision.choice.subset());
    if let (Some(header), Some(subset)) = (&config.response_header, subset) {
        response_headers.retain(|(name, _)| name != header);
        response_headers.push((header.clone(), subset.name.as_bytes().to_vec()));
    }
    let written = |header: &str| {
        let choice = decision.as_ref()?.choice;
        let value = match choice.subset() {
            Some(subset) if header == config.header => subset.header_value.to_string(),
            _ => choice.position_in(header)?.to_string(),
        };
        Some((header.to_owned(), value.into_bytes()))
    };
    let passes = |name: &String| ours.contains(name) && !config.request_headers().any(|own| own == name);
    let of_client = sent.headers.iter().filter(|(name, _)| passes(name)).cloned();
    let request_headers = of_client.chain(config.request_headers().filter_map(written)).collect();
    Observed {
        response_headers,
        request_headers,
        rule: decision.as_ref().map(|d| d.rule.name.clone()).unwrap_or_default(),
        source: metrics::source(decision.as_ref().map(|d| d.source)).to_owned(),
        set_cookie: forgotten
            .into_iter()
            .chain(decision.and_then(|d| d.cookie))
            .find(|cookie| cookie.may_go_out(sent.status, location))
            .map(|cookie| cookie.header),
    }
}

fn run(phase: &Phase, state: &mut State) {
    let evaluation = state.evaluate(&phase.config);
    *state = state.after(&Served::new(&phase.config, &evaluation), 0);
    let errors: Vec<String> = evaluation.faults.iter().map(|fault| fault.error.to_string()).collect();
    assert_eq!(errors, phase.errors, "{}", phase.name);
    if let Some(rules) = phase.rules {
        let counts = evaluation.counts;
        assert_eq!([counts.active, counts.last_good, counts.off], rules, "{}: active, last_good, off", phase.name);
    }
    for request in &phase.requests {
        for fresh in [0, 0xfeed_face, 0x600d_f00d, u32::MAX] {
            let observed = observe(&evaluation.config, &request.sent(NOW), fresh, &phase.ours());
            request.check(&observed, NOW, phase);
            // The first page is the next page.
            if let Some(returning) = request.returning(&observed, NOW) {
                let again = observe(&evaluation.config, &returning, !fresh, &phase.ours());
                assert_eq!(
                    (again.request_headers, again.set_cookie),
                    (observed.request_headers, None),
                    "{}: the next page",
                    phase.name
                );
            }
        }
    }
}

#[test]
fn the_case_table_holds_natively() {
    let cases = common::cases();
    assert!(cases.len() > 60, "{} cases", cases.len());
    for case in cases {
        let mut state = State::default();
        for phase in &case {
            run(phase, &mut state);
        }
    }
}

/// A request that notes what it is asked for.
#[derive(Default)]
struct Asked(Vec<String>);

impl Request<'_> for Asked {
    fn header(&mut self, name: &str) -> Option<&[u8]> {
        self.0.push(name.to_owned());
        Some(b"/a/long/path")
    }

    fn claim(&mut self, _: &ClaimPath) -> Option<&[u8]> {
        self.0.push("claim".to_owned());
        None
    }

    fn client_address(&mut self) -> Option<&[u8]> {
        self.0.push("address".to_owned());
        None
    }
}

/// What a request is asked for under these rules.
fn asked(rules: &[&str]) -> Vec<String> {
    let rules: Vec<String> = (0..).zip(rules).map(|(nth, rule)| format!(r#"{{"name":"r{nth}",{rule}}}"#)).collect();
    let config = Config::from_json(format!(r#"{{"rules":[{}]}}"#, rules.join(",")).as_bytes()).unwrap();
    let mut request = Asked::default();
    answer(&config, &mut request, || Draw(0), || panic!("no clock"));
    request.0
}

#[test]
fn a_request_is_asked_only_for_what_a_rule_looks_at() {
    assert_eq!(asked(&[r#""subset":"v1""#]), [""; 0]);
    assert_eq!(asked(&[r#""match":[{"headers":{"x-a":{}}}],"subset":"v1""#]), ["x-a"]);
    assert_eq!(asked(&[r#""hosts":["a"],"subset":"v1""#]), [":authority"]);
    assert_eq!(asked(&[r#""hosts":["*.a"],"subset":"v1""#]), [":authority"]);
    assert_eq!(asked(&[r#""hosts":["*"],"subset":"v1""#]), [""; 0]);
    assert_eq!(asked(&[r#""split":[{"subset":"v1","weight":1}]"#]), [""; 0]);
    assert_eq!(asked(&[r#""split":[{"subset":"v1","weight":1}],"sticky":{"keys":[{"header":"x-a"}]}"#]), ["x-a"]);
}

#[test]
fn all_rules_that_the_path_rules_out_ask_for_it_once() {
    let exact = r#""match":[{"uri":{"exact":"/b"}}],"subset":"v1""#;
    let prefix = r#""match":[{"uri":{"prefix":"/c"},"headers":{"x-a":{}}}],"subset":"v1""#;
    assert_eq!(asked(&[exact, prefix, exact, prefix]), [":path"]);
}

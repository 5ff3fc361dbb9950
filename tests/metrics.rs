//! The names of the statistics: dashboards and alerts ask for them.

use canary_split::decide::Source;
use canary_split::metrics::{
    CodeClass, config_faults, config_fingerprint, config_rules, config_weight, failing_visitors, failures, requests,
    responses, rule_fault, source, tripped,
};
use canary_split::reload::RuleState;

#[test]
fn the_names_of_statistics_are_kept() {
    assert_eq!(config_rules(RuleState::Active), "state=.=active;.;canary_config_rules");
    assert_eq!(config_rules(RuleState::LastGood), "state=.=last_good;.;canary_config_rules");
    assert_eq!(config_rules(RuleState::Off), "state=.=off;.;canary_config_rules");
    assert_eq!(config_fingerprint("ns.name"), "plugin=.=ns.name;.;canary_config_fingerprint");
    assert_eq!(config_faults("ns.name"), "plugin=.=ns.name;.;canary_config_faults");
    assert_eq!(rule_fault("r", RuleState::LastGood), "rule=.=r;.;state=.=last_good;.;canary_rule_fault");
    assert_eq!(rule_fault("r", RuleState::Off), "rule=.=r;.;state=.=off;.;canary_rule_fault");
    assert_eq!(config_weight("r", "v2"), "rule=.=r;.;subset=.=v2;.;canary_config_weight");
    assert_eq!(requests("r", "v2", Some(Source::Key)), "rule=.=r;.;subset=.=v2;.;source=.=key;.;canary_requests_total");
    assert_eq!(requests("", "", None), "rule=.=;.;subset=.=;.;source=.=none;.;canary_requests_total");
    assert_eq!(
        responses("r", "v2", CodeClass::of(503)),
        "rule=.=r;.;subset=.=v2;.;code_class=.=5xx;.;canary_responses_total"
    );
    assert_eq!(tripped("r", "v2"), "rule=.=r;.;subset=.=v2;.;canary_tripped");
    assert_eq!(failures("r", "v2"), "rule=.=r;.;subset=.=v2;.;canary_failures_total");
    assert_eq!(failing_visitors("r", "v2"), "rule=.=r;.;subset=.=v2;.;canary_failing_visitors_total");
}

#[test]
fn every_source_has_a_name() {
    let sources = [Source::Fixed, Source::Fresh, Source::Key, Source::Cookie, Source::Kept].map(Some);
    assert_eq!(sources.map(source), ["fixed", "fresh", "key", "cookie", "kept"]);
    assert_eq!(source(None), "none");
}

#[test]
fn a_status_is_counted_in_its_class_and_any_other_number_as_a_servers_error() {
    let classes = [(100, 0), (199, 0), (200, 1), (302, 2), (404, 3), (500, 4), (599, 4), (0, 4), (99, 4), (600, 4)];
    for (status, index) in classes {
        assert_eq!(CodeClass::of(status).index(), index, "{status}");
    }
}

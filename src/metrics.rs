//! What is counted, and under which names.
//!
//! Labels are in the name, in the form that Istio's `extraStatTags` turns into real ones (`subset=.=v2;.;`). All of them
//! come from the config, never from a request: the number of stats is bounded.

use crate::decide::Source;
use crate::reload::RuleState;

/// Counter: faults in configs, once per fault and config.
pub const CONFIG_ERRORS: &str = "canary_config_errors_total";

/// Gauge: the rules of all live plugins in this state.
pub fn config_rules(state: RuleState) -> String {
    format!("state=.={};.;canary_config_rules", state.name())
}

/// Gauge: 1 while a rule is on its last good version, or off; only for rules that have had a fault.
pub fn rule_fault(rule: &str, state: RuleState) -> String {
    format!("rule=.={rule};.;state=.={};.;canary_rule_fault", state.name())
}

/// Gauge: the fingerprint of the config that a plugin was given last; 0 once the plugin is gone.
pub fn config_fingerprint(plugin: &str) -> String {
    format!("plugin=.={plugin};.;canary_config_fingerprint")
}

/// Gauge: the faults of the config that a plugin was given last; 0 once the plugin is gone.
pub fn config_faults(plugin: &str) -> String {
    format!("plugin=.={plugin};.;canary_config_faults")
}

/// Gauge: the weight of a subset that is in force at this second; 0 for a canary that the guard has removed, and once the rule,
/// or the subset in it, is gone.
pub fn config_weight(rule: &str, subset: &str) -> String {
    format!("rule=.={rule};.;subset=.={subset};.;canary_config_weight")
}

/// Gauge: 1 while a canary is tripped; only for rules with a guard.
pub fn tripped(rule: &str, subset: &str) -> String {
    format!("rule=.={rule};.;subset=.={subset};.;canary_tripped")
}

/// Counter: requests of a rule with a guard that failed by the version's fault.
pub fn failures(rule: &str, subset: &str) -> String {
    format!("rule=.={rule};.;subset=.={subset};.;canary_failures_total")
}

/// Counter: visitors of a rule with a guard who have failed; a visitor counts again only after ten minutes without a failure.
pub fn failing_visitors(rule: &str, subset: &str) -> String {
    format!("rule=.={rule};.;subset=.={subset};.;canary_failing_visitors_total")
}

/// The value of the label `source`; `none`: no rule decided.
pub fn source(source: Option<Source>) -> &'static str {
    match source {
        Some(Source::Fixed) => "fixed",
        Some(Source::Fresh) => "fresh",
        Some(Source::Key) => "key",
        Some(Source::Cookie) => "cookie",
        Some(Source::Kept) => "kept",
        Some(Source::Remembered) => "remembered",
        None => "none",
    }
}

/// Counter: requests by what was decided; without a rule all labels but the source are empty.
pub fn requests(rule: &str, subset: &str, source: Option<Source>) -> String {
    let source = self::source(source);
    format!("rule=.={rule};.;subset=.={subset};.;source=.={source};.;canary_requests_total")
}

/// Counter: final responses by subset and class of their status.
pub fn responses(rule: &str, subset: &str, class: CodeClass) -> String {
    format!("rule=.={rule};.;subset=.={subset};.;code_class=.={}xx;.;canary_responses_total", class.0)
}

/// The first digit of a status, 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeClass(u8);

impl CodeClass {
    /// The number of classes.
    pub const COUNT: usize = 5;

    /// 0 to 4.
    pub fn index(self) -> usize {
        usize::from(self.0) - 1
    }

    /// The class of a status; an invalid one counts as a server's error.
    pub fn of(status: u16) -> CodeClass {
        match status {
            100..=599 => CodeClass((status / 100) as u8),
            _ => CodeClass(5),
        }
    }
}

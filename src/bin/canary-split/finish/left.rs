//! What still names a subset that has no visitors any more: rules and routes that nobody edits, for example those of some paths.
//! Whoever deletes the subset's pods would have their requests fail.

use super::http::{Http, Kind};
use super::meant::Found;
use super::plan::Stage;
use super::reach::{Gone, reaches};
use canary_split::rule::Target;

/// The note about a subset, if something still sends requests to it after the edits of `stages`. A route by header counts only
/// `with_header`: another note may be about it.
pub fn note(found: &Found, all: &[Http], subset: &str, stages: &[Stage], with_header: bool) -> Option<String> {
    let is_edited = |http: &Http, at: usize| {
        let mut own = stages.iter().filter(|stage| stage.object.title() == http.object().title());
        own.any(|stage| stage.edits.iter().any(|edit| edit.path.starts_with(&http.path(at))))
    };
    let (mut routes, mut rules) = (Vec::new(), Vec::new());
    for http in all {
        for at in (0..http.routes.len()).filter(|at| http.leads_to(*at, subset)) {
            let is_plain = matches!(http.kinds.get(at), Some(Kind::Plain(_)));
            if !is_plain && !with_header {
                continue;
            }
            if is_plain && !is_edited(http, at) {
                routes.push(http.place(at));
            }
            let fixed = found.plugin.rules.iter().map(|(_, rule)| rule).filter(|rule| {
                let is_its = matches!(&rule.target, Target::Fixed(fixed) if *fixed.name == *subset);
                is_its && found.meets(rule) && reaches(found.plugin, rule, http, at, Gone::Nothing)
            });
            for title in fixed.map(|rule| format!("rule {}", rule.name)) {
                if !rules.contains(&title) {
                    rules.push(title);
                }
            }
        }
    }
    let all = [rules, routes].concat();
    let still = if let [_] = all.as_slice() { "still sends" } else { "still send" };
    (!all.is_empty())
        .then(|| format!("{} {still} requests to {subset}; edit that before its pods are deleted", all.join(" and ")))
}

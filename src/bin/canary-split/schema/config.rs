//! `pluginConfig` except matches, stickiness and rollouts.

use super::matches::Match;
use super::patterns::LABEL;
use super::remember::Remember;
use super::rollout::{Guard, Ramp};
use super::sticky::Sticky;
use super::subschemas::{is_given, nothing};
use canary_split::config::{DEFAULT_HEADER, DEFAULT_POSITION_HEADER, USED_HEADERS};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// The config of the filter canary-split: which requests belong to which subset.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, transform = whole)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct PluginConfig {
    /// The request header that carries the subset; a VirtualService matches it. Lower case, no `_`, not a header that HTTP, Envoy or
    /// Istio use. Two of these plugins on one gateway need two headers.
    #[schemars(transform = header, extend("default" = DEFAULT_HEADER))]
    header: Option<String>,
    /// A response header that names the subset, for pages and logs; it replaces one of the application's.
    #[schemars(transform = header)]
    response_header: Option<String>,
    /// A secret that is appended to the header's value, as in `v2.SEAL`; the VirtualService matches and removes it.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{16,128}$"))]
    seal: Option<String>,
    /// Tried in order; the first whose hosts and match hold decides: overrides come before what they override.
    #[schemars(length(max = 10_000))]
    rules: Option<Vec<Rule>>,
}

/// A rule: a name, a match, and where its requests go: one fixed subset, a split, or a route whose weights are adopted.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = targets()))]
#[expect(dead_code, reason = "only its schema is used")]
struct Rule {
    /// Unique. A DNS label; it names the cookie and the salt.
    #[schemars(regex(pattern = LABEL))]
    name: String,
    /// `a.example.com`, `*.example.com` (every depth below, not itself) or `*`; IPv6 in brackets, no port. Absent: every host.
    #[schemars(length(min = 1, max = 10_000), inner(length(max = 253), regex(pattern = HOST)))]
    hosts: Option<Vec<String>>,
    /// One entry must hold, with all its conditions. Absent: every request.
    #[schemars(rename = "match", length(min = 1, max = 10_000))]
    matches: Option<Vec<Match>>,
    /// A fixed subset instead of `split`: an override.
    #[schemars(regex(pattern = LABEL))]
    subset: Option<String>,
    /// The subsets by weight; the first is stable. Append new ones at the end.
    #[schemars(length(min = 1, max = 64), extend("contains" = has_weight()))]
    split: Option<Vec<WeightedSubset>>,
    /// Somebody else owns the weights of the route: the filter makes them stick to visitors, and decides no subset.
    adopt: Option<Adopt>,
    /// What makes a visitor stay. Absent: every request is drawn again.
    sticky: Option<Sticky>,
    /// A plan of weights over time; needs `split`.
    ramp: Option<Ramp>,
    /// Removes a failing canary from the split; needs `split`.
    guard: Option<Guard>,
    /// A cookie by which a visitor who has matched once stays without matching again; needs `subset`.
    remember: Option<Remember>,
}

/// Weights that a controller or a person writes into a VirtualService.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Adopt {
    /// The request header that carries a visitor's position, a number by which Envoy picks; an EnvoyFilter names it. Not the header that
    /// carries the subset.
    #[schemars(transform = header, extend("default" = DEFAULT_POSITION_HEADER))]
    header: Option<String>,
}

/// A subset and its weight.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct WeightedSubset {
    /// As in the DestinationRule; once in a split.
    #[schemars(regex(pattern = LABEL))]
    subset: String,
    /// Relative to the others of the split, any sum up to 4294967295. 0 empties the subset at once (under `keep`: no new visitors).
    #[schemars(range(max = 4_294_967_295_u32))]
    weight: u32,
}

const HOST: &str = r"^(\*|(\*\.)?[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*|\[[0-9A-Fa-f:.]+\])$";

/// Null is an empty config, and so is one without any field; any other has rules.
fn whole(schema: &mut Schema) {
    schema.insert("type".to_owned(), json!(["object", "null"]));
    schema.insert("anyOf".to_owned(), json!([nothing(), is_given("rules", &json!({"type": "array"}))]));
}

/// What the filter may write.
fn header(schema: &mut Schema) {
    let (begins, names): (Vec<&str>, Vec<&str>) = USED_HEADERS.split(' ').partition(|used| used.ends_with('-'));
    let names: Vec<&str> = names.into_iter().chain(["x-forwarded"]).collect();
    let begins = format!("^({})", begins.join("|"));
    schema.insert("pattern".to_owned(), "^[a-z0-9!#$%&'*+.^`|~-]{1,64}$".into());
    schema.insert("not".to_owned(), json!({"anyOf": [{"enum": names}, {"type": "string", "pattern": begins}]}));
}

/// Exactly one of `subset`, `split` and `adopt`, with what goes with it.
fn targets() -> Value {
    let absent = json!({"type": "null"});
    json!([
        {"required": ["subset"], "properties": {"subset": {"type": "string"}, "split": absent, "adopt": absent, "sticky": absent, "ramp": absent, "guard": absent}},
        {"required": ["split"], "properties": {"split": {"type": "array"}, "subset": absent, "adopt": absent, "remember": absent}},
        {"required": ["adopt"], "properties": {
            "adopt": {"type": "object"}, "subset": absent, "split": absent, "ramp": absent, "guard": absent, "remember": absent,
            "sticky": {"properties": {"onWeightChange": {"not": {"const": "keep"}}}},
        }},
    ])
}

/// Weights that are all 0 own no draw.
fn has_weight() -> Value {
    json!({"properties": {"weight": {"exclusiveMinimum": 0}}})
}

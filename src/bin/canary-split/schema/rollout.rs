//! `ramp` and `guard`: changes of the weights without an edit.

use super::patterns::{DURATION, NO_TIME, PERCENT, TIME};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A plan of weights over time. Before `start` the weights of `split` hold, after the last step its own stay.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Ramp {
    /// When it begins: RFC 3339, as in `2026-12-01T09:00:00Z`; 1970 or later. A fraction of a second is dropped.
    #[schemars(regex(pattern = TIME))]
    start: String,
    /// Weights from some time after the start on, ascending.
    #[schemars(length(min = 1, max = 1000))]
    steps: Vec<Step>,
    /// How the weights go from one step to the next.
    #[schemars(extend("default" = "step"))]
    between: Option<Between>,
    /// The weights of this moment stay. Remove it to continue, and move `start` forward by the length of the pause, as
    /// `canary-split set --resume` does.
    #[schemars(regex(pattern = TIME))]
    paused_at: Option<String>,
}

/// Weights from some time on.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Step {
    /// The time after the start: `h`, `m`, `s` as in Go, whole seconds, at most `9600h`; longer than that of the step before. `0s`: at once.
    #[schemars(regex(pattern = DURATION))]
    after: String,
    /// The weight of every subset of the split, by its name. Under `linear` all steps have the same sum.
    #[schemars(schema_with = "weights")]
    weights: (),
}

/// How the weights go from one step to the next.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Between {
    /// At once.
    Step,
    /// By equal parts each second.
    Linear,
}

/// Removes a canary from the split that fails more than stable does: its share goes to stable. `{}`: with the defaults.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Guard {
    /// The canary's share of failures must exceed stable's by this: `0%` to `100%`, with at most two decimals.
    #[schemars(regex(pattern = PERCENT), extend("default" = "1%"))]
    margin: Option<String>,
    /// After this time the canary returns and is watched again: `1s` to `9600h`. Absent: it stays out until the rule is edited.
    #[schemars(regex(pattern = DURATION), extend("not" = {"type": "string", "pattern": NO_TIME}))]
    hold_for: Option<String>,
    /// What happens if it fails too much.
    #[schemars(extend("default" = "rollback"))]
    action: Option<Action>,
}

/// What happens if a canary fails too much.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Action {
    /// Its share goes to stable.
    Rollback,
    /// A log line, a metric and an alert, and nothing else.
    Observe,
}

/// Weights that are all 0 own no draw.
fn weights(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {"type": ["integer", "null"], "minimum": 0, "maximum": 4_294_967_295_u32},
        "not": {"type": "object", "additionalProperties": {"enum": [0, null]}},
    })
}

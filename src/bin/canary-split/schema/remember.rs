//! `remember`: a visitor who has matched once stays without matching again.

use super::matches::Match;
use super::sticky::Cookie;
use schemars::JsonSchema;
use serde_json::{Value, json};

/// Remembers visitors who have matched once; `{}`: a cookie with the defaults.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, extend("allOf" = [nothing_is_drawn()]))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Remember {
    /// The cookie, signed under the config's `seal`. After its `ttl` it is worthless.
    cookie: Option<Cookie>,
    /// Checked first. If any entry holds, the cookie is removed, and the rule does not hold for this request.
    #[schemars(length(min = 1, max = 10_000))]
    forget: Option<Vec<Match>>,
}

/// A fixed subset needs no draw.
fn nothing_is_drawn() -> Value {
    json!({"properties": {"cookie": {"properties": {"draw": {"type": "null"}}}}})
}

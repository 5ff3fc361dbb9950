//! `match`: the requests that a rule is for.

use super::patterns::{BLOCK, CLAIM, TOKEN};
use super::subschemas::{nothing, one_of};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;
use std::borrow::Cow;
use std::marker::PhantomData;

/// Conditions that must all hold.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, extend("not" = nothing()))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Match {
    /// The path without the query, not decoded.
    uri: Option<StringMatch>,
    /// The method, with its case.
    method: Option<StringMatch>,
    /// Headers by their names, without case. Of a repeated header the first value counts.
    headers: Option<ByName<Token>>,
    /// Headers that must not match; an absent header is an empty one.
    without_headers: Option<ByName<Token>>,
    /// Query parameters by their names, not decoded; the first of a name counts.
    query_params: Option<ByName<Any>>,
    /// Cookies by their names; the first of a name counts.
    cookies: Option<ByName<Token>>,
    /// The client's address as the gateway trusts it: addresses and CIDR blocks, as in Istio's AuthorizationPolicy; any may hold.
    #[schemars(length(min = 1, max = 10_000), inner(regex(pattern = BLOCK)))]
    remote_ip_blocks: Option<Vec<String>>,
    /// Claims of a token that Istio has verified: `group`, `realm.role`, or `[https://example.com/role][name]` if names have dots. Any
    /// item of a list counts.
    claims: Option<ByName<Claim>>,
}

/// A value: one of `exact`, `prefix`, `regex`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = kinds()))]
#[expect(dead_code, reason = "only its schema is used")]
struct StringMatch {
    /// It equals this.
    #[schemars(length(max = 8192))]
    exact: Option<String>,
    /// It begins with this.
    #[schemars(length(min = 1, max = 8192))]
    prefix: Option<String>,
    /// All of it matches: RE2 syntax.
    #[schemars(length(min = 1, max = 8192))]
    regex: Option<String>,
}

/// A value: one of `exact`, `prefix`, `regex`; `{}`: it is present.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, transform = or_presence)]
#[expect(dead_code, reason = "only its schema is used")]
struct Condition {
    #[serde(flatten)]
    kinds: StringMatch,
}

fn kinds() -> Value {
    one_of(&["exact", "prefix", "regex"].map(|kind| (kind, "string")))
}

fn or_presence(schema: &mut Schema) {
    if let Some(kinds) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        kinds.push(nothing());
    }
}

/// Conditions by name, at least one. Null means absent, whatever the name.
struct ByName<N>(PhantomData<N>);

/// The pattern of names.
trait Name {
    const PATTERN: &str;
}

struct Token;
struct Any;
struct Claim;

impl Name for Token {
    const PATTERN: &str = TOKEN;
}

impl Name for Any {
    const PATTERN: &str = r"[\s\S]";
}

impl Name for Claim {
    const PATTERN: &str = CLAIM;
}

impl<N: Name> JsonSchema for ByName<N> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ByName".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "maxProperties": 10_000,
            "patternProperties": {N::PATTERN: generator.subschema_for::<Option<Condition>>()},
            "additionalProperties": {"type": "null"},
            "not": nothing(),
        })
    }
}

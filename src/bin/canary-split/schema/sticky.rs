//! `sticky`: the keys, the cookie, the salt, and the effect of a change of weights.

use super::patterns::{CLAIM, DURATION, TOKEN};
use super::subschemas::{is_given, one_of};
use schemars::JsonSchema;
use serde_json::{Value, json};

/// What makes a visitor stay: keys, a cookie, or both.
#[derive(JsonSchema)]
#[schemars(
    rename_all = "camelCase",
    deny_unknown_fields,
    extend("anyOf" = keys_or_cookie(), "allOf" = [keep_needs_a_cookie()])
)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Sticky {
    /// The values that are hashed into the draw; the first that is present wins, and an empty one is absent.
    #[schemars(length(min = 1, max = 10_000), extend("uniqueItems" = true))]
    keys: Option<Vec<Key>>,
    /// Our own cookie, with the draw of the visitor's key or, without one, a random draw; `{}`: with the defaults.
    cookie: Option<Cookie>,
    /// Rules with different salts have independent canaries. Change it to draw everyone again. Absent: the rule's name.
    #[schemars(length(min = 1, max = 253))]
    salt: Option<String>,
    /// Who moves when weights change.
    #[schemars(extend("default" = "rebalance"))]
    on_weight_change: Option<OnWeightChange>,
}

/// The place of a key in a request: one of these.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, extend("oneOf" = key_kinds()))]
#[expect(dead_code, reason = "only its schema is used")]
struct Key {
    /// The name of a header.
    #[schemars(length(max = 8192), regex(pattern = TOKEN))]
    header: Option<String>,
    /// A claim of a token that Istio has verified, as in `match`; it must be a string, or an item of a list by its index.
    #[schemars(length(max = 8192), regex(pattern = CLAIM))]
    claim: Option<String>,
    /// The name of a query parameter; its value is percent-decoded, `+` stays.
    #[schemars(length(min = 1, max = 8192))]
    query_param: Option<String>,
    /// The name of a cookie of the application.
    #[schemars(length(max = 8192), regex(pattern = TOKEN))]
    cookie: Option<String>,
    /// The client's address as the gateway trusts it; of IPv6 the /64, of NAT64 and IPv4-mapped addresses the IPv4 inside.
    #[schemars(extend("enum" = [true, null]))]
    remote_ip: Option<bool>,
}

/// Who moves when weights change.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
enum OnWeightChange {
    /// The draw stays, and the subset follows the weights.
    Rebalance,
    /// The subset seen first stays as long as it is in the split; needs a `cookie`.
    Keep,
}

/// Our cookie.
#[derive(JsonSchema)]
#[schemars(
    rename_all = "camelCase",
    deny_unknown_fields,
    extend("allOf" = [insecure_is_not_refused(), host_prefix_is_kept()])
)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Cookie {
    /// A token of at most 64 bytes. Absent: `canary-RULE`.
    #[schemars(length(max = 64), regex(pattern = TOKEN))]
    name: Option<String>,
    /// How long a browser keeps it: `h`, `m`, `s` as in Go, whole seconds, at most `9600h`. `0s`: until the browser closes.
    #[schemars(regex(pattern = DURATION), extend("default" = "720h"))]
    ttl: Option<String>,
    /// `Path`.
    #[schemars(length(max = 8192), regex(pattern = "^/[ -:<-~]*$"), extend("default" = "/"))]
    path: Option<String>,
    /// `Domain`: at least two labels, not an address, and it covers at least one of the rule's hosts. Absent: this host only.
    #[schemars(
        regex(pattern = r"^\.?[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})+$"),
        extend("anyOf" = [{"maxLength": 253}, {"pattern": "^\\..{1,253}$"}], "not" = {"type": "string", "pattern": "\\.[0-9]+$"})
    )]
    domain: Option<String>,
    /// `SameSite`; `None` is always `Secure`.
    #[schemars(extend("default" = "Lax"))]
    same_site: Option<SameSite>,
    /// `Secure`. Absent: if the request came over https, as Envoy sees it; set it behind a load balancer that ends TLS.
    secure: Option<bool>,
    /// `HttpOnly`.
    #[schemars(extend("default" = true))]
    http_only: Option<bool>,
    /// `Partitioned`; always `Secure`.
    #[schemars(extend("default" = false))]
    partitioned: Option<bool>,
    /// A visitor who comes with a cookie older than half its ttl gets it again, with the same draw.
    #[schemars(extend("default" = true))]
    renew: Option<bool>,
    /// Where the draw of a new cookie comes from.
    #[schemars(extend("default" = "random"))]
    draw: Option<FirstDraw>,
    /// On which responses a cookie is given; an existing cookie is read on every request.
    #[schemars(extend("default" = "all"))]
    on: Option<Given>,
}

/// On which responses a cookie is given.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Given {
    /// On all of them.
    All,
    /// On those to page navigations: `sec-fetch-mode: navigate`, or, without a mode, an `accept` with `text/html`.
    Pages,
}

/// `SameSite` of a cookie.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
enum SameSite {
    Lax,
    Strict,
    None,
}

/// Where the draw of a new cookie comes from.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
enum FirstDraw {
    /// Random.
    Random,
    /// Hashed from the client's address and user agent, so that parallel first requests agree.
    Client,
}

fn keys_or_cookie() -> Value {
    json!([is_given("keys", &json!({"type": "array"})), is_given("cookie", &json!({"type": "object"}))])
}

fn keep_needs_a_cookie() -> Value {
    let keep = is_given("onWeightChange", &json!({"const": "keep"}));
    json!({"if": keep, "then": is_given("cookie", &json!({"type": "object"}))})
}

fn key_kinds() -> Value {
    let named = ["header", "claim", "queryParam", "cookie"].map(|kind| (kind, "string"));
    one_of(&[&named[..], &[("remoteIp", "boolean")]].concat())
}

/// Values that browsers refuse without `Secure`.
fn insecure_is_not_refused() -> Value {
    let needs = [
        is_given("sameSite", &json!({"const": "None"})),
        is_given("partitioned", &json!({"const": true})),
        is_given("name", &json!({"type": "string", "pattern": "^__([Hh][Oo][Ss][Tt]|[Ss][Ee][Cc][Uu][Rr][Ee])-"})),
    ];
    json!({"if": {"anyOf": needs}, "then": {"properties": {"secure": {"enum": [true, null]}}}})
}

/// Values that browsers refuse under a name with `__Host-`.
fn host_prefix_is_kept() -> Value {
    json!({
        "if": is_given("name", &json!({"type": "string", "pattern": "^__[Hh][Oo][Ss][Tt]-"})),
        "then": {"properties": {"domain": {"type": "null"}, "path": {"enum": ["/", null]}}},
    })
}

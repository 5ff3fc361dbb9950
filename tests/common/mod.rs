//! Reads the case table and checks what a runner has seen against it. The format is in `tests/cases/README.md`.

use serde_json::Value;
use std::path::Path;

/// A case: its phases in order, each a config and the requests under it.
pub type Case = Vec<Phase>;

pub struct Phase {
    /// The case's name, and which phase of it.
    pub name: String,
    /// The text of `pluginConfig`.
    pub config: Vec<u8>,
    /// All errors, in order.
    pub errors: Vec<String>,
    /// The rules that are active, on their last good version, and off.
    pub rules: Option<[usize; 3]>,
    /// The header that carries the subset.
    pub header: String,
    /// Those that carry positions.
    pub position_headers: Vec<String>,
    pub requests: Vec<Expected>,
}

/// A request of the table, and what must come of it.
pub struct Expected(Value);

/// A request as it is sent, and the application's response.
#[derive(Clone)]
pub struct Sent {
    /// Pseudo-headers first; names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    pub status: u16,
    pub response_headers: Vec<(String, Vec<u8>)>,
    pub visitor: Visitor,
}

/// What Envoy knows about a client in addition to the request.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The address, with a port.
    pub address: String,
    /// The claims of a verified token; null: there is none.
    claims: Value,
    /// Where they are: in Istio `payload`, in Envoy Gateway the name of the token's provider.
    provider: String,
    /// Instead: the value of every claim.
    bytes: Option<Vec<u8>>,
}

impl Default for Visitor {
    fn default() -> Self {
        Visitor {
            address: "127.0.0.1:4711".to_owned(),
            claims: Value::Null,
            provider: "payload".to_owned(),
            bytes: None,
        }
    }
}

impl Visitor {
    /// Somebody at this address whose every claim, and all metadata, is these bytes.
    #[allow(dead_code, reason = "one runner throws bytes at the module")]
    pub fn of_bytes(address: &str, claim: Option<Vec<u8>>) -> Visitor {
        Visitor { address: address.to_owned(), bytes: claim, ..Visitor::default() }
    }

    /// Somebody with these claims, in Istio's place; null: without a token.
    #[allow(dead_code, reason = "one runner counts what is asked")]
    pub fn with_claims(json: &str) -> Visitor {
        Visitor { claims: serde_json::from_str(json).unwrap(), ..Visitor::default() }
    }

    /// The claims of a verified token; null: there is none.
    #[allow(dead_code, reason = "the tool is given them as they are")]
    pub fn claims(&self) -> &Value {
        &self.claims
    }

    /// The name under which the claims are.
    #[allow(dead_code, reason = "only the fake host has such names")]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// All metadata of the request as Envoy hands it over: a message `envoy.config.core.v3.Metadata`.
    #[allow(dead_code, reason = "only the fake host has metadata")]
    pub fn metadata(&self) -> Option<Vec<u8>> {
        if self.bytes.is_some() {
            return self.bytes.clone().filter(|bytes| !bytes.is_empty());
        }
        let verified = protobuf::structure([(&*self.provider, &self.claims)].into_iter());
        let entry = [protobuf::field(1, b"envoy.filters.http.jwt_authn"), protobuf::field(2, &verified)].concat();
        self.claims.is_object().then(|| protobuf::field(1, &entry))
    }

    /// A claim as Envoy hands it over: strings as they are, lists of strings as pairs, numbers as doubles.
    pub fn claim<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<Vec<u8>> {
        if self.bytes.is_some() {
            return self.bytes.clone().filter(|bytes| !bytes.is_empty());
        }
        let mut claim = &self.claims;
        for name in names {
            claim = match claim {
                Value::Array(items) => items.get(name.parse::<usize>().ok()?)?,
                other => other.get(name)?,
            };
        }
        match claim {
            // The SDK does not tell an empty property from an absent one.
            Value::String(text) => (!text.is_empty()).then(|| text.clone().into_bytes()),
            Value::Bool(value) => Some(vec![u8::from(*value)]),
            Value::Number(number) => Some(number.as_f64()?.to_le_bytes().to_vec()),
            Value::Array(items) => {
                let items: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
                let items = items?;
                let mut bytes = (items.len() as u32).to_le_bytes().to_vec();
                items.iter().for_each(|item| bytes.extend((item.len() as u64).to_le_bytes()));
                items.iter().for_each(|item| bytes.extend([item.as_bytes(), &[0, 0]].concat()));
                Some(bytes)
            }
            Value::Object(_) | Value::Null => None,
        }
    }
}

/// Values in protobuf's format, as `google.protobuf.Struct` has them.
mod protobuf {
    use serde_json::Value;

    /// A field with a length.
    pub fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(content);
        bytes
    }

    pub fn structure<'v>(fields: impl Iterator<Item = (&'v str, &'v Value)>) -> Vec<u8> {
        fields
            .flat_map(|(name, each)| field(1, &[field(1, name.as_bytes()), field(2, &value(each))].concat()))
            .collect()
    }

    fn value(json: &Value) -> Vec<u8> {
        match json {
            Value::Null => vec![1 << 3, 0],
            Value::Number(number) => [&[2 << 3 | 1][..], &number.as_f64().unwrap().to_le_bytes()].concat(),
            Value::String(text) => field(3, text.as_bytes()),
            Value::Bool(value) => vec![4 << 3, u8::from(*value)],
            Value::Object(fields) => field(5, &structure(fields.iter().map(|(name, value)| (&**name, value)))),
            Value::Array(items) => field(6, &items.iter().flat_map(|item| field(1, &value(item))).collect::<Vec<_>>()),
        }
    }
}

/// What a runner has seen of one request.
#[derive(Debug)]
pub struct Observed {
    /// The headers that the filter alone writes, as the application sees them.
    pub request_headers: Vec<(String, Vec<u8>)>,
    /// The rule that decided; empty: none.
    pub rule: String,
    /// What the decision rests on.
    pub source: String,
    /// The cookie that the filter added.
    pub set_cookie: Option<String>,
    /// The response's headers as the client sees them, without that cookie.
    pub response_headers: Vec<(String, Vec<u8>)>,
}

/// All cases of `tests/cases/*.yaml`.
pub fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files.iter().flat_map(|path| read(path)).collect()
}

fn read(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).unwrap();
    let cases: Vec<Value> = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    cases.iter().map(case).collect()
}

fn case(case: &Value) -> Case {
    let name = case["name"].as_str().expect("a case has a name");
    known(case, &["name", "config", "configText", "errors", "rules", "requests", "then", "header"], name);
    let phases = std::iter::once(case).chain(case["then"].as_array().into_iter().flatten()).enumerate();
    phases
        .map(|(nth, phase)| read_phase(phase, if nth == 0 { name.to_owned() } else { format!("{name}, then {nth}") }))
        .collect()
}

fn read_phase(phase: &Value, name: String) -> Phase {
    known(phase, &["name", "config", "configText", "errors", "rules", "requests", "then", "header"], &name);
    let config = match phase["configText"].as_str() {
        Some(text) => bytes(text),
        None => {
            phase["config"].as_object().map(|_| phase["config"].to_string().into_bytes()).expect("config or configText")
        }
    };
    let strings =
        |value: &Value| value.as_array().into_iter().flatten().map(|s| s.as_str().unwrap().to_owned()).collect();
    let count = |state: &str| phase["rules"][state].as_u64().expect("a count for each state") as usize;
    Phase {
        errors: strings(&phase["errors"]),
        rules: phase["rules"].is_object().then(|| ["active", "last_good", "off"].map(count)),
        header: [&phase["header"], &phase["config"]["header"]]
            .into_iter()
            .find_map(Value::as_str)
            .filter(|header| header.starts_with("x-") && !header.starts_with("x-forwarded"))
            .unwrap_or("x-canary-subset")
            .to_owned(),
        position_headers: position_headers(phase),
        requests: phase["requests"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|request| read_request(request, &name))
            .collect(),
        config,
        name,
    }
}

/// The headers that the requests of a phase speak about.
fn position_headers(phase: &Value) -> Vec<String> {
    let requests = phase["requests"].as_array().into_iter().flatten();
    let mut headers: Vec<String> = requests
        .flat_map(|request| request["positions"].as_object().into_iter().flatten())
        .map(|(name, _)| name.clone())
        .collect();
    headers.sort();
    headers.dedup();
    headers
}

impl Phase {
    /// The headers that the filter alone writes.
    pub fn ours(&self) -> Vec<String> {
        [std::slice::from_ref(&self.header), &self.position_headers].concat()
    }
}

fn read_request(request: &Value, name: &str) -> Expected {
    let sent = ["method", "scheme", "host", "path", "headers", "client", "claims", "provider", "response"];
    let expected = ["subset", "oneOf", "positions", "source", "rule", "setCookie", "clientSees"];
    known(request, &[&sent[..], &expected[..]].concat(), name);
    let asked = request.get("subset").is_some() != request.get("oneOf").is_some();
    assert!(asked, "{name}: a request says subset or oneOf");
    Expected(request.clone())
}

/// A misspelt field would be a test that cannot fail.
fn known(value: &Value, fields: &[&str], name: &str) {
    for field in value.as_object().expect("an object").keys() {
        assert!(fields.contains(&field.as_str()), "{name}: unknown field {field}");
    }
}

impl Expected {
    /// The request as it is sent at this minute.
    pub fn sent(&self, now: u32) -> Sent {
        let text = |field: &str, default: &str| bytes(self.0[field].as_str().unwrap_or(default));
        let mut headers = vec![
            (":method".to_owned(), text("method", "GET")),
            (":scheme".to_owned(), text("scheme", "https")),
            (":authority".to_owned(), text("host", "canary.example.com")),
            (":path".to_owned(), text("path", "/")),
        ];
        headers.extend(pairs(&self.0["headers"], now));
        let response = &self.0["response"];
        Sent {
            headers,
            status: response["status"].as_u64().unwrap_or(200) as u16,
            response_headers: pairs(&response["headers"], now),
            visitor: Visitor {
                address: self.0["client"].as_str().map_or(Visitor::default().address, |ip| {
                    if ip.contains(':') { format!("[{ip}]:0") } else { format!("{ip}:0") }
                }),
                claims: self.0["claims"].clone(),
                provider: self.0["provider"].as_str().map_or(Visitor::default().provider, str::to_owned),
                bytes: None,
            },
        }
    }

    /// The request of a visitor who comes back with the cookie that this one drew; `None` if none was drawn.
    pub fn returning(&self, observed: &Observed, now: u32) -> Option<Sent> {
        self.0["setCookie"]
            .as_str()
            .filter(|template| ["{draw}", "{kept}"].iter().any(|part| template.contains(part)))?;
        let cookie = observed.set_cookie.as_ref()?.split(';').next()?.to_owned();
        let mut sent = self.sent(now);
        sent.headers.retain(|(name, _)| name != "cookie");
        sent.headers.push(("cookie".to_owned(), cookie.into_bytes()));
        Some(sent)
    }

    #[track_caller]
    pub fn check(&self, observed: &Observed, now: u32, phase: &Phase) {
        let context = || format!("{}: {} gave {observed:?}", phase.name, self.0);
        let said = |header: &str| observed.request_headers.iter().find(|(name, _)| name == header);
        let value = |header: &str| said(header).map(|(_, value)| value.as_slice());
        let subset = value(&phase.header);
        match (&self.0["subset"], self.0["oneOf"].as_array()) {
            (_, Some(subsets)) => {
                let one_of = subsets.iter().any(|one| one.as_str().map(str::as_bytes) == subset);
                assert!(one_of, "{}", context());
            }
            (expected, None) => assert_eq!(subset, expected.as_str().map(str::as_bytes), "{}", context()),
        }
        for header in &phase.position_headers {
            let said = value(header).map(|value| str::from_utf8(value).expect("digits"));
            match self.0["positions"][header].as_str() {
                Some("any") => assert!(said.is_some_and(|said| said.parse::<u32>().is_ok()), "{}", context()),
                expected => assert_eq!(said, expected, "{}", context()),
            }
        }
        for (field, seen) in [("source", &observed.source), ("rule", &observed.rule)] {
            if let Some(expected) = self.0[field].as_str() {
                assert_eq!(seen, expected, "{}", context());
            }
        }
        for (name, value) in pairs(&self.0["clientSees"], now) {
            let seen: Vec<_> = observed.response_headers.iter().filter(|(n, _)| *n == name).collect();
            assert!(seen.len() == 1 && seen[0].1 == value, "{name}: {}", context());
        }
        match (self.0["setCookie"].as_str(), &observed.set_cookie) {
            (None, None) => {}
            (Some(template), Some(cookie)) => assert!(fits(template, cookie, now), "{}", context()),
            _ => panic!("{}", context()),
        }
    }
}

/// Whether a cookie is what a template with `{draw}`, `{now}` and `{kept}` says.
fn fits(template: &str, cookie: &str, now: u32) -> bool {
    let template = template.replace("{now}", &format!("{now:07x}"));
    let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mut rest = cookie;
    let mut parts = template.split('{');
    let before = parts.next().unwrap();
    let Some(after) = rest.strip_prefix(before) else { return false };
    rest = after;
    for part in parts {
        let (name, text) = part.split_once('}').expect("what begins with { ends with }");
        let length = match name {
            "draw" => 8,
            "kept" => rest.find('.').map_or(0, |subset| subset + 17),
            _ => panic!("{{{name}}} in setCookie"),
        };
        let Some((value, after)) = rest.split_at_checked(length) else { return false };
        let digits = value.rsplit('.').next().unwrap();
        let Some(after) = after.strip_prefix(text).filter(|_| length > 0 && hex(digits)) else { return false };
        rest = after;
    }
    rest.is_empty()
}

fn pairs(list: &Value, now: u32) -> Vec<(String, Vec<u8>)> {
    let pair = |pair: &Value| {
        let (name, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        (name.to_ascii_lowercase(), bytes(&with_minutes(value, now)))
    };
    list.as_array().into_iter().flatten().map(pair).collect()
}

/// `{now}`, `{now-90}` and `{now+5}` as the cookie writes minutes.
fn with_minutes(text: &str, now: u32) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{now") {
        let (offset, after) = after.split_once('}').expect("{now…} ends with }");
        let offset: i64 = if offset.is_empty() { 0 } else { offset.parse().unwrap() };
        out.push_str(&format!("{before}{:07x}", i64::from(now) + offset));
        rest = after;
    }
    out + rest
}

/// A character U+0000…U+00FF is one byte.
pub fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("no character beyond U+00FF")).collect()
}

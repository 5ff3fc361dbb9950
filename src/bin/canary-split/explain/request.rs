//! A request as for `curl` → the answers to the filter's questions.

use super::claims;
use super::cookie::Given;
use super::shown::quoted;
use super::url::Url;
use canary_split::request::Request;
use canary_split::request::claim::ClaimPath;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::IpAddr;

/// A request as for `curl`. Headers that `curl` adds by itself (`accept`, `user-agent`) are absent unless they are given.
#[derive(clap::Args)]
pub struct Spelled {
    /// Add a header, as in 'x-user: alice'; 'x-user;' is an empty one, 'x-user:' none
    #[arg(
        help_heading = "Request",
        short = 'H',
        long = "header",
        value_name = "NAME: VALUE",
        allow_hyphen_values = true
    )]
    headers: Vec<OsString>,
    /// Add cookies, as in 'a=1; b=2'; without a URL they are decoded
    #[arg(
        help_heading = "Request",
        short = 'b',
        long = "cookie",
        value_name = "NAME=VALUE",
        allow_hyphen_values = true
    )]
    cookies: Vec<OsString>,
    /// Use this method
    #[arg(help_heading = "Request", short = 'X', long = "request", value_name = "METHOD", default_value = "GET")]
    method: OsString,
    /// Add a user agent
    #[arg(
        help_heading = "Request",
        short = 'A',
        long = "user-agent",
        value_name = "AGENT",
        allow_hyphen_values = true
    )]
    agent: Option<OsString>,
    /// Give the client's address, as the gateway trusts it
    #[arg(help_heading = "Request", long, value_name = "IP")]
    client_ip: Option<IpAddr>,
    /// Give the claims of a token that Istio has verified, as in '{"sub": "alice"}'
    #[arg(help_heading = "Request", long, value_name = "JSON")]
    claims: Option<String>,
    /// Give the URL, by default http; or a cookie to decode: NAME=VALUE, or its value
    #[arg(value_name = "URL", required_unless_present = "cookies")]
    url: Option<OsString>,
}

/// A request as the filter sees it.
pub struct Seen {
    /// The port of the URL.
    pub port: u16,
    /// Pseudo-headers first; names in lower case.
    headers: Vec<(String, Vec<u8>)>,
    claims: Value,
    /// The claim that was asked for last.
    claim: Option<Vec<u8>>,
    /// The claims that the filter asked for, if none was given.
    pub missed_claims: BTreeSet<String>,
    has_claims: bool,
    address: Option<String>,
    /// Whether the filter asked for an address that was not given.
    pub needs_address: bool,
}

impl Spelled {
    /// GET of a URL.
    pub fn get(url: OsString, headers: Vec<OsString>, cookies: Vec<OsString>, address: Option<IpAddr>) -> Spelled {
        let method = OsString::from("GET");
        Spelled { headers, cookies, method, agent: None, client_ip: address, claims: None, url: Some(url) }
    }

    /// With the claims of a token.
    pub fn with_claims(self, claims: Option<String>) -> Spelled {
        Spelled { claims, ..self }
    }

    /// The request as the gateway receives it.
    pub fn read(&self) -> Result<Seen, String> {
        let url = Url::parse(self.url.as_deref().unwrap_or_default().as_encoded_bytes())?;
        let given = self.headers.iter().map(|header| read_header(header.as_encoded_bytes()));
        let given = given.collect::<Result<Vec<_>, _>>()?;
        // A header that is given, or explicitly left out, counts.
        let is_given = |name: &str| given.iter().any(|(known, _)| known == name);
        let mut headers = vec![
            (":method".to_owned(), self.method.as_encoded_bytes().to_vec()),
            (":scheme".to_owned(), url.scheme.into()),
            (":path".to_owned(), url.path),
        ];
        let port = url.port;
        let host = given.iter().find_map(|(name, value)| value.clone().filter(|_| name == "host"));
        headers.push((":authority".to_owned(), host.unwrap_or(url.authority)));
        if let Some(agent) = self.agent.as_ref().filter(|agent| !agent.is_empty() && !is_given("user-agent")) {
            headers.push(("user-agent".to_owned(), agent.as_encoded_bytes().to_vec()));
        }
        if !self.cookies.is_empty() && !is_given("cookie") {
            headers.push(("cookie".to_owned(), self.joined_cookies()?));
        }
        headers.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
        if let Some((name, _)) = headers.iter().find(|(_, value)| value.iter().any(|byte| b"\r\n\0".contains(byte))) {
            return Err(format!("{name}: a line break; no request can have one there"));
        }
        let address = self.client_ip.map(|ip| if ip.is_ipv6() { format!("[{ip}]:0") } else { format!("{ip}:0") });
        Ok(Seen {
            port,
            headers,
            claims: self.read_claims()?,
            claim: None,
            missed_claims: BTreeSet::new(),
            has_claims: self.claims.is_some(),
            address,
            needs_address: false,
        })
    }

    /// The cookies to decode, if nothing else is asked for.
    pub fn cookies(&self) -> Result<Option<Vec<Given>>, String> {
        match &self.url {
            Some(url) => Ok(Given::of_word(url.as_encoded_bytes()).map(|cookie| vec![cookie])),
            None => self.joined_cookies().map(|line| Some(Given::of_line(&line))),
        }
    }

    fn joined_cookies(&self) -> Result<Vec<u8>, String> {
        let cookies: Vec<&[u8]> = self.cookies.iter().map(|cookie| cookie.as_encoded_bytes()).collect();
        if cookies.iter().any(|cookie| !cookie.contains(&b'=')) {
            return Err("-b: no = in it; files of cookies are not read, write 'NAME=VALUE'".to_owned());
        }
        Ok(cookies.join(&b"; "[..]))
    }

    fn read_claims(&self) -> Result<Value, String> {
        let Some(text) = &self.claims else { return Ok(Value::Null) };
        match serde_json::from_str(text) {
            Ok(claims @ Value::Object(_)) => Ok(claims),
            Ok(_) => Err(format!("--claims: no object; write {CLAIMS}")),
            Err(error) => Err(format!("--claims: not JSON: {error}; write {CLAIMS}")),
        }
    }
}

/// Claims as they are given, for messages.
const CLAIMS: &str = "'{\"sub\": \"alice\"}'";

/// A name in lower case and a value; without one the header is left out.
fn read_header(line: &[u8]) -> Result<(String, Option<Vec<u8>>), String> {
    let (name, value) = match line.iter().position(|&byte| byte == b':') {
        Some(at) => {
            let (name, value) = line.split_at_checked(at).unwrap_or_default();
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            (name, (!value.is_empty()).then(|| value.to_vec()))
        }
        None => match line.trim_ascii_end().strip_suffix(b";") {
            Some(name) => (name, Some(Vec::new())),
            None => return Err("-H: no colon in it; write 'NAME: VALUE', or 'NAME;' for an empty value".to_owned()),
        },
    };
    match std::str::from_utf8(name) {
        Ok(name) if !name.is_empty() && name.bytes().all(is_token_byte) => Ok((name.to_ascii_lowercase(), value)),
        _ => Err(format!("-H: {} is not a header name", quoted(name))),
    }
}

/// The characters of names (RFC 9110).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl Seen {
    /// A first visit to a URL.
    pub fn visiting(url: &str) -> Result<Seen, String> {
        Spelled::get(OsString::from(url), Vec::new(), Vec::new(), None).read()
    }

    /// The values of a header, in their order.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.values(name).next().unwrap_or_default()).into_owned()
    }

    /// The host, without port and in lower case.
    pub fn host(&self) -> String {
        let authority = self.text(":authority").to_ascii_lowercase();
        let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|digit| digit.is_ascii_digit()));
        host.map_or(authority.as_str(), |(host, _)| host).trim_end_matches('.').to_owned()
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.text(":scheme") == "https" { "https" } else { "http" }
    }

    /// The method.
    pub fn method(&self) -> String {
        self.text(":method")
    }

    /// The path, without the query.
    pub fn path(&self) -> String {
        let path = self.text(":path");
        path.split('?').next().unwrap_or_default().to_owned()
    }

    /// The query parameters, as Envoy compares them: not decoded.
    pub fn query(&self) -> Vec<(String, String)> {
        let path = self.text(":path");
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let pair = |pair: &str| {
            pair.split_once('=')
                .map_or((pair.to_owned(), String::new()), |(name, value)| (name.to_owned(), value.to_owned()))
        };
        query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
    }

    /// The headers that are text.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.headers.iter().filter(|(name, _)| !name.starts_with(':'));
        headers.filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value).ok()?)))
    }

    /// The value of a claim, as it was given.
    pub fn claim_value(&self, path: &ClaimPath) -> Option<&Value> {
        claims::find(&self.claims, path)
    }
}

impl<'c> Request<'c> for Seen {
    fn header(&mut self, name: &'c str) -> Option<&[u8]> {
        // To Envoy they are one header.
        let name = if name == "host" { ":authority" } else { name };
        self.values(name).next()
    }

    fn claim(&mut self, path: &'c ClaimPath) -> Option<&[u8]> {
        if !self.has_claims {
            self.missed_claims.insert(path.names().collect::<Vec<_>>().join("."));
        }
        self.claim = self.claim_value(path).and_then(claims::bytes);
        self.claim.as_deref()
    }

    fn client_address(&mut self) -> Option<&[u8]> {
        self.needs_address |= self.address.is_none();
        self.address.as_deref().map(str::as_bytes)
    }
}

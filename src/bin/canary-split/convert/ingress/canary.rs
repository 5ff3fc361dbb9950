//! Which requests go to a canary: by header, otherwise by cookie, otherwise by weight.

use super::super::extra::{Extra, Override};
use super::super::refusal::Refusal;
use super::paths::Canary;
use super::pattern::anywhere;
use super::read::{Ingress, Said};
use serde_json::{Value, json};

/// The indexes of stable and canary in a route.
const STABLE: usize = 0;
const CANARY: usize = 1;

/// The weights of stable and the canary, and the requests that bypass them.
pub fn of(canary: &Canary, notes: &mut Vec<String>) -> Result<([u32; 2], Extra), Refusal> {
    let ingress = canary.ingress;
    let header = header(ingress)?;
    let (mut always, mut never): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    // The cookie counts only if the header decides nothing.
    let mut unless = None;
    if let Some(Header { name, to_canary, is_word }) = &header {
        always.push(json!({"headers": {name: to_canary}}));
        if *is_word {
            let no = json!({name: {"exact": "never"}});
            never.push(json!({"headers": no}));
            unless = Some(no);
        }
    }
    if let Some(said) = ingress.get("canary-by-cookie") {
        let cookie = |value: &str| json!({said.text: {"exact": value}});
        let mut asked = json!({"cookies": cookie("always")});
        if let (Some(no), Some(asked)) = (unless, asked.as_object_mut()) {
            asked.insert("withoutHeaders".to_owned(), no);
        }
        always.push(asked);
        never.push(json!({"cookies": cookie("never")}));
    }
    let overrides = [("always", always, CANARY), ("never", never, STABLE)];
    let overrides = overrides.into_iter().filter(|(_, matches, _)| !matches.is_empty());
    let overrides =
        overrides.map(|(suffix, matches, to)| Override { suffix: suffix.to_owned(), matches, to }).collect();
    let extra = Extra { stable: Some(STABLE), overrides, ..Extra::default() };
    Ok((weights(ingress, notes)?, extra))
}

/// A header that sends requests to the canary.
struct Header {
    name: String,
    /// The condition on its value.
    to_canary: Value,
    /// Whether the value `never` keeps a request on stable.
    is_word: bool,
}

fn header(ingress: &Ingress) -> Result<Option<Header>, Refusal> {
    let Some(said) = ingress.get("canary-by-header") else { return Ok(None) };
    let name = name(said.text);
    if let Some(value) = ingress.get("canary-by-header-value") {
        return Ok(Some(Header { name, to_canary: json!({"exact": value.text}), is_word: false }));
    }
    if let Some(pattern) = ingress.get("canary-by-header-pattern") {
        let regex = anywhere(pattern.text).map_err(|why| {
            ingress.refuse(&pattern, &format!("the filter cannot have this regex ({why}); write it in RE2's syntax"))
        })?;
        return Ok(Some(Header { name, to_canary: json!({"regex": regex}), is_word: false }));
    }
    Ok(Some(Header { name, to_canary: json!({"exact": "always"}), is_word: true }))
}

/// nginx's variables spell `-` in header names as `_`, so an annotation with `_` means the header with `-`.
fn name(said: &str) -> String {
    said.to_ascii_lowercase().replace('_', "-")
}

/// The header and value that traffic-tag writes for this canary; `None` if the canary does not depend on them.
pub fn tag(canary: &Canary, tag_headers: &[String]) -> Result<Option<(String, String)>, Refusal> {
    let ingress = canary.ingress;
    let Some(said) = ingress.get("canary-by-header").filter(|said| tag_headers.contains(&name(said.text))) else {
        return Ok(None);
    };
    let others = ["canary-weight", "canary-by-cookie", "canary-by-header-pattern"];
    if let Some(other) = others.iter().find_map(|name| ingress.get(name)).filter(|other| other.text != "0") {
        return Err(ingress.refuse(
            &other,
            &format!(
                "{} goes by the tag in {} already; write one rule for both by hand",
                ingress.object.title(),
                said.text
            ),
        ));
    }
    let Some(value) = ingress.get("canary-by-header-value") else {
        return Err(ingress.refuse(
            &said,
            "a plugin writes this header, and no canary-by-header-value says which tag is the canary's",
        ));
    };
    Ok(Some((name(said.text), value.text.to_owned())))
}

/// The weights of stable and the canary. Their sum is 100, as in ingress-nginx, or a larger canary-weight-total.
fn weights(ingress: &Ingress, notes: &mut Vec<String>) -> Result<[u32; 2], Refusal> {
    let number = |said: Said| said.text.parse::<u32>().map_err(|_| ingress.refuse(&said, "no number from 0 on"));
    let weight = ingress.get("canary-weight").map_or(Ok(0), number)?;
    let mut total = 100;
    if let Some(said) = ingress.get("canary-weight-total") {
        total = number(said)?;
        if total < 100 {
            notes.push(ingress.note(&said, "counts as 100, as in ingress-nginx, which takes no smaller total"));
            total = 100;
        }
    }
    let weight = weight.min(total);
    Ok([total - weight, weight])
}

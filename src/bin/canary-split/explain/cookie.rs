//! Decodes a cookie of the filter.

use super::shown::quoted;
use crate::input::quoted::visible;
use crate::report::share::Share;
use crate::report::time::{span, utc};
use canary_split::config::Config;
use canary_split::rollout::ramp::Second;
use canary_split::rule::{Rule, Target, WeightedSubsets};
use canary_split::visitor::cookie::{Cookie, Held, Minutes};
use canary_split::visitor::remember::Remember;
use serde::Serialize;
use std::io::{self, Write};

/// A cookie, with or without its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// `None`: a bare value.
    pub name: Option<Vec<u8>>,
    /// `1.DRAW.MINUTES`, if it is a cookie of the filter.
    pub value: Vec<u8>,
}

/// The content of a cookie.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decoded {
    /// As it was given.
    pub cookie: String,
    /// The same in quotes.
    #[serde(skip)]
    shown: String,
    /// 8 hex digits; `None`: the cookie is not in the filter's form.
    pub draw: Option<String>,
    /// When it was made.
    pub made: Option<String>,
    /// Its age in seconds; less than 0: the clock that it was made by is ahead.
    pub age_seconds: Option<i64>,
    /// Its meaning for the rules with a cookie of this name; for a bare value, all rules with a cookie.
    pub rules: Vec<Reading>,
}

/// The meaning of a cookie for a rule.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// The rule.
    pub rule: String,
    /// The name of its cookie.
    pub name: String,
    #[serde(skip)]
    made: String,
    /// The position of the draw among all, from 0 to 1; `None`: a cookie of `remember` has no draw.
    pub position: Option<f64>,
    #[serde(skip)]
    at: Option<Share>,
    /// The same as a number, where a route's weights decide by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// The subset that a visitor with this cookie gets now; `None`: it counts for nothing.
    pub subset: Option<String>,
    /// Why this subset.
    pub why: &'static str,
    /// From when on it is renewed; `None`: never.
    pub renewed: Option<String>,
    /// When a browser drops it; `None`: with its session.
    pub expires: Option<String>,
    /// Whether it has expired.
    pub is_expired: bool,
    /// The subset that it keeps.
    pub kept: Option<Kept>,
}

/// A subset that a cookie keeps.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Its name.
    pub subset: String,
    /// Whether its signature is that of this rule and config.
    pub is_signature_right: bool,
}

impl Given {
    /// An argument, if it is a cookie and not a URL: `NAME=VALUE`, or a value in the filter's form.
    pub fn of_word(word: &[u8]) -> Option<Given> {
        if Held::parse(word).is_some() {
            return Some(Given { name: None, value: word.to_vec() });
        }
        let (name, value) = word.split_at_checked(word.iter().position(|byte| *byte == b'=')?)?;
        let is_name = !name.is_empty() && !name.iter().any(|byte| b"/?#:@[".contains(byte));
        is_name.then(|| Given { name: Some(name.to_vec()), value: value.get(1..).unwrap_or_default().to_vec() })
    }

    /// The cookies of a header's line.
    pub fn of_line(line: &[u8]) -> Vec<Given> {
        line.split(|byte| *byte == b';').filter_map(|pair| Given::of_word(pair.trim_ascii())).collect()
    }

    fn value(&self) -> &[u8] {
        let quotes = |value| <[u8]>::strip_prefix(value, b"\"").and_then(|value| value.strip_suffix(b"\""));
        quotes(&self.value).unwrap_or(&self.value)
    }

    /// Its meaning for the rules of a config.
    pub fn decode(&self, config: &Config, now: Second) -> Decoded {
        let name = self.name.as_ref().map(|name| [name.as_slice(), b"="].concat()).unwrap_or_default();
        let cookie = [name, self.value.clone()].concat();
        let (shown, cookie) = (quoted(&cookie), String::from_utf8_lossy(&cookie).into_owned());
        let Some(held) = Held::parse(self.value()) else {
            return Decoded { cookie, shown, draw: None, made: None, age_seconds: None, rules: Vec::new() };
        };
        let made = second(held.made, 0);
        let is_named = |own: &Cookie| self.name.as_ref().is_none_or(|name| own.name.as_bytes() == name);
        let reading = |rule: &Rule| {
            let (own, _) = rule.cookie().filter(|(own, _)| is_named(own))?;
            // A bare value has no name; a cookie of `remember` is recognised by its signature.
            let is_another = |remember: &Remember| self.name.is_none() && remember.made_of(&held).is_none();
            if rule.remember.as_deref().is_some_and(is_another) {
                return None;
            }
            Some(Reading::of(rule, own, &held, now))
        };
        Decoded {
            cookie,
            shown,
            draw: Some(format!("{:08x}", held.draw.0)),
            made: Some(utc(made)),
            age_seconds: Some(now.0 as i64 - made.0 as i64),
            rules: config.rules.iter().filter_map(reading).collect(),
        }
    }
}

fn second(made: Minutes, later: u32) -> Second {
    Second(u64::from(made.0) * 60 + u64::from(later))
}

impl Reading {
    fn of(rule: &Rule, cookie: &Cookie, held: &Held, now: Second) -> Reading {
        let is_session = cookie.ttl == 0;
        let expires = (!is_session).then(|| second(held.made, cookie.ttl));
        let reading = Reading {
            rule: rule.name.clone(),
            name: cookie.name.clone(),
            made: utc(second(held.made, 0)),
            position: None,
            at: None,
            number: None,
            subset: None,
            why: "",
            renewed: (cookie.renew && !is_session).then(|| utc(second(held.made, cookie.ttl / 2))),
            expires: expires.map(utc),
            // It may have been made in the last second of its minute.
            is_expired: expires.is_some_and(|expires| expires.0 + 60 <= now.0),
            kept: None,
        };
        match (&rule.target, &rule.remember) {
            (_, Some(remember)) => reading.remembered(remember, held, Minutes::of_seconds(now.0)),
            (Target::Split(split), None) => reading.drawn(split, held, now),
            (Target::Adopted(adopted), None) => {
                let place = adopted.salt.position(held.draw);
                let why = "the weights of the route decide, by the number of this position modulo their sum";
                Reading {
                    position: Some(Share::of_draws(place.into()).fraction()),
                    number: Some(place),
                    why,
                    ..reading
                }
            }
            (Target::Fixed(_), None) => reading,
        }
    }

    /// For a cookie that remembers a visitor.
    fn remembered(self, remember: &Remember, held: &Held, now: Minutes) -> Reading {
        let kept = held.kept.map(|(name, _)| String::from_utf8_lossy(name).into_owned());
        let made = remember.made_of(held);
        let (counts, why) = match made {
            None => (false, "it is not one that this rule has made: nobody is remembered"),
            Some(made) if remember.counts(made, now) => (true, "the rule remembers the visitor"),
            Some(_) => (false, "it is older than its ttl: nobody is remembered"),
        };
        let renewed = self.renewed.filter(|_| remember.renew);
        let subset = kept.clone().filter(|_| counts);
        let kept = kept.map(|subset| Kept { subset, is_signature_right: made.is_some() });
        Reading { subset, why, kept, renewed, ..self }
    }

    /// For a cookie with a draw, and perhaps a kept subset.
    fn drawn(self, split: &WeightedSubsets, held: &Held, now: Second) -> Reading {
        let position = split.salt.position(held.draw);
        let at = Share::of_draws(position.into());
        let by_draw = split.with_layout(|| now, |layout| layout.pick(position));
        let keep = split.sticky.as_ref().and_then(|sticky| sticky.keep.as_ref());
        let kept_at = keep.and_then(|keep| keep.kept(held, &split.subsets));
        let name_of = |at: usize| split.subsets.get(at).map(|subset| subset.name.to_string());
        let kept = held.kept.map(|(name, signature)| {
            let subset = String::from_utf8_lossy(name).into_owned();
            let is_signature_right = keep.is_some_and(|keep| keep.signature(&subset, held.draw) == signature);
            Kept { subset, is_signature_right }
        });
        let is_there = |kept: &Kept| split.subsets.iter().any(|subset| *subset.name == kept.subset);
        let why = match (&kept, kept_at) {
            (_, Some(_)) => "it is kept",
            (None, None) => "by the draw",
            (Some(_), None) if keep.is_none() => "by the draw: the rule keeps no subsets",
            (Some(kept), None) if !is_there(kept) => "by the draw: the kept subset is not in the split",
            (Some(_), None) => "by the draw: the kept subset does not count",
        };
        let subset = name_of(kept_at.unwrap_or(by_draw));
        Reading { position: Some(at.fraction()), at: Some(at), subset, why, kept, ..self }
    }
}

impl Decoded {
    /// Prints it for people; true if it is in the filter's form and a rule reads it.
    pub fn print(&self, file: &str, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "cookie    {}", self.shown)?;
        let (Some(draw), Some(made), Some(age)) = (&self.draw, &self.made, self.age_seconds) else {
            return writeln!(
                out,
                "          is no cookie of the filter, such as 1.5f2e6049.1c8cf84: the filter ignores it"
            );
        };
        let ago = match u64::try_from(age) {
            Ok(age) => format!("{} ago", span(age / 60 * 60)),
            Err(_) => format!("{} ahead of the clock", span(age.unsigned_abs())),
        };
        writeln!(out, "draw      {draw}")?;
        writeln!(out, "made      {made}, {ago}")?;
        if self.rules.is_empty() {
            writeln!(out, "No rule of {} has a cookie of this name.", visible(file))?;
        }
        self.rules.iter().try_for_each(|reading| reading.print(out))
    }
}

impl Reading {
    /// Its times in one line.
    pub fn sentence(&self) -> String {
        let renewed =
            self.renewed.as_ref().map(|from| format!("renewed from {from} on")).unwrap_or("not renewed".to_owned());
        let expires = match &self.expires {
            Some(at) if self.is_expired => format!("expired {at}"),
            Some(at) => format!("expires {at}"),
            None => "expires with the browser's session".to_owned(),
        };
        format!("{}: made {}, {renewed}, {expires}", self.name, self.made)
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "rule {} has the cookie {}", self.rule, self.name)?;
        if let Some(at) = self.at {
            writeln!(out, "  position  {at} of all draws are before it")?;
        }
        if let Some(number) = self.number {
            writeln!(out, "  position  {number}")?;
        }
        match &self.subset {
            Some(subset) => writeln!(out, "  subset    {subset}, {}", self.why)?,
            None => writeln!(out, "  subset    none: {}", self.why)?,
        }
        if let Some(Kept { subset, is_signature_right }) = &self.kept {
            let signature = if *is_signature_right {
                "its signature is right"
            } else {
                "its signature is wrong: altered, or made under another seal or salt"
            };
            writeln!(out, "  keeps     {subset}; {signature}")?;
        }
        match &self.renewed {
            Some(from) => writeln!(out, "  renewed   with the first visit from {from} on")?,
            None => writeln!(out, "  renewed   never")?,
        }
        match &self.expires {
            Some(at) if self.is_expired => writeln!(out, "  expired   {at}"),
            Some(at) => writeln!(out, "  expires   {at}"),
            None => writeln!(out, "  expires   with the browser's session"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Given;

    #[test]
    fn a_cookie_is_told_from_a_url() {
        let named = |name: &str, value: &str| Some(Given { name: Some(name.into()), value: value.into() });
        for (word, expected) in [
            ("1.5f2e6049.1c8cf84", Some(Given { name: None, value: "1.5f2e6049.1c8cf84".into() })),
            ("canary-shop=1.5f2e6049.1c8cf84", named("canary-shop", "1.5f2e6049.1c8cf84")),
            ("a=b=c", named("a", "b=c")),
            ("shop.example.com", None),
            ("shop.example.com/?a=b", None),
            ("shop.example.com?a=b", None),
            ("https://shop.example.com/a=b", None),
            ("1.2.3.4", None),
            ("=x", None),
        ] {
            assert_eq!(Given::of_word(word.as_bytes()), expected, "{word}");
        }
    }
}

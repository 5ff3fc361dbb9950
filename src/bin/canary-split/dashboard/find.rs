//! Finds a visitor: by the same code as `explain`.

use crate::cluster::inventory::Inventory;
use crate::explain::{self, Spelled};
use crate::input::choice::choose;
use crate::input::manifest::PluginConfig;
use crate::world::plugin::Plugin;
use canary_split::rollout::ramp::Second;
use canary_split::rule::Target;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::net::IpAddr;

/// A request of a visitor.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// `NAMESPACE/NAME` of the plugin.
    pub plugin: Option<String>,
    /// Its URL.
    pub url: String,
    /// As in `x-user: alice`.
    pub headers: Vec<String>,
    /// As in `a=1`.
    pub cookies: Vec<String>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The claims of a token, as JSON.
    pub claims: Option<String>,
}

impl Question {
    /// Of the parameters of a query.
    pub fn read(pairs: Vec<(String, String)>) -> Result<Question, String> {
        let mut question = Question::default();
        for (name, value) in pairs {
            match &*name {
                "plugin" => question.plugin = Some(value),
                "url" => question.url = value,
                "header" => question.headers.push(value),
                "cookie" => question.cookies.push(value),
                "address" => {
                    let address = value.parse().map_err(|_| format!("{value} is not an IP address"))?;
                    question.address = Some(address);
                }
                "claims" => question.claims = Some(value),
                other => return Err(format!("unknown parameter {other}")),
            }
        }
        Ok(question)
    }
}

/// What the visitor gets, why, and where he or she is among the draws.
pub fn answer(question: &Question, inventory: &Inventory, now: Second) -> Result<Value, String> {
    let words = |texts: &[String]| texts.iter().map(OsString::from).collect();
    let spelled =
        Spelled::get(question.url.clone().into(), words(&question.headers), words(&question.cookies), question.address)
            .with_claims(question.claims.clone());
    let configs: Vec<PluginConfig> = inventory.objects.configs().collect();
    let written = choose("what was read", &configs, question.plugin.as_deref())?;
    let answered = explain::answer_about(&spelled, &written, inventory, now)?;
    let plugin = Plugin::new(written);
    let rule = plugin.rules.iter().map(|(_, rule)| rule).find(|rule| answered.rule.as_ref() == Some(&rule.name));
    let position = rule.zip(answered.draw).and_then(|(rule, draw)| match &rule.target {
        Target::Split(split) => Some(split.salt.position(draw)),
        Target::Adopted(adopted) => Some(adopted.salt.position(draw)),
        Target::Fixed(_) => None,
    });
    Ok(json!({"explain": answered.json, "text": answered.text, "position": position}))
}

//! What is in force: the rules and their indexes.

use super::fields::ConfigError;
use super::general::General;
use super::headers::Headers;
use crate::rule::Rule;
use crate::rule::hosts::HostIndex;
use crate::rule::paths::PathIndex;

/// The rules that are in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// The request header that carries the subset.
    pub header: String,
    /// The response header that names the subset.
    pub response_header: Option<String>,
    /// Tried in order; the first that matches decides.
    pub rules: Vec<Rule>,
    /// Which of them speak about a host.
    pub hosts: HostIndex,
    /// Which of them a path rules out.
    pub paths: PathIndex,
}

impl Config {
    /// The rules under these headers.
    pub fn new(headers: Headers, rules: Vec<Rule>) -> Config {
        let hosts = HostIndex::new(rules.iter().map(|rule| &*rule.hosts));
        let paths = PathIndex::new(rules.iter().map(Rule::needed_matches));
        Config { header: headers.request, response_header: headers.response, rules, hosts, paths }
    }

    /// Without any rule.
    pub fn empty() -> Config {
        Config::new(Headers::default(), Vec::new())
    }

    /// The config of this text, if nothing at all is wrong with it.
    ///
    /// # Errors
    ///
    /// All errors, in the order of the text's rules.
    pub fn from_json(text: &[u8]) -> Result<Config, Vec<ConfigError>> {
        let (general, mut errors) = General::parse(text).map_err(|refused| refused.errors)?;
        let mut rules = Vec::new();
        for entry in general.rules() {
            match entry.rule {
                Ok(rule) => rules.push(rule),
                Err(more) => errors.extend(more),
            }
        }
        if errors.is_empty() { Ok(Config::new(general.headers, rules)) } else { Err(errors) }
    }
}

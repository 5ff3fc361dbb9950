//! What is in force: the rules and their indexes.

use super::fields::ConfigError;
use super::general::General;
use super::headers::Headers;
use crate::rule::hosts::HostIndex;
use crate::rule::paths::PathIndex;
use crate::rule::{Rule, Target};

/// The rules that are in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// The request header that carries the subset.
    pub header: String,
    /// The request headers that carry positions; clients cannot set them.
    pub position_headers: Vec<String>,
    /// The response header that names the subset.
    pub response_header: Option<String>,
    /// In the order in which they are tried; the first that matches decides.
    pub rules: Vec<Rule>,
    /// The rules for a host.
    pub hosts: HostIndex,
    /// The rules that a path excludes.
    pub paths: PathIndex,
}

impl Config {
    /// The rules under these headers.
    pub fn new(headers: Headers, rules: Vec<Rule>) -> Config {
        let hosts = HostIndex::new(rules.iter().map(|rule| &*rule.hosts));
        let paths = PathIndex::new(rules.iter().map(Rule::needed_matches));
        let (header, response_header) = (headers.request, headers.response);
        let mut config = Config { header, position_headers: Vec::new(), response_header, rules, hosts, paths };
        let adopted = config.rules.iter().filter_map(|rule| match &rule.target {
            Target::Adopted(adopted) => Some(adopted.header.clone()),
            Target::Fixed(_) | Target::Split(_) => None,
        });
        config.add_position_headers(adopted.collect::<Vec<_>>());
        config
    }

    /// Headers that carry positions, including those of rules that are off: a route may still use them.
    pub fn add_position_headers(&mut self, headers: impl IntoIterator<Item = String>) {
        for header in headers {
            if header != self.header && !self.position_headers.contains(&header) {
                self.position_headers.push(header);
            }
        }
    }

    /// The request headers that only the filter writes.
    pub fn request_headers(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.header).chain(self.position_headers.iter().map(|header| &**header))
    }

    /// Without any rule.
    pub fn empty() -> Config {
        Config::new(Headers::default(), Vec::new())
    }

    /// The config of this text, if it has no error.
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

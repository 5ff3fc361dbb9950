//! `set`: sets the weights of a rule, or pauses or resumes its ramp, and nothing else.

use crate::change::file::Target;
use crate::change::living::{self, Rules};
use crate::change::rule::Chosen;
use crate::change::{Refusal, pause, weights};
use crate::input::manifest::PluginConfig;
use crate::input::weights::is_weights;
use crate::report::output::Output;
use std::io::Write;

/// What to set.
#[derive(clap::Args)]
pub struct Options {
    /// Name the rule; not needed if only one has a split
    rule: Option<String>,
    /// Give weights: v2=25% (stable gives or takes), v1=75 v2=25 (as they are), or 75/25 (all, in order)
    weights: Vec<String>,
    /// Pause the ramp: write pausedAt, so that the weights of this moment stay
    #[arg(long)]
    pause: bool,
    /// Resume a paused ramp: remove pausedAt and move start forward by the length of the pause
    #[arg(long, conflicts_with = "pause")]
    resume: bool,
    #[command(flatten)]
    target: Target,
}

/// Sets the weights and prints who moves; the exit code.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    let (rule, weights) = options.words()?;
    let now = options.target.now();
    let change = |config: &PluginConfig, rule: Chosen| {
        if options.pause {
            pause::pause(config, rule, now)
        } else if options.resume {
            pause::resume(config, rule, now)
        } else {
            weights::change(config, rule, &weights, now)
        }
    };
    if !options.target.is_file() {
        // A fault elsewhere stays; nothing is written.
        let change = |config: &PluginConfig, rule: Chosen| {
            change(config, rule).map_err(|refusal| Refusal::Wrong(refusal.text().to_owned()))
        };
        return living::run(&options.target, Rules::One(rule), &change, output);
    }
    let mut file = options.target.open()?;
    let old = file.config.clone();
    let name = file.rule(rule)?.name.to_owned();
    match file.change(&name, change) {
        Ok(()) => file.finish(&old, false, output, out),
        // Nothing is written: this is an error, not a finding.
        Err(Refusal::Wrong(problem) | Refusal::Fault(problem)) => Err(problem),
    }
}

impl Options {
    /// The rule, if it is named, and the weights.
    fn words(&self) -> Result<(Option<&str>, Vec<String>), String> {
        let mut words: Vec<String> = self.rule.iter().chain(&self.weights).cloned().collect();
        let rule = self.rule.as_deref().filter(|word| !is_weights(word));
        if rule.is_some() {
            words.remove(0);
        }
        match (self.pause || self.resume, words.first()) {
            (true, Some(_)) => Err("--pause and --resume go without weights".to_owned()),
            (false, None) => Err("which weights? As in v2=25%; or --pause, or --resume".to_owned()),
            _ => Ok((rule, words)),
        }
    }
}

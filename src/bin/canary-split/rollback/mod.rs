//! `rollback`: sets every canary to 0, in any state of the rule.

use crate::change::file::Target;
use crate::change::living::{self, Rules};
use crate::change::rule::Chosen;
use crate::change::{Refusal, rollback, rule};
use crate::input::manifest::PluginConfig;
use crate::report::output::Output;
use std::io::Write;

/// What to take back.
#[derive(clap::Args)]
pub struct Options {
    /// Name the rule; not needed if only one has a split
    #[arg(conflicts_with = "all")]
    rule: Option<String>,
    /// Roll back every rule that has a split; one that fails does not stop the others
    #[arg(long)]
    all: bool,
    /// Under onWeightChange: keep, remove the canaries from the split, so that kept visitors leave too
    #[arg(long)]
    evict: bool,
    #[command(flatten)]
    target: Target,
}

/// Rolls back and prints who moves; the exit code.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    let change = |config: &PluginConfig, rule: Chosen| rollback::change(config, rule, options.evict);
    if !options.target.is_file() {
        let rules = if options.all { Rules::All } else { Rules::One(options.rule.as_deref()) };
        return living::run(&options.target, rules, &change, output);
    }
    let mut file = options.target.open()?;
    let old = file.config.clone();
    let names: Vec<String> = if options.all {
        let all: Vec<String> = rule::all(&old).iter().map(|rule| rule.name.to_owned()).collect();
        if all.is_empty() {
            return file.rule(None).map(|_| 0);
        }
        all
    } else {
        vec![file.rule(options.rule.as_deref())?.name.to_owned()]
    };
    for name in names {
        match file.change(&name, change) {
            Ok(()) => {}
            Err(refusal) if options.all => file.refuse(&refusal),
            Err(Refusal::Wrong(problem)) => return Err(problem),
            Err(refusal) => {
                file.refuse(&refusal);
                return Ok(1);
            }
        }
    }
    file.finish(&old, options.all, output, out)
}

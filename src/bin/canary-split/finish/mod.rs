//! `promote` and `remove`: the end of a canary, as edits in an order that lets no request fail.
//!
//! ```text
//! objects, rule → promote or remove (meant, http, reach, used, left) → plan → files or living
//! ```

mod entry;
mod files;
mod http;
mod left;
mod living;
mod meant;
mod plan;
mod print;
mod promote;
mod reach;
mod remove;
mod target;
mod used;

use crate::report::output::Output;
use std::io::Write;
use target::Target;

/// What to promote.
#[derive(clap::Args)]
pub struct Promote {
    /// Name the rule
    rule: String,
    /// Name the subset to make stable
    subset: String,
    #[command(flatten)]
    target: Target,
}

/// What to remove.
#[derive(clap::Args)]
pub struct Remove {
    /// Name the rule
    rule: String,
    #[command(flatten)]
    target: Target,
}

/// Makes a canary stable; the exit code.
pub fn promote(options: &Promote, output: Output, out: &mut impl Write) -> Result<u8, String> {
    let plan = |objects: &_| promote::plan(objects, &options.target.meant(&options.rule), &options.subset);
    if options.target.files.is_empty() {
        return living::run(&options.target, plan, output);
    }
    files::run(&options.target, plan, output, out)
}

/// Removes a rule and everything that only it needed; the exit code.
pub fn remove(options: &Remove, output: Output, out: &mut impl Write) -> Result<u8, String> {
    let plan = |objects: &_| remove::plan(objects, &options.target.meant(&options.rule));
    if options.target.files.is_empty() {
        return living::run(&options.target, plan, output);
    }
    files::run(&options.target, plan, output, out)
}

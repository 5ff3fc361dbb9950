//! The place of a rule and its routes: in files, or in the cluster.

use super::meant::Meant;
use crate::cluster::access::Access;
use crate::input::time;
use canary_split::rollout::ramp::Second;
use std::path::PathBuf;
use std::time::Duration;

/// Where the rule and its routes are, and whether to write them.
#[derive(clap::Args)]
pub struct Target {
    /// Edit these files and folders instead of the cluster; they must contain everything that routes the rule's requests
    #[arg(short, long = "filename", value_name = "FILE", num_args = 1.., help_heading = "Where")]
    pub files: Vec<PathBuf>,
    /// Choose the WasmPlugin, if several have the rule: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "NAME", help_heading = "Where")]
    pub plugin: Option<String>,
    /// Write nothing; show the differences
    #[arg(long, help_heading = "How")]
    pub dry_run: bool,
    /// Do not ask; a file is edited without a question anyway
    #[arg(long, help_heading = "How")]
    pub yes: bool,
    /// Use this time instead of the clock's, as in 2026-12-01T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time::read, help_heading = "How")]
    pub now: Option<Second>,
    #[command(flatten)]
    pub access: Access,
    /// Wait this long until a step is in force on every gateway pod
    #[arg(long, value_name = "DURATION", value_parser = time::duration, default_value = "60s", help_heading = "Cluster")]
    pub timeout: Duration,
}

impl Target {
    /// The rule of this name.
    pub fn meant<'m>(&'m self, rule: &'m str) -> Meant<'m> {
        Meant { rule, plugin: self.plugin.as_deref(), now: time::or_clock(self.now) }
    }
}

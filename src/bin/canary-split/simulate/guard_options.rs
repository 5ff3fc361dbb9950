//! The arguments of `simulate --guard`.

use canary_split::config::seconds;

/// The traffic, and the time to simulate.
#[derive(clap::Args)]
#[group(skip)]
pub struct GuardOptions {
    /// Show how often the guard of a rule trips without a cause, and how soon with one
    #[arg(help_heading = "A guard", long, conflicts_with = "plan")]
    pub guard: bool,
    /// Send this many requests per second to one gateway
    #[arg(help_heading = "A guard", long, requires = "guard", value_name = "N", value_delimiter = ',', default_values_t = [1, 10, 1000], value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: Vec<u32>,
    /// Give the canary this share, in percent
    #[arg(help_heading = "A guard", long, requires = "guard", value_name = "PERCENT", value_delimiter = ',', default_values_t = [1, 5, 20], value_parser = clap::value_parser!(u32).range(1..=99))]
    pub canary: Vec<u32>,
    /// Simulate this many outages of both versions, and this many failing canaries
    #[arg(help_heading = "A guard", long, requires = "guard", default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub runs: u32,
    /// Use this margin of the guard, as in the config
    #[arg(help_heading = "A guard", long, requires = "guard", value_name = "PERCENT", default_value = "1%")]
    pub margin: String,
    /// Let a visitor send a request this often, on average
    #[arg(help_heading = "A guard", long, requires = "guard", value_name = "DURATION", default_value = "5s", value_parser = positive)]
    pub every: u32,
    /// Let a visitor stay this long, on average
    #[arg(help_heading = "A guard", long, requires = "guard", value_name = "DURATION", default_value = "1m", value_parser = positive)]
    pub visit: u32,
}

fn positive(text: &str) -> Result<u32, String> {
    match seconds(text, "")? {
        0 => Err("is less than 1s".to_owned()),
        seconds => Ok(seconds),
    }
}

//! `status`: what is in force on every gateway pod, what was decided, and what arrived.

pub mod print;
pub mod shown;

use crate::cluster::access::Access;
use crate::cluster::inventory::{Extent, Inventory};
use crate::cluster::looks;
use crate::input::time;
use crate::report::output::Output;
use kube::Client;
use shown::{Shown, Wanted};
use std::io::Write;
use std::time::Duration;

/// What to show.
#[derive(clap::Args)]
pub struct Options {
    /// Name the rule; by default all are shown
    rule: Option<String>,
    /// Choose the WasmPlugin, if there are several: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Refresh the picture in place until interrupted
    #[arg(short, long)]
    watch: bool,
    /// Look again after this time: shares are of the requests in between
    #[arg(long, value_name = "DURATION", value_parser = time::duration, default_value = "5s")]
    interval: Duration,
    #[command(flatten)]
    access: Access,
}

impl Options {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { rule: self.rule.as_deref(), plugin: self.plugin.as_deref() }
    }
}

/// Shows the state; the exit code.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    if options.watch && matches!(output, Output::Json) {
        return Err("--watch is for people; for programs ask again".to_owned());
    }
    options.access.run(|client| watch(client, options, output, out))
}

async fn watch(client: Client, options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    let mut screen = print::Screen::default();
    let mut inventory = read(&client, options).await?;
    let mut before = looks::take(&client, &inventory).await.map_err(|silence| silence.said())?;
    loop {
        tokio::time::sleep(options.interval).await;
        let now = looks::take(&client, &inventory).await.map_err(|silence| silence.said())?;
        let shown = Shown::of(&inventory, options.wanted(), &before, &now)?;
        let is_good = shown.is_good();
        if !options.watch {
            print::print(&shown, output, out).map_err(|error| error.to_string())?;
            return Ok(u8::from(!is_good));
        }
        let mut text = Vec::new();
        print::print(&shown, output, &mut text).map_err(|error| error.to_string())?;
        screen.show(&text).map_err(|error| error.to_string())?;
        before = now;
        // The next picture shows the API server's objects of that time.
        inventory = read(&client, options).await?;
    }
}

async fn read(client: &Client, options: &Options) -> Result<Inventory, String> {
    Inventory::read(client, options.access.namespace.as_deref(), Extent::All).await
}

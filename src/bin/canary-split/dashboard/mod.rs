//! `dashboard`: what `status` shows, and more, on a page in the user's browser.
//!
//! ```text
//! source (a cluster, or Envoys) → watch (looks, one after the other) → state (status, rules, history) → server (gate, page, events)
//! ```

mod buttons;
mod doors;
mod doorstep;
mod envoys;
mod find;
mod gate;
mod history;
mod interrupt;
mod memory;
mod orders;
mod rule;
mod server;
mod source;
mod state;
mod twice;
mod verdict;
mod visitors;
mod watch;

use crate::cluster::access::Access;
use crate::input::reason::reason;
use crate::input::stderr;
use crate::input::time;
use crate::report::output::{Output, print};
use buttons::Button;
use doorstep::Doorstep;
use gate::Gate;
use interrupt::Interrupt;
use server::Server;
use source::Source;
use std::io::{IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use visitors::Visitors;
use watch::{Settings, Watch};

/// How long a browser may take to begin.
const ON_THE_WAY: Duration = Duration::from_secs(60);
/// The exit code that a shell gives to what SIGINT has ended.
const INTERRUPTED: u8 = 130;

/// What to show, and where.
#[derive(clap::Args)]
pub struct Options {
    /// Serve the page at this port of the loopback; 0 is any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Look at every gateway again after this time
    #[arg(long, value_name = "DURATION", value_parser = time::duration, default_value = "5s")]
    interval: Duration,
    /// Print the address only, and open no browser
    #[arg(long)]
    no_open: bool,
    /// Choose the WasmPlugin, if there are several: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Ask Envoy's admin interface here instead of a cluster, as in 127.0.0.1:9901; once for each Envoy
    #[arg(long, value_name = "ADDRESS", value_parser = address, requires = "config", help_heading = "Without a cluster")]
    admin: Vec<String>,
    /// Read this file or folder with the plugin that these Envoys have, and perhaps its routes
    #[arg(
        short = 'f',
        long,
        visible_alias = "filename",
        value_name = "FILE",
        requires = "admin",
        help_heading = "Without a cluster"
    )]
    config: Option<PathBuf>,
    /// Let the page move weights, pause ramps and roll back; it asks first
    #[arg(long)]
    write: bool,
    /// Draw the visitors of this file as dots: lines of NAME=VALUE SUBSET, kept up to date by whoever sends their requests
    #[arg(long, value_name = "FILE", help_heading = "Without a cluster")]
    visitors: Option<PathBuf>,
    /// Show a button that runs a command, as LABEL=COMMAND: for demonstrations
    #[arg(long, value_name = "BUTTON", value_parser = Button::read, hide = true)]
    button: Vec<Button>,
    #[command(flatten)]
    access: Access,
}

/// Serves the page until it is interrupted; the exit code.
pub fn run(options: &Options, output: Output, _: &mut impl Write) -> Result<u8, String> {
    if options.write && options.config.as_ref().is_some_and(|file| file.is_dir()) {
        return Err("--write needs the file with the plugin, not a folder".to_owned());
    }
    let Some(file) = &options.config else {
        let (namespace, context) = (options.access.namespace.clone(), options.access.context.clone());
        let serve = |client| serve(Source::Cluster { client, namespace, context }, options, output);
        return options.access.run(serve);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let source =
        Source::Envoys { addresses: options.admin.clone(), file: file.clone(), plugin: options.plugin.clone() };
    runtime.map_err(|error| error.to_string())?.block_on(serve(source, options, output))
}

async fn serve(source: Source, options: &Options, output: Output) -> Result<u8, String> {
    let labels: Vec<&str> = options.button.iter().map(|button| &*button.label).collect();
    let said = serde_json::json!({
        "source": source.said(), "interval": options.interval.as_secs(), "isWritable": options.write, "buttons": labels,
    });
    let settings = Settings {
        interval: options.interval,
        plugin: options.plugin.clone(),
        visitors: Visitors::of(options.visitors.clone()),
        said: said.as_object().cloned().unwrap_or_default(),
    };
    let (watch, door) = Watch::begin(source, settings).await?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(address).await.map_err(|error| format!("{address}: {}", reason(&error)))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let gate = Gate::new().map_err(|error| format!("no random token: {}", reason(&error)))?;
    let url = format!("http://{address}/{}/", gate.token());
    say(&url, options.write, output)?;
    // A page that nobody can see is not opened. Without a file an interrupt may end the process by itself.
    let is_opened = !options.no_open && std::io::stdout().is_terminal();
    let interrupt = if is_opened { Some(Interrupt::caught().await) } else { None };
    let doorstep = interrupt.as_ref().and_then(|caught| step_out(&url, caught)).map(Arc::new);
    let server = Server { door, is_writable: options.write, buttons: options.button.clone().into() };
    tokio::select! {
        never = server::serve(listener, gate, server, doorstep.clone()) => match never {},
        never = watch.go_on() => match never {},
        () = leave(interrupt, doorstep) => Ok(INTERRUPTED),
    }
}

/// Opens a browser. From here on an interrupt must not leave the file behind.
fn step_out(url: &str, _: &Interrupt) -> Option<Doorstep> {
    let opened = Doorstep::new(url).and_then(|doorstep| doorstep.open().map(|()| doorstep));
    if opened.is_err() {
        stderr::say("no browser could be opened; open the address yourself");
    }
    opened.ok()
}

/// Ends when somebody interrupts. The browser has so long to come in.
async fn leave(interrupt: Option<Interrupt>, doorstep: Option<Arc<Doorstep>>) {
    let Some(mut interrupt) = interrupt else { return std::future::pending().await };
    if let Some(doorstep) = doorstep {
        tokio::select! {
            () = tokio::time::sleep(ON_THE_WAY) => doorstep.remove(),
            () = interrupt.comes() => return,
        }
    }
    interrupt.comes().await;
}

fn say(url: &str, is_writable: bool, output: Output) -> Result<(), String> {
    let may = if is_writable { "look, and move weights with your rights" } else { "look" };
    let said = match output {
        Output::Json => format!("{}\n", serde_json::json!({"url": url})),
        Output::Text { .. } => {
            format!("{url}\nWhoever has this address can {may}, on this machine alone. Ctrl-C ends it.\n")
        }
    };
    print(said.as_bytes())
}

/// `HOST:PORT`, as it is given.
fn address(text: &str) -> Result<String, String> {
    let is_one = |(host, port): &(&str, &str)| !host.is_empty() && port.parse::<u16>().is_ok();
    let found = text.rsplit_once(':').filter(is_one);
    found.map(|_| text.to_owned()).ok_or_else(|| "not HOST:PORT, as in 127.0.0.1:9901".to_owned())
}

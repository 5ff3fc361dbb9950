//! `dashboard`: what `status` shows, and more, on a page in the user's browser.
//!
//! ```text
//! source (a cluster, or Envoys) → watch (looks, one after the other) → state (status, rules, history) → server (gate, page, events)
//! ```

mod envoys;
mod find;
mod gate;
mod history;
mod memory;
mod rule;
mod server;
mod source;
mod state;
mod verdict;
mod watch;

use crate::cluster::access::Access;
use crate::input::time;
use crate::report::output::{Output, print};
use gate::Gate;
use source::Source;
use std::io::{IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;

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
    #[arg(long, value_name = "ADDRESS", requires = "config", help_heading = "Without a cluster")]
    admin: Vec<String>,
    /// Read this file or folder with the WasmPlugin that these Envoys have, and perhaps its routes
    #[arg(short = 'f', long, value_name = "FILE", requires = "admin", help_heading = "Without a cluster")]
    config: Option<PathBuf>,
    #[command(flatten)]
    access: Access,
}

/// Serves the page until it is interrupted; the exit code.
pub fn run(options: &Options, output: Output, _: &mut impl Write) -> Result<u8, String> {
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
    let mut watch = watch::Watch::begin(source, options.interval, options.plugin.clone()).await?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let gate = Gate::new().map_err(|error| format!("no random token: {error}"))?;
    let url = format!("http://{address}/{}/", gate.token());
    let said = match output {
        Output::Json => format!("{}\n", serde_json::json!({"url": url})),
        Output::Text { .. } => {
            format!("{url}\nWhoever has this address can look, on this machine alone. Ctrl-C ends it.\n")
        }
    };
    print(said.as_bytes())?;
    // A page that nobody can see is not opened.
    if !options.no_open && std::io::stdout().is_terminal() && open::that_detached(&url).is_err() {
        eprintln!("canary-split: no browser could be opened; open the address yourself");
    }
    let served = server::serve(listener, gate, watch.door());
    tokio::select! {
        served = served => served.map(|()| 0).map_err(|error| error.to_string()),
        never = watch.go_on() => match never {},
    }
}

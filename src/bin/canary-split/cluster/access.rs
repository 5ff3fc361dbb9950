//! Reaches the API server as `kubectl` does.

use super::refusal;
use crate::input::reason::reason;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

/// The cluster, and the part of it.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub struct Access {
    /// Look only at the plugins of this namespace
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// Use this context of the kubeconfig instead of its current one
    #[arg(long)]
    pub context: Option<String>,
    /// Use this kubeconfig instead of $KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// How long to wait for a connection to the API server.
const CONNECT: Duration = Duration::from_secs(5);
/// How long to wait for its answer.
const ANSWER: Duration = Duration::from_secs(30);

impl Access {
    /// Whether any of it is given.
    pub fn is_given(&self) -> bool {
        self.namespace.is_some() || self.context.is_some() || self.kubeconfig.is_some()
    }

    /// Runs a task that needs the cluster.
    pub fn run<T, F: Future<Output = Result<T, String>>>(&self, job: impl FnOnce(Client) -> F) -> Result<T, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(async {
            let config = self.config().await?;
            let server = format!("the API server {} cannot be reached", shown(&config.cluster_url));
            let client = client(config)?;
            job(client).await.map_err(|error| match error.strip_prefix(refusal::UNREACHED) {
                Some(why) => format!("{server}{why}"),
                None => error,
            })
        })
    }

    /// Nothing of it goes with files.
    pub fn go_with_files(&self) -> Result<(), String> {
        match self.is_given() {
            true => Err("-n, --context and --kubeconfig are for the cluster, and -f is for files".to_owned()),
            false => Ok(()),
        }
    }

    /// The same, for a command that works on files too.
    pub fn run_without_files<T, F: Future<Output = Result<T, String>>>(
        &self,
        job: impl FnOnce(Client) -> F,
    ) -> Result<T, String> {
        self.run(job)
            .map_err(|error| if error == NO_CLUSTER { format!("{error}; for files give -f FILE") } else { error })
    }

    async fn config(&self) -> Result<Config, String> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let Some(kubeconfig) = self.kubeconfig()? else {
            return Config::incluster().map_err(|_| NO_CLUSTER.to_owned());
        };
        let contexts: Vec<_> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
        if let Some(wanted) = &self.context
            && !contexts.contains(wanted)
        {
            return Err(format!("the kubeconfig has no context {wanted}; it has {}", listed(&contexts)));
        }
        if self.context.is_none() && kubeconfig.current_context.as_deref().unwrap_or_default().is_empty() {
            return Err(match contexts.as_slice() {
                [] => "the kubeconfig has no context".to_owned(),
                _ => format!("the kubeconfig has no current context; choose with --context: {}", listed(&contexts)),
            });
        }
        Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|error| format!("the kubeconfig: {}", refusal::kubeconfig(&error)))
    }

    /// `None`: no kubeconfig exists, as in a pod.
    fn kubeconfig(&self) -> Result<Option<Kubeconfig>, String> {
        if let Some(file) = &self.kubeconfig {
            return match Kubeconfig::read_from(file) {
                Ok(read) => Ok(Some(read)),
                Err(KubeconfigError::ReadConfig(error, _)) => Err(format!("{}: {}", file.display(), reason(&error))),
                Err(error) => Err(format!("{}: {}", file.display(), refusal::kubeconfig(&error))),
            };
        }
        let is_given = std::env::var_os("KUBECONFIG").is_some_and(|paths| !paths.is_empty());
        let home = std::env::home_dir().map(|home| home.join(".kube/config"));
        if !is_given && home.is_none_or(|home| !home.exists()) {
            return Ok(None);
        }
        Kubeconfig::read().map(Some).map_err(|error| format!("the kubeconfig: {}", refusal::kubeconfig(&error)))
    }
}

fn client(mut config: Config) -> Result<Client, String> {
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(ANSWER);
    Client::try_from(config).map_err(|error| refusal::said(&error))
}

/// Scheme, host and port, without a user.
fn shown(url: &http::Uri) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme_str().unwrap_or_default(), url.host().unwrap_or_default())
}

const NO_CLUSTER: &str = "no cluster: neither --kubeconfig nor $KUBECONFIG nor ~/.kube/config";

fn listed(contexts: &[String]) -> String {
    if contexts.is_empty() { "none".to_owned() } else { contexts.join(", ") }
}

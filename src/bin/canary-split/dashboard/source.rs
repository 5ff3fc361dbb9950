//! Where the state comes from.

use super::envoys;
use crate::cluster::inventory::{Extent, Inventory};
use crate::cluster::looks::{self, Looks};
use kube::Client;
use std::path::PathBuf;

/// Where the state comes from.
pub enum Source {
    /// An API server, and the gateway pods.
    Cluster {
        /// How it is reached.
        client: Client,
        /// The only one, or all.
        namespace: Option<String>,
        /// Its context, if it was named.
        context: Option<String>,
    },
    /// Envoys on their own, and a file with their config.
    Envoys {
        /// Their admin interfaces.
        addresses: Vec<String>,
        /// The file or folder.
        file: PathBuf,
        /// The plugin in it.
        plugin: Option<String>,
    },
}

impl Source {
    /// The objects and the gateways.
    pub async fn inventory(&self) -> Result<Inventory, String> {
        match self {
            Source::Cluster { client, namespace, .. } => {
                Inventory::read(client, namespace.as_deref(), Extent::All).await
            }
            Source::Envoys { addresses, file, plugin } => envoys::inventory(addresses, file, plugin.as_deref()),
        }
    }

    /// The answers of the gateways.
    pub async fn looks(&self, inventory: &Inventory) -> Result<Looks, String> {
        match self {
            Source::Cluster { client, .. } => looks::take(client, inventory).await.map_err(|silence| silence.said()),
            Source::Envoys { addresses, .. } => Ok(envoys::looks(addresses, inventory).await),
        }
    }

    /// In words.
    pub fn said(&self) -> String {
        match self {
            Source::Cluster { context, namespace, .. } => {
                let cluster = context.as_ref().map_or("the cluster".to_owned(), |name| format!("cluster {name}"));
                let part = namespace.as_ref().map(|name| format!(", namespace {name}")).unwrap_or_default();
                format!("{cluster}{part}")
            }
            Source::Envoys { addresses, file, .. } => {
                format!("Envoy at {}, config of {}", addresses.join(", "), file.display())
            }
        }
    }
}

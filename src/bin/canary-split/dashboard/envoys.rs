//! Envoys without a cluster: each is asked at its admin interface, and their config is that of a file.

use crate::cluster::admin::{self, CLUSTERS};
use crate::cluster::inventory::Inventory;
use crate::cluster::look::{Look, PATIENCE, STATISTICS, Silence};
use crate::cluster::looks::Looks;
use crate::cluster::pods::Pod;
use crate::cluster::statistics::Statistics;
use crate::input::choice::{choose, shown};
use crate::input::manifest::{Objects, PluginConfig};
use crate::input::reason::reason;
use crate::input::sources;
use crate::input::unreadable::Unreadable;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use std::path::Path;
use tokio::net::TcpStream;

/// No file is larger, in bytes.
const LARGEST: u64 = 64 << 20;

/// The objects of a file or folder, and each Envoy as a gateway pod that its plugin is on.
pub fn inventory(addresses: &[String], file: &Path, plugin: Option<&str>) -> Result<Inventory, String> {
    small(file)?;
    let input = sources::read_all(&[file.to_owned()]);
    if let Some(unreadable) = input.unreadable.first() {
        return Err(unreadable.to_string());
    }
    let units = input.units.iter().map(Objects::readable).collect::<Vec<_>>();
    let mut objects = Objects::together(&units);
    if let Some(unreadable) = objects.unreadable.first().map(Unreadable::to_string) {
        return Err(unreadable);
    }
    let configs: Vec<PluginConfig> = objects.configs().collect();
    let chosen = choose(&shown(file), &configs, plugin)?;
    let Some(object) = chosen.object.clone() else {
        return Err(format!(
            "{}: a bare pluginConfig; the Envoys name the object that it is in, so give that",
            shown(file)
        ));
    };
    // Of several plugins these Envoys have the chosen one.
    let is_other = |title: &str| configs.iter().any(|config| config.title() == title) && title != chosen.title();
    objects
        .objects
        .retain(|object| !is_other(&format!("{}/{}", object.namespace, object.name)) || object.carriers().is_empty());
    let pods = addresses.iter().map(|address| Pod::alone(&object.namespace, address)).collect();
    Ok(Inventory::of_files(objects, pods))
}

/// Nothing that has no end, as a pipe, is read again and again: everybody else would wait.
pub fn small(file: &Path) -> Result<(), String> {
    match std::fs::metadata(file) {
        Ok(about) if about.is_file() && about.len() > LARGEST => {
            Err(format!("{}: larger than {} MiB", shown(file), LARGEST >> 20))
        }
        Ok(about) if !about.is_file() && !about.is_dir() => Err(format!("{}: not a regular file", shown(file))),
        // What is missing is said by whoever reads it.
        _ => Ok(()),
    }
}

/// Looks at all of them at the same time.
pub async fn looks(addresses: &[String], inventory: &Inventory) -> Looks {
    let all = futures::future::join_all(addresses.iter().map(|address| look(address))).await;
    // There is a pod for each.
    inventory.pods.iter().zip(all).map(|(pod, look)| (pod.title(), look)).collect()
}

async fn look(address: &str) -> Result<Look, Silence> {
    let asked = async { futures::join!(ask(address, STATISTICS), ask(address, CLUSTERS)) };
    let late = |_| Silence::Silent(format!("no answer within {} s", PATIENCE.as_secs()));
    let (statistics, clusters) = tokio::time::timeout(PATIENCE, asked).await.map_err(late)?;
    let statistics = Statistics::read(&String::from_utf8_lossy(&statistics.map_err(Silence::Silent)?));
    Ok(match clusters.and_then(|body| admin::read(&body)) {
        Ok(arrived) => Look { statistics, arrived: Some(arrived), unknown: None },
        Err(why) => Look { statistics, arrived: None, unknown: Some(format!("Envoy at {address}: {why}")) },
    })
}

async fn ask(address: &str, path: &str) -> Result<Bytes, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| reason(&error))?;
    admin::get(TokioIo::new(stream), path).await
}

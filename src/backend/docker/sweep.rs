//! Finds everything of redrill in an engine, and removes it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder,
};
use futures::StreamExt;

use super::call::call;
use super::error::status;
use super::owner::{DRILL, Owner};

/// How many are removed at once. The engine mostly removes one after the other, so more would
/// only wait.
const AT_ONCE: usize = 16;

/// A container that is being removed leaves its network last.
const LEAVING: Duration = Duration::from_millis(50);
const LEAVING_TRIES: u32 = 100;

/// What one drill has left in the engine.
#[derive(Clone, Debug)]
pub struct Remains {
    pub owner: Owner,
    /// Names or ids.
    pub containers: Vec<String>,
    pub networks: Vec<String>,
}

/// What all drills have left in the engine, by the drills' ids; with `drill`, only that one.
pub async fn find(
    docker: &Docker,
    drill: Option<&str>,
) -> Result<BTreeMap<String, Remains>, Error> {
    let label = drill.map_or(DRILL.to_owned(), |drill| format!("{DRILL}={drill}"));
    let filters = HashMap::from([("label", vec![label.as_str()])]);
    let containers = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let networks = ListNetworksOptionsBuilder::default().filters(&filters).build();
    let (containers, networks) = tokio::try_join!(
        call("list the containers", &label, docker.list_containers(Some(containers))),
        call("list the networks", &label, docker.list_networks(Some(networks)))
    )?;
    let mut found: BTreeMap<String, Remains> = BTreeMap::new();
    let mut add = |labels: Option<HashMap<String, String>>, what: Leftover| {
        let Some(owner) = labels.as_ref().and_then(Owner::of) else { return };
        let drill = owner.drill.clone();
        let none = Remains { owner, containers: Vec::new(), networks: Vec::new() };
        let remains = found.entry(drill).or_insert(none);
        match what {
            Leftover::Container(id) => remains.containers.push(id),
            Leftover::Network(id) => remains.networks.push(id),
        }
    };
    for one in containers {
        if let Some(id) = one.id {
            add(one.labels, Leftover::Container(id));
        }
    }
    for one in networks {
        if let Some(id) = one.id {
            add(one.labels, Leftover::Network(id));
        }
    }
    Ok(found)
}

enum Leftover {
    Container(String),
    Network(String),
}

/// Removes containers, running ones too, with what they wrote; then the networks.
///
/// # Errors
/// The first one that could not be removed. The others have been tried.
pub async fn remove(docker: &Docker, remains: &Remains) -> Result<(), Error> {
    containers(docker, &remains.containers).await?;
    for id in &remains.networks {
        network(docker, id).await?;
    }
    Ok(())
}

/// Removes a network. If containers are just leaving it, it waits a moment.
pub async fn network(docker: &Docker, id: &str) -> Result<(), Error> {
    let mut tries = 0;
    loop {
        match gone(call("remove the network", id, docker.remove_network(id)).await) {
            Err(e) if status(&e) == Some(403) && tries < LEAVING_TRIES => tries += 1,
            removed => return removed,
        }
        tokio::time::sleep(LEAVING).await;
    }
}

/// Removes containers, running ones too, with what they wrote.
pub async fn containers(docker: &Docker, ids: &[String]) -> Result<(), Error> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    let remove = |id: &String| {
        let (id, options) = (id.clone(), options.clone());
        async move { gone(call("remove", &id, docker.remove_container(&id, Some(options))).await) }
    };
    let removed: Vec<_> =
        futures::stream::iter(ids.iter().map(remove)).buffer_unordered(AT_ONCE).collect().await;
    removed.into_iter().collect()
}

/// What does not exist any more, or is being removed already, counts as removed.
fn gone(removed: Result<(), Error>) -> Result<(), Error> {
    match removed {
        Err(e) if matches!(status(&e), Some(404)) => Ok(()),
        Err(e) if e.to_string().contains("already in progress") => Ok(()),
        removed => removed,
    }
}

/// Removes everything of a drill.
pub async fn all_of(docker: &Docker, drill: &str) -> Result<(), Error> {
    match find(docker, Some(drill)).await?.remove(drill) {
        Some(remains) => remove(docker, &remains).await,
        None => Ok(()),
    }
}

//! CLIENT KILL: servers end connections of their clients, of their replicas, or of subscribers.
//!
//! Each round lists the connections of that type and ends them by their ids, except those that
//! bear redrill's own name: what redrill asks nodes for must stay true. Probes bear no name. They
//! are clients, and feel it as users do.

use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::hit::Hit;
use super::life::{Done, Fault, Injected, Site, Undo, Undone, on_each};
use crate::backend::Backend;
use crate::log::OrLogged;
use crate::model::NodeName;
use crate::node::{Admin, NodeError, OWN_NAME};
use crate::spec::decode::Word;
use crate::spec::step::{ClientKill, ClientType};

impl Fault for ClientKill {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        on_each(hit, move |name| async move {
            let admin = site.node(name)?.admin;
            let ended = end_all(&admin, self.kind).await?;
            Ok(match self.every {
                None => Done { undo: None, note: Some(note(name, self.kind, ended)) },
                Some(every) => Done::to_undo(Killer::start(admin, self.kind, every.0, ended)),
            })
        })
        .boxed()
    }
}

/// Ends connections every so often, and counts them.
struct Killer {
    task: JoinHandle<u64>,
    stop: watch::Sender<bool>,
    node: NodeName,
    kind: ClientType,
}

impl Killer {
    /// `ended` connections have been ended in the first round.
    fn start(admin: Admin, kind: ClientType, every: Duration, mut ended: u64) -> Killer {
        let (stop, mut stopped) = watch::channel(false);
        let node = admin.node().clone();
        let began = Instant::now();
        let task = tokio::spawn(async move {
            for turn in 1.. {
                tokio::select! {
                    () = sleep_until(began + every * turn) => {}
                    _ = stopped.wait_for(|stopped| *stopped) => break,
                }
                // A server that is down has no connections. The next round tries again.
                let round = end_all(&admin, kind).await.or_logged("end connections of clients");
                ended += round.unwrap_or_default();
            }
            ended
        });
        Killer { task, stop, node, kind }
    }
}

impl Undo for Killer {
    fn undo<'u>(&'u mut self, _: &'u dyn Backend) -> Undone<'u> {
        async {
            if self.stop.send_replace(true) {
                return Ok(None);
            }
            let ended = (&mut self.task).await.or_logged("count ended connections");
            Ok(ended.map(|ended| note(&self.node, self.kind, ended)))
        }
        .boxed()
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(node: &NodeName, kind: ClientType, ended: u64) -> String {
    let connections = if ended == 1 { "connection" } else { "connections" };
    format!("{node} ended {ended} {connections} of {} clients", kind.word())
}

/// Ends all connections of that type but redrill's own. Gives how many were ended.
async fn end_all(admin: &Admin, kind: ClientType) -> Result<u64, NodeError> {
    let mut list = redis::cmd("CLIENT");
    list.arg("LIST").arg("TYPE").arg(kind.word());
    let list: String = admin.query(&list).await?;
    let mut pipeline = redis::pipe();
    for id in ids_to_end(&list) {
        pipeline.cmd("CLIENT").arg("KILL").arg("ID").arg(id);
    }
    if pipeline.is_empty() {
        return Ok(0);
    }
    let ended: Vec<u64> = admin.pipeline(&pipeline).await?;
    Ok(ended.iter().sum())
}

/// The ids in an answer to CLIENT LIST, without those of redrill's own connections.
fn ids_to_end(list: &str) -> impl Iterator<Item = &str> {
    list.lines().filter_map(|line| {
        let value = |key| line.split(' ').find_map(|field| field.strip_prefix(key));
        value("id=").filter(|_| value("name=") != Some(OWN_NAME))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_bear_redrills_name_are_spared() {
        let list = "id=3 addr=127.0.0.1:1 laddr=127.0.0.1:2 fd=8 name= age=3 cmd=get\n\
                    id=4 addr=127.0.0.1:3 laddr=127.0.0.1:2 fd=9 name=redrill age=3 cmd=client|list\n\
                    id=15 addr=127.0.0.1:4 laddr=127.0.0.1:2 fd=10 name=redrills age=3 cmd=set\n";
        assert_eq!(ids_to_end(list).collect::<Vec<_>>(), ["3", "15"]);
    }
}

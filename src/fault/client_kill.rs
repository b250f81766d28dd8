//! CLIENT KILL: servers end connections of their clients, of their replicas, or of subscribers.
//!
//! Each round lists the connections of that type and ends them by their ids, except those that
//! bear redrill's own name: what redrill asks nodes for must stay true. Probes bear no name. They
//! are clients, and feel it as users do.

use async_trait::async_trait;

use super::error::FaultError;
use super::life::{Done, NodeFault, Note, Rounds, Site, Undo};
use crate::backend::Backend;
use crate::log::OrLogged;
use crate::model::NodeName;
use crate::node::{Admin, NodeError, OWN_NAME};
use crate::spec::step::{ClientKill, ClientType};

#[async_trait]
impl NodeFault for ClientKill {
    async fn on_node(&self, site: Site<'_>, name: &NodeName) -> Result<Done, FaultError> {
        let admin = site.node(name)?.admin;
        let ended = end_all(&admin, self.kind).await?;
        Ok(match self.every {
            None => Done { undo: None, note: Some(note(name, self.kind, ended)) },
            Some(every) => {
                let (node, kind) = (name.clone(), self.kind);
                let round = move || {
                    let admin = admin.clone();
                    // A server that is down has no connections. The next round tries again.
                    async move {
                        let ended = end_all(&admin, kind).await;
                        ended.or_logged("end connections of clients").unwrap_or_default()
                    }
                };
                Done::to_undo(Killer {
                    rounds: Rounds::start(every.0, 1.., round),
                    ended,
                    node,
                    kind,
                })
            }
        })
    }
}

/// Ends connections every so often, and counts them.
struct Killer {
    rounds: Rounds,
    /// In the first round.
    ended: u64,
    node: NodeName,
    kind: ClientType,
}

#[async_trait]
impl Undo for Killer {
    async fn undo(&mut self, _: &dyn Backend) -> Result<Option<Note>, FaultError> {
        let ended = self.rounds.end().await;
        Ok(ended.map(|ended| note(&self.node, self.kind, self.ended + ended)))
    }
}

fn note(node: &NodeName, kind: ClientType, ended: u64) -> Note {
    let connections = if ended == 1 { "connection" } else { "connections" };
    Note::OfStep(format!("{node} ended {ended} {connections} of {} clients", kind.word()))
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

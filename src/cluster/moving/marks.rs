//! CLUSTER SETSLOT: the marks of slots while they move.
//!
//! <https://redis.io/docs/latest/commands/cluster-setslot/>

use futures::future::try_join_all;
use redis::{Cmd, Pipeline};

use crate::node::{Admin, NodeError, Section};

/// Connections for SETSLOT to a Valkey server. It answers each SETSLOT only when its replicas
/// have it, and those of one connection one after the other.
const VALKEY_CONNECTIONS: usize = 32;

/// `CLUSTER SETSLOT slot what [id]`.
pub fn set_slot(slot: u16, what: &str, id: Option<&str>) -> Cmd {
    let mut cmd = redis::cmd("CLUSTER");
    cmd.arg("SETSLOT").arg(slot).arg(what).arg(id);
    cmd
}

pub fn pipeline(cmds: impl IntoIterator<Item = Cmd>) -> Pipeline {
    let mut pipeline = Pipeline::new();
    for cmd in cmds {
        pipeline.add_command(cmd);
    }
    pipeline
}

/// The connections for SETSLOT to one server. Many are sent at a time: the server saves its
/// table once for all that it reads together.
pub struct Marks(Vec<Admin>);

impl Marks {
    pub async fn new(server: &Admin) -> Result<Marks, NodeError> {
        let engine = server.info(Section::Server).await?.engine();
        let many = engine.is_some_and(|engine| engine.kind == "valkey");
        let count = if many { VALKEY_CONNECTIONS } else { 1 };
        Ok(Marks((0..count).map(|_| server.apart()).collect()))
    }

    /// Whether the server carries out SETSLOTs one after the other, also if many are sent
    /// together.
    pub fn one_by_one(&self) -> bool {
        self.0.len() > 1
    }

    /// Sets a mark on many slots. All must be set; the first refusal is the error.
    pub async fn set(&self, what: &str, id: &str, slots: &[u16]) -> Result<(), NodeError> {
        let each = slots.len().div_ceil(self.0.len()).max(1);
        let send = async |(admin, slots): (&Admin, &[u16])| {
            let cmds = slots.iter().map(|&slot| set_slot(slot, what, Some(id)));
            admin.pipeline::<redis::Value>(&pipeline(cmds)).await
        };
        try_join_all(self.0.iter().zip(slots.chunks(each)).map(send)).await.map(drop)
    }

    /// Makes the server, whose id is `id`, the owner of slots that it imports.
    ///
    /// A server that becomes the owner of an importing slot takes a new epoch if it does not
    /// have the newest, and informs the whole cluster at once: for every slot it sends a
    /// message to every node, which then searches its whole table. So only the first and the
    /// last slot are closed that way, and the marks of the others are removed before. The first
    /// slot needs it, because the server needs its newer epoch before it owns anything that
    /// another node still claims. All this is one transaction, so nobody sees a slot between
    /// its mark and its owner.
    pub async fn adopt(&self, id: &str, slots: &[u16]) -> Result<(), NodeError> {
        let [admin] = &self.0[..] else { return self.set("NODE", id, slots).await };
        let quietly = 1..slots.len().saturating_sub(1);
        let mut cmds = Vec::with_capacity(slots.len() * 2);
        for (n, &slot) in slots.iter().enumerate() {
            if quietly.contains(&n) {
                cmds.push(set_slot(slot, "STABLE", None));
            }
            cmds.push(set_slot(slot, "NODE", Some(id)));
        }
        let mut transaction = pipeline(cmds);
        transaction.atomic();
        admin.pipeline::<redis::Value>(&transaction).await.map(drop)
    }
}

//! CLUSTER SETSLOT: the marks that slots bear while they move.
//!
//! <https://redis.io/docs/latest/commands/cluster-setslot/>

use futures::future::try_join_all;
use redis::{Cmd, Pipeline};

use crate::node::{Admin, NodeError, Section};

/// Connections on which SETSLOTs go to a Valkey server. It answers each only
/// when its replicas have it, and those of one connection one after the other.
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

/// The connections on which SETSLOTs go to one server, many at a time: it saves
/// its table once for all that it reads together.
pub struct Marks(Vec<Admin>);

impl Marks {
    pub async fn new(server: &Admin) -> Result<Marks, NodeError> {
        let engine = server.info(Section::Server).await?.engine();
        let many = engine.is_some_and(|engine| engine.kind == "valkey");
        let count = if many { VALKEY_CONNECTIONS } else { 1 };
        Ok(Marks((0..count).map(|_| server.apart()).collect()))
    }

    /// All must be done; the first refusal is the error.
    pub async fn set(&self, cmds: Vec<Cmd>) -> Result<(), NodeError> {
        let each = cmds.len().div_ceil(self.0.len()).max(1);
        let send = async |(admin, cmds): (&Admin, &[Cmd])| {
            admin.pipeline::<redis::Value>(&pipeline(cmds.iter().cloned())).await
        };
        try_join_all(self.0.iter().zip(cmds.chunks(each)).map(send)).await.map(drop)
    }
}

//! A cluster to move slots on, and what is asked of it afterwards.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use futures::FutureExt;
use redrill::backend::{Backend, ProcessBackend};
use redrill::cluster::{bring_up, view};
use redrill::model::NodeName;
use redrill::model::event::{Role, View};
use redrill::model::slot::{SLOTS, slot_of};
use redrill::node::{Node, NodeLine};

use crate::common;

/// Between two looks for keys that should be gone, and how many there are.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: u32 = 100;

/// A key and its value.
pub type Pair = (String, String);

pub struct TestCluster {
    pub nodes: Vec<Node>,
    pub backend: ProcessBackend,
    dir: tempfile::TempDir,
}

impl TestCluster {
    pub async fn up(shards: u32, replicas: u32) -> TestCluster {
        TestCluster::of(&common::server(), shards, replicas).await
    }

    /// Of this server.
    pub async fn of(server: &Path, shards: u32, replicas: u32) -> TestCluster {
        let dir = tempfile::tempdir().unwrap();
        let backend = common::backend_of(server, dir.path());
        let mut cache = common::cluster(shards, replicas);
        cache.config.insert("cluster-node-timeout".into(), "2000".into());
        // CLUSTER SHARDS calls a replica online after its primary's first ping.
        cache.config.insert("repl-ping-replica-period".into(), "1".into());
        // Slots whose owner is gone do not keep the others from being served.
        cache.config.insert("cluster-require-full-coverage".into(), "no".into());
        let topology = common::topology(vec![cache]);
        let deployed = bring_up(&backend, &topology, None, &|_, _| ()).await.unwrap();
        TestCluster { nodes: deployed.groups[0].nodes.clone(), backend, dir }
    }

    /// The primary that a shard was born with.
    pub fn primary(&self, shard: u32) -> &Node {
        let born = |node: &&Node| node.name.shard() == Some(shard) && node.name.ordinal == 0;
        self.nodes.iter().find(born).unwrap()
    }

    pub async fn assert_owner(&self, slots: Range<u16>, shard: u32) {
        let owned = own_line(self.primary(shard)).await.slots;
        let missing: Vec<u16> = slots.filter(|slot| !owned.contains(*slot)).collect();
        assert_eq!(missing, [0u16; 0], "not owned by shard {shard}");
    }

    /// Which node owns what, by slot.
    async fn owners(&self) -> HashMap<u16, &Node> {
        let mut owners = HashMap::new();
        for node in &self.nodes {
            owners.extend(own_line(node).await.slots.iter().map(|slot| (slot, node)));
        }
        owners
    }

    pub async fn fill(&self, keys: &[Pair]) {
        for (node, keys) in self.by_owner(keys).await {
            let mut pipeline = redis::pipe();
            for (key, value) in keys {
                pipeline.cmd("SET").arg(key).arg(value);
            }
            node.admin.pipeline::<Vec<String>>(&pipeline).await.unwrap();
        }
    }

    /// Each key's owner has it, with its value, and nobody else has anything of its slot.
    pub async fn assert_values(&self, keys: &[Pair]) {
        for (node, keys) in self.by_owner(keys).await {
            let mut pipeline = redis::pipe();
            for (key, _) in &keys {
                pipeline.cmd("GET").arg(key);
            }
            let found: Vec<Option<String>> = node.admin.pipeline(&pipeline).await.unwrap();
            let wrong: Vec<_> = keys
                .iter()
                .zip(&found)
                .filter(|((_, value), found)| found.as_ref() != Some(value))
                .take(5)
                .collect();
            assert!(wrong.is_empty(), "on {}, and more: {wrong:?}", node.name);
        }
        self.assert_no_strays(keys).await;
    }

    /// Only owners have keys of the slots that `keys` are in.
    async fn assert_no_strays(&self, keys: &[Pair]) {
        let owners = self.owners().await;
        let slots: BTreeSet<u16> = keys.iter().map(|(key, _)| slot_of(key.as_bytes())).collect();
        for node in self.nodes.iter().filter(|node| node.born == Role::Primary) {
            // A primary that has given all its slots away may be a replica by now.
            if own_line(node).await.flags.role == Role::Replica {
                continue;
            }
            let others = slots.iter().filter(|slot| owners[slot].name != node.name);
            let mut pipeline = redis::pipe();
            for slot in others.clone() {
                pipeline.cmd("CLUSTER").arg("COUNTKEYSINSLOT").arg(slot);
            }
            if pipeline.is_empty() {
                continue;
            }
            // After a job of Redis 8.6 its source deletes them in the background.
            let mut strays = Vec::new();
            for _ in 0..LOOKS {
                let counts: Vec<u64> = node.admin.pipeline(&pipeline).await.unwrap();
                strays = others.clone().zip(counts).filter(|(_, count)| *count > 0).collect();
                if strays.is_empty() {
                    break;
                }
                tokio::time::sleep(LOOK).await;
            }
            assert!(strays.is_empty(), "{} has keys of others' slots: {strays:?}", node.name);
        }
    }

    /// The primaries, and which of `keys` each owns.
    async fn by_owner<'k>(&self, keys: &'k [Pair]) -> Vec<(&Node, Vec<&'k Pair>)> {
        let owners = self.owners().await;
        let owned = |node: &Node| {
            let mine = |(key, _): &&Pair| owners[&slot_of(key.as_bytes())].name == node.name;
            keys.iter().filter(mine).collect()
        };
        let groups = self.nodes.iter().map(|node| (node, owned(node)));
        groups.filter(|(_, keys): &(_, Vec<_>)| !keys.is_empty()).collect()
    }

    /// All marks of moves that living nodes bear: `cache/0/0: [7->-id]`.
    pub async fn marks(&self) -> Vec<String> {
        let mut marks = Vec::new();
        for node in &self.nodes {
            let Ok(lines) = node.admin.cluster_nodes().await else { continue };
            let line = lines.into_iter().find(|line| line.flags.myself).unwrap();
            let name = &node.name;
            marks.extend(line.migrating.iter().map(|(s, id)| format!("{name}: [{s}->-{id}]")));
            marks.extend(line.importing.iter().map(|(s, id)| format!("{name}: [{s}-<-{id}]")));
        }
        marks
    }

    /// What all nodes agree on, once they do.
    pub async fn agreed_view(&self) -> View {
        let began = Instant::now();
        loop {
            let seen: Vec<_> = view::views(&self.nodes).await.into_iter().flatten().collect();
            let healthy = seen.iter().all(|sight| sight.is_healthy());
            let view = view::compare(&self.nodes, seen.iter().map(|sight| &sight.lines[..]));
            if view.agreed && healthy && seen.len() == self.nodes.len() {
                return view;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "no agreement: {view:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All agree, redis-cli has nothing to say against it, and nothing is left running.
    pub async fn down(self) {
        self.agreed_view().await;
        assert_eq!(self.marks().await, [""; 0]);
        let any = &self.nodes[0];
        common::assert_redis_cli_agrees(&any.addr.to_string(), any.admin.password());
        self.shutdown().await;
    }

    /// Sends the signal, and does not wait until it is gone.
    pub fn kill_now(&self, name: &NodeName) {
        let killed = self.backend.kill(name).now_or_never();
        assert!(killed.is_none_or(|killed| killed.is_ok()));
    }

    /// Stops it where it is, before any other server gets to run on.
    pub fn pause_now(&self, name: &NodeName) {
        let paused = self.backend.pause(name).now_or_never();
        assert!(paused.is_none_or(|paused| paused.is_ok()));
    }

    pub async fn shutdown(self) {
        self.backend.shutdown().await.unwrap();
        common::assert_nothing_left(self.dir.path());
    }
}

pub async fn own_line(node: &Node) -> NodeLine {
    let lines = node.admin.cluster_nodes().await.unwrap_or_default();
    match lines.into_iter().find(|line| line.flags.myself) {
        Some(line) => line,
        // A node that is gone owns nothing.
        None => NodeLine::parse("gone 127.0.0.1:1@1 slave - 0 0 0 disconnected").unwrap(),
    }
}

/// A hash tag for each slot.
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut tags = vec![String::new(); SLOTS as usize];
    let mut missing = tags.len();
    for n in 0u64.. {
        let tag = format!("{n:x}");
        let place = &mut tags[slot_of(tag.as_bytes()) as usize];
        if place.is_empty() {
            *place = tag;
            missing -= 1;
            if missing == 0 {
                break;
            }
        }
    }
    tags
});

/// The key number `n` of `slot`.
pub fn key(slot: u16, n: u32) -> String {
    format!("{{{}}}:{n}", TAGS[slot as usize])
}

/// `each` keys in each of `slots`, with values of their own.
pub fn numbered(slots: Range<u16>, each: u32) -> Vec<Pair> {
    let pair = |slot, n| (key(slot, n), format!("value {n} of slot {slot}"));
    slots.flat_map(|slot| (0..each).map(move |n| pair(slot, n))).collect()
}

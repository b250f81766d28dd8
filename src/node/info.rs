//! INFO, a server's report about itself, and CLUSTER INFO, the state of the cluster in its view.
//!
//! <https://redis.io/docs/latest/commands/info/>,
//! <https://redis.io/docs/latest/commands/cluster-info/>

use crate::model::event::{EngineInfo, Role};
use std::collections::HashMap;
use std::net::SocketAddr;

/// A section of INFO, or all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Everything,
    Server,
    Memory,
    Stats,
    Replication,
    Cpu,
}

impl Section {
    pub fn as_str(self) -> &'static str {
        match self {
            Section::Everything => "default",
            Section::Server => "server",
            Section::Memory => "memory",
            Section::Stats => "stats",
            Section::Replication => "replication",
            Section::Cpu => "cpu",
        }
    }
}

/// The fields of an INFO reply. A getter gives `None` if its field was not in the requested
/// section, or cannot be parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    fields: HashMap<String, String>,
}

impl Info {
    /// Reads `name:value` lines and ignores all others.
    pub fn parse(text: &str) -> Info {
        let fields = text.lines().filter_map(|line| line.trim_end().split_once(':'));
        Info { fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }

    /// Any field, as the server wrote it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    pub fn role(&self) -> Option<Role> {
        match self.get("role")? {
            "master" => Some(Role::Primary),
            "slave" => Some(Role::Replica),
            _ => None,
        }
    }

    /// Whether a replica's link to its primary is up; `None` on a primary.
    pub fn master_link_up(&self) -> Option<bool> {
        self.get("master_link_status").map(|status| status == "up")
    }

    /// The address of a replica's primary; `None` on a primary.
    pub fn master_addr(&self) -> Option<SocketAddr> {
        let port = u16::try_from(self.number("master_port")?).ok()?;
        Some(SocketAddr::new(self.get("master_host")?.parse().ok()?, port))
    }

    /// It reads its data file and refuses to serve (LOADING).
    pub fn is_loading(&self) -> bool {
        self.get("loading") == Some("1")
    }

    /// Replicas that are connected to this primary.
    pub fn connected_replicas(&self) -> Option<u64> {
        self.number("connected_slaves")
    }

    /// Whether the replica that announces `at` has all data of this primary, and has said so: until
    /// then it is sent nothing new, though it is called online.
    pub fn has_online(&self, at: SocketAddr) -> bool {
        let mut replicas = (0..).map_while(|n| self.get(&format!("slave{n}")));
        let (ip, port) = (format!("ip={}", at.ip()), format!("port={}", at.port()));
        replicas.any(|line| {
            let has = |field: &str| line.split(',').any(|one| one == field);
            has(&ip) && has(&port) && has("state=online") && !has("offset=0")
        })
    }

    /// Bytes.
    pub fn used_memory(&self) -> Option<u64> {
        self.number("used_memory")
    }

    /// What keys and values take, in bytes, without what the server itself needs.
    pub fn data_bytes(&self) -> Option<u64> {
        let (data, used) = (self.number("used_memory_dataset")?, self.used_memory()?);
        // A server takes what it reckons with for itself from what is used. While it has next to no
        // keys that may be less than nothing, and it tells a number that has wrapped around.
        Some(if data > used { 0 } else { data })
    }

    /// Keys of database 0. A server leaves the line out if there are none.
    pub fn keys(&self) -> u64 {
        let keys = |line: &str| line.split(',').find_map(|f| f.strip_prefix("keys=")?.parse().ok());
        self.get("db0").and_then(keys).unwrap_or(0)
    }

    pub fn commands_processed(&self) -> Option<u64> {
        self.number("total_commands_processed")
    }

    /// Bytes, without replication.
    pub fn net_input_bytes(&self) -> Option<u64> {
        self.number("total_net_input_bytes")
    }

    /// Bytes, without replication.
    pub fn net_output_bytes(&self) -> Option<u64> {
        self.number("total_net_output_bytes")
    }

    /// User and system time of the server process, in seconds.
    pub fn cpu_seconds(&self) -> Option<f64> {
        let seconds = |name| self.get(name)?.parse::<f64>().ok();
        Some(seconds("used_cpu_user")? + seconds("used_cpu_sys")?)
    }

    /// Valkey also reports a `redis_version`, that of the Redis it is compatible with.
    pub fn engine(&self) -> Option<EngineInfo> {
        let engine = |kind: &str, version: &str| EngineInfo {
            kind: kind.to_owned(),
            version: version.to_owned(),
        };
        match self.get("valkey_version") {
            Some(version) => Some(engine("valkey", version)),
            None => self.get("redis_version").map(|version| engine("redis", version)),
        }
    }
}

/// CLUSTER INFO. Fields that the reply lacks are 0, and `state_ok` is false.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterInfo {
    pub state_ok: bool,
    pub slots_assigned: u64,
    pub slots_pfail: u64,
    pub slots_fail: u64,
    pub known_nodes: u64,
    pub current_epoch: u64,
}

impl ClusterInfo {
    pub fn parse(text: &str) -> ClusterInfo {
        let info = Info::parse(text);
        let number = |name| info.number(name).unwrap_or_default();
        ClusterInfo {
            state_ok: info.get("cluster_state") == Some("ok"),
            slots_assigned: number("cluster_slots_assigned"),
            slots_pfail: number("cluster_slots_pfail"),
            slots_fail: number("cluster_slots_fail"),
            known_nodes: number("cluster_known_nodes"),
            current_epoch: number("cluster_current_epoch"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_online_once_its_primary_says_so() {
        let info = Info::parse(
            "role:master\r\nconnected_slaves:2\r\n\
             slave0:ip=127.0.0.2,port=7000,state=online,offset=9,lag=0\r\n\
             slave1:ip=127.0.0.3,port=7000,state=send_bulk,offset=9,lag=0\r\n\
             slave2:ip=127.0.0.4,port=7000,state=online,offset=0,lag=0\r\n",
        );
        let online = |at: &str| info.has_online(at.parse().unwrap());
        assert!(online("127.0.0.2:7000") && !online("127.0.0.2:700"));
        assert!(!online("127.0.0.3:7000") && !online("127.0.0.4:7000"));
    }

    #[test]
    fn data_that_is_less_than_nothing_is_none() {
        let data = |data: u64| {
            Info::parse(&format!("used_memory:900\r\nused_memory_dataset:{data}\r\n")).data_bytes()
        };
        assert_eq!((data(700), data(u64::MAX - 50)), (Some(700), Some(0)));
    }

    #[test]
    fn fields_are_read_by_their_meaning() {
        let info = Info::parse(
            "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n\
             # Replication\r\nrole:slave\r\nmaster_link_status:up\r\nmaster_repl_offset:9\r\n\
             slave_repl_offset:7\r\n# CPU\r\nused_cpu_sys:0.25\r\nused_cpu_user:1.5\r\n\
             # Keyspace\r\ndb0:keys=42,expires=1,avg_ttl=0,subexpiry=0\r\n",
        );
        assert_eq!(info.engine().unwrap().kind, "valkey");
        assert_eq!(info.engine().unwrap().version, "9.1.2");
        assert_eq!(info.role(), Some(Role::Replica));
        assert_eq!(info.master_link_up(), Some(true));
        assert_eq!(info.cpu_seconds(), Some(1.75));
        assert_eq!(info.keys(), 42);
        assert_eq!(info.used_memory(), None);
    }

    #[test]
    fn redis_is_told_from_valkey() {
        let info = Info::parse("redis_version:7.0.15\r\nrole:master\r\nmaster_repl_offset:9\r\n");
        assert_eq!(info.engine().unwrap().kind, "redis");
        assert_eq!(info.role(), Some(Role::Primary));
        assert_eq!((info.keys(), info.master_link_up()), (0, None));
    }

    #[test]
    fn fields_of_newer_releases_are_passed_over() {
        let info = ClusterInfo::parse(
            "cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_nodes_pfail:0\r\n\
             cluster_known_nodes:6\r\ncluster_current_epoch:7\r\n",
        );
        assert!(info.state_ok);
        assert_eq!((info.slots_assigned, info.known_nodes, info.current_epoch), (16_384, 6, 7));
        assert!(!ClusterInfo::parse("cluster_state:fail\r\n").state_ok);
    }
}

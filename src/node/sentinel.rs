//! What a sentinel knows about the group that it watches: SENTINEL MASTER, REPLICAS, SENTINELS.
//!
//! Each reply is a list of fields, or a list of such lists, one for each instance.
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/#sentinel-api>

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use redis::Value;

/// One server as a sentinel sees it. A getter gives `None` if the reply lacks the field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    fields: HashMap<String, String>,
    flags: HashSet<String>,
}

impl Instance {
    /// Reads the reply to SENTINEL MASTER.
    pub fn parse(reply: &Value) -> Result<Instance, String> {
        let fields: Result<HashMap<String, String>, _> = redis::from_redis_value_ref(reply);
        let fields = fields.map_err(|_| format!("{reply:?}"))?;
        let flags = fields.get("flags").ok_or_else(|| format!("{reply:?}"))?.split(',');
        Ok(Instance { flags: flags.map(str::to_owned).collect(), fields })
    }

    /// Reads the reply to SENTINEL REPLICAS or SENTINEL SENTINELS.
    pub fn parse_all(reply: &Value) -> Result<Vec<Instance>, String> {
        let Value::Array(items) = reply else { return Err(format!("{reply:?}")) };
        items.iter().map(Instance::parse).collect()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.fields.get(name)?.parse().ok()
    }

    /// The address of the server.
    pub fn addr(&self) -> Option<SocketAddr> {
        let port = u16::try_from(self.number("port")?).ok()?;
        Some(SocketAddr::new(self.fields.get("ip")?.parse().ok()?, port))
    }

    /// This sentinel considers it down (SDOWN).
    pub fn subjectively_down(&self) -> bool {
        self.flags.contains("s_down")
    }

    /// This sentinel knows that a quorum of sentinels considers it down (ODOWN).
    pub fn objectively_down(&self) -> bool {
        self.flags.contains("o_down")
    }

    /// The sentinel is connected to it and does not suspect it.
    pub fn is_well(&self) -> bool {
        !["s_down", "o_down", "disconnected"].iter().any(|flag| self.flags.contains(*flag))
    }

    /// For a replica: it has reported to the sentinel that its link to its primary is up.
    pub fn link_up(&self) -> bool {
        self.fields.get("master-link-status").is_some_and(|status| status == "ok")
    }

    /// For a primary: the epoch of the last failover that the sentinel knows of.
    pub fn config_epoch(&self) -> Option<u64> {
        self.number("config-epoch")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(fields: &[&str]) -> Value {
        Value::Array(fields.iter().map(|text| Value::BulkString((*text).into())).collect())
    }

    #[test]
    fn a_primary_that_is_down() {
        let fields = ["name", "cache", "ip", "127.0.0.1", "port", "7000", "config-epoch", "3"];
        let seen = [&fields[..], &["flags", "s_down,o_down,master,disconnected"]].concat();
        let seen = Instance::parse(&reply(&seen)).unwrap();
        assert_eq!(seen.addr(), Some("127.0.0.1:7000".parse().unwrap()));
        assert!(seen.subjectively_down() && seen.objectively_down() && !seen.is_well());
        assert_eq!((seen.config_epoch(), seen.link_up()), (Some(3), false));
        assert!(Instance::parse(&reply(&fields)).is_err(), "without flags it is none");
    }

    #[test]
    fn replicas_that_are_well() {
        let one = reply(&["flags", "slave", "master-link-status", "ok"]);
        let seen = Instance::parse_all(&Value::Array(vec![one])).unwrap();
        assert!(seen[0].is_well() && seen[0].link_up() && !seen[0].subjectively_down());
        assert!(Instance::parse_all(&Value::Nil).is_err());
    }
}

//! CLUSTER INFO: the state of the cluster in the view of one node.
//!
//! <https://redis.io/docs/latest/commands/cluster-info/>

/// Fields that the reply lacks are 0, and `state_ok` is false.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterInfo {
    pub state_ok: bool,
    pub slots_assigned: u64,
    pub slots_ok: u64,
    pub slots_pfail: u64,
    pub slots_fail: u64,
    pub known_nodes: u64,
    /// Primaries that own at least one slot.
    pub size: u64,
    pub current_epoch: u64,
    pub my_epoch: u64,
}

impl ClusterInfo {
    pub fn parse(text: &str) -> ClusterInfo {
        let mut info = ClusterInfo::default();
        for (name, value) in text.lines().filter_map(|line| line.trim_end().split_once(':')) {
            let number = value.parse().unwrap_or(0);
            match name {
                "cluster_state" => info.state_ok = value == "ok",
                "cluster_slots_assigned" => info.slots_assigned = number,
                "cluster_slots_ok" => info.slots_ok = number,
                "cluster_slots_pfail" => info.slots_pfail = number,
                "cluster_slots_fail" => info.slots_fail = number,
                "cluster_known_nodes" => info.known_nodes = number,
                "cluster_size" => info.size = number,
                "cluster_current_epoch" => info.current_epoch = number,
                "cluster_my_epoch" => info.my_epoch = number,
                _ => {}
            }
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

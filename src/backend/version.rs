//! The versions of servers.

use crate::spec::topology::EngineKind;

/// Forming a cluster by its `nodes.conf` has been tested from this version on.
const OLDEST: (u32, u32) = (7, 0);

/// Reads `Redis server v=7.0.15 sha=…`.
pub fn read(said: &str) -> Option<(EngineKind, String)> {
    let mut words = said.split_whitespace();
    let kind = match words.next()? {
        "Redis" => EngineKind::Redis,
        "Valkey" => EngineKind::Valkey,
        _ => return None,
    };
    let version = words.find_map(|word| word.strip_prefix("v="))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-+_~".contains(c);
    let version = Some(version).filter(|version| version.chars().all(plain))?;
    major_minor(version).map(|_| (kind, version.to_owned()))
}

/// Whether redrill can run it.
pub fn is_new_enough(version: &str) -> bool {
    major_minor(version).is_some_and(|told| told >= OLDEST)
}

fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_servers_say() {
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=e0\n";
        assert_eq!(read(redis), Some((EngineKind::Redis, "7.0.15".to_owned())));
        let valkey = "Valkey server v=9.1.2 sha=0:0 malloc=libc bits=64 build=9108";
        assert_eq!(read(valkey), Some((EngineKind::Valkey, "9.1.2".to_owned())));
        assert_eq!(read("redis-cli 7.0.15"), None);
        assert_eq!(read("Redis server v=banana"), None);
        assert_eq!(read("Redis server v=7.0.15\x1b[2J"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn old_servers_are_known() {
        assert!(!is_new_enough("6.2.14") && is_new_enough("7.0.0") && is_new_enough("10.0"));
    }
}

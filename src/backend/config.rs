//! The redis.conf of a node. Directives that a topology may not set were refused when the file
//! was read.

use std::fmt::Write;
use std::path::Path;

use super::NodePlan;

/// Its file name.
pub const FILE: &str = "redis.conf";

/// The text of redis.conf. `dir` and `log` are absolute paths; an empty `log` is standard
/// output.
pub fn text(plan: &NodePlan, dir: &Path, log: &Path) -> String {
    let ip = plan.addr.ip().to_string();
    let own = [
        ("bind", ip.clone()),
        ("port", plan.addr.port().to_string()),
        // Cluster-bus and replication connections start from the node's own address, so that
        // the relay knows both their ends.
        ("bind-source-addr", ip),
        ("protected-mode", "no".to_owned()),
        ("daemonize", "no".to_owned()),
        ("pidfile", String::new()),
        ("dir", quote(&dir.to_string_lossy())),
        ("logfile", quote(&log.to_string_lossy())),
        ("save", String::new()),
        ("appendonly", "no".to_owned()),
        ("repl-diskless-sync", "yes".to_owned()),
        // By default the first replica waits 5 s for others.
        ("repl-diskless-sync-delay", "0".to_owned()),
    ];
    let mut text = String::new();
    let all = own.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in all.chain(plan.config.iter().map(|(n, v)| (n.as_str(), v.as_str()))) {
        // A directive without a value gets an empty one, as in `save ""`.
        let value = if value.trim().is_empty() { "\"\"" } else { value };
        // Writing to a String does not fail.
        let _ = writeln!(text, "{name} {value}");
    }
    text
}

/// Quotes one argument of a directive, whatever it contains.
fn quote(argument: &str) -> String {
    format!("\"{}\"", argument.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;
    use crate::spec::topology::Limits;

    #[test]
    fn a_users_directives_stand_last() {
        let plan = NodePlan {
            name: NodeName::new("cache", 0, 1),
            addr: "127.64.0.2:7000".parse().unwrap(),
            config: vec![
                ("save".into(), "900 1".into()),
                ("save".into(), "".into()),
                ("maxmemory".into(), "64mb".into()),
            ],
            args: Vec::new(),
            files: Vec::new(),
            limits: Limits::default(),
        };
        let text = text(&plan, Path::new("/a \"b\"/dir"), Path::new("/log"));
        assert!(text.contains("bind 127.64.0.2\nport 7000\n"), "{text}");
        assert!(text.contains(r#"dir "/a \"b\"/dir""#), "{text}");
        assert!(text.ends_with("save 900 1\nsave \"\"\nmaxmemory 64mb\n"), "{text}");
    }
}

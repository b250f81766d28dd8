//! The redis.conf of a node.

use std::fmt::Write;
use std::path::Path;

use super::super::{BackendError, NodePlan};

/// Directives that say where a node lives and how it is run. A topology cannot
/// set them: redrill would lose the node.
const OWN: &[(&str, &str)] = &[
    ("bind", "every node has an address of its own"),
    ("bind-source-addr", "a node's connections leave from its own address"),
    ("port", "use the group's `port`"),
    ("dir", "every node has a directory of its own"),
    ("logfile", "logs are kept in the run folder"),
    ("daemonize", "servers run as redrill's children"),
    ("supervised", "servers run as redrill's children"),
    ("pidfile", "servers run as redrill's children"),
    ("cluster-enabled", "use the group's `mode`"),
    ("cluster-config-file", "it is written before the node starts"),
    ("cluster-port", "it is the port and 10,000"),
    ("replicaof", "use the group's `mode`"),
    ("slaveof", "use the group's `mode`"),
    ("include", "the file would be read unseen"),
];

/// Refuses directives of a group's `config` that cannot be handed on.
pub fn check<'a>(
    group: &str,
    directives: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), BackendError> {
    for (name, value) in directives {
        let lower = name.to_ascii_lowercase();
        if let Some((_, why)) = OWN.iter().find(|(own, _)| *own == lower) {
            let (group, directive) = (group.to_owned(), name.to_owned());
            return Err(BackendError::OwnDirective { group, directive, why });
        }
        if name.contains(['\n', '\r']) || value.contains(['\n', '\r']) {
            let (group, directive) = (group.to_owned(), name.escape_debug().to_string());
            return Err(BackendError::SeveralLines { group, directive });
        }
    }
    Ok(())
}

/// The text of redis.conf. `dir` and `log` are absolute.
pub fn text(plan: &NodePlan, dir: &Path, log: &Path) -> String {
    let ip = plan.addr.ip().to_string();
    let own = [
        ("bind", ip.clone()),
        ("port", plan.addr.port().to_string()),
        // Cluster-bus and replication connections leave from the node's own address,
        // so that whoever sees one knows both its ends.
        ("bind-source-addr", ip),
        ("protected-mode", "no".to_owned()),
        ("daemonize", "no".to_owned()),
        ("pidfile", String::new()),
        ("dir", quote(&dir.to_string_lossy())),
        ("logfile", quote(&log.to_string_lossy())),
        ("save", String::new()),
        ("appendonly", "no".to_owned()),
        ("repl-diskless-sync", "yes".to_owned()),
        // By default a first replica is kept waiting for others, 5 s.
        ("repl-diskless-sync-delay", "0".to_owned()),
    ];
    let mut text = String::new();
    let all = own.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in all.chain(plan.config.iter().map(|(n, v)| (n.as_str(), v.as_str()))) {
        // A directive without a value is written with an empty one, as in `save ""`.
        let value = if value.trim().is_empty() { "\"\"" } else { value };
        // Writing to a String does not fail.
        let _ = writeln!(text, "{name} {value}");
    }
    text
}

/// One argument of a directive, whatever is in it.
fn quote(argument: &str) -> String {
    format!("\"{}\"", argument.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;

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
            files: Vec::new(),
        };
        let text = text(&plan, Path::new("/a \"b\"/dir"), Path::new("/log"));
        assert!(text.contains("bind 127.64.0.2\nport 7000\n"), "{text}");
        assert!(text.contains(r#"dir "/a \"b\"/dir""#), "{text}");
        assert!(text.ends_with("save 900 1\nsave \"\"\nmaxmemory 64mb\n"), "{text}");
    }

    #[test]
    fn directives_that_are_redrills_own_are_refused() {
        assert!(check("cache", [("maxmemory", "1mb")]).is_ok());
        let own = check("cache", [("Daemonize", "yes")]).unwrap_err();
        assert!(own.blames_topology() && own.to_string().contains("`Daemonize`"), "{own}");
        let lines = check("cache", [("maxmemory", "1mb\nbind 0.0.0.0")]).unwrap_err();
        assert!(matches!(lines, BackendError::SeveralLines { .. }));
    }
}

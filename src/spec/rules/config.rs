//! Directives of redis.conf that a topology may not set, because redrill must.

use std::collections::BTreeMap;

use crate::spec::decode::{At, Named};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::topology::Directive;

const ADDRESS: &str =
    "redrill gives each node its address and port; `port:` of the group sets the port";
const FILES: &str = "redrill gives each node its own directory and files";
const PROCESS: &str = "redrill starts and stops the process itself";
const MODE: &str = "the group's `mode`, `shards` and `replicas` say that";
const WATCH: &str = "write `sentinels`, `quorum`, `down_after`, `failover_timeout` and \
                     `parallel_syncs` of the group";
const ACCESS: &str = "redrill connects without a password and without TLS";

/// Directives that are redrill's own, and why.
const OWNED: &[(&str, &str)] = &[
    ("bind", ADDRESS),
    ("bind-source-addr", ADDRESS),
    ("port", ADDRESS),
    ("tls-port", ACCESS),
    ("cluster-port", ADDRESS),
    ("unixsocket", ADDRESS),
    ("unixsocketperm", ADDRESS),
    ("cluster-announce-ip", ADDRESS),
    ("cluster-announce-port", ADDRESS),
    ("cluster-announce-tls-port", ADDRESS),
    ("cluster-announce-bus-port", ADDRESS),
    ("cluster-announce-hostname", ADDRESS),
    ("cluster-preferred-endpoint-type", ADDRESS),
    ("replica-announce-ip", ADDRESS),
    ("replica-announce-port", ADDRESS),
    ("slave-announce-ip", ADDRESS),
    ("slave-announce-port", ADDRESS),
    ("dir", FILES),
    ("logfile", FILES),
    ("pidfile", FILES),
    ("cluster-config-file", FILES),
    ("include", "write the directives here"),
    ("daemonize", PROCESS),
    ("supervised", PROCESS),
    ("cluster-enabled", MODE),
    ("replicaof", MODE),
    ("sentinel", WATCH),
    ("slaveof", MODE),
    ("protected-mode", ACCESS),
    ("requirepass", ACCESS),
    ("masterauth", ACCESS),
    ("masteruser", ACCESS),
    ("primaryauth", ACCESS),
    ("primaryuser", ACCESS),
    ("user", ACCESS),
    ("aclfile", ACCESS),
    ("tls-cluster", ACCESS),
    ("tls-replication", ACCESS),
    ("rename-command", "redrill needs the commands under their own names"),
];

/// The longest value of a directive, in bytes.
const MAX_VALUE: usize = 4096;

/// The directives by name, in small letters.
pub fn check(
    config: &Named<At<Directive>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, String> {
    let mut directives = BTreeMap::new();
    for (name, At { value: Directive(value), span }) in &config.0 {
        let lower = name.value.to_ascii_lowercase();
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if lower.is_empty() || !lower.chars().all(good) {
            let message = format!("`{}` cannot be a directive of redis.conf", name.value);
            diagnostics.push(Diagnostic::new(&name.span, message));
        }
        if let Some((_, why)) = OWNED.iter().find(|(owned, _)| *owned == lower) {
            let message = format!("`{lower}` cannot be set here");
            diagnostics.push(Diagnostic::new(&name.span, message).advise(*why));
        }
        if matches!(&**value, "true" | "false") {
            let diagnostic = Diagnostic::new(span, "redis.conf knows `yes` and `no`, not this");
            diagnostics.push(diagnostic.advise("write yes or no"));
        }
        if value.chars().any(char::is_control) || value.len() > MAX_VALUE {
            let message =
                format!("the value of `{lower}` must be one line, {MAX_VALUE} bytes at most");
            diagnostics.push(Diagnostic::new(span, message));
        }
        if directives.insert(lower.clone(), value.clone()).is_some() {
            let message = format!("the directive `{lower}` is here twice");
            diagnostics.push(Diagnostic::new(&name.span, message).advise("keep one of them"));
        }
    }
    directives
}

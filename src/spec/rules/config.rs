//! Directives of redis.conf that a topology may not set, because redrill must.

use std::collections::BTreeMap;

use crate::spec::decode::{At, Named};
use crate::spec::diagnostic::{Diagnostic, Diagnostics};
use crate::spec::file::topology::Directive;

/// Directives that are redrill's own, by the reason.
const OWNED: &[(&str, &str)] = &[
    (
        "redrill gives each node its address and port; `port:` of the group sets the port",
        "bind bind-source-addr port cluster-port unixsocket unixsocketperm \
         cluster-announce-ip cluster-announce-port cluster-announce-tls-port \
         cluster-announce-bus-port cluster-announce-hostname \
         cluster-preferred-endpoint-type replica-announce-ip replica-announce-port \
         slave-announce-ip slave-announce-port",
    ),
    (
        "redrill draws the password itself (`auth` of the topology), and connects without TLS",
        "tls-port protected-mode requirepass masterauth masteruser primaryauth \
         primaryuser user aclfile tls-cluster tls-replication",
    ),
    (
        "redrill gives each node its own directory and files",
        "dir logfile pidfile cluster-config-file",
    ),
    ("write the directives here", "include"),
    ("redrill starts and stops the process itself", "daemonize supervised"),
    ("the group's `mode`, `shards` and `replicas` say that", "cluster-enabled replicaof slaveof"),
    (
        "write `sentinels`, `quorum`, `down_after`, `failover_timeout` and \
         `parallel_syncs` of the group",
        "sentinel",
    ),
    ("redrill needs the commands under their own names", "rename-command"),
];

/// The longest value of a directive, in bytes.
const MAX_VALUE: usize = 4096;

/// The directives by name, in small letters.
pub fn check(config: &Named<At<Directive>>, errors: &mut Diagnostics) -> BTreeMap<String, String> {
    let mut directives = BTreeMap::new();
    for (name, At { value: Directive(value), span }) in &config.0 {
        let lower = name.value.to_ascii_lowercase();
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if lower.is_empty() || !lower.chars().all(good) {
            let message = format!("`{}` cannot be a directive of redis.conf", name.value);
            errors.push(Diagnostic::new(&name.span, message));
        }
        if let Some((why, _)) =
            OWNED.iter().find(|(_, owned)| owned.split(' ').any(|name| name == lower))
        {
            let message = format!("`{lower}` cannot be set here");
            errors.add(&name.span, message, *why);
        }
        if matches!(&**value, "true" | "false") {
            errors.add(span, "redis.conf knows `yes` and `no`, not this", "write yes or no");
        }
        if value.chars().any(char::is_control) || value.len() > MAX_VALUE {
            let message =
                format!("the value of `{lower}` must be one line, {MAX_VALUE} bytes at most");
            errors.push(Diagnostic::new(span, message));
        }
        if directives.insert(lower.clone(), value.clone()).is_some() {
            let message = format!("the directive `{lower}` is here twice");
            errors.add(&name.span, message, "keep one of them");
        }
    }
    directives
}

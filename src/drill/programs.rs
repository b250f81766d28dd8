//! Whether the programs of others can be run that a drill names.

use std::path::PathBuf;

use rustix::fs::{Access, access};

use crate::backend::process::binary::on_path;
use crate::spec::Scenario;
use crate::spec::scenario::ClientKind;
use crate::spec::sync::DataSync;

/// One of them cannot.
#[derive(Debug, thiserror::Error)]
#[error(
    "{why}, and {whose} names it (`command` of `{key}`); name a program on PATH, or a path that \
     begins where redrill is run"
)]
pub struct NoProgram {
    why: String,
    whose: String,
    key: &'static str,
}

/// External replicators, and the adapters of loads.
pub fn check(scenario: &Scenario) -> Result<(), NoProgram> {
    let topology = &scenario.topology;
    let of_sync = match &topology.sync {
        Some(DataSync::External { command: Some(command), .. }) => {
            Some((command, format!("the topology `{}`", topology.name), "sync"))
        }
        _ => None,
    };
    let of_loads = scenario.loads.iter().filter_map(|load| match &load.client {
        ClientKind::Adapter { command } => {
            Some((command, format!("the load `{}`", load.name), "client"))
        }
        ClientKind::Redrill | ClientKind::RedisRs => None,
    });
    for (command, whose, key) in of_sync.into_iter().chain(of_loads) {
        if let Some(why) = command.first().and_then(|name| lacks(name)) {
            return Err(NoProgram { why, whose, key });
        }
    }
    Ok(())
}

/// Why a program cannot be run; none if it can.
fn lacks(name: &str) -> Option<String> {
    let found = if name.contains('/') { Some(PathBuf::from(name)) } else { on_path(name) };
    match found.filter(|path| path.is_file()) {
        None if name.contains('/') => Some(format!("there is no program `{name}`")),
        None => Some(format!("there is no program `{name}` on PATH")),
        Some(path) if access(&path, Access::EXEC_OK).is_err() => {
            Some(format!("`{name}` may not be executed"))
        }
        Some(_) => None,
    }
}

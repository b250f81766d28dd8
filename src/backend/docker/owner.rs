//! Labels, by which redrill recognises its containers and networks and their owners.

use std::collections::HashMap;
use std::fs;

use super::super::proc::ProcessId;
use crate::model::NodeName;

pub const DRILL: &str = "redrill.drill";
const NODE: &str = "redrill.node";
const STARTED: &str = "redrill.started";
const PID: &str = "redrill.owner.pid";
const PID_START: &str = "redrill.owner.start";
const HOME: &str = "redrill.owner.home";

/// Who created a container, and for which drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub drill: String,
    /// Wall clock, RFC 3339.
    pub started: String,
    pub process: ProcessId,
    /// Where its pid is valid, see [`home`].
    pub home: String,
}

/// Whether an owner lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Alive,
    Dead,
    /// This process cannot see whether it lives: it runs, or ran, on another machine of the
    /// same engine, or in a container.
    Elsewhere,
}

/// The machine, its boot, and the pid namespace of this process. Two processes with the same
/// can see each other's pids.
fn home() -> String {
    let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let pids = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {} {}", pids.display(), machine.trim(), boot.trim())
}

/// Whether two processes see each other's pids. The boot identifies the machine: in a container
/// /etc/machine-id is different or missing.
fn same_pids(one: &str, other: &str) -> bool {
    let ends = |home: &str| {
        let (pids, rest) = home.split_once(' ')?;
        let boot = rest.rsplit_once(' ').map(|(_, boot)| boot).filter(|boot| !boot.is_empty())?;
        (!pids.is_empty()).then(|| (pids.to_owned(), boot.to_owned()))
    };
    ends(one).is_some_and(|one| Some(one) == ends(other))
}

/// Whether both are on one known machine, and one of them ran before its last boot.
fn another_boot_of(theirs: &str, ours: &str) -> bool {
    let place = |home: &str| home.rsplit_once(' ').map(|(place, _)| place.to_owned());
    let known = |place: &String| place.split(' ').nth(1).is_some_and(|machine| !machine.is_empty());
    theirs != ours && place(theirs).filter(known).is_some_and(|one| Some(one) == place(ours))
}

impl Owner {
    /// This process, for the drill `drill`.
    pub fn own(drill: &str, started: &str) -> Option<Owner> {
        let (drill, started) = (drill.to_owned(), started.to_owned());
        Some(Owner { drill, started, process: ProcessId::own()?, home: home() })
    }

    pub fn labels(&self, node: Option<&NodeName>) -> HashMap<String, String> {
        let mut labels = vec![
            (DRILL, self.drill.clone()),
            (STARTED, self.started.clone()),
            (PID, self.process.pid.to_string()),
            (PID_START, self.process.start.to_string()),
            (HOME, self.home.clone()),
        ];
        labels.extend(node.map(|node| (NODE, node.to_string())));
        labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Reads [`Owner::labels`]; `None` if they are not redrill's.
    pub fn of(labels: &HashMap<String, String>) -> Option<Owner> {
        let text = |name| labels.get(name).cloned();
        let process =
            ProcessId { pid: text(PID)?.parse().ok()?, start: text(PID_START)?.parse().ok()? };
        Some(Owner { drill: text(DRILL)?, started: text(STARTED)?, process, home: text(HOME)? })
    }

    pub fn life(&self) -> Life {
        let ours = home();
        match same_pids(&self.home, &ours) {
            true if self.process.is_alive() => Life::Alive,
            true => Life::Dead,
            false if another_boot_of(&self.home, &ours) => Life::Dead,
            false => Life::Elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_known_again_by_its_labels() {
        let own = Owner::own("d", "2026-11-20T18:03:22Z").unwrap();
        let labels = own.labels(Some(&NodeName::new("cache", 1, 0)));
        assert_eq!(labels[NODE], "cache/1/0");
        let read = Owner::of(&labels).unwrap();
        assert_eq!((read.life(), &read), (Life::Alive, &own));
        let gone =
            Owner { process: ProcessId { start: own.process.start + 1, ..own.process }, ..own };
        assert_eq!(gone.life(), Life::Dead);
        assert_eq!(Owner { home: "another boot".into(), ..gone }.life(), Life::Elsewhere);
        assert_eq!(Owner::of(&HashMap::new()), None);
    }

    #[test]
    fn a_container_that_shares_pids_is_no_other_place() {
        assert!(same_pids("pid:[1] machine boot", "pid:[1] machine boot"));
        assert!(same_pids("pid:[1]  boot", "pid:[1] machine boot"), "no /etc/machine-id there");
        assert!(!same_pids("pid:[2] machine boot", "pid:[1] machine boot"));
        assert!(!same_pids("pid:[1] machine boot-2", "pid:[1] machine boot-1"));
        assert!(!same_pids("pid:[1] machine ", "pid:[1] machine "), "an unknown boot");
    }

    #[test]
    fn nobody_lives_through_a_machines_restart() {
        assert!(another_boot_of("pid:[1] machine boot-1", "pid:[1] machine boot-2"));
        assert!(!another_boot_of("pid:[1] machine boot-1", "pid:[1] machine boot-1"));
        assert!(!another_boot_of("pid:[2] machine boot-1", "pid:[1] machine boot-2"));
        assert!(!another_boot_of("pid:[1]  boot-1", "pid:[1]  boot-2"), "an unknown machine");
    }
}

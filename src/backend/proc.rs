//! Processes by /proc.
//!
//! The kernel reuses pids, so a pid alone does not identify a process for long. A pid and the
//! instant at which its process started do, see proc_pid_stat(5).

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::NodeName;

/// One process. A later process with the same pid is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    pub pid: u32,
    /// Clock ticks between the machine's boot and the process's start.
    pub start: u64,
}

/// For how long a server, since its start, stood ready to run with no processor free for it;
/// `None` where that cannot be seen.
pub type RunQueue = Box<dyn Fn(&NodeName) -> Option<Duration> + Send + Sync>;

/// Some fields of /proc/PID/stat.
struct Stat {
    state: char,
    parent: u32,
    group: u32,
    /// The device of its controlling terminal; 0 without one.
    terminal: i32,
    start: u64,
}

impl ProcessId {
    /// This process.
    pub fn own() -> Option<ProcessId> {
        ProcessId::of(std::process::id())
    }

    /// The process that has this pid now.
    pub fn of(pid: u32) -> Option<ProcessId> {
        let stat = stat(pid)?;
        Some(ProcessId { pid, start: stat.start })
    }

    /// Whether it still runs. A zombie does not: only its parent has not noticed.
    pub fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.start == self.start && stat.runs())
    }
}

impl Stat {
    fn runs(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The second field is the program's name in parentheses and may contain anything.
fn parse(stat: &str) -> Option<Stat> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        terminal: fields.get(4)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
    })
}

/// How long the process's first thread (which serves a Redis server's clients) has been ready
/// to run without a free processor since its start; see the kernel's sched-stats.
pub fn waited(pid: u32) -> Option<Duration> {
    let schedstat = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    schedstat.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

/// How long each of the process's threads has run since its start, by thread id.
pub fn ran(pid: u32) -> Vec<(u32, Duration)> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let ran = |thread: fs::DirEntry| {
        let schedstat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let nanos = schedstat.split_whitespace().next()?.parse().ok()?;
        Some((thread.file_name().to_str()?.parse().ok()?, Duration::from_nanos(nanos)))
    };
    threads.filter_map(ran).collect()
}

/// Whether the process belongs to the container `id`, by its control group. A pid of another
/// machine or namespace names some other process here, or none.
pub fn is_of_container(pid: u32, id: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(id))
}

/// All pids of this machine.
pub fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The running processes of a process group.
pub fn group_members(group: u32) -> Vec<ProcessId> {
    let member = |pid| {
        let stat = stat(pid).filter(|stat| stat.group == group && stat.runs())?;
        Some(ProcessId { pid, start: stat.start })
    };
    pids().filter_map(member).collect()
}

/// This process, its parent, and so on.
pub fn lineage() -> Vec<u32> {
    let parent = |pid: &u32| stat(*pid).map(|stat| stat.parent).filter(|parent| *parent != 0);
    std::iter::successors(Some(std::process::id()), parent).collect()
}

/// Whether the process is of somebody's terminal.
pub fn has_terminal(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| stat.terminal != 0)
}

/// The process group that a process is in.
pub fn group(pid: u32) -> Option<u32> {
    stat(pid).map(|stat| stat.group)
}

/// The value of an environment variable when the process was started, if this user may read it.
/// A program that writes its title over its environment has none.
pub fn variable(pid: u32, name: &str) -> Option<PathBuf> {
    let all = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value = |entry: &[u8]| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(PathBuf::from(OsStr::from_bytes(value)))
    };
    all.split(|byte| *byte == 0).find_map(value)
}

/// Kills it. Returns whether it was there.
pub fn kill(process: ProcessId) -> bool {
    let pid = rustix::process::Pid::from_raw(process.pid as i32);
    let killed = |pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_ok();
    process.is_alive() && pid.is_some_and(killed)
}

/// The process's working directory, if this user may read it.
pub fn directory(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_programs_do_not_confuse() {
        let line = "42 (a) b (c) S 1 40 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 10 11";
        let stat = parse(line).unwrap();
        assert_eq!((stat.state, stat.group, stat.start), ('S', 40, 987_654));
        assert!(parse("42 (a").is_none());
    }

    #[test]
    fn a_process_is_not_another_that_has_its_pid() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_alive());
        assert!(!ProcessId { start: own.start + 1, ..own }.is_alive());
    }
}

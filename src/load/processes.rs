//! Process numbers: who does an operation.
//!
//! A process is a logical client as Jepsen means it: it has at most one
//! operation at a time, and after an operation of which nobody knows whether it
//! happened, it never does another one. Checkers rely on both.
//!
//! Processes belong to the instances of the load, and are dealt out to them in turn.

use std::collections::VecDeque;

use crate::spec::scenario::{Keyspace, Load};

/// A logical client of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) number: u32,
    pub(crate) instance: u16,
}

#[derive(Debug)]
pub(crate) struct Processes {
    free: VecDeque<Process>,
    born: u32,
    instances: u16,
    /// Loads that share keys number their processes in turn.
    keyspace: Keyspace,
}

impl Processes {
    pub(crate) fn new(load: &Load) -> Processes {
        let (free, keyspace) = (VecDeque::new(), load.keyspace.clone());
        let mut all = Processes { free, born: 0, instances: load.instances, keyspace };
        for _ in 0..load.clients {
            let process = all.bear(None);
            all.free.push_back(process);
        }
        all
    }

    /// An idle process. If all are busy, a new one starts: waiting would delay the schedule.
    pub(crate) fn take(&mut self) -> Process {
        self.free.pop_front().unwrap_or_else(|| self.bear(None))
    }

    /// The process has ended an operation with a known outcome.
    pub(crate) fn give_back(&mut self, process: Process) {
        self.free.push_back(process);
    }

    /// The process has ended an operation that may or may not have happened: its number is not
    /// used again. The new process of the same instance that takes its place.
    pub(crate) fn replace(&mut self, process: Process) -> Process {
        self.bear(Some(process.instance))
    }

    /// How many there have been.
    pub(crate) fn born(&self) -> u32 {
        self.born
    }

    fn bear(&mut self, instance: Option<u16>) -> Process {
        let turn = (self.born % u32::from(self.instances)) as u16;
        let number = self.keyspace.number(u64::from(self.born)) as u32;
        self.born += 1;
        Process { number, instance: instance.unwrap_or(turn) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processes(clients: u32, instances: u16) -> Processes {
        Processes::new(&Load { clients, instances, ..Load::new("app", "cache", 1.0) })
    }

    fn numbers(processes: &mut Processes, count: usize) -> Vec<u32> {
        (0..count).map(|_| processes.take().number).collect()
    }

    #[test]
    fn a_busy_process_is_never_taken_and_a_retired_one_never_returns() {
        let mut all = processes(2, 1);
        let (a, b, c) = (all.take(), all.take(), all.take());
        assert_eq!([a, b, c].map(|process| process.number), [0, 1, 2]);
        all.give_back(b);
        assert_eq!(all.take(), b);
        let next = all.replace(a);
        all.give_back(next);
        assert_eq!(numbers(&mut all, 5), [3, 4, 5, 6, 7]);
        assert_eq!(all.born(), 8);
    }

    #[test]
    fn processes_are_dealt_out_and_stay_with_their_instance() {
        let mut all = processes(4, 3);
        let taken: Vec<Process> = (0..5).map(|_| all.take()).collect();
        assert_eq!(taken.iter().map(|p| p.instance).collect::<Vec<_>>(), [0, 1, 2, 0, 1]);
        assert_eq!(all.replace(taken[2]), Process { number: 5, instance: 2 });
    }

    #[test]
    fn loads_that_share_keys_have_no_process_in_common() {
        let with = |turn| {
            let keyspace = Keyspace { turn, turns: 2, ..Keyspace::own("app") };
            Processes::new(&Load { clients: 2, keyspace, ..Load::new("b", "cache", 1.0) })
        };
        assert_eq!(numbers(&mut with(0), 3), [0, 2, 4]);
        assert_eq!(numbers(&mut with(1), 3), [1, 3, 5]);
    }
}

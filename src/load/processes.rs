//! Process numbers: who does an operation.
//!
//! A process is a logical client as Jepsen means it: it has at most one
//! operation at a time, and after an operation of which nobody knows whether it
//! happened, it never does another one. Checkers rely on both.
//!
//! Processes belong to the instances of the load, which do operations in turn: an instance that is
//! stuck gets its share all the same, as a dead application keeps its users.

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
    /// By instance.
    free: Vec<VecDeque<Process>>,
    born: u32,
    /// Whose turn it is.
    next: u16,
    /// Loads that share keys number their processes in turn.
    keyspace: Keyspace,
}

impl Processes {
    pub(crate) fn new(load: &Load) -> Processes {
        let free = (0..load.instances).map(|_| VecDeque::new()).collect();
        let mut all = Processes { free, born: 0, next: 0, keyspace: load.keyspace.clone() };
        for client in 0..load.clients {
            let process = all.bear((client % u32::from(load.instances)) as u16);
            all.give_back(process);
        }
        all
    }

    /// An idle process of the instance whose turn it is. If all of that are busy, a new one starts:
    /// waiting would delay the schedule.
    pub(crate) fn take(&mut self) -> Process {
        let instance = self.turn();
        let idle = self.free[usize::from(instance)].pop_front();
        idle.unwrap_or_else(|| self.bear(instance))
    }

    /// The process has ended an operation with a known outcome.
    pub(crate) fn give_back(&mut self, process: Process) {
        self.free[usize::from(process.instance)].push_back(process);
    }

    /// The process has ended an operation that may or may not have happened: its number is not
    /// used again. The new process of the same instance that takes its place.
    pub(crate) fn replace(&mut self, process: Process) -> Process {
        self.bear(process.instance)
    }

    /// How many there have been.
    pub(crate) fn born(&self) -> u32 {
        self.born
    }

    fn turn(&mut self) -> u16 {
        let instance = self.next;
        self.next = (instance + 1) % self.free.len() as u16;
        instance
    }

    fn bear(&mut self, instance: u16) -> Process {
        let number = self.keyspace.number(u64::from(self.born)) as u32;
        self.born += 1;
        Process { number, instance }
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
    fn an_instance_that_is_stuck_hands_its_share_to_nobody() {
        let mut all = processes(8, 4);
        let mut asked = [0; 4];
        for _ in 0..400 {
            let process = all.take();
            asked[usize::from(process.instance)] += 1;
            if process.instance != 1 {
                all.give_back(process);
            }
        }
        assert_eq!(asked, [100; 4]);
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

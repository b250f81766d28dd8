//! Process numbers: who does an operation.
//!
//! A process is a logical client as Jepsen means it: it has at most one
//! operation at a time, and after an operation of which nobody knows whether it
//! happened, it never does another one. Checkers rely on both.

use std::collections::VecDeque;

#[derive(Debug)]
pub(crate) struct Processes {
    free: VecDeque<u32>,
    born: u32,
}

impl Processes {
    pub(crate) fn new(clients: u32) -> Processes {
        Processes { free: (0..clients).collect(), born: clients }
    }

    /// A process that is doing nothing. If all are busy another one is born:
    /// waiting for one would hold up the schedule.
    pub(crate) fn take(&mut self) -> u32 {
        self.free.pop_front().unwrap_or_else(|| self.bear())
    }

    /// The process has ended an operation, and it is known how.
    pub(crate) fn give_back(&mut self, process: u32) {
        self.free.push_back(process);
    }

    /// The process has ended an operation that may or may not have happened: its
    /// number is not used again, and a new process takes its place.
    pub(crate) fn retire(&mut self) {
        let next = self.bear();
        self.free.push_back(next);
    }

    /// How many there have been.
    pub(crate) fn born(&self) -> u32 {
        self.born
    }

    fn bear(&mut self) -> u32 {
        self.born += 1;
        self.born - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_is_never_taken_and_a_retired_one_never_returns() {
        let mut processes = Processes::new(2);
        let (a, b, c) = (processes.take(), processes.take(), processes.take());
        assert_eq!((a, b, c), (0, 1, 2));
        processes.give_back(b);
        assert_eq!(processes.take(), b);
        processes.retire();
        let next: Vec<u32> = (0..5).map(|_| processes.take()).collect();
        assert_eq!(next, [3, 4, 5, 6, 7]);
        assert_eq!(processes.born(), 8);
    }
}

//! Passes events from all parts of a drill to all sinks, in one order.

use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};

use crate::model::Clock;
use crate::model::event::{Event, Sink, Teller};

use super::folder::{EventLog, FolderError};

/// The thread on which sinks receive events.
pub struct Hub {
    thread: JoinHandle<EventLog>,
}

impl Hub {
    /// A sender of events with this clock, and the hub that receives them. The log gets each
    /// event first, so that everything a person saw is on record.
    pub fn start(clock: Clock, log: EventLog, others: Vec<Box<dyn Sink>>) -> (Teller, Hub) {
        let (teller, heard) = Teller::new(clock);
        let thread = thread::spawn(move || listen(heard, log, others));
        (teller, Hub { thread })
    }

    /// Waits until every event has been passed on. All senders must be gone before.
    pub fn finish(self) -> Result<(), FolderError> {
        match self.thread.join() {
            Ok(log) => log.finish(),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn listen(heard: Receiver<Event>, mut log: EventLog, mut others: Vec<Box<dyn Sink>>) -> EventLog {
    for event in heard {
        log.hear(&event);
        for sink in &mut others {
            sink.hear(&event);
        }
    }
    log
}

//! An adapter's program: how it is started and ended, and its last words. The backend runs it, as
//! it runs every actor.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use super::AdapterError;
use crate::backend::programs::Programs;
use crate::backend::{ActorPlan, ActorStarts, BackendError};
use crate::log::OrLogged;
use crate::model::NodeName;

/// A program whose output has ended mostly ends itself in a moment.
pub(super) const MOMENT: Duration = Duration::from_millis(500);

/// Dropping it kills the program with all that it has started.
pub(super) struct Program {
    programs: Arc<Programs>,
    name: NodeName,
}

impl Program {
    pub(super) async fn start(
        programs: Arc<Programs>,
        name: NodeName,
        command: &[String],
    ) -> Result<(Program, ActorStarts), AdapterError> {
        let (program, args) = command.split_first().ok_or(AdapterError::NoCommand)?;
        let plan = ActorPlan {
            name: name.clone(),
            program: PathBuf::from(program),
            args: args.to_vec(),
            env: Vec::new(),
            talks: true,
        };
        let started = programs.start_actor(plan).await.map_err(|error| match error {
            BackendError::Spawn { source, .. } => AdapterError::start(program, source),
            other => AdapterError::start(program, io::Error::other(other)),
        });
        Ok((Program { programs, name }, started?))
    }

    /// How it ended, if it does in a moment, and the last lines of its standard error.
    pub(super) async fn last_words(&self) -> String {
        within(MOMENT, || self.end().is_some()).await;
        let ended = match self.end() {
            Some(status) => format!("it ended ({status})"),
            None => "it runs on".to_owned(),
        };
        let tail = self.programs.log_tail(&self.name);
        match tail.is_empty() {
            true => format!("{ended}, and it said nothing on standard error"),
            false => format!("{ended}; the last lines of its standard error:\n{}", quoted(&tail)),
        }
    }

    fn end(&self) -> Option<String> {
        self.programs.end_of(&self.name)
    }

    pub(super) fn times_ended(&self) -> usize {
        self.programs.times_ended(&self.name)
    }

    /// Waits for its end within `most`; kills it then. Whether it ended by itself.
    pub(super) async fn ends_within(&self, most: Duration) -> bool {
        within(most, || self.end().is_some()).await;
        let by_itself = self.end().is_some();
        if !by_itself {
            self.kill();
        }
        by_itself
    }

    pub(super) fn kill(&self) {
        if self.end().is_none() {
            self.programs.signal(&self.name, Signal::KILL).or_logged("end an adapter");
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

fn quoted(lines: &str) -> String {
    lines.lines().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}

/// Waits until `fact` is true, for no longer than `most`.
pub(super) async fn within(most: Duration, fact: impl Fn() -> bool) {
    let give_up = tokio::time::Instant::now() + most;
    while !fact() && tokio::time::Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

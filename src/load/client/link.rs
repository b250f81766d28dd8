//! What is asked on one connection.

use std::cell::Cell;
use std::rc::Rc;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Value};
use tokio::sync::Notify;

use super::request::carried_out;
use super::{Commands, Then};
use crate::model::Nanos;

/// A connection from when it was made until it breaks.
#[derive(Debug)]
pub(crate) struct Link {
    connection: MultiplexedConnection,
    last_answer: Cell<Nanos>,
    /// Requests that wait for their answers.
    pub(super) waiting: Cell<usize>,
    pub(super) given_up: Notify,
}

/// One more is counted, until it is dropped.
pub(super) struct Counted<'a>(&'a Cell<usize>);

impl<'a> Counted<'a> {
    pub(super) fn on(count: &'a Cell<usize>) -> Counted<'a> {
        count.set(count.get() + 1);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Link {
    pub(super) fn new(connection: MultiplexedConnection) -> Rc<Link> {
        let last_answer = Cell::new(Nanos::ZERO);
        let (waiting, given_up) = (Cell::new(0), Notify::new());
        Rc::new(Link { connection, last_answer, waiting, given_up })
    }

    /// Carries out what belongs together, after ASKING if it must be. Errors: the first of theirs.
    pub(crate) async fn carry_out(&self, commands: &Commands, asking: bool) -> RedisResult<Value> {
        match (commands, asking) {
            (Commands::One(command) | Commands::Alone(command), asking) => {
                self.one(command, asking).await
            }
            // Without that a replica sends everybody to its primary.
            (Commands::OfReplica(command), _) => {
                let readonly = redis::cmd("READONLY");
                let answers = self.send_each([&readonly, command], false).await?;
                answers.into_iter().next_back().unwrap_or(Value::Nil).extract_error()
            }
            // Whoever routes takes care of pipelines, as each command goes its own way.
            (Commands::Transaction(commands) | Commands::Pipeline(commands), asking) => {
                self.transact(commands, asking).await
            }
            (Commands::Watched { watch, read, then }, asking) => {
                let _waiting = Counted::on(&self.waiting);
                let mut seen = Value::Nil;
                for answer in self.send_each([watch, read], asking).await? {
                    seen = answer.extract_error()?;
                }
                self.transact(&then(&seen).ok_or_else(strange)?, asking).await
            }
            (Commands::Followed { read, then }, asking) => self.follow(read, then, asking).await,
            // Whoever routes takes the lock.
            (Commands::Locked(locked), asking) => {
                self.follow(&locked.read, &locked.then, asking).await
            }
        }
    }

    /// What `then` makes of the answer to `read`, one command after the other.
    async fn follow(&self, read: &Cmd, then: &Then, asking: bool) -> RedisResult<Value> {
        let seen = self.one(read, asking).await?;
        let mut last = Value::Nil;
        for command in then(&seen).ok_or_else(strange)? {
            last = self.one(&command, asking).await?;
        }
        Ok(last)
    }

    async fn one(&self, command: &Cmd, asking: bool) -> RedisResult<Value> {
        if !asking {
            return self.answer(command).await.and_then(carried_out);
        }
        let answers = self.send_each([command], true).await?;
        carried_out(answers.into_iter().next_back().unwrap_or(Value::Nil))
    }

    /// `commands` between MULTI and EXEC: what EXEC answers.
    async fn transact(&self, commands: &[Cmd], asking: bool) -> RedisResult<Value> {
        let (multi, exec) = (redis::cmd("MULTI"), redis::cmd("EXEC"));
        let all = std::iter::once(&multi).chain(commands).chain([&exec]);
        // ASKING holds until EXEC: <https://redis.io/docs/latest/commands/asking/>
        let mut last = Value::Nil;
        for answer in self.send_each(all, asking).await? {
            // The first error says why; EXEC only says that there was one.
            last = carried_out(answer)?;
        }
        Ok(last)
    }

    /// All of `commands` in one go, after ASKING if it must be: each one's answer.
    pub(crate) async fn send_each<'a>(
        &self,
        commands: impl IntoIterator<Item = &'a Cmd>,
        asking: bool,
    ) -> RedisResult<Vec<Value>> {
        let _waiting = Counted::on(&self.waiting);
        let mut pipeline = Pipeline::new();
        if asking {
            pipeline.cmd("ASKING");
        }
        let before = usize::from(asking);
        commands.into_iter().for_each(|command| _ = pipeline.add_command(command.clone()));
        let count = pipeline.len() - before;
        self.connection.clone().send_packed_commands(&pipeline, before, count).await
    }

    pub(crate) async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        self.answer(command).await.and_then(Value::extract_error)
    }

    /// What the server answers, an error too.
    async fn answer(&self, command: &Cmd) -> RedisResult<Value> {
        let _waiting = Counted::on(&self.waiting);
        self.connection.clone().send_packed_command(command).await
    }

    /// Sends all `count` commands in one write. The error is the first of theirs.
    pub(crate) async fn send_all(&self, commands: &Pipeline, count: usize) -> RedisResult<()> {
        let answers = self.connection.clone().send_packed_commands(commands, 0, count).await?;
        answers.into_iter().try_for_each(|answer| answer.extract_error().map(|_| ()))
    }

    pub(crate) fn answered(&self, at: Nanos) {
        self.last_answer.set(at);
    }

    /// Whether nothing at all was answered since `instant`.
    pub(crate) fn is_silent_since(&self, instant: Nanos) -> bool {
        self.last_answer.get() < instant
    }

    /// New requests use a new connection. Requests under way on this one keep the time that
    /// they have left.
    pub(crate) fn give_up(&self) {
        self.given_up.notify_one();
    }
}

fn strange() -> RedisError {
    RedisError::from((ErrorKind::Extension, "not what was written"))
}

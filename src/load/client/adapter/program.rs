//! An adapter's process: how it is started and ended, and the end of its standard error.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::AdapterError;
use crate::log::OrLogged;

/// Lines of standard error that are kept.
const TAIL: usize = 12;
/// A program whose output has ended mostly ends itself in a moment.
pub(super) const MOMENT: Duration = Duration::from_millis(500);

/// Dropping it kills the program with all that it has started.
#[derive(Debug)]
pub(super) struct Program {
    child: RefCell<Child>,
    group: Option<Pid>,
    gone: Cell<bool>,
    tail: Rc<Tail>,
}

/// The end of what it says on standard error.
#[derive(Debug, Default)]
struct Tail {
    lines: RefCell<VecDeque<String>>,
    whole: Cell<bool>,
}

impl Program {
    /// Starts `command` on the calling thread, which must live as long as the program is wanted.
    pub(super) fn start(
        command: &[String],
    ) -> Result<(Program, ChildStdin, ChildStdout), AdapterError> {
        let (name, args) = command.split_first().ok_or(AdapterError::NoPipes)?;
        let mut program = Command::new(name);
        program.args(args).process_group(0).kill_on_drop(true);
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let parent = rustix::process::getpid();
        let die_with_parent = move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before that.
            match rustix::process::getppid() == Some(parent) {
                true => Ok(()),
                false => Err(rustix::io::Errno::SRCH.into()),
            }
        };
        // SAFETY: between fork and exec only two system calls are made; nothing is
        // allocated and no lock is taken.
        unsafe { program.pre_exec(die_with_parent) };
        let mut child = program.spawn().map_err(|source| AdapterError::start(name, source))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(AdapterError::NoPipes);
        };
        let tail = Rc::new(Tail::default());
        tokio::task::spawn_local(keep_tail(errors, tail.clone()));
        let group = child.id().and_then(|pid| Pid::from_raw(pid as i32));
        let (child, gone) = (RefCell::new(child), Cell::new(false));
        Ok((Program { child, group, gone, tail }, input, output))
    }

    /// How it ended, if it does in a moment, and the last lines of its standard error.
    pub(super) async fn last_words(&self) -> String {
        let status = tokio::time::timeout(MOMENT, self.end()).await;
        if status.is_ok() {
            within(MOMENT, || self.tail.whole.get()).await;
        }
        let ended = match status {
            Ok(Ok(status)) => format!("it ended ({status})"),
            Ok(Err(error)) => format!("how it ended is not known: {error}"),
            Err(_) => "it runs on".to_owned(),
        };
        let tail: Vec<String> = self.tail.lines.borrow().iter().cloned().collect();
        match tail.is_empty() {
            true => format!("{ended}, and it said nothing on standard error"),
            false => format!("{ended}; the last lines of its standard error:\n{}", quoted(&tail)),
        }
    }

    /// Waits for its end within `most`; kills it then. Whether it ended by itself.
    pub(super) async fn ends_within(&self, most: Duration) -> bool {
        let by_itself = tokio::time::timeout(most, self.end()).await.is_ok();
        if !by_itself {
            self.kill();
        }
        by_itself
    }

    async fn end(&self) -> io::Result<std::process::ExitStatus> {
        loop {
            // Not held over an await: others ask too.
            if let Some(status) = self.child.borrow_mut().try_wait()? {
                self.gone.set(true);
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn kill(&self) {
        // Once it has been waited for, its number may be another's.
        if let Some(group) = self.group.filter(|_| !self.gone.get()) {
            rustix::process::kill_process_group(group, Signal::KILL).or_logged("end an adapter");
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

fn quoted(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}

async fn keep_tail(errors: ChildStderr, tail: Rc<Tail>) {
    let mut lines = BufReader::new(errors).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let mut kept = tail.lines.borrow_mut();
        kept.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
        if kept.len() > TAIL {
            kept.pop_front();
        }
    }
    tail.whole.set(true);
}

/// Waits until `fact` is true, for no longer than `most`.
pub(super) async fn within(most: Duration, fact: impl Fn() -> bool) {
    let give_up = tokio::time::Instant::now() + most;
    while !fact() && tokio::time::Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

//! Writes a container's output to the node's log as it comes.

use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::query_parameters::LogsOptionsBuilder;
use futures::StreamExt;
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::call::{RETRY, call};
use super::error::status;
use super::watch::AWAY;
use crate::log::OrLogged;

/// Follows the container's output from `since` on. If the stream breaks, it continues there. It
/// ends when the container has ended and all its output is written, or when the engine is gone.
pub fn follow(docker: Docker, id: String, since: Timestamp, log: File) -> JoinHandle<()> {
    tokio::spawn(async move {
        // A full disk ends it. The writer of events reports that.
        Follower { docker, id, log, next: since }.run().await.or_logged("follow a log");
    })
}

struct Follower {
    docker: Docker,
    id: String,
    log: File,
    /// Everything before this instant is written.
    next: Timestamp,
}

impl Follower {
    async fn run(mut self) -> io::Result<()> {
        let mut heard_at = Instant::now();
        while heard_at.elapsed() < AWAY {
            let to_its_end = self.write().await?;
            match call("inspect", &self.id, self.docker.inspect_container(&self.id, None)).await {
                Ok(seen) => {
                    let runs = seen.state.and_then(|state| state.running) == Some(true);
                    if to_its_end && !runs {
                        return Ok(());
                    }
                    heard_at = Instant::now();
                }
                Err(e) if status(&e) == Some(404) => return Ok(()),
                Err(_) => {}
            }
            tokio::time::sleep(RETRY).await;
        }
        Ok(())
    }

    /// Writes until the stream ends. Returns whether it ended by itself.
    async fn write(&mut self) -> io::Result<bool> {
        // The engine accepts whole seconds only. Lines of this second that are written already
        // are recognised by their times.
        let since = self.next.as_second() as i32;
        let options = LogsOptionsBuilder::default().follow(true).stdout(true).stderr(true);
        let options = options.timestamps(true).since(since).build();
        let mut lines = std::pin::pin!(self.docker.logs(&self.id, Some(options)));
        while let Some(line) = lines.next().await {
            let Some(line) = line.or_logged("read the log of a container") else {
                return Ok(false);
            };
            let line = line.into_bytes();
            let (at, text) = timed(&line);
            if at.is_some_and(|at| at < self.next) {
                continue;
            }
            self.log.write_all(text)?;
            if let Some(at) = at {
                self.next = at + Duration::from_nanos(1);
            }
        }
        Ok(true)
    }
}

/// The instant that the engine writes before a line, and the line.
fn timed(line: &[u8]) -> (Option<Timestamp>, &[u8]) {
    let Some(space) = line.iter().position(|b| *b == b' ') else { return (None, line) };
    let at = std::str::from_utf8(&line[..space]).ok().and_then(|at| at.parse().ok());
    if at.is_some() { (at, &line[space + 1..]) } else { (None, line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_parted_from_its_time() {
        let (at, text) = timed(b"2026-11-21T10:30:42.123456789Z 1:M ready \n");
        assert_eq!(at.unwrap().subsec_nanosecond(), 123_456_789);
        assert_eq!(text, b"1:M ready \n");
        assert_eq!(timed(b"1:M ready"), (None, &b"1:M ready"[..]));
        assert_eq!(timed(b"\n"), (None, &b"\n"[..]));
    }
}

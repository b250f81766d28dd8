//! Cleans up after a redrill that was killed.
//!
//! Containers belong to the engine and go on when redrill is gone. So redrill starts a second
//! process of itself. It only waits for the end of its standard input, which is redrill's end,
//! and then removes everything with the drill's label. If it is killed too, `redrill gc` can
//! still do it.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::error::DockerError;
use super::{endpoint, sweep};
use crate::log::OrLogged;
use parking_lot::Mutex;

/// The hidden subcommand that runs [`reap`].
pub const COMMAND: &str = "reap";
/// How often an engine that is restarting is tried.
const TRIES: u32 = 60;
const RETRY: Duration = Duration::from_secs(1);
/// How long redrill waits for it. If the engine does not answer, it goes on alone.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// The process that waits. Dropping this starts its work.
#[derive(Debug)]
pub struct Reaper(Mutex<Option<Child>>);

impl Reaper {
    pub fn start(redrill: &Path, host: &str, drill: &str) -> Result<Reaper, DockerError> {
        let mut command = Command::new(redrill);
        command.args([COMMAND, "--host", host, "--drill", drill]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Signals of the terminal to redrill's group (Ctrl-C) must not reach it.
        command.process_group(0);
        let child = command.spawn().map_err(DockerError::Reaper)?;
        Ok(Reaper(Mutex::new(Some(child))))
    }

    /// Ends it: nothing is left for it to do.
    pub async fn dismiss(&self) {
        let child = self.0.lock().take();
        let Some(mut child) = child else { return };
        child.kill().or_logged("end the process that clears up");
        tokio::task::spawn_blocking(move || child.wait()).await.or_logged("wait for its end");
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.get_mut().take() {
            // Now it sees the end of its input.
            drop(child.stdin.take());
            let began = Instant::now();
            while matches!(child.try_wait(), Ok(None)) && began.elapsed() < PATIENCE {
                std::thread::sleep(POLL);
            }
        }
    }
}

/// Waits for the end of standard input, and removes everything of the drill `drill` in the
/// engine at `host`.
///
/// # Errors
/// Why it could not be removed. `redrill gc` may be able to later.
pub fn reap(host: &str, drill: &str) -> Result<(), String> {
    io::stdin().read_to_end(&mut Vec::new()).or_logged("watch the parent");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| e.to_string())?.block_on(async {
        let mut trouble = String::new();
        let mut before = Found::Something;
        for _ in 0..TRIES {
            match (clear(host, drill).await, before) {
                (Ok(Found::Nothing), Found::Nothing) => return Ok(()),
                // A container that the engine was creating when redrill was killed appears
                // late.
                (Ok(found), _) => {
                    before = found;
                    trouble = "there was more each time".to_owned();
                }
                (Err(e), _) => trouble = e,
            }
            tokio::time::sleep(RETRY).await;
        }
        Err(trouble)
    })
}

#[derive(Clone, Copy)]
enum Found {
    Nothing,
    Something,
}

/// Removes what it finds.
async fn clear(host: &str, drill: &str) -> Result<Found, String> {
    let engine = endpoint::at(host).await.map_err(|e| e.to_string())?;
    let found = sweep::find(&engine.docker, Some(drill)).await.map_err(|e| e.to_string())?;
    let Some(remains) = found.get(drill) else { return Ok(Found::Nothing) };
    sweep::remove(&engine.docker, remains).await.map_err(|e| e.to_string())?;
    Ok(Found::Something)
}

//! A container's output, written to the node's log as it comes.

use std::fs::File;
use std::io::Write;

use bollard::Docker;
use bollard::query_parameters::LogsOptionsBuilder;
use futures::StreamExt;
use tokio::task::JoinHandle;

/// Follows the container's output from `since` on (Unix time in seconds: a line of an
/// earlier start in that very second is written twice). Done when the container has ended
/// and all that it said is written.
pub fn follow(docker: Docker, id: String, since: i32, mut log: File) -> JoinHandle<()> {
    tokio::spawn(async move {
        let options = LogsOptionsBuilder::default().follow(true).stdout(true).stderr(true);
        let mut lines = std::pin::pin!(docker.logs(&id, Some(options.since(since).build())));
        while let Some(Ok(line)) = lines.next().await {
            if log.write_all(&line.into_bytes()).is_err() {
                // The disk is full: what matters of that is told by whoever writes events.
                return;
            }
        }
    })
}

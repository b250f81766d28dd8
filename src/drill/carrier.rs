//! One replicator's process, from the drill's side: its order at each start, and what it says.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::context::{DrillContext, Halt};
use crate::backend::programs::Programs;
use crate::backend::{ActorPipes, ActorPlan, ActorStarts};
use crate::model::NodeName;
use crate::model::event::{EventKind, Teller};
use crate::sync::protocol::{Greeting, Order, Progress, VERSION};

/// How long a replicator may take to begin.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// A program whose output has ended mostly ends itself in a moment.
const MOMENT: Duration = Duration::from_millis(500);
/// The longest line that is read.
const LINE: u64 = 64 << 10;

/// Serves a replicator until it is dropped, also if the drill ends before all have begun: whoever
/// tells events keeps the drill from ending.
pub struct Carrier(JoinHandle<()>);

impl Drop for Carrier {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts a replicator, and waits until it carries.
pub async fn start(
    drill: &DrillContext<'_>,
    name: NodeName,
    order: Order,
) -> Result<Carrier, Halt> {
    let plan = ActorPlan {
        name: name.clone(),
        program: drill.program.to_owned(),
        args: vec!["replicate".to_owned()],
        env: Vec::new(),
        talks: true,
    };
    let programs = drill.backend.programs();
    let starts = programs.start_actor(plan).await.map_err(Halt::failed)?;
    let (ready, mut carries) = mpsc::channel(1);
    let teller = drill.teller.clone();
    let running = Running { name: name.clone(), order, teller, programs: programs.clone() };
    let carrier = Carrier(tokio::spawn(running.serve(starts, ready)));
    match tokio::time::timeout(START_PATIENCE, carries.recv()).await {
        Ok(Some(())) => Ok(carrier),
        _ => {
            let tail = programs.log_tail(&name);
            let seconds = START_PATIENCE.as_secs();
            Err(Halt::failed(format_args!("{name} did not begin within {seconds} s: {tail}")))
        }
    }
}

/// A replicator, from the drill's side.
struct Running {
    name: NodeName,
    order: Order,
    teller: Teller,
    programs: Arc<Programs>,
}

impl Running {
    fn warn(&self, text: &str) {
        let text = format!("{}: {text}", self.name);
        self.teller.tell(EventKind::Warning { text });
    }

    /// Gives the order at each start of the program, and hears what it says.
    async fn serve(self, mut starts: ActorStarts, ready: mpsc::Sender<()>) {
        while let Some(ActorPipes { stdin, stdout }) = starts.recv().await {
            let pipes = (ChildStdin::from_std(stdin), ChildStdout::from_std(stdout));
            let (Ok(mut stdin), Ok(stdout)) = pipes else {
                self.warn("its standard input and output cannot be used");
                continue;
            };
            let times_ended = self.programs.times_ended(&self.name);
            let line = serde_json::to_string(&self.order).unwrap_or_default() + "\n";
            if stdin.write_all(line.as_bytes()).await.is_ok() {
                self.hear(BufReader::new(stdout), &ready).await;
            }
            // Steps end replicators. That is known a moment after the end of the output.
            tokio::time::sleep(MOMENT).await;
            if self.programs.times_ended(&self.name) == times_ended {
                let tail = self.programs.log_tail(&self.name);
                self.warn(&format!("it has ended by itself, and carries nothing any more: {tail}"));
            }
        }
    }

    /// Hears what it says until its output ends.
    async fn hear(&self, mut lines: BufReader<ChildStdout>, ready: &mpsc::Sender<()>) {
        match next_line(&mut lines).await.map(|line| serde_json::from_slice::<Greeting>(&line)) {
            Some(Ok(greeting)) if greeting.protocol == VERSION => {}
            Some(_) => self.warn("its first line is no greeting"),
            None => return,
        }
        let mut passes = 0;
        while let Some(line) = next_line(&mut lines).await {
            let Ok(progress) = serde_json::from_slice::<Progress>(&line) else {
                return self.warn("it said something that is no line of a replicator");
            };
            if progress.position.is_some() && progress.error.is_none() {
                // It is wanted once only.
                _ = ready.try_send(());
            }
            if let Some(why) = progress.pass.filter(|_| progress.passes > passes) {
                passes = progress.passes;
                self.warn(&why);
            }
        }
    }
}

async fn next_line(lines: &mut BufReader<ChildStdout>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = lines.take(LINE).read_until(b'\n', &mut line).await;
    (read.is_ok() && !line.is_empty()).then_some(line)
}

//! One replicator's process, from the drill's side: its order at each start, and what it says.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

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
/// For so long a server may refuse what a replicator carries before that is told.
const REFUSED: Duration = Duration::from_secs(2);
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
    let (teller, heard) = (drill.teller.clone(), Arc::<Mutex<Heard>>::default());
    let running = Running {
        name: name.clone(),
        order,
        teller,
        programs: programs.clone(),
        heard: heard.clone(),
    };
    let carrier = Carrier(tokio::spawn(running.serve(starts, ready)));
    match tokio::time::timeout(START_PATIENCE, carries.recv()).await {
        Ok(Some(())) => Ok(carrier),
        _ => {
            let seconds = START_PATIENCE.as_secs();
            let state = match (programs.runs(&name), programs.end_of(&name)) {
                (true, _) => "it runs".to_owned(),
                (false, Some(end)) => format!("it has ended ({end})"),
                (false, None) => "it does not run".to_owned(),
            };
            let known = known((&state, &heard.lock()), &programs.log_tail(&name));
            Err(Halt::failed(format_args!("{name} did not begin within {seconds} s: {known}")))
        }
    }
}

/// The last that a replicator has said.
#[derive(Default)]
enum Heard {
    #[default]
    Nothing,
    Greeting,
    Progress(Progress),
}

/// What is known of a replicator that does not begin: its state, the last that it has said, and the
/// last lines of its log.
fn known((state, heard): (&str, &Heard), log: &str) -> String {
    let said = match heard {
        Heard::Nothing => "has said nothing".to_owned(),
        Heard::Greeting => "has said nothing since its greeting".to_owned(),
        Heard::Progress(Progress { error: Some(why), .. }) => {
            format!("said last that it cannot go on: {why}")
        }
        Heard::Progress(Progress { position: None, .. }) => {
            "said last that it does not know its position yet".to_owned()
        }
        Heard::Progress(Progress { position: Some(position), .. }) => {
            format!("said last that it is at {position}")
        }
    };
    match log.trim() {
        "" => format!("{state}, and {said}"),
        log => format!("{state}, and {said}; its log ends: {log}"),
    }
}

/// A replicator, from the drill's side.
struct Running {
    name: NodeName,
    order: Order,
    teller: Teller,
    programs: Arc<Programs>,
    heard: Arc<Mutex<Heard>>,
}

impl Running {
    fn warn(&self, text: &str) {
        let text = format!("{}: {text}", self.name);
        self.teller.tell(EventKind::Warning { text });
    }

    /// The drill goes on without it, and blames no server for that: the program is redrill's own.
    fn lost(&self, how: &str) {
        let what = format!("redrill's own replicator {} {how}", self.name);
        self.teller.tell(EventKind::OwnLost { what });
    }

    /// Gives the order at each start of the program, and hears what it says.
    async fn serve(self, mut starts: ActorStarts, ready: mpsc::Sender<()>) {
        let mut refusals = Refusals::default();
        while let Some(ActorPipes { stdin, stdout }) = starts.recv().await {
            let pipes = (ChildStdin::from_std(stdin), ChildStdout::from_std(stdout));
            let (Ok(mut stdin), Ok(stdout)) = pipes else {
                self.lost("has a standard input and output that cannot be used");
                continue;
            };
            let times_ended = self.programs.times_ended(&self.name);
            let line = serde_json::to_string(&self.order).unwrap_or_default() + "\n";
            if stdin.write_all(line.as_bytes()).await.is_ok() {
                self.hear(BufReader::new(stdout), &ready, &mut refusals).await;
            }
            // Steps end replicators. That is known a moment after the end of the output.
            tokio::time::sleep(MOMENT).await;
            if self.programs.times_ended(&self.name) == times_ended {
                let tail = self.programs.log_tail(&self.name);
                let end = self.programs.end_of(&self.name);
                let end = end.map_or(String::new(), |end| format!(" ({end})"));
                self.warn(&format!("it has ended, and carries nothing any more: {tail}"));
                self.lost(&format!("ended{end} although no step had ended it"));
            }
        }
    }

    /// Hears what it says until its output ends.
    async fn hear(
        &self,
        mut lines: BufReader<ChildStdout>,
        ready: &mpsc::Sender<()>,
        refusals: &mut Refusals,
    ) {
        refusals.lasting = None;
        match next_line(&mut lines).await.map(|line| serde_json::from_slice::<Greeting>(&line)) {
            Some(Ok(greeting)) if greeting.protocol == VERSION => {
                *self.heard.lock() = Heard::Greeting;
            }
            Some(_) => self.lost("began with a line that is no greeting"),
            None => return,
        }
        let mut passes = 0;
        while let Some(line) = next_line(&mut lines).await {
            let Ok(progress) = serde_json::from_slice::<Progress>(&line) else {
                return self.lost("printed a line that is none of a replicator");
            };
            if progress.position.is_some() && progress.error.is_none() {
                // It is wanted once only.
                _ = ready.try_send(());
            }
            if refusals.is_news(progress.refused.as_deref(), Instant::now()) {
                let why = progress.error.as_deref().unwrap_or_default();
                self.warn(&format!("it carries nothing, because a server refuses: {why}"));
            }
            if let Some(why) = progress.pass.as_ref().filter(|_| progress.passes > passes) {
                passes = progress.passes;
                self.warn(why);
            }
            *self.heard.lock() = Heard::Progress(progress);
        }
    }
}

async fn next_line(lines: &mut BufReader<ChildStdout>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = lines.take(LINE).read_until(b'\n', &mut line).await;
    (read.is_ok() && !line.is_empty()).then_some(line)
}

/// What servers refuse with, each by its word. Each is told once.
#[derive(Default)]
struct Refusals {
    lasting: Option<(String, Instant)>,
    told: BTreeSet<String>,
}

impl Refusals {
    /// Whether what is said now has lasted for so long that it is to be told.
    fn is_news(&mut self, refused: Option<&str>, at: Instant) -> bool {
        let Some(word) = refused else {
            self.lasting = None;
            return false;
        };
        match &self.lasting {
            Some((known, since)) if known == word => {
                at.duration_since(*since) >= REFUSED && self.told.insert(word.to_owned())
            }
            _ => {
                self.lasting = Some((word.to_owned(), at));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_that_does_not_begin_everything_known_is_told() {
        let progress = |position: Option<&str>, error: Option<&str>| {
            let [position, error] = [position, error].map(|text| text.map(str::to_owned));
            Heard::Progress(Progress { position, error, ..Progress::default() })
        };
        for (heard, log, told) in [
            (Heard::Nothing, "", "it runs, and has said nothing"),
            (Heard::Greeting, " ", "it runs, and has said nothing since its greeting"),
            (
                progress(None, None),
                "",
                "it runs, and said last that it does not know its position yet",
            ),
            (
                progress(Some("0-0"), Some("us: no answer")),
                "",
                "it runs, and said last that it cannot go on: us: no answer",
            ),
            (
                progress(Some("7-1"), None),
                "panicked\n",
                "it runs, and said last that it is at 7-1; its log ends: panicked",
            ),
        ] {
            assert_eq!(known(("it runs", &heard), log), told);
        }
    }

    #[test]
    fn a_refusal_that_lasts_is_news_once() {
        let (mut refusals, begin) = (Refusals::default(), Instant::now());
        let mut told = |said: &[(u64, Option<&str>)]| {
            let news = |(ms, word): &(u64, Option<&str>)| {
                refusals.is_news(*word, begin + Duration::from_millis(*ms))
            };
            said.iter().map(news).collect::<Vec<_>>()
        };
        let oom = Some("OOM");
        assert_eq!(told(&[(0, oom), (1_900, oom), (2_000, None)]), [false; 3], "it was over");
        assert_eq!(told(&[(3_000, oom), (4_900, oom), (5_000, oom)]), [false, false, true]);
        assert_eq!(told(&[(5_100, None), (6_000, oom), (9_000, oom)]), [false; 3], "it is known");
        let other = Some("READONLY");
        assert_eq!(told(&[(9_100, other), (9_200, oom), (11_150, other)]), [false; 3]);
        assert_eq!(told(&[(13_150, other)]), [true]);
    }
}

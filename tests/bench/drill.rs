//! Whole drills, as a person plays them: `redrill run`, and what it leaves.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use redrill::model::event::Event;
use redrill::report::{self, Report};
use tempfile::TempDir;

/// No drill of a row takes so long.
const AT_MOST: Duration = Duration::from_secs(120);

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A drill that was played; its run folder is removed with this value.
pub struct Played {
    pub report: Report,
    /// The wall time of the whole command.
    pub took: Duration,
    _out: TempDir,
}

/// Plays a scenario. `args` are those of `redrill run`; `settings` are `KEY=VALUE`, as for `--set`.
///
/// Errors: it ended without a verdict, or had none after two minutes.
pub fn play(args: &[&str], settings: &[&str]) -> Result<Played> {
    let out = tempfile::tempdir()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_redrill"));
    command.arg("run").args(args).arg("--out").arg(out.path());
    settings.iter().for_each(|setting| _ = command.args(["--set", setting]));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = until_ended(command.spawn()?)?;
    let took = start.elapsed();
    if status.code().is_none_or(|code| code > 2) {
        return Err(format!("redrill run {}: {status}", args.join(" ")).into());
    }
    let report = report::json::read(&run_folder(out.path())?.join("report.json"))?;
    doubts(&report).for_each(|doubt| eprintln!("bench: {}: {doubt}", report.scenario));
    Ok(Played { report, took, _out: out })
}

/// Kills it if it does not end; its servers end with it.
fn until_ended(mut child: Child) -> io::Result<ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if began.elapsed() > AT_MOST {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other(format!("a drill did not end in {AT_MOST:?}")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn run_folder(out: &Path) -> Result<PathBuf> {
    Ok(std::fs::read_dir(out)?.next().ok_or("no run folder")??.path())
}

/// Why a figure may be less than it seems: a busy machine, a rate that was not held.
fn doubts(report: &Report) -> impl Iterator<Item = String> {
    let broken = report.expectations.iter().filter_map(|judged| {
        let why = judged.why.as_ref()?;
        Some(format!("not {}: {why}", judged.text))
    });
    report.busy.clone().into_iter().chain(broken)
}

impl Played {
    pub fn measure(&self, name: &str) -> Result<f64> {
        let value = self.report.measures.get(name).and_then(|measure| measure.value);
        value.ok_or_else(|| format!("the drill could not tell {name}").into())
    }

    /// Everything that the drill reported, in order.
    pub fn events(&self) -> Result<Vec<Event>> {
        let text = std::fs::read_to_string(self.report.folder.join("events.jsonl"))?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

//! `redrill check`: checks files without starting anything.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::exit::{self, Failure};
use super::{input, out, terminal};
use crate::spec::rules::count;
use crate::spec::step::{Step, StepAction};
use crate::spec::{self, Diagnostic, Diagnostics, FileKind, Options, Scenario, Source, Topology};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Topologies and scenarios; a folder stands for the .yaml files in it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn main(args: Args) -> ExitCode {
    let (mut wrong, mut files, mut refused) = (0, 0, None);
    let mut told = Printed::default();
    for path in &args.files {
        match within(path) {
            Ok(within) => {
                files += within.len();
                for file in within {
                    match passes(&file, &mut told) {
                        Ok(right) => wrong += u32::from(!right),
                        Err(unprinted) => refused = Some(exit::of(Err(unprinted))),
                    }
                }
            }
            Err(diagnostic) => refused = Some(input::refuse(&Diagnostics::one(diagnostic))),
        }
    }
    if wrong > 0 {
        terminal::say(&format!("{} with errors, of {files}", count(wrong, "file")));
    }
    refused.unwrap_or(ExitCode::from(if wrong > 0 { exit::BAD_FILE } else { 0 }))
}

/// Prints what the file is, or what is wrong with it. Returns whether it is right.
fn passes(file: &Path, told: &mut Printed) -> Result<bool, Failure> {
    let name = file.display();
    let diagnostics = match check(file) {
        Ok(text) => {
            return out::put(&format!("{name}: {text}\n")).map(|()| true);
        }
        Err(diagnostics) => told.unless_told(diagnostics),
    };
    match diagnostics {
        Some(diagnostics) => drop(input::refuse(&diagnostics)),
        None => terminal::say(&format!("{name}: has errors, see above")),
    }
    Ok(false)
}

/// The diagnostics that have been printed. A topology's are found again with each scenario that
/// uses it, and when the topology itself is checked.
#[derive(Default)]
struct Printed(HashSet<(PathBuf, usize, usize, String)>);

impl Printed {
    /// Those of `diagnostics` that were not printed yet.
    fn unless_told(&mut self, diagnostics: Diagnostics) -> Option<Diagnostics> {
        let new = diagnostics.into_vec().into_iter().filter(|diagnostic| {
            let Some(span) = &diagnostic.span else { return true };
            let file = PathBuf::from(span.source.name());
            // Several paths may lead to one file.
            let file = file.canonicalize().unwrap_or(file);
            self.0.insert((file, span.start, span.end, diagnostic.message.clone()))
        });
        Diagnostics::unless_empty(new.collect(), Some(())).err()
    }
}

/// `path` itself, or the files in it.
fn within(path: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let files = input::yaml_files(path).map_err(|error| input::unreadable(path, &error))?;
    if files.is_empty() {
        let message = format!("{} has no .yaml files in it", path.display());
        let advice = "give a file, or the folder that topologies and scenarios are in";
        return Err(Diagnostic::nowhere(message, advice));
    }
    Ok(files.into_iter().map(PathBuf::from).collect())
}

/// Checks the file and says what it is.
fn check(path: &Path) -> Result<String, Diagnostics> {
    let unreadable = |error| Diagnostics::one(input::unreadable(path, &error));
    let source: Source = input::read(path).map_err(unreadable)??;
    let options = Options::default();
    match spec::kind_of(&source)? {
        FileKind::Topology => {
            spec::parse_topology(&source, &options).map(|it| format!("a topology, {}", size(&it)))
        }
        FileKind::Scenario => input::parse_scenario(&source, &options).map(|it| describe(&it)),
    }
}

fn size(topology: &Topology) -> String {
    let groups = count(topology.groups.len() as u32, "group");
    format!("{groups} with {}", count(topology.nodes(), "node"))
}

/// How many steps chaos makes, the seed decides.
fn chaos(step: &Step) -> Option<String> {
    match &step.action {
        StepAction::Chaos(chaos) => Some(format!("chaos of {} s", chaos.lasts.0.as_secs_f64())),
        _ => None,
    }
}

fn describe(scenario: &Scenario) -> String {
    let chaos: Vec<String> = scenario.timeline.iter().filter_map(chaos).collect();
    let steps = scenario.timeline.len() - chaos.len();
    let written = (steps > 0 || chaos.is_empty()).then(|| count(steps as u32, "step"));
    let timeline: Vec<String> = written.into_iter().chain(chaos).collect();
    format!(
        "a scenario, {}, {}, {} on the topology {} ({})",
        count(scenario.loads.len() as u32, "load"),
        timeline.join(", "),
        count(scenario.expect.len() as u32, "expectation"),
        scenario.topology.name,
        size(&scenario.topology),
    )
}

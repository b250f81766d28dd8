//! `redrill check`: whether files are right, without starting anything.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{exit, input, out, terminal};
use crate::spec::rules::count;
use crate::spec::{self, Faults, Kind, Options, Scenario, Source, Topology};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Topologies and scenarios; a folder stands for the .yaml files in it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn main(args: Args) -> ExitCode {
    let (mut faulty, mut files) = (0, 0);
    for file in args.files.iter().flat_map(|path| within(path)) {
        files += 1;
        match check(&file) {
            Ok(text) => {
                out::print(&format!("{}: {text}\n", file.display()));
            }
            Err(faults) => {
                input::refuse(&faults);
                faulty += 1;
            }
        }
    }
    if faulty == 0 {
        return ExitCode::SUCCESS;
    }
    terminal::say(&format!("{} faulty, of {files}", count(faulty, "file")));
    ExitCode::from(exit::BAD_FILE)
}

/// The files that `path` stands for. A folder without any stands for itself, and
/// is refused as every other path that is no file.
fn within(path: &Path) -> Vec<PathBuf> {
    let files =
        if path.is_dir() { input::yaml_files(path).unwrap_or_default() } else { Vec::new() };
    match files.is_empty() {
        true => vec![path.to_owned()],
        false => files.into_iter().map(PathBuf::from).collect(),
    }
}

/// What the file is, if it is right.
fn check(path: &Path) -> Result<String, Faults> {
    let unreadable = |error| Faults::one(input::unreadable(path, &error));
    let source: Source = input::read(path).map_err(unreadable)??;
    let options = Options::default();
    match spec::kind_of(&source)? {
        Kind::Topology => {
            spec::parse_topology(&source, &options).map(|it| format!("a topology, {}", size(&it)))
        }
        Kind::Scenario => input::parse_scenario(&source, &options).map(|it| describe(&it)),
    }
}

fn size(topology: &Topology) -> String {
    let groups = count(topology.groups.len() as u32, "group");
    format!("{groups} with {}", count(topology.nodes(), "node"))
}

fn describe(scenario: &Scenario) -> String {
    format!(
        "a scenario, {}, {}, {} on the topology {} ({})",
        count(scenario.loads.len() as u32, "load"),
        count(scenario.timeline.len() as u32, "step"),
        count(scenario.expect.len() as u32, "expectation"),
        scenario.topology.name,
        size(&scenario.topology),
    )
}

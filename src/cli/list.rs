//! `redrill list`: the scenarios and topologies that come with redrill, and what it measures.
//! `redrill show`: the YAML of one of them. `redrill schema`: JSON schemas, with which an editor
//! completes and checks files. `redrill compose`: a topology as a Compose file, which can be
//! brought up without redrill.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use super::{exit, input, out, terminal};
use crate::model::catalogue::CATALOGUE;
use crate::report::text::wrap;
use crate::spec::library::{self, Ready};
use crate::spec::{self, Diagnostic, Diagnostics, FileKind, Options, Purpose, nearest};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// `measures` lists the measures that a scenario can expect
    #[arg(value_enum)]
    what: Option<Listed>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Listed {
    Measures,
}

pub fn main(args: Args) -> ExitCode {
    // A reader of a pipe (`| grep reshard`) wants one entry a line.
    let terminal = io::stdout().is_terminal();
    let width = if terminal { terminal::width() } else { usize::MAX };
    out::print(&match args.what {
        None => list(width),
        Some(Listed::Measures) => measures(width),
    })
}

/// Every measure, in the order of the catalogue.
fn measures(width: usize) -> String {
    let names = CATALOGUE.iter().map(|known| known.name.len()).max().unwrap_or(0);
    let rows = CATALOGUE.iter().map(|known| {
        let about = format!("{} ({})", known.about, known.unit.word());
        row(known.name, &about, names, width)
    });
    format!("Measures (expect: [NAME <= BOUND])\n{}", rows.collect::<String>())
}

/// `width` is in columns.
fn list(width: usize) -> String {
    let all = || library::scenarios().iter().chain(library::topologies());
    let names = all().map(|ready| ready.name.len()).max().unwrap_or(0);
    let rows = |ready: &[Ready]| {
        let row = |r: &Ready| row(r.name, &r.summary(), names, width);
        ready.iter().map(row).collect::<String>()
    };
    format!(
        "Scenarios (redrill run NAME)\n{}\nTopologies (redrill up NAME)\n{}\n\
         What they measure: redrill list measures\n",
        rows(library::scenarios()),
        rows(library::topologies())
    )
}

/// The name in a column of `names` columns, and beside it the description, wrapped at spaces.
fn row(name: &str, about: &str, names: usize, width: usize) -> String {
    let lines = wrap(about, width, &format!("  {name:names$}  "), &" ".repeat(names + 4));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// A name that `redrill list` prints
    name: String,
}

/// `redrill show`: prints the YAML of a ready scenario or topology, as a start for a new one.
pub fn show(args: ShowArgs) -> ExitCode {
    let kinds = [FileKind::Scenario, FileKind::Topology];
    match kinds.iter().find_map(|&kind| library::find(kind, &args.name)) {
        Some(ready) => out::print(ready.text),
        None => {
            let all = || library::scenarios().iter().chain(library::topologies());
            let names: Vec<&str> = all().map(|ready| ready.name).collect();
            let message = format!("nothing called `{}` comes with redrill", args.name);
            let advice = nearest::advice("names", &args.name, &names);
            input::refuse(&Diagnostics::one(Diagnostic::nowhere(message, advice)));
            ExitCode::from(exit::USAGE)
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    kind: SchemaKind,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SchemaKind {
    /// Files that describe a topology
    Topology,
    /// Files that describe a scenario
    Scenario,
    /// report.json, which a run leaves
    Report,
}

pub fn schema(args: SchemaArgs) -> ExitCode {
    match args.kind {
        SchemaKind::Topology => out::print(&format!("{:#}\n", spec::schema::topology())),
        SchemaKind::Scenario => out::print(&format!("{:#}\n", spec::schema::scenario())),
        SchemaKind::Report => {
            let schema = crate::report::json::schema().map_err(exit::Failure::from);
            exit::of(schema.map(|schema| out::print(&schema)))
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct ComposeArgs {
    /// A ready topology's name, or a path
    topology: String,
    /// Change a value of the topology, as in groups.cache.replicas=2
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

pub fn compose(args: ComposeArgs) -> ExitCode {
    let options = Options { purpose: Purpose::Compose, set: args.set, ..Options::default() };
    match input::topology(&args.topology, &options) {
        Ok(topology) => out::print(&spec::compose::compose(&topology)),
        Err(found) => input::refuse(&found),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_stay_whole_and_stand_in_their_column() {
        for width in [60, 80, 200] {
            let list = super::list(width);
            assert!(list.lines().all(|line| line.chars().count() <= width), "{list}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&list), words(&super::list(10_000)));
        }
        let measures = super::measures(80);
        assert!(measures.contains("  writes.lost "), "{measures}");
        assert!(measures.lines().all(|line| line.chars().count() <= 80), "{measures}");
        assert!(super::measures(10_000).lines().count() == 1 + super::CATALOGUE.len());
        let summary = super::list(60).lines().nth(2).unwrap().to_owned();
        assert!(summary.starts_with(&" ".repeat(21)), "{summary}");
    }
}

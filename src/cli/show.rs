//! `redrill show`: prints the YAML of a ready scenario or topology, as a start for a new one.

use std::process::ExitCode;

use super::{exit, input, out};
use crate::spec::{Diagnostic, Diagnostics, FileKind, library, nearest};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A name that `redrill list` prints
    name: String,
}

pub fn main(args: Args) -> ExitCode {
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

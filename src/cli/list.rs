//! `redrill list`: the scenarios and topologies that come with redrill.

use std::process::ExitCode;

use super::out;
use crate::spec::library::{self, Ready};

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn main(_: Args) -> ExitCode {
    out::print(&list())
}

fn list() -> String {
    let all = || library::scenarios().iter().chain(library::topologies());
    let width = all().map(|ready| ready.name.len()).max().unwrap_or(0);
    let rows = |ready: &[Ready]| -> String {
        ready.iter().map(|r| format!("  {:width$}  {}\n", r.name, r.summary())).collect()
    };
    format!(
        "Scenarios (redrill run NAME)\n{}\nTopologies (redrill up NAME)\n{}",
        rows(library::scenarios()),
        rows(library::topologies())
    )
}

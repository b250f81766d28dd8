//! `redrill schema`: JSON schemas, with which an editor completes and checks files.

use std::process::ExitCode;

use super::out;
use crate::report;
use crate::spec::schema;

#[derive(Debug, clap::Args)]
pub struct Args {
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

pub fn main(args: Args) -> ExitCode {
    match args.kind {
        SchemaKind::Topology => out::print(&format!("{:#}\n", schema::topology())),
        SchemaKind::Scenario => out::print(&format!("{:#}\n", schema::scenario())),
        SchemaKind::Report => match report::json::schema() {
            Ok(schema) => out::print(&schema),
            Err(error) => super::report::refuse(&error),
        },
    }
}

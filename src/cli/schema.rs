//! `redrill schema`: JSON schemas, with which an editor completes and checks files
//! while they are written.

use std::process::ExitCode;

use super::out;
use crate::spec::schema;

#[derive(Debug, clap::Args)]
pub struct Args {
    kind: Kind,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    /// Files that describe a topology
    Topology,
    /// Files that describe a scenario
    Scenario,
}

pub fn main(args: Args) -> ExitCode {
    let schema = match args.kind {
        Kind::Topology => schema::topology(),
        Kind::Scenario => schema::scenario(),
    };
    out::print(&format!("{schema:#}\n"))
}

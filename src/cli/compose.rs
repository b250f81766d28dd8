//! `redrill compose`: prints a topology as a Compose file, which can be brought up without
//! redrill.

use std::process::ExitCode;

use super::{input, out};
use crate::spec::{Options, Purpose, compose};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A ready topology's name, or a path
    topology: String,
    /// Change a value of the topology, as in groups.cache.replicas=2
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

pub fn main(args: Args) -> ExitCode {
    let options = Options { purpose: Purpose::Compose, set: args.set, ..Options::default() };
    match input::topology(&args.topology, &options) {
        Ok(topology) => out::print(&compose::compose(&topology)),
        Err(faults) => input::refuse(&faults),
    }
}

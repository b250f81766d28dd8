//! `redrill reap`, hidden: clears containers up after a redrill that was killed, see
//! [`crate::backend::docker::reaper`].

use std::process::ExitCode;

use super::exit;
use crate::backend::docker::reaper;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long)]
    host: String,
    #[arg(long)]
    drill: String,
}

pub fn main(args: Args) -> ExitCode {
    match reaper::reap(&args.host, &args.drill) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody listens; whoever looks at exit codes may know.
        Err(_) => ExitCode::from(exit::ENVIRONMENT),
    }
}

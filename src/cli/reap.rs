//! `redrill reap`, hidden: removes the containers of a redrill that was killed, see
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
        // Nobody reads messages of this process; the exit code shows the failure.
        Err(_) => ExitCode::from(exit::ENVIRONMENT),
    }
}

//! `redrill gc`: removes what a killed redrill left.

use std::process::ExitCode;

use super::exit::{self, fail};
use crate::backend::registry::{Registry, RegistryError};

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn main(_: Args) -> ExitCode {
    match collect() {
        Ok(removed) if removed.is_empty() => println!("nothing was left behind"),
        Ok(removed) => removed.iter().for_each(|what| println!("removed {what}")),
        Err(e) => return fail(exit::ENVIRONMENT, &e),
    }
    ExitCode::SUCCESS
}

/// One that cannot be removed keeps the others from nothing.
fn collect() -> Result<Vec<String>, RegistryError> {
    let registry = Registry::locate()?;
    let (mut removed, mut trouble) = (Vec::new(), None);
    for record in registry.records()? {
        match registry.collect_one(&record) {
            Ok(gone) => removed.extend(gone),
            Err(e) => trouble = trouble.or(Some(e)),
        }
    }
    match trouble {
        Some(e) => {
            removed.iter().for_each(|what| println!("removed {what}"));
            Err(e)
        }
        None => Ok(removed),
    }
}

//! `redrill gc`: removes what a killed redrill left.

use std::process::ExitCode;

use super::exit::{self, fail};
use super::out;
use crate::backend::registry::{Registry, RegistryError};

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn main(_: Args) -> ExitCode {
    match collect() {
        Ok(removed) if removed.is_empty() => out::print("nothing was left behind\n"),
        Ok(removed) => tell(&removed),
        Err(e) => fail(exit::ENVIRONMENT, &e),
    }
}

fn tell(removed: &[String]) -> ExitCode {
    out::print(&removed.iter().map(|what| format!("removed {what}\n")).collect::<String>())
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
            tell(&removed);
            Err(e)
        }
        None => Ok(removed),
    }
}

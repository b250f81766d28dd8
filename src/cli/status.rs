//! `redrill status`: what runs on this machine.

use std::process::ExitCode;

use futures::future::join_all;

use super::exit::{self, fail};
use super::out;
use super::survey::{Survey, survey};
use crate::backend::registry::{Record, Registry, RegistryError};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this one
    name: Option<String>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Text,
    Json,
}

pub fn main(args: Args) -> ExitCode {
    let records = match records(args.name.as_deref()) {
        Ok(records) => records,
        Err(e @ RegistryError::BadName { .. }) => return fail(exit::USAGE, &e),
        Err(e) => return fail(exit::ENVIRONMENT, &e),
    };
    if let (Some(name), true) = (&args.name, records.is_empty()) {
        return fail(exit::USAGE, &format!("nothing named `{name}` is running"));
    }
    let surveys: Vec<Survey> = match super::block_on(join_all(records.iter().map(survey))) {
        Ok(surveys) => surveys,
        Err(e) => return fail(exit::ENVIRONMENT, &e),
    };
    match args.format {
        Format::Json => match serde_json::to_string_pretty(&surveys) {
            Ok(json) => out::print(&format!("{json}\n")),
            Err(e) => fail(exit::BUG, &e),
        },
        Format::Text if surveys.is_empty() => out::print("nothing is running\n"),
        Format::Text => {
            out::print(&surveys.iter().map(Survey::text).collect::<Vec<_>>().join("\n"))
        }
    }
}

fn records(name: Option<&str>) -> Result<Vec<Record>, RegistryError> {
    let registry = Registry::locate()?;
    match name {
        Some(name) => Ok(registry.find(name)?.into_iter().collect()),
        None => registry.records(),
    }
}

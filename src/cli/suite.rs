//! `redrill suite`: plays several scenarios, with one JUnit file and one index
//! page for all.

use std::path::Path;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::out::{self, Format};
use super::play::{self, PlayArgs, Refused};
use super::{exit, input, runtime, tally, terminal};
use crate::model::Verdict;
use crate::report;
use crate::report::suite::Entry;
use crate::spec::{self, FileKind, Scenario, library};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Names of ready scenarios, files, or folders of files; all ready ones if none is given
    #[arg(value_name = "PATH|NAME")]
    scenarios: Vec<String>,
    #[command(flatten)]
    play: PlayArgs,
}

pub fn main(args: Args) -> ExitCode {
    // All are read before the first is played: a typing error in the last one should not cost
    // the night.
    let played = read_all(&args).and_then(|scenarios| {
        runtime::play(async { suite(&scenarios, &args.play, &runtime::token()).await })
    });
    play::exit_code(played)
}

fn read_all(args: &Args) -> Result<Vec<Scenario>, Refused> {
    let names = match args.scenarios.is_empty() {
        true => library::scenarios().iter().map(|ready| ready.name.to_owned()).collect(),
        false => expand(&args.scenarios)?,
    };
    let as_they_are = lack_profile(&names, args.play.profile.as_deref())?;
    let plain = PlayArgs { profile: None, ..args.play.clone() };
    let args_of = |name| if as_they_are.contains(&name) { &plain } else { &args.play };
    let read: Vec<_> = names.iter().map(|name| read(name, args_of(name))).collect();
    read.into_iter().collect::<Result<Vec<_>, _>>().map(|read| read.concat())
}

/// The scenarios without this profile. They are played as they are, because not every scenario
/// in a folder needs a nightly variant. If none has the profile, that is an error.
fn lack_profile<'n>(
    names: &'n [String],
    profile: Option<&str>,
) -> Result<Vec<&'n String>, Refused> {
    let Some(profile) = profile else { return Ok(Vec::new()) };
    // A file that cannot be read is reported when it is read.
    let has = |name: &&String| {
        let source = input::find(FileKind::Scenario, name, None);
        source.map_or(true, |source| spec::profile_names(&source).iter().any(|p| p == profile))
    };
    let (have, lack): (Vec<&String>, Vec<&String>) = names.iter().partition(has);
    let list = |names: &[&String]| names.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ");
    if have.is_empty() {
        let text = format!(
            "none of these scenarios has a profile `{profile}`: {}; give one that they have, or \
             leave --profile out",
            list(&lack)
        );
        return Err(play::refuse(exit::BAD_FILE, text));
    }
    if !lack.is_empty() {
        terminal::say(&format!("no profile `{profile}`, so played as they are: {}", list(&lack)));
    }
    Ok(lack)
}

/// The scenario called `name`. One with `over` becomes one for each value.
fn read(name: &str, args: &PlayArgs) -> Result<Vec<Scenario>, Refused> {
    let scenario = play::read(name, args)?;
    let Some(over) = &scenario.over else { return Ok(vec![scenario]) };
    let each = over.settings().into_iter().zip(&over.values).map(|(setting, value)| {
        let mut args = args.clone();
        args.set.push(setting);
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let value: String = value.chars().map(plain).collect();
        let scenario = play::read(name, &args)?;
        Ok(Scenario { name: format!("{}-{value}", scenario.name), over: None, ..scenario })
    });
    each.collect()
}

/// Replaces folders by the scenarios in them, by name. Topologies beside them are skipped.
fn expand(names: &[String]) -> Result<Vec<String>, Refused> {
    let mut all = Vec::new();
    for name in names {
        if !Path::new(name).is_dir() {
            all.push(name.clone());
            continue;
        }
        let files = input::yaml_files(Path::new(name))
            .map_err(|error| play::refuse(exit::BAD_FILE, format_args!("{name}: {error}")))?;
        let (topologies, scenarios): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| is_topology(file));
        if scenarios.is_empty() {
            let skipped = match topologies.is_empty() {
                true => String::new(),
                false => format!("; these are topologies: {}", topologies.join(", ")),
            };
            let text = format_args!("{name}: no scenarios in this folder{skipped}");
            return Err(play::refuse(exit::BAD_FILE, text));
        }
        all.extend(scenarios);
    }
    Ok(all)
}

/// A file that cannot be read counts as a scenario: reading it will report the error.
fn is_topology(file: &str) -> bool {
    let source = input::read(Path::new(file)).ok().and_then(Result::ok);
    source.is_some_and(|source| spec::kind_of(&source).is_ok_and(|kind| kind == FileKind::Topology))
}

async fn suite(
    scenarios: &[Scenario],
    args: &PlayArgs,
    stop: &CancellationToken,
) -> Result<u8, Refused> {
    let folder = play::batch_folder(&args.out, "suite")?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut refused = None;
    for (at, scenario) in scenarios.iter().enumerate() {
        terminal::say(&format!("{} ({} of {})", scenario.name, at + 1, scenarios.len()));
        match play::play(scenario, args, &folder, false, stop).await {
            Ok(played) => {
                if args.format == Format::Text
                    && let Err(unprinted) = play::print(&played.report, args.format)
                {
                    refused = refused.or(Some(unprinted.code));
                }
                entries.push(Entry::played(played.report));
                if played.interrupted {
                    refused = Some(exit::INTERRUPTED);
                    break;
                }
            }
            // The others are still worth playing.
            Err(Refused { code, why }) => {
                entries.push(Entry::unplayed(&scenario.name, why, code));
                refused = refused.or(Some(code));
            }
        }
    }
    // The files also list the scenarios that were not begun.
    let not_begun = scenarios[entries.len()..].iter();
    entries.extend(not_begun.map(|it| Entry::skipped(&it.name, exit::INTERRUPTED)));
    write_all(&folder, &entries, args.format)?;
    Ok(exit_code(refused, report::suite::verdict(&entries)))
}

/// A drill that failed counts more than one that could not be played. `refused` is the code of
/// the first of those, or that of an interruption.
fn exit_code(refused: Option<u8>, verdict: Verdict) -> u8 {
    match refused {
        Some(code) if code == exit::INTERRUPTED || verdict != Verdict::Fail => code,
        _ => verdict.exit_code(),
    }
}

fn write_all(folder: &Path, entries: &[Entry], format: Format) -> Result<(), Refused> {
    let index = folder.join("index.html");
    report::junit::of_suite(entries)
        .and_then(|junit| report::write_file(&folder.join(report::file::JUNIT), &junit))
        .and_then(|()| report::suite::index(entries))
        .and_then(|page| report::write_file(&index, &page))
        .map_err(play::unreported)?;
    play::put(&match format {
        Format::Json => report::suite::json(entries),
        Format::Text => format!("  all     {}\n\n{}", index.display(), tally(entries)),
    })
}

fn tally(entries: &[Entry]) -> String {
    let lines: Vec<_> = entries.iter().map(tally::DrillResult::of_suite).collect();
    tally::text(&lines, entries.len(), terminal::width(), out::colour())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_that_failed_decides_whatever_could_not_be_played() {
        assert_eq!(exit_code(None, Verdict::Pass), 0);
        assert_eq!(exit_code(None, Verdict::Unknown), 2);
        assert_eq!(exit_code(Some(exit::BAD_FILE), Verdict::Unknown), exit::BAD_FILE);
        assert_eq!(exit_code(Some(exit::BAD_FILE), Verdict::Fail), 1);
        assert_eq!(exit_code(Some(exit::INTERRUPTED), Verdict::Fail), exit::INTERRUPTED);
    }
}

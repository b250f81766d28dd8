//! `redrill run`: plays one scenario, once or several times.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::out::{self, Format};
use super::play::{self, PlayArgs, Played, Refused};
use super::{exit, matrix, runtime, tally, terminal};
use crate::drill::Kept;
use crate::report::{self, Report, spread};
use crate::spec::Scenario;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A ready scenario's name (see `redrill list`), or a path
    scenario: String,
    #[command(flatten)]
    play: PlayArgs,
    /// Play it so many times; the median and spread of every measure
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: Option<u32>,
    /// Leave the topology up afterwards, until Ctrl-C or `redrill down`
    #[arg(long, conflicts_with = "repeat")]
    keep: bool,
}

pub fn main(args: Args) -> ExitCode {
    play::exit_code(run(args))
}

fn run(args: Args) -> Result<u8, Refused> {
    let scenario = play::read(&args.scenario, &args.play)?;
    if let Some(over) = &scenario.over {
        if args.keep || args.repeat.is_some() {
            let why = format!(
                "`{}` is played over several values of {}, and --repeat and --keep are for one \
                 drill",
                scenario.name, over.key
            );
            return Err(play::refuse(exit::USAGE, why));
        }
        let Args { scenario, play, .. } = args;
        return matrix::set_side_by_side(matrix::Args {
            scenario,
            engines: vec![],
            over: None,
            play,
        });
    }
    runtime::play(async {
        let stop = runtime::token();
        match args.repeat {
            Some(times) => repeat(&scenario, &args, times, &stop).await,
            None => once(&scenario, &args, &stop).await,
        }
    })
}

async fn once(scenario: &Scenario, args: &Args, stop: &CancellationToken) -> Result<u8, Refused> {
    let played = play::play(scenario, &args.play, &args.play.out, args.keep, stop).await?;
    play::print(&played.report, args.play.format)?;
    let code = played.exit_code();
    if let Some(kept) = played.kept {
        hold(kept, stop).await?;
    }
    Ok(code)
}

/// Keeps the servers up until Ctrl-C. `redrill down` sends the same signal.
async fn hold(mut kept: Kept, stop: &CancellationToken) -> Result<(), Refused> {
    kept.announce().map_err(|error| play::refuse(exit::ENVIRONMENT, error))?;
    for node in kept.deployment.nodes() {
        terminal::say(&format!("{:<16} {}", node.name.to_string(), node.addr));
    }
    let id = kept.id();
    terminal::say(&format!("The topology is up until Ctrl-C, or `redrill down {id}`."));
    stop.cancelled().await;
    kept.stop().await.map_err(|error| play::refuse(exit::ENVIRONMENT, error))
}

/// Each repetition has a run folder; one folder holds them all.
async fn repeat(
    scenario: &Scenario,
    args: &Args,
    times: u32,
    stop: &CancellationToken,
) -> Result<u8, Refused> {
    let folder = play::batch_folder(&args.play.out, &format!("{}-x{times}", scenario.name))?;
    let mut reports: Vec<Report> = Vec::new();
    for time in 1..=times {
        terminal::say(&format!("{} {time} of {times}", scenario.name));
        let Played { report, interrupted, .. } =
            play::play(scenario, &args.play, &folder, false, stop).await?;
        if interrupted {
            play::print(&report, args.play.format)?;
            reports.push(report);
            if args.play.format == Format::Text {
                play::put(&format!("\n{}", tally(&reports, times)))?;
            }
            return Ok(exit::INTERRUPTED);
        }
        reports.push(report);
    }
    let spread = spread::spread(&reports);
    let json = spread.json().map_err(play::unreported)?;
    report::write_file(&folder.join(spread::FILE), &json).map_err(play::unreported)?;
    play::put(&match args.play.format {
        Format::Json => json,
        Format::Text => {
            let (spread, folder) = (spread.text(out::colour()), folder.display());
            format!("{spread}\n  runs  {folder}\n\n{}", tally(&reports, times))
        }
    })?;
    Ok(spread.verdict.exit_code())
}

fn tally(reports: &[Report], times: u32) -> String {
    let lines: Vec<_> = reports.iter().map(tally::DrillResult::of_run).collect();
    tally::text(&lines, times as usize, terminal::width(), out::colour())
}

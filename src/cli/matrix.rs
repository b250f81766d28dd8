//! `redrill matrix`: one scenario on several engines, side by side.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::Resettable;
use tokio_util::sync::CancellationToken;

use super::play::{self, Format, PlayArgs, Refused};
use super::{exit, interrupt, out, tally, terminal};
use crate::report::matrix::{Matrix, file};
use crate::report::{self, Report};
use crate::spec::Scenario;
use crate::spec::topology::Engine;

/// What to run on is told by --engine alone.
#[derive(Debug, clap::Args)]
#[command(mut_arg("backend", |arg| arg.hide(true)))]
#[command(mut_arg("engine_binary", |arg| arg.hide(true).env(Resettable::Reset)))]
pub struct Args {
    /// A ready scenario's name (see `redrill list`), or a path
    scenario: String,
    /// An engine to play it on, once for each: redis-7.0 or valkey-9.1 (the public image of
    /// that release), another image's name, or the path of a server
    #[arg(long = "engine", value_name = "ENGINE", required = true, num_args = 1)]
    engines: Vec<String>,
    #[command(flatten)]
    play: PlayArgs,
}

pub fn main(mut args: Args) -> ExitCode {
    if args.play.engine_binary.is_some() || args.play.backend.is_some() {
        let told = "a matrix is told what to run on by --engine alone: leave --engine-binary \
                    and --backend out";
        return exit::fail(exit::USAGE, &told);
    }
    // What is set side by side differs in its engine, and in nothing else.
    args.play.seed.get_or_insert_with(play::random_seed);
    let scenario = match play::read(&args.scenario, &args.play) {
        Ok(scenario) => scenario,
        Err(refused) => return refused.into(),
    };
    match play::block_on(async { matrix(&scenario, &args, &interrupt::token()).await }) {
        Ok(code) => ExitCode::from(code),
        Err(refused) => refused.into(),
    }
}

async fn matrix(scenario: &Scenario, args: &Args, stop: &CancellationToken) -> Result<u8, Refused> {
    // All of them are found before the first is played: the page is to have them all.
    let mut grounds = Vec::new();
    for name in &args.engines {
        let mut on_this = scenario.clone();
        on_this.topology.engine = engine(name);
        grounds.push((name, play::ground(&on_this, &args.play, stop).await?, on_this));
    }
    let folder = play::batch_folder(&args.play.out, &format!("{}-matrix", scenario.name))?;
    let mut reports: Vec<Report> = Vec::new();
    let (mut interrupted, mut refused) = (false, None);
    for (at, (name, ground, on_this)) in grounds.iter().enumerate() {
        terminal::say(&format!(
            "{} on {name} ({} of {})",
            scenario.name,
            at + 1,
            args.engines.len()
        ));
        let played = play::play_on(ground, on_this, &args.play, &folder, false, stop).await;
        match played {
            Ok(played) => {
                reports.push(played.report);
                interrupted = played.interrupted;
            }
            // What the others came to is worth its page all the same.
            Err(why) => refused = Some(why),
        }
        if interrupted {
            break;
        }
    }
    let Some(matrix) = Matrix::of(&reports) else {
        return refused.map_or(Ok(exit::USAGE), Err);
    };
    write(&matrix, &folder)?;
    match args.play.format {
        Format::Json => out::print(&matrix.json()),
        Format::Text => {
            let lines: Vec<_> = reports.iter().map(tally::Line::of_run).collect();
            let tally = tally::text(&lines, args.engines.len(), out::width(), out::colour());
            let page = folder.join(file::HTML);
            let table = matrix.text(out::colour());
            out::print(&format!("{table}\n  all  {}\n\n{tally}", page.display()))
        }
    };
    if let Some(refused) = refused {
        return Err(refused);
    }
    Ok(if interrupted { exit::INTERRUPTED } else { matrix.verdict().exit_code() })
}

fn write(matrix: &Matrix, folder: &Path) -> Result<(), Refused> {
    let page = matrix.page().map_err(play::unreported)?;
    for (name, text) in
        [(file::HTML, page), (file::MARKDOWN, matrix.markdown()), (file::JSON, matrix.json())]
    {
        report::write_file(&folder.join(name), &text).map_err(play::unreported)?;
    }
    Ok(())
}

/// What a person calls an engine: a release, an image, or a program.
fn engine(name: &str) -> Engine {
    let image = |image: String| Engine { image: Some(image), ..Engine::default() };
    match name.split_once('-') {
        Some(("redis", release)) if is_release(release) => image(format!("redis:{release}")),
        Some(("valkey", release)) if is_release(release) => {
            image(format!("valkey/valkey:{release}"))
        }
        _ if Path::new(name).is_file() => {
            Engine { binary: Some(PathBuf::from(name)), ..Engine::default() }
        }
        _ => image(name.to_owned()),
    }
}

fn is_release(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || c == '.') && !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_called_as_people_do() {
        let image = |name| engine(name).image;
        assert_eq!(image("redis-7.0").as_deref(), Some("redis:7.0"));
        assert_eq!(image("valkey-9.1").as_deref(), Some("valkey/valkey:9.1"));
        assert_eq!(image("our.registry/redis:8").as_deref(), Some("our.registry/redis:8"));
        assert_eq!(image("redis-server").as_deref(), Some("redis-server"), "no such file here");
        assert_eq!(engine("/bin/sh").binary, Some(PathBuf::from("/bin/sh")));
    }
}

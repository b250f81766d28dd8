//! `redrill matrix`: one scenario on several engines, or with several values, side by side.

use std::path::Path;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::out::{self, Format};
use super::play::{self, PlayArgs, Refused};
use super::tally::{self, DrillResult};
use super::{exit, runtime, terminal};
use crate::backend::ResolvedBackend;
use crate::report::matrix::{Matrix, file};
use crate::report::{self, Report};
use crate::spec::Scenario;
use crate::spec::scenario::Over;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A ready scenario's name (see `redrill list`), or a path
    pub scenario: String,
    /// An engine to play it on, once for each: redis-7.0 or valkey-9.1 (the public image of
    /// that release), another image's name, or the path of a server
    #[arg(long = "engine", value_name = "ENGINE", num_args = 1)]
    pub engines: Vec<String>,
    /// Values to play it with, as for --set, once for each:
    /// groups.cache.config.cluster-node-timeout=500,1000,2000; by default those of the
    /// scenario's own `over`
    #[arg(long, value_name = "KEY=V1,V2,…")]
    pub over: Option<String>,
    #[command(flatten)]
    pub play: PlayArgs,
}

/// One column of the page: an engine or value to play with.
struct Case {
    /// For a person: `redis-7.0`, `500`.
    name: String,
    /// The value of `--over`.
    value: Option<String>,
    scenario: Scenario,
    resolved: ResolvedBackend,
}

pub fn main(args: Args) -> ExitCode {
    play::exit_code(set_side_by_side(args))
}

pub fn set_side_by_side(mut args: Args) -> Result<u8, Refused> {
    if let Some(why) = nonsense(&args) {
        return Err(play::refuse(exit::USAGE, why));
    }
    // Columns must differ in the engine or value only, so they share one seed.
    args.play.seed.get_or_insert_with(play::random_seed);
    runtime::play(async { matrix(&args, &runtime::token()).await })
}

fn nonsense(args: &Args) -> Option<&'static str> {
    let placed = args.play.on.names_a_binary() || args.play.on.backend.is_some();
    match (args.engines.is_empty(), &args.over) {
        (false, _) if placed => Some(
            "with --engine a matrix is told what to run on by that alone: leave --engine-binary \
             and --backend out",
        ),
        (_, Some(over)) if Over::parse(over).is_none() => {
            Some("--over takes KEY=V1,V2, as in --over loads.app.rate=1000/s,2000/s")
        }
        _ => None,
    }
}

/// All cases. They are found before the first is played, because the page needs them all.
async fn cases(
    args: &Args,
    over: Option<&Over>,
    stop: &CancellationToken,
) -> Result<Vec<Case>, Refused> {
    let values: Vec<Option<(&str, &str)>> = match over {
        Some(Over { key, values }) => {
            values.iter().map(|value| Some((key.as_str(), value.as_str()))).collect()
        }
        None => vec![None],
    };
    let engines: Vec<Option<&String>> = match args.engines.is_empty() {
        true => vec![None],
        false => args.engines.iter().map(Some).collect(),
    };
    let mut cases = Vec::new();
    for named in engines {
        for value in &values {
            let mut play = on(&args.play, named);
            play.set.extend(value.map(|(key, value)| format!("{key}={value}")));
            let scenario = Scenario { over: None, ..play::read(&args.scenario, &play)? };
            let value = value.map(|(_, value)| value.to_owned());
            let name: Vec<&str> =
                named.map(String::as_str).into_iter().chain(value.as_deref()).collect();
            let name = name.join(", ");
            let resolved = play::resolved(&scenario, &play, stop).await?;
            cases.push(Case { name, value, scenario, resolved });
        }
    }
    Ok(cases)
}

async fn matrix(args: &Args, stop: &CancellationToken) -> Result<u8, Refused> {
    let over = over(args)?;
    let cases = cases(args, over.as_ref(), stop).await?;
    let scenario = &cases[0].scenario.name;
    let folder = play::batch_folder(&args.play.out, &format!("{scenario}-matrix"))?;
    let (mut reports, mut values): (Vec<Report>, Vec<Option<String>>) = Default::default();
    let (mut interrupted, mut refused) = (false, None);
    for (at, case) in cases.iter().enumerate() {
        let Case { name, value, scenario, resolved } = case;
        terminal::say(&format!("{}: {name} ({} of {})", scenario.name, at + 1, cases.len()));
        match play::play_on(resolved, scenario, &args.play, &folder, false, stop).await {
            Ok(played) => {
                reports.push(played.report);
                values.push(value.clone());
                interrupted = played.interrupted;
            }
            // The cases that were played still get their page.
            Err(why) => refused = Some(why),
        }
        if interrupted {
            break;
        }
    }
    let over = over.as_ref().map(|over| over.key.as_str());
    let Some(matrix) = Matrix::of(&reports, &values, over) else {
        return refused.map_or(Ok(exit::USAGE), Err);
    };
    write(&matrix, &folder)?;
    play::put(&match args.play.format {
        Format::Json => matrix.json(),
        Format::Text => {
            let names = matrix.heads().into_iter().zip(&reports);
            let names: Vec<String> = names.map(|(head, r)| format!("{head}: {}", r.id)).collect();
            let of_run = |(report, name)| DrillResult { name, ..DrillResult::of_run(report) };
            let lines: Vec<_> =
                reports.iter().zip(names.iter().map(|n| &**n)).map(of_run).collect();
            let tally = tally::text(&lines, cases.len(), terminal::width(), out::colour());
            let page = folder.join(file::HTML);
            let table = matrix.text(out::colour());
            format!("{table}\n  all  {}\n\n{tally}", page.display())
        }
    })?;
    if let Some(refused) = refused {
        return Err(refused);
    }
    Ok(if interrupted { exit::INTERRUPTED } else { matrix.verdict().exit_code() })
}

/// The same arguments on the engine `named`, as if the topology named it. What it cannot do is
/// refused at this point.
fn on(play: &PlayArgs, named: Option<&String>) -> PlayArgs {
    let mut play = play.clone();
    if let Some(named) = named {
        play.on.engine_binary = None;
        play.set.push(format!("engine={}", engine(named)));
    }
    play
}

/// The values of `--over`, or those of the scenario's own `over`.
fn over(args: &Args) -> Result<Option<Over>, Refused> {
    let over = match args.over.as_deref() {
        Some(text) => Over::parse(text),
        None => play::read(&args.scenario, &on(&args.play, args.engines.first()))?.over,
    };
    if over.is_none() && args.engines.is_empty() {
        let why = "say what to set side by side: --engine, once for each, or --over";
        return Err(play::refuse(exit::USAGE, why));
    }
    Ok(over)
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

/// An engine as a person names it (a release, an image, or a program), in the form that a
/// topology uses.
fn engine(name: &str) -> String {
    let image = |image: &str| format!("{{ image: {image:?} }}");
    match name.split_once('-') {
        Some(("redis", release)) if is_release(release) => image(&format!("redis:{release}")),
        Some(("valkey", release)) if is_release(release) => {
            image(&format!("valkey/valkey:{release}"))
        }
        _ if Path::new(name).is_file() => format!("{{ binary: {name:?} }}"),
        _ => image(name),
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
        assert_eq!(engine("redis-7.0"), r#"{ image: "redis:7.0" }"#);
        assert_eq!(engine("valkey-9.1"), r#"{ image: "valkey/valkey:9.1" }"#);
        assert_eq!(engine("our.registry/redis:8"), r#"{ image: "our.registry/redis:8" }"#);
        assert_eq!(engine("redis-server"), r#"{ image: "redis-server" }"#, "no such file here");
        assert_eq!(engine("/bin/sh"), r#"{ binary: "/bin/sh" }"#);
    }
}

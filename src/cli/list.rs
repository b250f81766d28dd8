//! `redrill list`: the scenarios and topologies that come with redrill.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use super::out;
use crate::report::text::wrap;
use crate::spec::library::{self, Ready};

/// Longer lines are harder to read.
const WIDEST: usize = 100;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn main(_: Args) -> ExitCode {
    // Who reads it through a pipe (`| grep reshard`) wants an entry a line.
    let terminal = io::stdout().is_terminal();
    out::print(&list(if terminal { out::width().min(WIDEST) } else { usize::MAX }))
}

/// `width` is in columns.
fn list(width: usize) -> String {
    let all = || library::scenarios().iter().chain(library::topologies());
    let names = all().map(|ready| ready.name.len()).max().unwrap_or(0);
    let rows = |ready: &[Ready]| ready.iter().map(|r| row(r, names, width)).collect::<String>();
    format!(
        "Scenarios (redrill run NAME)\n{}\nTopologies (redrill up NAME)\n{}",
        rows(library::scenarios()),
        rows(library::topologies())
    )
}

/// The name in a column of `names`, and beside it the summary, in lines that break at
/// spaces only.
fn row(ready: &Ready, names: usize, width: usize) -> String {
    let room = width.saturating_sub(names + 4);
    let lines = wrap(&ready.summary(), room).into_iter().enumerate().map(|(i, line)| {
        let name = if i == 0 { ready.name } else { "" };
        format!("  {name:names$}  {line}\n")
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_stay_whole_and_stand_in_their_column() {
        for width in [60, 80, 200] {
            let list = super::list(width);
            assert!(list.lines().all(|line| line.chars().count() <= width), "{list}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&list), words(&super::list(10_000)));
        }
        let summary = super::list(60).lines().nth(2).unwrap().to_owned();
        assert!(summary.starts_with(&" ".repeat(21)), "{summary}");
    }
}

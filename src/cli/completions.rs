//! `redrill completions`: a shell's completion script. It knows the names of ready scenarios
//! and topologies.

use std::process::ExitCode;

use clap::Command;
use clap::builder::PossibleValuesParser;
use clap_complete::Shell;

use super::out;
use crate::spec::library::{Ready, scenarios, topologies};

#[derive(Debug, clap::Args)]
pub struct Args {
    shell: Shell,
}

/// Prints the script for `command`.
pub fn main(args: Args, command: Command) -> ExitCode {
    let mut script = Vec::new();
    let mut command = with_names(command, args.shell);
    clap_complete::generate(args.shell, &mut command, "redrill", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    out::print(&if args.shell == Shell::Zsh { with_files(script) } else { script })
}

/// `command` with the ready names as possible values. Only the script has them: the command
/// line itself also takes paths in most of these places.
fn with_names(command: Command, shell: Shell) -> Command {
    let all = scenarios().iter().chain(topologies());
    let mut command = naming(command, "show", "name", all);
    // The scripts of other shells complete options only. After `--topology`, fish would offer
    // names and no files.
    if !matches!(shell, Shell::Bash | Shell::Zsh) {
        return command;
    }
    for (name, argument) in [("run", "scenario"), ("suite", "scenarios")] {
        command = naming(command, name, argument, scenarios().iter());
        command = naming(command, name, "topology", topologies().iter());
    }
    naming(command, "up", "topology", topologies().iter())
}

/// Bash offers files by itself where no name fits; zsh needs a hint.
fn with_files(script: String) -> String {
    [scenarios(), topologies()].iter().fold(script, |script, ready| {
        let names = ready.iter().map(|ready| ready.name).collect::<Vec<_>>().join(" ");
        script.replace(&format!(":({names})'"), &format!(":{{compadd -- {names}; _files}}'"))
    })
}

fn naming<'r>(
    command: Command,
    subcommand: &str,
    argument: &str,
    ready: impl Iterator<Item = &'r Ready>,
) -> Command {
    let names = PossibleValuesParser::new(ready.map(|ready| ready.name).collect::<Vec<_>>());
    command.mut_subcommand(subcommand, |it| it.mut_arg(argument, |arg| arg.value_parser(names)))
}

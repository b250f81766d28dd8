//! Reads the topologies and scenarios that a person names: ready ones by name, others by path.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{exit, terminal};
use crate::files::read as bounded;
use crate::spec::{
    self, Diagnostic, Diagnostics, FileKind, Options, Scenario, Source, Topology, library,
};

/// The topology called `name`: a ready one, or a path.
///
/// # Errors
/// Everything that is wrong with it, or that it does not exist.
pub fn topology(name: &str, options: &Options) -> Result<Topology, Diagnostics> {
    let source = find(FileKind::Topology, name, None).map_err(Diagnostics::one)?;
    let mut topology = spec::parse_topology(&source, options)?;
    settle_binary(&mut topology);
    Ok(topology)
}

/// The scenario called `name`, on the topology that it names, or on `topology` if that is
/// given.
///
/// # Errors
/// Everything that is wrong with either, or that one does not exist.
pub fn scenario(
    name: &str,
    topology: Option<&str>,
    mut options: Options,
) -> Result<Scenario, Diagnostics> {
    let found = find(FileKind::Scenario, name, None).map_err(Diagnostics::one);
    if let Some(topology) = topology {
        options.topology =
            Some(find(FileKind::Topology, topology, None).map_err(Diagnostics::one)?);
    }
    parse_scenario(&found?, &options)
}

/// The same from a source. Paths in it are relative to its folder.
pub fn parse_scenario(source: &Source, options: &Options) -> Result<Scenario, Diagnostics> {
    let folder = Path::new(source.name()).parent();
    let resolve = |name: &str| find(FileKind::Topology, name, folder);
    let mut scenario = spec::parse_scenario(source, &resolve, options)?;
    settle_binary(&mut scenario.topology);
    Ok(scenario)
}

/// Makes the server's path absolute, because the topology is stored in another folder. A name
/// without a path is looked up on PATH.
fn settle_binary(topology: &mut Topology) {
    if let Some(binary) = &mut topology.engine.binary
        && binary.as_os_str().as_encoded_bytes().contains(&b'/')
        && let Ok(absolute) = std::path::absolute(&*binary)
    {
        *binary = absolute;
    }
}

/// The file called `name`, which must be of this kind. A name without `/` and `.yaml` is looked
/// up among the ready ones first; a path is relative to `folder`.
pub fn find(kind: FileKind, name: &str, folder: Option<&Path>) -> Result<Source, Diagnostic> {
    let source = find_any(kind, name, folder)?;
    match spec::plain_kind_of(&source) {
        Some(other) if other != kind => Err(mistaken(other, name)),
        // Errors quote the file, and whoever wrote the scenario may have named one that is
        // nobody's topology.
        _ if folder.is_some() && !spec::looks_like_topology(&source) => {
            Err(unquoted(name, &source))
        }
        _ => Ok(source),
    }
}

/// The error for a file that another file names, and that is no topology.
fn unquoted(name: &str, source: &Source) -> Diagnostic {
    let message =
        format!("`{name}` is not a topology: it should have `groups:`, and known keys only");
    let advice =
        format!("`redrill check {}` shows what is in its way, line by line", source.name());
    Diagnostic::nowhere(message, advice)
}

/// The error for a file of `kind` where the other kind is wanted.
fn mistaken(kind: FileKind, name: &str) -> Diagnostic {
    let (is, advice) = match kind {
        FileKind::Scenario => {
            ("scenario", format!("give a topology; play a scenario with `redrill run {name}`"))
        }
        FileKind::Topology => {
            ("topology", format!("give a scenario; bring a topology up with `redrill up {name}`"))
        }
    };
    let wanted = if kind == FileKind::Scenario { "topology" } else { "scenario" };
    Diagnostic::nowhere(format!("`{name}` is a {is}, and a {wanted} is wanted here"), advice)
}

fn find_any(kind: FileKind, name: &str, folder: Option<&Path>) -> Result<Source, Diagnostic> {
    let is_path = name.contains('/') || name.ends_with(".yaml") || name.ends_with(".yml");
    if let (false, Some(ready)) = (is_path, library::find(kind, name)) {
        return Ok(ready.source());
    }
    if name.contains("://") {
        let message = format!("`{name}` is an address, and redrill drills servers that it starts");
        let advice = "give the topology to start: a path, or a name of `redrill list`";
        return Err(Diagnostic::nowhere(message, advice));
    }
    let path = folder.map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
    match read(&path) {
        Ok(Ok(source)) => Ok(source),
        Ok(Err(diagnostics)) => Err(diagnostics.into_vec().remove(0)),
        Err(error) if is_path || error.kind() != io::ErrorKind::NotFound => {
            Err(unreadable(&path, &error))
        }
        Err(_) => {
            let (what, other) = match kind {
                FileKind::Topology => ("topology", FileKind::Scenario),
                FileKind::Scenario => ("scenario", FileKind::Topology),
            };
            if library::find(other, name).is_some() {
                return Err(mistaken(other, name));
            }
            let message = format!("there is no {what} `{name}`, and no such file");
            Err(Diagnostic::nowhere(message, library::advice(kind, name)))
        }
    }
}

/// The text of the regular file at `path`. Reads no more than the limit for sources.
pub fn read(path: &Path) -> io::Result<Result<Source, Diagnostics>> {
    let file = bounded::open(path)?;
    let mut bytes = Vec::new();
    // Those of /proc have no size, and reading some of them never ends either.
    if file.metadata()?.len() > 0 {
        file.take(Source::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    }
    Ok(Source::from_bytes(path.display().to_string(), bytes))
}

/// The YAML files in `folder`, by name.
pub fn yaml_files(folder: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if yaml && path.is_file() {
            files.push(path.display().to_string());
        }
    }
    files.sort();
    Ok(files)
}

/// The error for a file that cannot be read.
pub fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "look at the path; `redrill list` names what comes with redrill",
        io::ErrorKind::InvalidInput => "pipes and devices are not read; save it as a file",
        io::ErrorKind::IsADirectory => "give a file in it",
        _ => "look at the file's permissions",
    };
    Diagnostic::nowhere(format!("{} cannot be read: {error}", path.display()), advice)
}

/// Prints `diagnostics` to standard error and returns the exit code.
pub fn refuse(diagnostics: &Diagnostics) -> ExitCode {
    terminal::say(show(diagnostics).trim_end_matches('\n'));
    ExitCode::from(exit::BAD_FILE)
}

/// `diagnostics` as text for standard error.
fn show(diagnostics: &Diagnostics) -> String {
    diagnostics.render(super::out::colour_of_errors(), 100)
}

//! Reading the topologies and scenarios that a person names: ready ones by their
//! name, others by their path.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{exit, terminal};
use crate::spec::{self, Fault, Faults, Kind, Options, Scenario, Source, Topology, library};

/// The topology that `name` stands for: a ready one, or a path.
///
/// # Errors
/// Everything that is wrong with it, or that it is not there.
pub fn topology(name: &str, options: &Options) -> Result<Topology, Faults> {
    let source = find(Kind::Topology, name, None).map_err(Faults::one)?;
    let mut topology = spec::parse_topology(&source, options)?;
    settle_binary(&mut topology);
    Ok(topology)
}

/// The scenario that `name` stands for, on the topology that it names, or on
/// `topology` where that is given.
///
/// # Errors
/// Everything that is wrong with either, or that one is not there.
pub fn scenario(
    name: &str,
    topology: Option<&str>,
    mut options: Options,
) -> Result<Scenario, Faults> {
    let found = find(Kind::Scenario, name, None).map_err(Faults::one);
    if let Some(topology) = topology {
        options.topology = Some(find(Kind::Topology, topology, None).map_err(Faults::one)?);
    }
    parse_scenario(&found?, &options)
}

/// The same from a source. Paths in it are from the folder that it is in.
pub fn parse_scenario(source: &Source, options: &Options) -> Result<Scenario, Faults> {
    let folder = Path::new(source.name()).parent();
    let resolve = |name: &str| find(Kind::Topology, name, folder);
    let mut scenario = spec::parse_scenario(source, &resolve, options)?;
    settle_binary(&mut scenario.topology);
    Ok(scenario)
}

/// Makes the server's path absolute, because the topology is written down in another
/// folder. A bare name is looked for on PATH.
fn settle_binary(topology: &mut Topology) {
    if let Some(binary) = &mut topology.engine.binary
        && binary.as_os_str().as_encoded_bytes().contains(&b'/')
        && let Ok(absolute) = std::path::absolute(&*binary)
    {
        *binary = absolute;
    }
}

/// The file that `name` stands for, which shall be of that kind. A name without `/` and
/// `.yaml` is looked up among the ready ones first; a path is taken from `folder`.
pub fn find(kind: Kind, name: &str, folder: Option<&Path>) -> Result<Source, Fault> {
    let source = find_any(kind, name, folder)?;
    match spec::plain_kind_of(&source) {
        Some(other) if other != kind => Err(mistaken(other, name)),
        _ => Ok(source),
    }
}

/// The fault of naming a `kind` where the other kind is wanted.
fn mistaken(kind: Kind, name: &str) -> Fault {
    let (is, advice) = match kind {
        Kind::Scenario => {
            ("scenario", format!("give a topology; play a scenario with `redrill run {name}`"))
        }
        Kind::Topology => {
            ("topology", format!("give a scenario; bring a topology up with `redrill up {name}`"))
        }
    };
    let wanted = if kind == Kind::Scenario { "topology" } else { "scenario" };
    Fault::nowhere(format!("`{name}` is a {is}, and a {wanted} is wanted here"), advice)
}

fn find_any(kind: Kind, name: &str, folder: Option<&Path>) -> Result<Source, Fault> {
    let is_path = name.contains('/') || name.ends_with(".yaml") || name.ends_with(".yml");
    if let (false, Some(ready)) = (is_path, library::find(kind, name)) {
        return Ok(ready.source());
    }
    let path = folder.map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
    match read(&path) {
        Ok(Ok(source)) => Ok(source),
        Ok(Err(faults)) => Err(faults.into_vec().remove(0)),
        Err(error) if is_path || error.kind() != io::ErrorKind::NotFound => {
            Err(unreadable(&path, &error))
        }
        Err(_) => {
            let (what, other) = match kind {
                Kind::Topology => ("topology", Kind::Scenario),
                Kind::Scenario => ("scenario", Kind::Topology),
            };
            if library::find(other, name).is_some() {
                return Err(mistaken(other, name));
            }
            let message = format!("there is no {what} `{name}`, and no such file");
            Err(Fault::nowhere(message, library::advice(kind, name)))
        }
    }
}

/// The text of the regular file at `path`, of which no more is read than may be.
pub fn read(path: &Path) -> io::Result<Result<Source, Faults>> {
    let kind = std::fs::metadata(path)?;
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // A pipe that nobody writes into would be waited for for ever.
    if !kind.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(Source::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
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

/// The fault of a file that cannot be read.
pub fn unreadable(path: &Path, error: &io::Error) -> Fault {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "look at the path; `redrill list` names what comes with redrill",
        io::ErrorKind::InvalidInput => "pipes and devices are not read; save it as a file",
        io::ErrorKind::IsADirectory => "give a file in it",
        _ => "look at the file's permissions",
    };
    Fault::nowhere(format!("{} cannot be read: {error}", path.display()), advice)
}

/// Prints `faults` to standard error, and says which exit code that is.
pub fn refuse(faults: &Faults) -> ExitCode {
    terminal::say(show(faults).trim_end_matches('\n'));
    ExitCode::from(exit::BAD_FILE)
}

/// `faults` as standard error can show them.
fn show(faults: &Faults) -> String {
    faults.render(super::out::colour_of_errors(), 100)
}

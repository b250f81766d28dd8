//! Finds a server to run, and checks that it is one.

use std::env;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::super::version;
use crate::log::{OrLogged, OrUnheard};
use crate::model::event::EngineInfo;
use crate::model::printable;
use crate::spec::topology::{Engine, EngineKind};

/// A server prints its version in milliseconds. This is enough even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than any server prints about its version.
const MOST_OUTPUT: u64 = 4096;

/// A server that has reported its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerBinary {
    pub path: PathBuf,
    pub kind: EngineKind,
    /// `7.0.15`
    pub version: String,
}

#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    #[error(
        "there is no `redis-server` or `valkey-server` on PATH; install one \
         (Debian, Ubuntu: `apt-get install redis-server`; Fedora: `dnf install valkey`; \
         macOS: `brew install redis`), or name one with --engine-binary or `engine: {{ binary: … }}`"
    )]
    NoneFound,
    #[error(
        "the topology asks for {asked} (`engine.kind`), but there is no `{asked}-server` on PATH{}; \
         install it, name one with --engine-binary or `engine: {{ binary: … }}`, or leave \
         `kind` out of the topology to run whichever there is",
        also(.there)
    )]
    NoneOfKind { asked: EngineKind, there: Option<PathBuf> },
    #[error(
        "the topology asks for {asked} (`engine.kind`), but `{}` is {} {}; name a server that \
         is {asked} with --engine-binary, or leave `kind` out of the topology to run any",
        found.path.display(), found.kind, found.version
    )]
    OtherKind { asked: EngineKind, found: ServerBinary },
    #[error("there is no server at `{}`; give the path of a redis-server or valkey-server", path.display())]
    Missing { path: PathBuf },
    #[error("cannot run `{}`: {source}; it should be an executable redis-server or valkey-server", path.display())]
    CannotRun { path: PathBuf, source: io::Error },
    #[error(
        "`{}` is not a Redis or Valkey server: asked for its --version, it said {said}",
        path.display()
    )]
    NotAServer { path: PathBuf, said: String },
    #[error(
        "`{}` did not say its --version within {} s; is it a redis-server or valkey-server?",
        path.display(), patience.as_secs()
    )]
    Silent { path: PathBuf, patience: Duration },
    #[error(
        "`{}` is version {version}, which is too old: redrill needs Redis 7.0 or later, or Valkey",
        path.display()
    )]
    TooOld { path: PathBuf, version: String },
}

fn also(there: &Option<PathBuf>) -> String {
    there.as_ref().map_or_else(String::new, |path| format!(", only `{}`", path.display()))
}

impl ServerBinary {
    /// The server to run: `asked` (from the command line) if given, otherwise the topology's,
    /// otherwise one on PATH.
    ///
    /// # Errors
    /// There is none, it cannot be run, or the topology asks for another kind.
    pub fn find(asked: Option<&Path>, engine: &Engine) -> Result<ServerBinary, BinaryError> {
        if let Some(path) = asked.or(engine.binary.as_deref()) {
            return ServerBinary::at(path)?.of_kind(engine.kind);
        }
        let (redis, valkey) = (on_path("redis-server"), on_path("valkey-server"));
        let path = match engine.kind {
            None => return first_good([redis, valkey].into_iter().flatten()),
            Some(asked) => {
                let (wanted, there) = match asked {
                    EngineKind::Redis => (redis, valkey),
                    EngineKind::Valkey => (valkey, redis),
                };
                wanted.ok_or(BinaryError::NoneOfKind { asked, there })?
            }
        };
        ServerBinary::at(&path)?.of_kind(engine.kind)
    }

    fn of_kind(self, asked: Option<EngineKind>) -> Result<ServerBinary, BinaryError> {
        match asked {
            Some(asked) if asked != self.kind => Err(BinaryError::OtherKind { asked, found: self }),
            _ => Ok(self),
        }
    }

    /// The server at `path`, with its version. A name without a path is looked up on PATH.
    pub fn at(path: &Path) -> Result<ServerBinary, BinaryError> {
        let missing = || BinaryError::Missing { path: path.to_owned() };
        let bare = !path.as_os_str().as_encoded_bytes().contains(&b'/');
        let found = match bare {
            true => path.to_str().and_then(on_path).ok_or_else(missing)?,
            false if !path.exists() => return Err(missing()),
            // Absolute, because servers are started in other directories. Links are kept:
            // redis-server may be a link to redis-check-rdb, which acts by the name it was
            // called with.
            false => std::path::absolute(path).map_err(|_| missing())?,
        };
        let said = ask_version(&found)?;
        let (kind, version) = version::read(&said)
            .ok_or_else(|| BinaryError::NotAServer { path: found.clone(), said: quoted(&said) })?;
        match version::is_new_enough(&version) {
            true => Ok(ServerBinary { path: found, kind, version }),
            false => Err(BinaryError::TooOld { path: found, version }),
        }
    }

    pub fn info(&self) -> EngineInfo {
        EngineInfo { kind: self.kind.to_string(), version: self.version.clone() }
    }
}

/// The first that can be run, otherwise the error of the first.
fn first_good(paths: impl Iterator<Item = PathBuf>) -> Result<ServerBinary, BinaryError> {
    let mut trouble = None;
    for path in paths {
        match ServerBinary::at(&path) {
            Ok(binary) => return Ok(binary),
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    Err(trouble.unwrap_or(BinaryError::NoneFound))
}

/// The first file of that name in a directory of PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// What the program prints with `--version`, however it ends.
fn ask_version(path: &Path) -> Result<String, BinaryError> {
    let cannot_run = |source| BinaryError::CannotRun { path: path.to_owned(), source };
    let mut child = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(cannot_run)?;
    let said = read_briefly(&mut child);
    // The whole group, in case it is a script that has started something.
    let group = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL)
        .or_logged("end what `--version` started");
    child.wait().map_err(cannot_run)?;
    said.ok_or_else(|| BinaryError::Silent { path: path.to_owned(), patience: PATIENCE })
}

/// The beginning of the output of `child`, until it closes it; `None` if that takes too long.
fn read_briefly(child: &mut Child) -> Option<String> {
    let output = child.stdout.take()?;
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut said = Vec::new();
        output.take(MOST_OUTPUT).read_to_end(&mut said).or_logged("read what `--version` says");
        tell.send(String::from_utf8_lossy(&said).into_owned()).or_unheard();
    });
    told.recv_timeout(PATIENCE).ok()
}

fn quoted(said: &str) -> String {
    match said.lines().next().map(str::trim) {
        None | Some("") => "nothing".to_owned(),
        Some(line) => format!("`{}`", printable(line).chars().take(80).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_quoted_briefly() {
        assert_eq!(quoted("\n"), "nothing");
        assert_eq!(quoted("\x1b[2J\u{202e}v=7"), "`\u{fffd}[2J\u{fffd}v=7`");
        assert_eq!(quoted("true (GNU coreutils) 9.4\nmore"), "`true (GNU coreutils) 9.4`");
    }
}

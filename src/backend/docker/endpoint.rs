//! Where the Docker engine is: first by the environment, then by `docker context`, then the
//! sockets that engines create, in the usual order.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bollard::{API_DEFAULT_VERSION, Docker};
use serde_json::Value;

use super::error::{DockerError, Unanswered, innermost};
use super::place::Endpoint;

/// A working engine answers within these seconds.
const SHORT: u64 = 5;
/// How many seconds an engine may take for everything except a stream.
const PATIENCE: u64 = 120;

/// An engine that answers.
#[derive(Clone, Debug)]
pub struct Engine {
    pub docker: Docker,
    pub endpoint: Endpoint,
}

/// Connects to the first engine that answers. If the user names one (`DOCKER_HOST`, a context),
/// only that one is tried.
///
/// # Errors
/// None answers. The error lists what was tried, and the results.
pub async fn find() -> Result<Engine, DockerError> {
    let mut tried = Vec::new();
    for endpoint in places()? {
        if !endpoint.is_there() {
            // The first place stands for all missing sockets.
            if tried.is_empty() {
                tried.push(Unanswered { endpoint, why: "there is no such socket".to_owned() });
            }
            continue;
        }
        match connect(&endpoint).await {
            Ok(docker) => return Ok(Engine { docker, endpoint }),
            Err(why) => tried.push(Unanswered { endpoint, why }),
        }
    }
    Err(DockerError::NoEngine { tried })
}

/// Whether `error` only says that this machine has no engine: none was named, and there is no
/// socket.
pub fn is_absent(error: &DockerError) -> bool {
    match error {
        DockerError::NoEngine { tried } => {
            tried.iter().all(|t| !t.endpoint.is_there()) && !is_named()
        }
        _ => false,
    }
}

/// Whether somebody has said which engine to use.
fn is_named() -> bool {
    var("DOCKER_HOST").is_some() || places().map_or(true, |places| places.len() == 1)
}

const FORBIDDEN: &str = "this user may not use it";

/// Whether `error` only says that this user may not use the engine of this machine: none was named.
pub fn is_forbidden(error: &DockerError) -> bool {
    match error {
        DockerError::NoEngine { tried } => {
            let mut there = tried.iter().filter(|t| t.endpoint.is_there()).peekable();
            !is_named() && there.peek().is_some() && there.all(|t| t.why.starts_with(FORBIDDEN))
        }
        _ => false,
    }
}

/// Connects to the engine at `host`.
///
/// # Errors
/// It does not answer.
pub async fn at(host: &str) -> Result<Engine, DockerError> {
    let endpoint = Endpoint { host: host.to_owned(), from: "its name".to_owned() };
    match connect(&endpoint).await {
        Ok(docker) => Ok(Engine { docker, endpoint }),
        Err(why) => Err(DockerError::NoEngine { tried: vec![Unanswered { endpoint, why }] }),
    }
}

async fn connect(endpoint: &Endpoint) -> Result<Docker, String> {
    if let Some(path) = endpoint.path() {
        // Bollard's own message does not say which error it was.
        std::os::unix::net::UnixStream::connect(path).map_err(|e| refusal(path, &e))?;
    }
    let host = &endpoint.host;
    let docker = match endpoint.path() {
        Some(_) => Docker::connect_with_unix(host, SHORT, API_DEFAULT_VERSION),
        None => Docker::connect_with_http(host, SHORT, API_DEFAULT_VERSION),
    };
    let docker = match host.split_once("://") {
        Some(("unix" | "tcp" | "http", _)) => docker.map_err(|e| e.to_string())?,
        _ => return Err("redrill speaks unix:// and tcp:// without TLS only".to_owned()),
    };
    let docker = docker.negotiate_version().await.map_err(|e| innermost(&e))?;
    Ok(docker.with_timeout(std::time::Duration::from_secs(PATIENCE)))
}

fn refusal(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "{FORBIDDEN}; join the group that owns `{}` (mostly `docker`), or run \
             an engine of your own (rootless Docker, or `podman system service`)",
            path.display()
        ),
        io::ErrorKind::ConnectionRefused => "nobody listens on it: is the engine running?".into(),
        _ => error.to_string(),
    }
}

/// The places to try, in this order.
fn places() -> Result<Vec<Endpoint>, DockerError> {
    if let Some(host) = var("DOCKER_HOST") {
        let endpoint = Endpoint { host, from: "DOCKER_HOST".to_owned() };
        return Ok(vec![endpoint]);
    }
    let config = var("DOCKER_CONFIG").map(PathBuf::from);
    let config = config.or_else(|| Some(env::home_dir()?.join(".docker")));
    if let Some(endpoint) = config.map(|dir| of_context(&dir)).transpose()?.flatten() {
        return Ok(vec![endpoint]);
    }
    let run = var("XDG_RUNTIME_DIR").map(PathBuf::from);
    let in_run = |name: &str| run.as_ref().map(|run| run.join(name));
    let home = env::home_dir().map(|home| home.join(".docker/run/docker.sock"));
    let sockets = [
        (Some(PathBuf::from("/var/run/docker.sock")), "Docker"),
        (in_run("docker.sock"), "rootless Docker"),
        (home, "Docker Desktop"),
        (in_run("podman/podman.sock"), "rootless Podman"),
        (Some(PathBuf::from("/run/podman/podman.sock")), "Podman"),
    ];
    Ok(sockets.into_iter().filter_map(|(path, from)| Some(Endpoint::socket(path?, from))).collect())
}

fn var(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The host of the current context, unless it is the default one: `DOCKER_CONTEXT`, otherwise
/// `currentContext` of config.json. A context is stored under a hash of its name, so all are
/// read.
fn of_context(config: &Path) -> Result<Option<Endpoint>, DockerError> {
    let current =
        || json(&config.join("config.json"))?["currentContext"].as_str().map(String::from);
    let Some(name) = var("DOCKER_CONTEXT").or_else(current).filter(|name| name != "default") else {
        return Ok(None);
    };
    let metas = fs::read_dir(config.join("contexts/meta")).into_iter().flatten().flatten();
    let meta = metas.filter_map(|entry| json(&entry.path().join("meta.json")));
    let host = meta
        .filter(|meta| meta["Name"] == name.as_str())
        .find_map(|meta| Some(meta["Endpoints"]["docker"]["Host"].as_str()?.to_owned()));
    let from = format!("the context {name:?}");
    match host {
        Some(host) => Ok(Some(Endpoint { host, from })),
        None => Err(DockerError::NoContext { name, config: config.to_owned() }),
    }
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_found_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(of_context(dir.path()).unwrap(), None, "no config at all");
        fs::write(dir.path().join("config.json"), r#"{"currentContext":"mine"}"#).unwrap();
        let lost = of_context(dir.path()).unwrap_err();
        assert!(lost.to_string().contains("mine"), "{lost}");
        let meta = dir.path().join("contexts/meta/0a1b");
        fs::create_dir_all(&meta).unwrap();
        let text = r#"{"Name":"mine","Endpoints":{"docker":{"Host":"unix:///x/y.sock"}}}"#;
        fs::write(meta.join("meta.json"), text).unwrap();
        let found = of_context(dir.path()).unwrap().unwrap();
        assert_eq!((&*found.host, &*found.from), ("unix:///x/y.sock", "the context \"mine\""));
        fs::write(dir.path().join("config.json"), r#"{"currentContext":"default"}"#).unwrap();
        assert_eq!(of_context(dir.path()).unwrap(), None);
    }
}

//! Errors of containers.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use super::place::Endpoint;
use crate::model::NodeName;

/// An engine that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    pub endpoint: Endpoint,
    pub why: String,
}

#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    #[error(
        "no Docker engine answers{}\nstart one, or name it with DOCKER_HOST; \
         without Docker, `--backend process` runs servers as processes",
        listed(.tried)
    )]
    NoEngine { tried: Vec<Unanswered> },
    #[error(
        "the Docker context {name:?} is in use, but `{}` knows none of that name; \
         choose another with `docker context use`, or set DOCKER_HOST",
        config.display()
    )]
    NoContext { name: String, config: PathBuf },
    #[error(
        "there is no image `{image}`, and it cannot be pulled: {why}\n\
         where there is no registry, load it (`docker load`), or name one that is there \
         (`docker images`) in the topology: `engine: {{ image: … }}`"
    )]
    NoImage { image: String, why: String },
    #[error("the image `{image}` is not of a Redis or Valkey server: {why}")]
    NotAServer { image: String, why: String },
    #[error(
        "the image `{image}` has {kind} {version}, and the topology asks for {asked} (`engine.kind`)"
    )]
    OtherKind { image: String, kind: String, version: String, asked: String },
    #[error(
        "the image `{image}` has version {version}, which is too old: redrill needs Redis 7.0 or \
         later, or Valkey"
    )]
    TooOld { image: String, version: String },
    #[error(
        "no subnet is free for the drill's network: all of {first} to {last} are in use, on this \
         machine or by other networks of the Docker engine ({why})"
    )]
    NoSubnet { first: String, last: String, why: String },
    #[error(
        "the links of containers cannot be changed from here: their bridge at {gateway} is none of \
         this machine's, so the Docker engine runs elsewhere or in a virtual machine, or redrill \
         in a container without the machine's network (`network_mode: host`); run the servers as \
         processes (--backend process)"
    )]
    NoBridge { gateway: Ipv4Addr },
    #[error(
        "the relay finds no {count} ports from {first} to {last} at {gateway} of which each is \
         free, and the one 10,000 above it: {why}"
    )]
    NoDoors { gateway: Ipv4Addr, count: usize, first: u16, last: u16, why: std::io::Error },
    #[error("{count} nodes are more than the {most} that have room in one network")]
    TooMany { count: usize, most: usize },
    #[error(
        "a container `{name}` is there already that is not this drill's; redrill leaves it alone"
    )]
    NameTaken { name: String },
    #[error("cannot {what} the container of {node}: {}", innermost(source))]
    Container { what: &'static str, node: NodeName, source: Box<bollard::errors::Error> },
    #[error("the Docker engine at {host} cannot {what}: {}", innermost(source))]
    Engine { host: String, what: &'static str, source: Box<bollard::errors::Error> },
    #[error(
        "the kernel cannot cut {node} off: its process cannot be seen from here, so the Docker \
         engine runs elsewhere, in a virtual machine, or this is a container without the \
         machine's processes (`pid: host`)"
    )]
    Unseen { node: NodeName },
    #[error("the kernel cannot cut {node} off: {why}")]
    Cut { node: NodeName, why: String },
    #[error("cannot start the process that clears up should redrill be killed: {0}")]
    Reaper(std::io::Error),
}

impl DockerError {
    /// Whether the engine failed, and not a container: that one is gone or stands still is 404 or
    /// 409.
    pub fn is_of_engine(&self) -> bool {
        match self {
            DockerError::Container { source, .. } => status(source).is_none_or(|code| code >= 500),
            DockerError::NoEngine { .. } | DockerError::Engine { .. } => true,
            _ => false,
        }
    }
}

fn listed(tried: &[Unanswered]) -> String {
    let one = |t: &Unanswered| format!("\n  {} ({}): {}", t.endpoint.host, t.endpoint.from, t.why);
    let all: String = tried.iter().map(one).collect();
    if all.is_empty() { String::new() } else { format!("; tried:{all}") }
}

/// The innermost cause, which says most: `Connection refused`, and not which library did what.
pub fn innermost(error: &bollard::errors::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The status code of the engine's answer, if there was one.
pub fn status(error: &bollard::errors::Error) -> Option<u16> {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_fails_is_no_container_that_is_gone() {
        let answered = |status_code| DockerError::Container {
            what: "pause",
            node: NodeName::new("cache", 2, 0),
            source: Box::new(bollard::errors::Error::DockerResponseServerError {
                status_code,
                message: "unable to freeze".to_owned(),
            }),
        };
        assert!(answered(500).is_of_engine());
        assert!(!answered(404).is_of_engine() && !answered(409).is_of_engine());
    }
}

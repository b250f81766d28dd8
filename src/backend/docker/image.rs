//! The image that nodes run: found or pulled, and asked for its server.

use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures::StreamExt;

use super::call::call;
use super::endpoint::Engine;
use super::error::{DockerError, status};
use super::owner::Owner;
use crate::backend::version;
use crate::model::event::EngineInfo;
use crate::spec::topology::{self, EngineKind};

/// How long a server may take to print its version: a busy machine takes a second to run a
/// container.
const PATIENCE: Duration = Duration::from_secs(20);

/// An image with a server that redrill can run.
#[derive(Clone, Debug)]
pub struct Image {
    pub reference: String,
    /// `redis-server` or `valkey-server`.
    pub program: &'static str,
    pub engine: EngineInfo,
}

impl Image {
    /// The image that the topology names, or the default for its kind of server. It is pulled
    /// if it is missing; `heard` gets the progress.
    ///
    /// # Errors
    /// It is missing and cannot be pulled, or it has no server that redrill can run.
    pub async fn find(
        engine: &Engine,
        asked: &topology::Engine,
        owner: &Owner,
        heard: &(dyn Fn(&str) + Sync),
    ) -> Result<Image, DockerError> {
        let reference = asked.image_or_default().to_owned();
        if !is_there(engine, &reference).await? {
            pull(engine, &reference, heard).await?;
        }
        let image = ask(engine, &reference, asked.kind, owner).await?;
        match asked.kind {
            Some(kind) if kind.to_string() != image.engine.kind => Err(DockerError::OtherKind {
                image: reference,
                kind: image.engine.kind,
                version: image.engine.version,
                asked: kind.to_string(),
            }),
            _ => Ok(image),
        }
    }
}

async fn is_there(engine: &Engine, reference: &str) -> Result<bool, DockerError> {
    match call("inspect the image", reference, engine.docker.inspect_image(reference)).await {
        Ok(_) => Ok(true),
        Err(e) if status(&e) == Some(404) => Ok(false),
        Err(source) => Err(engine.cannot("look for an image", source)),
    }
}

async fn pull(
    engine: &Engine,
    reference: &str,
    heard: &(dyn Fn(&str) + Sync),
) -> Result<(), DockerError> {
    // Without a tag, all tags would be pulled.
    let last = reference.rsplit('/').next().unwrap_or(reference);
    let tagged = last.contains(':') || reference.contains('@');
    let named = if tagged { reference.to_owned() } else { format!("{reference}:latest") };
    heard(&format!("pulling {named}"));
    let options = CreateImageOptionsBuilder::default().from_image(&named).build();
    let mut pulling = std::pin::pin!(engine.docker.create_image(Some(options), None, None));
    while let Some(told) = pulling.next().await {
        let told = told.map_err(|e| refused(reference, &e))?;
        if let Some(error) = told.error_detail.and_then(|detail| detail.message) {
            return Err(DockerError::NoImage { image: reference.to_owned(), why: error });
        }
        let progress = told.progress_detail.and_then(|p| Some((p.current?, p.total?)));
        if let (Some(status), Some((done, total))) = (told.status, progress) {
            let (done, total) = (done as f64 / 1e6, total as f64 / 1e6);
            let layer = told.id.unwrap_or_default();
            heard(&format!("pulling {named}: {status} {layer} {done:.1} of {total:.1} MB"));
        }
    }
    Ok(())
}

fn refused(image: &str, error: &Error) -> DockerError {
    DockerError::NoImage { image: image.to_owned(), why: in_words(error) }
}

/// The engine's message without the status code.
fn in_words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// Runs the image's server to get its version.
async fn ask(
    engine: &Engine,
    reference: &str,
    kind: Option<EngineKind>,
    owner: &Owner,
) -> Result<Image, DockerError> {
    let valkey_first = kind == Some(EngineKind::Valkey) || reference.contains("valkey");
    let programs = match valkey_first {
        true => ["valkey-server", "redis-server"],
        false => ["redis-server", "valkey-server"],
    };
    let not_a_server = |why: String| DockerError::NotAServer { image: reference.to_owned(), why };
    for program in programs {
        let said = match version_of(engine, reference, program, owner).await? {
            Ok(said) => said,
            // Runtimes quote the program in different places.
            Err(why) if why.contains("executable file") && why.contains("not found") => continue,
            Err(why) => return Err(not_a_server(why)),
        };
        let Some((kind, version)) = version::read(&said) else {
            let said = said.chars().take(120).collect::<String>();
            return Err(not_a_server(format!("asked for its version, it said {said:?}")));
        };
        if !version::is_new_enough(&version) {
            return Err(DockerError::TooOld { image: reference.to_owned(), version });
        }
        let info = EngineInfo { kind: kind.to_string(), version };
        return Ok(Image { reference: reference.to_owned(), program, engine: info });
    }
    Err(not_a_server("neither redis-server nor valkey-server is on its PATH".to_owned()))
}

/// The output of `program --version` in a new container, or why it could not be run.
async fn version_of(
    engine: &Engine,
    reference: &str,
    program: &str,
    owner: &Owner,
) -> Result<Result<String, String>, DockerError> {
    let docker = &engine.docker;
    let name = format!("redrill-{}-version-{program}", owner.drill);
    let body = ContainerCreateBody {
        image: Some(reference.to_owned()),
        entrypoint: Some(vec![program.to_owned()]),
        cmd: Some(vec!["--version".to_owned()]),
        labels: Some(owner.labels(None)),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::default().name(&name).build();
    let made = call("create", &name, docker.create_container(Some(options), body)).await;
    let id = made.map_err(|e| engine.cannot("make a container", e))?.id;
    let said = tokio::time::timeout(PATIENCE, run_to_its_end(docker, &id)).await;
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    let removed = call("remove", &name, docker.remove_container(&id, Some(options))).await;
    removed.map_err(|e| engine.cannot("remove a container", e))?;
    Ok(match said {
        Err(_) => Err(format!("it has not told its version within {} s", PATIENCE.as_secs())),
        Ok(said) => said.map_err(|e| in_words(&e)),
    })
}

async fn run_to_its_end(docker: &bollard::Docker, id: &str) -> Result<String, Error> {
    let next = WaitContainerOptionsBuilder::default().condition("next-exit").build();
    let mut ended = std::pin::pin!(docker.wait_container(id, Some(next)));
    // The wait must begin before the container does.
    let start = call("start", id, docker.start_container(id, None));
    let (_, started) = tokio::join!(async { futures::poll!(ended.next()) }, start);
    started?;
    let gone = WaitContainerOptionsBuilder::default().condition("not-running").build();
    // How it ended shows in what it said.
    std::pin::pin!(docker.wait_container(id, Some(gone))).next().await;
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).build();
    let mut lines = std::pin::pin!(docker.logs(id, Some(options)));
    let mut said = String::new();
    while let Some(line) = lines.next().await {
        said.push_str(&line?.to_string());
    }
    Ok(said)
}

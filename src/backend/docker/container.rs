//! One node's container: its configuration, and the files in it before it starts.

use bollard::body_full;
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, Mount, MountType,
    NetworkingConfig,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, DownloadFromContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use futures::TryStreamExt;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use super::super::{NodePlan, config};
use super::call::call;
use super::endpoint::Engine;
use super::error::{DockerError, status};
use super::image::Image;
use super::made::{HOME, Kit, PERIOD};
use super::network::Network;
use super::owner::Owner;
use crate::files::make;
use crate::model::NodeName;

/// `redrill-<drill>-cache-0-0`
pub fn name(drill: &str, node: &NodeName) -> String {
    format!("redrill-{drill}-{}", node.file_name())
}

/// Creates the container, with everything that its server starts from, and returns its id. It
/// does not run yet.
///
/// # Errors
/// Its name is taken, or the engine refuses.
pub async fn make(
    engine: &Engine,
    owner: &Owner,
    image: &Image,
    network: &Network,
    plan: &NodePlan,
    kit: &Kit,
) -> Result<String, DockerError> {
    let docker = &engine.docker;
    let name = name(&owner.drill, &plan.name);
    let cannot = |what, source| cannot(what, &plan.name, source);
    let options = CreateContainerOptionsBuilder::default().name(&name).build();
    let made = docker.create_container(Some(options), body(owner, image, network, plan, kit));
    let id = call("create", &name, made).await.map_err(|e| match status(&e) {
        Some(409) => DockerError::NameTaken { name },
        _ => cannot("make", e),
    })?;
    let id = id.id;
    let options = UploadToContainerOptionsBuilder::default().path(HOME).build();
    let files = archive(plan, kit).map_err(|e| cannot("fill", Error::from(e)))?;
    let fill = docker.upload_to_container(&id, Some(options), body_full(files.into()));
    call("fill", &plan.name, fill).await.map_err(|e| cannot("fill", e))?;
    Ok(id)
}

/// The text of a file in the node's directory.
pub async fn read(engine: &Engine, id: &str, file: &str) -> Result<String, Error> {
    let path = format!("{HOME}/{file}");
    let options = DownloadFromContainerOptionsBuilder::default().path(&path).build();
    let parts = engine.docker.download_from_container(id, Some(options));
    let archive: Vec<u8> = parts.map_ok(Vec::from).try_concat().await?;
    let mut text = String::new();
    for entry in tar::Archive::new(&archive[..]).entries()? {
        entry?.read_to_string(&mut text)?;
    }
    Ok(text)
}

/// The error of an action on a node's container.
pub fn cannot(what: &'static str, node: &NodeName, source: Error) -> DockerError {
    DockerError::Container { what, node: node.clone(), source: Box::new(source) }
}

fn body(
    owner: &Owner,
    image: &Image,
    network: &Network,
    plan: &NodePlan,
    kit: &Kit,
) -> ContainerCreateBody {
    let address = EndpointIpamConfig {
        ipv4_address: Some(plan.addr.ip().to_string()),
        ..EndpointIpamConfig::default()
    };
    let endpoint = EndpointSettings { ipam_config: Some(address), ..EndpointSettings::default() };
    let host = HostConfig {
        network_mode: Some(network.name.clone()),
        // Not `nano_cpus`, which cannot be removed again.
        cpu_period: PERIOD,
        cpu_quota: kit.quota(plan),
        memory: plan.limits.memory.map(|bytes| bytes as i64),
        // The same amount of swap on top would be no limit.
        memory_swap: plan.limits.memory.map(|bytes| bytes as i64),
        // A volume is on the engine's disk. On the layers of an image, each saving of the
        // cluster's table takes far longer: 1,820 slots moved in 4.1 s there, in 0.9 s here.
        mounts: Some(vec![Mount {
            target: Some(HOME.to_owned()),
            typ: Some(MountType::VOLUME),
            ..Mount::default()
        }]),
        // A server needs no rights beyond its own files.
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        ..HostConfig::default()
    };
    ContainerCreateBody {
        image: Some(image.reference.clone()),
        env: kit.environment(),
        // The entrypoint of public images is a script that needs a shell and changes users.
        entrypoint: Some(vec![image.program.to_owned()]),
        cmd: Some([&[format!("{HOME}/{}", config::FILE)], &plan.args[..]].concat()),
        working_dir: Some("/".to_owned()),
        hostname: Some(plan.name.file_name()),
        labels: Some(owner.labels(Some(&plan.name))),
        host_config: Some(host),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(network.name.clone(), endpoint)])),
        }),
        ..ContainerCreateBody::default()
    }
}

/// The files of the node's directory, as an archive.
fn archive(plan: &NodePlan, kit: &Kit) -> std::io::Result<Vec<u8>> {
    let conf = config::text(plan, Path::new(HOME), Path::new(""));
    let files = plan.files.iter().map(|(name, content)| (&**name, content.as_bytes()));
    let control = kit.control();
    pack(files.chain([(config::FILE, conf.as_bytes())]).chain(kit.files(&control)))
}

/// An archive of files with these names and contents, as the engine accepts it. Only the server's
/// user, which is root, may read its configuration: the password is in it.
pub fn pack<'f>(files: impl Iterator<Item = (&'f str, &'f [u8])>) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(if name == config::FILE { make::MODE } else { 0o644 });
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, name, content)?;
    }
    archive.into_inner()
}

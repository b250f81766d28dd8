//! Local images of a test's own.

use bollard::query_parameters::{CreateImageOptionsBuilder, RemoveImageOptionsBuilder};
use futures::TryStreamExt;

use crate::docker::engine::Engine;

/// A local image of some files; removed with this.
pub struct Local<'a> {
    engine: &'a Engine,
    pub name: String,
}

impl Local<'_> {
    pub fn of<'a>(engine: &'a Engine, name: &str, files: &[(&str, &[u8])]) -> Local<'a> {
        let name = format!("redrill-test-{}-{name}:latest", std::process::id());
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o755);
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, path, *content).unwrap();
        }
        let (repo, tag) = name.split_once(':').unwrap();
        let options = CreateImageOptionsBuilder::default().from_src("-").repo(repo).tag(tag);
        let archive = bollard::body_full(archive.into_inner().unwrap().into());
        let import = engine.docker().create_image(Some(options.build()), Some(archive), None);
        engine.wait(import.try_collect::<Vec<_>>()).unwrap();
        Local { engine, name }
    }
}

impl Drop for Local<'_> {
    fn drop(&mut self) {
        let options = RemoveImageOptionsBuilder::default().force(true).build();
        let removing = self.engine.docker().remove_image(&self.name, Some(options), None);
        let _ = self.engine.wait(removing);
    }
}

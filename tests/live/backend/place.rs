//! Where a test of backends puts its servers.

use std::path::Path;

use redrill::backend::docker::{self, sweep};
use redrill::backend::process::binary::ServerBinary;
use redrill::backend::{Backend, ResolvedBackend};
use redrill::spec::topology::Engine;

use crate::common::need::{self, Need};
use crate::common::{self, HeavyTurn, heavy_turn, server};

pub struct Place {
    resolved: ResolvedBackend,
    dir: tempfile::TempDir,
    made: std::cell::Cell<u32>,
    _turn: Option<HeavyTurn>,
}

impl Place {
    fn new(resolved: ResolvedBackend, _turn: Option<HeavyTurn>) -> Place {
        Place { resolved, dir: tempfile::tempdir().unwrap(), made: Default::default(), _turn }
    }

    pub fn process() -> Place {
        Place::new(ResolvedBackend::Process(ServerBinary::at(&server()).unwrap()), None)
    }

    /// `None` where no Docker engine answers.
    pub async fn docker() -> Option<Place> {
        let turn = Some(heavy_turn());
        match docker::DockerSetup::find(
            &Engine::default(),
            Path::new(env!("CARGO_BIN_EXE_redrill")),
            &|_| (),
        )
        .await
        {
            Ok(found) => Some(Place::new(ResolvedBackend::Docker(Box::new(found)), turn)),
            Err(e) => {
                need::skip(Need::Docker, &e.to_string());
                None
            }
        }
    }

    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    fn id(&self) -> String {
        let name = self.dir.path().file_name().unwrap().to_str().unwrap();
        format!("test-{}", name.trim_start_matches('.'))
    }

    pub async fn backend(&self) -> Box<dyn Backend> {
        let number = self.made.replace(self.made.get() + 1);
        let program = Path::new(env!("CARGO_BIN_EXE_redrill"));
        // A folder for each: that of the first is the place's own.
        let folder = match number {
            0 => self.dir.path().to_owned(),
            more => self.dir.path().join(more.to_string()),
        };
        self.resolved.open(&self.id(), &folder, program).await.unwrap()
    }

    pub async fn assert_nothing_left(&self) {
        common::assert_nothing_left(self.folder());
        if let ResolvedBackend::Docker(_) = self.resolved {
            let engine = docker::endpoint::find().await.unwrap();
            let all = sweep::find(&engine.docker, None).await.unwrap();
            let own = |drill: &&String| drill.starts_with(&self.id());
            assert_eq!(all.keys().find(own), None);
        }
    }
}

//! The Docker engine that tests use, and looking for what redrill left in it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bollard::Docker;
use redrill::backend::docker::endpoint;
use redrill::backend::docker::sweep::{self, Remains};
use redrill::backend::proc;
use tokio::runtime::Runtime;

use crate::common::need::{self, Need};
use crate::common::{HeavyTurn, Ran, heavy_turn, until};
use crate::drill::place::Place;

pub struct Engine {
    _turn: HeavyTurn,
    runtime: Runtime,
    pub found: endpoint::Engine,
}

impl Engine {
    /// `None` where none answers.
    pub fn here() -> Option<Engine> {
        let _turn = heavy_turn();
        let runtime = Runtime::new().unwrap();
        match runtime.block_on(endpoint::find()) {
            Ok(found) => Some(Engine { _turn, runtime, found }),
            Err(e) => {
                need::skip(Need::Docker, &e.to_string());
                None
            }
        }
    }

    pub fn docker(&self) -> &Docker {
        &self.found.docker
    }

    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn remains(&self, whose: impl Fn(&Remains) -> bool) -> Vec<Remains> {
        let all = self.wait(sweep::find(self.docker(), None)).unwrap();
        all.into_values().filter(whose).collect()
    }

    /// What the process `pid`, or its keeper, has in the engine.
    pub fn owned_by(&self, pid: u32) -> Vec<Remains> {
        self.remains(|remains| remains.owner.process.pid == pid)
    }

    /// What the drill of that run folder has in the engine.
    pub fn of_drill(&self, id: &str) -> Vec<Remains> {
        self.remains(|remains| remains.owner.drill.starts_with(id))
    }

    /// The volumes that redrill's containers have: their data.
    pub fn volumes_of(&self, remains: &Remains) -> Vec<String> {
        let inspect = |id: &String| self.wait(self.docker().inspect_container(id, None)).unwrap();
        let mounts = remains.containers.iter().flat_map(|id| inspect(id).mounts.unwrap());
        mounts.map(|mount| mount.name.unwrap()).collect()
    }

    pub fn has_volume(&self, name: &str) -> bool {
        self.wait(self.docker().inspect_volume(name)).is_ok()
    }

    /// Containers, networks and processes of that redrill are gone, or are within `most`.
    pub fn assert_nothing_of(&self, pid: u32, place: &Place, most: Duration) {
        let gone = || self.owned_by(pid).is_empty() && processes_of(place.path()).is_empty();
        let all_gone = until(most, gone);
        let left = (self.owned_by(pid), processes_of(place.path()));
        assert!(all_gone, "containers, networks or processes are left: {left:?}");
    }

    /// Runs it to its end, after which nothing of it may be left.
    pub fn run(&self, place: &Place, command: &mut Command) -> Ran {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let pid = child.id();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        self.assert_nothing_of(pid, place, Duration::ZERO);
        place.assert_nothing_left();
        Ran { code: output.status.code(), out, err }
    }

    /// Plays a scenario in containers.
    pub fn play(&self, place: &Place, scenario: &str) -> Ran {
        self.run(place, &mut place.command(scenario, &["--backend", "docker"]))
    }
}

/// All processes that keep their state in that place: redrill, and who clears up after it.
pub fn processes_of(place: &Path) -> Vec<u32> {
    let place = place.to_str().unwrap().as_bytes();
    let of_place = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(place.len()).any(|part| part == place)
    };
    proc::pids().filter(of_place).collect()
}

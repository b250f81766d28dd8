//! redrill itself in a container, by compose/redrill.yaml.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use redrill::backend::process::binary::on_path;

use crate::common::need::{self, Need};
use crate::common::run;
use crate::docker::engine::Engine;
use crate::docker::local::Local;
use crate::drill::place::{self, Place};

/// What the program is linked with: its loader and libraries, by their paths.
fn libraries(program: &str) -> Vec<PathBuf> {
    let listed = Command::new("ldd").arg(program).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let paths = listed.split_whitespace().filter(|word| word.starts_with('/'));
    paths.map(PathBuf::from).collect()
}

/// An image like the Dockerfile's, of the program that is tested, without a build.
fn image(engine: &Engine) -> Local<'_> {
    let program = env!("CARGO_BIN_EXE_redrill");
    let mut files = vec![("usr/local/bin/redrill".to_owned(), fs::read(program).unwrap())];
    for library in libraries(program) {
        let inside = library.to_str().unwrap().trim_start_matches('/').to_owned();
        files.push((inside, fs::read(&library).unwrap()));
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, c)| (&**path, &**c)).collect();
    Local::of(engine, "itself", &files)
}

fn compose(image: &Local, place: &Place, project: &str, args: &[&str]) -> Command {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose/redrill.yaml");
    let mut command = Command::new("docker-compose");
    command.arg("-f").arg(file).args(["-p", project, "run", "--rm", "-T"]);
    // The image has no entry point: it is made of files alone.
    command.args(["--entrypoint", "/usr/local/bin/redrill", "redrill"]).args(args);
    command.env("REDRILL_IMAGE", &image.name).env("REDRILL_RUNS", place.out());
    command
}

/// The relay is where the bridge is: it takes the machine's network, which compose/redrill.yaml
/// gives. The kernel's cuts take rights that it does not give.
const LINKED: &str = "
name: linked-from-within
topology: standalone
loads: { app: { rate: 100/s, keys: 100 } }
timeline: [{ at: 500ms, do: latency, between: [clients, others], latency: 20ms, for: 1s }]
settle: 500ms
expect: [writes.lost == 0, latency.p50.during >= 40ms]
";

#[test]
fn redrill_drills_from_a_container_of_its_own() {
    let Some(engine) = Engine::here() else { return };
    if on_path("docker-compose").is_none() {
        return need::skip(Need::Compose, "there is no docker-compose on PATH");
    }
    let image = image(&engine);
    let place = Place::new();
    fs::create_dir(place.out()).unwrap();
    fs::write(place.out().join("moving.yaml"), place::MOVING).unwrap();
    let project = format!("redrill-test-{}-itself", std::process::id());
    fs::write(place.out().join("linked.yaml"), LINKED).unwrap();
    for scenario in ["runs/moving.yaml", "runs/linked.yaml"] {
        let ran = run(&mut compose(&image, &place, &project, &["run", scenario]));
        assert_eq!(ran.code, Some(0), "{scenario}: {}{}", ran.out, ran.err);
    }
    let folders: Vec<PathBuf> =
        place.folders().into_iter().filter(|f| f.join("report.json").exists()).collect();
    assert_eq!(folders.len(), 2, "{folders:?}");
    for folder in folders {
        let report = place::report(&folder);
        assert_eq!((&report["verdict"], &report["backend"]), (&"pass".into(), &"docker".into()));
        let id = report["id"].as_str().unwrap();
        let left = engine.of_drill(id);
        assert!(left.is_empty(), "{left:?}");
    }
}

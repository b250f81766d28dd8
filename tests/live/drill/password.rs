//! The password of a drill's servers: they ask for it, and only its owner may read it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use redrill::backend::proc;
use redrill::backend::registry::Record;
use rustix::process::Signal;

use crate::common::{client, script};
use crate::drill::place::{Place, assert_no_step_failed};

/// Servers log in at each other in every way that there is: as replicas, as sentinels, to move
/// keys, and when they are back.
const SCENARIO: &str = "
name: guarded
topology: ./guarded.yaml
loads:
  app: { group: cache, rate: 200/s, clients: 8, keys: 2000 }
  crate: { group: cache, rate: 100/s, clients: 8, keys: 100, client: redis-rs }
  parrot: { group: watched, rate: 50/s, clients: 8, keys: 100 }
timeline:
  - { at: 500ms, do: reshard, group: cache, from: 0, to: 1, slots: 200, pace: fast }
  - { at: 1s, do: restart, group: cache, target: cache/2/1, data: dropped }
  - { at: 1s, do: restart, group: watched, target: watched/0/1 }
settle: 3s
reported: [all]
";

const TOPOLOGY: &str = "
name: guarded
groups:
  cache: { mode: cluster, shards: 3, replicas: 1, config: { cluster-node-timeout: 2000 } }
  watched: { mode: sentinel, replicas: 1, down_after: 10s }
";

/// An adapter that repeats what it was told.
const PARROT: &str = r#"echo '{"protocol":1,"name":"parrot","version":"1","does":["get","set"]}'
read -r greeting; read -r told; echo '{"id":1,"ok":null}'
secret=${told##*password\":\"}; secret=${secret%%\"*}
while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case $line in
    *noop*) echo "{\"id\":$id,\"ok\":null}" ;;
    *) echo "{\"id\":$id,\"unknown\":\"I know $secret\"}" ;;
  esac
done"#;

/// All files in the folder, at any depth.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

pub fn holds(text: &[u8], secret: &str) -> bool {
    text.windows(secret.len()).any(|part| part == secret.as_bytes())
}

/// The files in the folder in which the password stands.
fn files_with(folder: &Path, secret: &str) -> Vec<PathBuf> {
    let read = |path: &PathBuf| match path.extension().is_some_and(|end| end == "zst") {
        true => zstd::decode_all(fs::File::open(path).unwrap()).unwrap(),
        // What a server writes anew may be gone by now.
        false => fs::read(path).unwrap_or_default(),
    };
    files(folder).into_iter().filter(|path| holds(&read(path), secret)).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// No server does anything for those who do not know it.
fn assert_asked_for(record: &Record) {
    let password = record.password();
    assert!(record.nodes.len() == 6 + 2 + 3, "{:?}", record.nodes);
    for node in &record.nodes {
        let mut set = redis::Cmd::new();
        if node.name.is_sentinel() {
            set.arg("SENTINEL");
        }
        set.arg("CONFIG").arg("SET").arg("loglevel").arg("debug");
        let mut anybody = client(&node.address, None).get_connection().unwrap();
        let refused = set.query::<()>(&mut anybody).unwrap_err();
        assert_eq!(refused.code(), Some("NOAUTH"), "{}: {refused}", node.name);
        let mut owner = client(&node.address, password.as_ref()).get_connection().unwrap();
        let answer: String = redis::cmd("PING").query(&mut owner).unwrap();
        assert_eq!(answer, "PONG", "{}", node.name);
    }
}

/// It stands in no file that others can read, and in nothing that they see of a process.
fn assert_hidden(place: &Place, nodes: &Path, secret: &str) {
    assert_eq!((mode(nodes), mode(&nodes.join("password"))), (0o700, 0o600));
    let found = files_with(place.path(), secret);
    assert!(found.iter().all(|path| path.starts_with(nodes)), "{found:?}");
    for conf in found.iter().filter(|path| !path.to_string_lossy().contains("sentinel")) {
        assert_eq!(mode(conf), 0o600, "{}", conf.display());
    }
    for pid in proc::pids() {
        for what in ["cmdline", "environ"] {
            let text = fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            assert!(!holds(&text, secret), "{what} of {}", String::from_utf8_lossy(&text));
        }
    }
}

/// `look` gets redrill's pid and the password, while all is up.
pub fn servers_ask_for_it_and_nobody_else_sees_it(backend: &str, look: impl FnOnce(u32, &str)) {
    let place = Place::new();
    fs::write(place.path().join("guarded.yaml"), TOPOLOGY).unwrap();
    let parrot = script(place.path(), "parrot", PARROT);
    let parrot = format!("loads.parrot.client={{ command: ['{}'] }}", parrot.display());
    let args = ["--backend", backend, "--keep", "--set", &parrot];
    let mut playing = place.start(SCENARIO, &args);
    playing.wait_for_words("The topology is up until Ctrl-C");
    let record = place.records().pop().unwrap();
    let secret = record.password().unwrap().reveal().to_owned();
    assert_asked_for(&record);
    assert_hidden(&place, &record.directory.join("nodes"), &secret);
    look(playing.pid(), &secret);
    playing.signal(Signal::INT);
    playing.end();
    place.assert_nothing_left();
    assert_eq!(files_with(place.path(), &secret), [""; 0].map(PathBuf::from));

    // All of that went on with it.
    let report = place.report();
    assert_no_step_failed(&report);
    let operations = |load: usize| report["loads"][load]["figures"]["answered"].as_u64().unwrap();
    assert!(operations(0) > 300 && operations(1) > 150, "{}", report["loads"]);
    assert_eq!(report["measures"]["reshard.slots"]["value"], 200.0);
    let errors = report["loads"][2]["adapter"]["errors"].as_object().unwrap();
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["I know …"]);
}

#[test]
fn processes_ask_for_it_and_nobody_else_sees_it() {
    servers_ask_for_it_and_nobody_else_sees_it("process", |_, _| ());
}

#[test]
fn without_one_everybody_may_connect() {
    let place = Place::new();
    let topology = TOPOLOGY.replace("groups:", "auth: none\ngroups:");
    fs::write(place.path().join("guarded.yaml"), topology).unwrap();
    let args = ["--backend", "process", "--keep", "--set", "loads.parrot.rate=100/s"];
    let mut playing = place.start(SCENARIO, &args);
    playing.wait_for_words("The topology is up until Ctrl-C");
    let record = place.records().pop().unwrap();
    assert!(record.password().is_none() && !record.password_file().exists());
    for node in &record.nodes {
        let mut anybody = client(&node.address, None).get_connection().unwrap();
        let answer: String = redis::cmd("PING").query(&mut anybody).unwrap();
        assert_eq!(answer, "PONG", "{}", node.name);
    }
    playing.signal(Signal::INT);
    playing.end();
    place.assert_nothing_left();
    assert_no_step_failed(&place.report());
}

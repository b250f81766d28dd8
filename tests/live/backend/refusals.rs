//! What a machine or a topology lacks: each a clear error, and nothing left running.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::{
    NO_DOCKER, assert_nothing_left, backend, cluster, group, on_own_disk, redrill, run, script,
    server, topology,
};
use redrill::backend::process::address::AddressError;
use redrill::backend::process::binary::{BinaryError, ServerBinary};
use redrill::backend::{Backend, BackendError, ProcessBackend};
use redrill::cluster::{FormError, bring_up};
use redrill::spec::topology::{Engine, Group, Mode};

fn at(path: &Path) -> BinaryError {
    ServerBinary::at(path).unwrap_err()
}

#[test]
fn no_server_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = redrill(dir.path(), &["up", "standalone"]);
    let command = command.env("PATH", dir.path()).env_remove("REDRILL_ENGINE_BINARY");
    let ran = run(command.env("DOCKER_HOST", NO_DOCKER));
    assert_eq!(ran.code, Some(69), "{}", ran.err);
    assert!(ran.err.contains("apt-get install redis-server"), "{}", ran.err);
    assert!(ran.err.contains("--engine-binary"), "{}", ran.err);
    assert!(ran.err.contains("no Docker engine answers"), "{}", ran.err);
    assert!(ran.err.contains(NO_DOCKER), "{}", ran.err);
}

#[test]
fn programs_that_are_no_server() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(at(&dir.path().join("nothing")), BinaryError::Missing { .. }));
    assert!(matches!(at(Path::new("no-such-server")), BinaryError::Missing { .. }));
    assert!(matches!(at(dir.path()), BinaryError::CannotRun { .. }));
    assert!(matches!(at(Path::new("/bin/true")), BinaryError::NotAServer { .. }));

    let garbage = script(dir.path(), "garbage", "head -c 5000 /dev/zero; echo Redis; exit 3");
    assert!(matches!(at(&garbage), BinaryError::NotAServer { .. }));
    let endless = script(dir.path(), "endless", "while :; do echo Redis server; done");
    assert!(matches!(at(&endless), BinaryError::NotAServer { .. }));
    let old = script(dir.path(), "old", "echo Redis server v=6.2.0 sha=0:0 malloc=libc bits=64");
    let error = at(&old);
    assert!(matches!(&error, BinaryError::TooOld { version, .. } if version == "6.2.0"));
    assert!(error.to_string().contains("7.0 or later"), "{error}");
}

#[test]
fn a_program_that_never_answers_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let silent = script(dir.path(), "silent", "sleep 60 & sleep 60");
    let began = Instant::now();
    assert!(matches!(at(&silent), BinaryError::Silent { .. }));
    assert!(began.elapsed() < Duration::from_secs(20));
}

/// Brings up a topology that cannot be.
async fn refused(group: Group) -> FormError {
    let dir = tempfile::tempdir().unwrap();
    let backend = backend(dir.path());
    let error = bring_up(&backend, &topology(vec![group]), None, &|_, _| ()).await.unwrap_err();
    backend.shutdown().await.unwrap();
    assert_nothing_left(dir.path());
    error
}

#[tokio::test]
async fn a_port_that_is_taken() {
    // One whose bus port exists.
    let listen = || TcpListener::bind("0.0.0.0:0").unwrap();
    let held: Vec<TcpListener> = (0..50).map(|_| listen()).collect();
    let ports = held.iter().map(|held| held.local_addr().unwrap().port());
    let port = ports.min().unwrap();
    assert!(port <= 55_535, "no port below 55535 in 50 tries");

    let error = refused(Group { port: Some(port), ..cluster(3, 0) }).await;
    let FormError::Backend(BackendError::Address(AddressError::PortTaken { .. })) = &error else {
        panic!("{error}");
    };
    let said = error.to_string();
    assert!(said.contains(&format!("port {port}")), "{said}");
    assert!(said.contains(&format!("(pid {})", std::process::id())), "{said}");

    let error = refused(Group { port: Some(60_000), ..cluster(3, 0) }).await;
    assert!(error.to_string().contains("10,000 above"), "{error}");
}

#[tokio::test]
async fn a_directive_that_the_server_refuses() {
    let mut cache = cluster(3, 1);
    cache.config.insert("maxmemory".into(), "banana".into());
    let error = refused(cache).await;
    assert!(error.blames_topology());
    let said = error.to_string();
    assert!(said.contains("`cache`") && said.contains("`maxmemory banana`"), "{said}");
    assert!(said.contains("memory value"), "the server's own words: {said}");
}

#[tokio::test]
async fn a_server_that_ends_early_shows_its_log() {
    let mut one = group("one", Mode::Standalone);
    one.config.insert("loadmodule".into(), "/nowhere/module.so".into());
    let error = refused(one).await;
    assert!(matches!(error, FormError::Exited(_)) && !error.blames_topology());
    let said = error.to_string();
    assert!(said.contains("one/0/0") && said.contains("/nowhere/module.so"), "{said}");
}

#[test]
fn folders_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let binary = ServerBinary::at(&server()).unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    for folder in [Path::new("/proc/redrill"), &file] {
        let Err(error) = ProcessBackend::open(&binary, folder) else { panic!("{folder:?}") };
        assert!(matches!(error, BackendError::Folder { .. }), "{error}");
        assert!(error.to_string().contains(folder.to_str().unwrap()), "{error}");
    }
}

/// `redrill up` with its state on a file system of its own, if one may be mounted.
fn up_on(options: &str) -> Option<crate::common::Ran> {
    let dir = tempfile::tempdir().unwrap();
    let up = redrill(dir.path(), &["up", "cluster-3x1"]);
    let args: Vec<_> = std::iter::once(up.get_program()).chain(up.get_args()).collect();
    on_own_disk(dir.path(), options, r#"shift; exec "$@""#, &args, &up)
}

#[test]
fn a_full_file_system() {
    let Some(ran) = up_on("size=12k") else { return };
    assert_eq!(ran.code, Some(69), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("No space left"), "{}", ran.err);
}

#[test]
fn a_read_only_file_system() {
    let Some(ran) = up_on("ro") else { return };
    assert_eq!(ran.code, Some(69), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("Read-only file system"), "{}", ran.err);
}

/// `engine.kind` is kept to, wherever the server was named.
#[test]
fn a_server_of_another_kind_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let says = |name: &str, kind: &str| {
        script(dir.path(), name, &format!("echo {kind} server v=9.1.0 sha=0:0 malloc=libc bits=64"))
    };
    let redis = says("redis-server", "Redis");
    let file = dir.path().join("kinds.yaml");
    let asks = "name: kinds\nengine: { kind: valkey }\ngroups: { a: { mode: standalone } }\n";
    std::fs::write(&file, asks).unwrap();
    let scenario = dir.path().join("drill.yaml");
    std::fs::write(&scenario, "name: drill\ntopology: ./kinds.yaml\n").unwrap();
    let (file, scenario) = (file.to_str().unwrap(), scenario.to_str().unwrap());
    for args in [&["up", file][..], &["run", scenario]] {
        let mut command = redrill(dir.path(), args);
        let command = command.env("PATH", dir.path()).env_remove("REDRILL_ENGINE_BINARY");
        let ran = run(command.env("DOCKER_HOST", NO_DOCKER));
        assert_eq!(ran.code, Some(69), "{}", ran.err);
        assert!(ran.err.contains("no `valkey-server` on PATH, only `"), "{}", ran.err);
        let ran = run(redrill(dir.path(), args).env("REDRILL_ENGINE_BINARY", &redis));
        assert_eq!(ran.code, Some(69), "{}", ran.err);
        assert!(ran.err.contains("asks for valkey"), "{}", ran.err);
        assert!(ran.err.contains("redis-server` is redis 9.1.0"), "{}", ran.err);
    }
    let any = Engine::default();
    assert_eq!(ServerBinary::find(Some(&redis), &any).unwrap().path, redis);
    let valkey = says("valkey-server", "Valkey");
    assert_eq!(ServerBinary::find(Some(&valkey), &any).unwrap().path, valkey);
}

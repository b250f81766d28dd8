//! The admin connection to a real server: errors are told, and it comes back.

use std::time::Duration;

use crate::common::{backend, group, topology};
use redrill::backend::Backend;
use redrill::cluster::bring_up;
use redrill::model::NodeName;
use redrill::model::event::Role;
use redrill::node::{Node, Problem, Section};
use redrill::spec::topology::Mode;

#[tokio::test]
async fn errors_are_told_and_the_next_request_connects_again() {
    let dir = tempfile::tempdir().unwrap();
    let backend = backend(dir.path());
    let topology = topology(vec![group("one", Mode::Standalone)]);
    let deployed = bring_up(&backend, &topology, None, &|_, _| ()).await.unwrap();
    let node = &deployed.groups[0].nodes[0];
    let admin = node.admin.with_timeout(Duration::from_millis(200));

    let refused = admin.query::<String>(redis::cmd("GET").arg("a").arg("b")).await.unwrap_err();
    assert_eq!(refused.code(), Some("ERR"));
    assert!(!refused.is_gone() && refused.to_string().contains("one/0/0"), "{refused}");

    backend.pause(&node.name).await.unwrap();
    let late = admin.ping().await.unwrap_err();
    assert!(matches!(*late.problem, Problem::Timeout(_)) && late.is_gone(), "{late}");
    let text = late.to_string();
    assert!(text.contains("PING: no answer within 200 ms"), "{text}");
    backend.resume(&node.name).await.unwrap();
    // Over a new connection: the old one would answer the old request first.
    let echo: String = admin.query(redis::cmd("ECHO").arg("back")).await.unwrap();
    assert_eq!(echo, "back");

    let info = admin.info(Section::Everything).await.unwrap();
    assert_eq!(info.engine().as_ref(), Some(backend.engine()));
    assert_eq!((info.role(), info.keys()), (Some(Role::Primary), 0));
    assert!(info.used_memory() > Some(100_000) && info.cpu_seconds() > Some(0.0));
    assert!(info.commands_processed() > Some(0) && info.net_input_bytes() > Some(0));

    backend.kill(&node.name).await.unwrap();
    let lost = admin.ping().await.unwrap_err();
    assert!(lost.is_gone(), "{lost}");
    backend.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_pipeline_gives_every_answer() {
    let dir = tempfile::tempdir().unwrap();
    let backend = backend(dir.path());
    let topology = topology(vec![group("one", Mode::Standalone)]);
    let deployed = bring_up(&backend, &topology, None, &|_, _| ()).await.unwrap();
    let admin = &deployed.groups[0].nodes[0].admin;
    let mut pipeline = redis::pipe();
    pipeline.cmd("SET").arg("a").arg(1).cmd("LPUSH").arg("a").arg(1).cmd("INCR").arg("a");
    let answers = admin.replies(&pipeline).await.unwrap();
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[1].as_ref().unwrap_err().code(), Some("WRONGTYPE"));
    assert_eq!(answers[2].as_ref().unwrap(), &redis::Value::Int(2));
    let error = admin.pipeline::<redis::Value>(&pipeline).await.unwrap_err();
    assert!(error.code() == Some("WRONGTYPE") && error.command == "LPUSH", "{error}");

    let mut transaction = redis::pipe();
    transaction.atomic().cmd("INCR").arg("a").cmd("LPUSH").arg("a").arg(1).cmd("INCR").arg("a");
    let answers = admin.replies(&transaction).await.unwrap();
    assert_eq!(answers[1].as_ref().unwrap_err().code(), Some("WRONGTYPE"));
    assert_eq!(answers[2].as_ref().unwrap(), &redis::Value::Int(4));
    transaction.cmd("NONSENSE");
    let error = admin.replies(&transaction).await.unwrap_err();
    assert!(!error.is_gone(), "{error}");
    let value: u64 = admin.query(redis::cmd("GET").arg("a")).await.unwrap();
    assert_eq!(value, 4, "a refused transaction did something");
    backend.shutdown().await.unwrap();
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    let addr = "127.0.0.1:1".parse().unwrap();
    let node = Node::new(NodeName::new("c", 0, 0), addr, "", Role::Primary);
    let error = node.admin.ping().await.unwrap_err();
    assert!(matches!(*error.problem, Problem::Unreachable(_)));
    assert!(error.to_string().starts_with("c/0/0 (127.0.0.1:1): PING: cannot connect"), "{error}");
}

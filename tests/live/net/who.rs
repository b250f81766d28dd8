//! Whose bytes they were.

use std::sync::{Arc, Mutex};

use redrill::model::NodeName;
use redrill::model::traffic::{Class, End};
use redrill::net::{Channel, Openers};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::rig::{Rig, clients, dial, ends, hears, node, open, passes};

#[tokio::test]
async fn bytes_are_counted_by_direction_and_class() {
    let rig = Rig::new().await;
    rig.fabric.know("127.50.0.2".parse().unwrap(), node(1));
    let (mut client, mut server) = rig.connect().await;
    passes("request", &mut client, &mut server).await;
    passes("ok", &mut server, &mut client).await;
    let bus = open(&rig.fabric, rig.server.local_addr().unwrap(), Channel::Bus);
    for (door, text) in [(rig.door, "PSYNC"), (bus, "gossip")] {
        let mut replica = dial("127.50.0.2".parse().unwrap(), door).await;
        // Who opens speaks first; nobody at the server hears of it before.
        replica.write_all(text.as_bytes()).await.unwrap();
        let (mut server, _) = rig.server.accept().await.unwrap();
        assert_eq!(hears(&mut server, text.len()).await, text);
    }
    let count = async |from: End, to: End, class| {
        let flow = rig.flow(from, to, class).await;
        (flow.bytes, flow.connections)
    };
    let node = |ordinal| End::from(node(ordinal));
    assert_eq!(count(clients(), node(0), Class::Client).await, (7, 1));
    assert_eq!(count(node(0), clients(), Class::Client).await, (2, 0));
    assert_eq!(count(node(1), node(0), Class::Replication).await, (5, 1));
    assert_eq!(count(node(1), node(0), Class::Bus).await, (6, 1));
    assert_eq!(rig.fabric.traffic().len(), 4, "{:?}", rig.fabric.traffic());
}

/// As from a container, which has one address.
#[tokio::test]
async fn what_migrate_sends_from_a_nodes_own_address_is_told_by_how_it_begins() {
    let rig = Rig::new().await;
    rig.fabric.know("127.50.0.2".parse().unwrap(), node(1));
    for text in ["*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n", "*1\r\n$4\r\nPING\r\n"] {
        let mut opener = dial("127.50.0.2".parse().unwrap(), rig.door).await;
        opener.write_all(text.as_bytes()).await.unwrap();
        let (mut server, _) = rig.server.accept().await.unwrap();
        assert_eq!(hears(&mut server, text.len()).await, text, "nothing of it is taken");
    }
    assert_eq!(rig.flow(node(1), node(0), Class::Migration).await.bytes, 23);
    assert_eq!(rig.flow(node(1), node(0), Class::Replication).await.bytes, 14);
}

#[tokio::test]
async fn who_comes_from_nobodys_address_is_asked_of_who_knows_the_processes() {
    let opener: Arc<Mutex<Option<End>>> = Arc::default();
    let known = opener.clone();
    let openers: Openers = Arc::new(move |_, _| known.lock().unwrap().clone());
    let rig = Rig::with(1, Some(openers)).await;
    let visit = async || {
        let mut stream = TcpStream::connect(rig.door).await.unwrap();
        stream.write_all(b"RESTORE").await.unwrap();
        let (mut server, _) = rig.server.accept().await.unwrap();
        assert_eq!(hears(&mut server, 7).await, "RESTORE");
        drop(stream);
        ends(&mut server).await.unwrap();
    };
    let actor = End::from(NodeName::actor("app", 0));
    for (told, from, class) in [
        (None, End::Outside, Class::Client),
        (Some(node(1).into()), node(1).into(), Class::Migration),
        (Some(actor.clone()), actor, Class::Client),
        (Some(clients()), clients(), Class::Client),
    ] {
        *opener.lock().unwrap() = told;
        visit().await;
        assert_eq!(rig.flow(from.clone(), node(0), class).await.bytes, 7, "{from}");
    }
}

#[test]
fn flows_can_be_kept_as_events() {
    let text = r#"{"from":{"node":"cache/1/0"},"to":{"clients":"eu"},"class":"client","bytes":7,"connections":0,"resets":0}"#;
    let flow: redrill::model::traffic::Flow = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&flow).unwrap(), text);
    assert_eq!(flow.to.to_string(), "clients in eu");
    assert_eq!(
        serde_json::to_string(&[End::Outside, clients()]).unwrap(),
        r#"["outside",{"clients":null}]"#
    );
}

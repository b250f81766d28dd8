//! A cut feels as dropped packets do, and heals.

use redrill::model::traffic::Class;
use redrill::net::{Channel, Fabric, Rule};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::rig::{
    CLIENTS, MS, PATIENCE, Rig, back, both, clients, dial, ends, hears, is_silent, node, open,
    passes, there,
};

#[tokio::test]
async fn what_is_sent_during_a_cut_arrives_after_it_in_order() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    passes("before", &mut client, &mut server).await;
    let cut = rig.fabric.apply(&Rule::cut(), both());
    sleep(10 * MS).await;
    for text in ["one ", "two ", "three"] {
        client.write_all(text.as_bytes()).await.unwrap();
        sleep(5 * MS).await;
    }
    server.write_all(b"answer").await.unwrap();
    assert!(is_silent(&server).await && is_silent(&client).await);
    cut.undo();
    cut.undo();
    assert_eq!(hears(&mut server, 13).await, "one two three");
    assert_eq!(hears(&mut client, 6).await, "answer");
}

#[tokio::test]
async fn a_cut_one_way_lets_the_other_way_be() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    let cut = rig.fabric.apply(&Rule::cut(), there());
    sleep(10 * MS).await;
    client.write_all(b"request").await.unwrap();
    passes("unasked", &mut server, &mut client).await;
    assert!(is_silent(&server).await);
    drop(cut);
    assert_eq!(hears(&mut server, 7).await, "request");
}

#[tokio::test]
async fn what_is_under_way_when_the_cut_comes_waits_too() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    let _far = rig.fabric.apply(&Rule::latency(100 * MS), there());
    sleep(10 * MS).await;
    client.write_all(b"late").await.unwrap();
    sleep(50 * MS).await;
    let cut = rig.fabric.apply(&Rule::cut(), there());
    sleep(100 * MS).await;
    assert!(is_silent(&server).await);
    drop(cut);
    assert_eq!(hears(&mut server, 4).await, "late");
}

#[tokio::test]
async fn a_new_connection_hangs_and_comes_through_after_healing() {
    let rig = Rig::new().await;
    // The handshake needs both ways.
    for way in [there(), back()] {
        let cut = rig.fabric.apply(&Rule::cut(), way);
        let mut client = rig.dial().await;
        client.write_all(b"hello").await.unwrap();
        assert!(rig.nobody_comes().await && is_silent(&client).await);
        drop(cut);
        let (mut server, _) = timeout(PATIENCE, rig.server.accept()).await.unwrap().unwrap();
        assert_eq!(hears(&mut server, 5).await, "hello");
    }
    assert_eq!(rig.flow(clients(), node(0), Class::Client).await.connections, 2);
}

#[tokio::test]
async fn who_gives_up_during_a_cut_was_never_heard_of() {
    let rig = Rig::new().await;
    let cut = rig.fabric.apply(&Rule::cut(), both());
    let mut client = rig.dial().await;
    client.write_all(b"is anybody there?").await.unwrap();
    sleep(20 * MS).await;
    drop(client);
    sleep(20 * MS).await;
    drop(cut);
    assert!(rig.nobody_comes().await);
}

/// As with a container that is gone: nobody refuses, and the kernel asks again after a second.
#[tokio::test]
async fn who_gives_up_on_a_server_that_does_not_answer_was_never_heard_of() {
    for gives_up in [false, true] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let server = socket.listen(0).unwrap();
        let at = server.local_addr().unwrap();
        let _fills_the_queue = TcpStream::connect(at).await.unwrap();
        let fabric = Fabric::start(1, None).unwrap();
        fabric.know(CLIENTS, clients());
        let mut client = dial(CLIENTS, open(&fabric, at, Channel::Client)).await;
        client.write_all(b"late").await.unwrap();
        sleep(300 * MS).await;
        let client = (!gives_up).then_some(client);
        sleep(50 * MS).await;
        server.accept().await.unwrap();
        let come = timeout(4_000 * MS, server.accept()).await;
        assert_eq!(come.is_err(), gives_up);
        if let Ok(Ok((mut stream, _))) = come {
            assert_eq!(hears(&mut stream, 4).await, "late");
        }
        drop(client);
    }
}

#[tokio::test]
async fn an_end_during_a_cut_is_held_back() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    let cut = rig.fabric.apply(&Rule::cut(), both());
    sleep(10 * MS).await;
    client.write_all(b"bye").await.unwrap();
    drop(client);
    assert!(is_silent(&server).await);
    drop(cut);
    assert_eq!(hears(&mut server, 3).await, "bye");
    ends(&mut server).await.unwrap();
}

#[tokio::test]
async fn any_cut_cuts_until_the_last_is_healed() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    let one = rig.fabric.apply(&Rule::cut(), both());
    let other = rig.fabric.apply(&Rule::cut(), there());
    sleep(10 * MS).await;
    client.write_all(b"hello").await.unwrap();
    drop(one);
    passes("answer", &mut server, &mut client).await;
    assert!(is_silent(&server).await);
    drop(other);
    assert_eq!(hears(&mut server, 5).await, "hello");
}

/// As no packet is acknowledged, the sender can hand over no more than its buffers hold.
#[tokio::test]
async fn a_sender_is_held_back_while_the_link_is_cut() {
    let rig = Rig::new().await;
    let (mut client, _server) = rig.connect().await;
    let _far = rig.fabric.apply(&Rule::latency(MS), there());
    let _cut = rig.fabric.apply(&Rule::cut(), there());
    sleep(10 * MS).await;
    let much = vec![0; 64 << 20];
    let sent = timeout(500 * MS, client.write_all(&much)).await;
    assert!(sent.is_err(), "64 MiB went into a cut link");
    assert_eq!(rig.flow(clients(), node(0), Class::Client).await.bytes, 0);
}

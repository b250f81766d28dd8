//! Other users of the machine, at the relay's doors and at addresses of servers.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redrill::model::{NodeName, Password};
use redrill::node::Admin;
use redrill::peer::{self, Foreign};
use tokio::time::timeout;

use super::rig::{Rig, passes};
use crate::common::need::{self, Need};
use crate::common::server;

const NOBODY: u32 = 65_534;
const SOON: Duration = Duration::from_secs(10);

/// `command` as another user, which takes root.
fn as_another(command: &mut Command) -> Option<Child> {
    if !rustix::process::geteuid().is_root() {
        need::skip(Need::OtherUser, "only root can run something as another user");
        return None;
    }
    command.uid(NOBODY).gid(NOBODY).current_dir("/").stdin(Stdio::null());
    Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// It connects a hundred times, closing each second connection at once.
#[tokio::test]
async fn another_user_is_turned_away_at_a_door_and_the_drills_own_are_not() {
    let rig = Rig::new().await;
    let visits = format!(
        "for n in $(seq 50); do exec 3<>/dev/tcp/{0}/{1}; echo PING >&3; read -r -t 2 -u 3; \
         exec 3<>/dev/tcp/{0}/{1}; exec 3<&-; done; true",
        rig.door.ip(),
        rig.door.port()
    );
    let Some(mut other) = as_another(Command::new("bash").args(["-c", &visits])) else { return };
    let came = timeout(Duration::from_millis(300), rig.server.accept()).await;
    assert!(came.is_err(), "nothing of it reaches the server");
    let (mut client, mut server) = rig.connect().await;
    passes("own", &mut client, &mut server).await;
    let give_up = Instant::now() + SOON;
    while other.try_wait().unwrap().is_none() && Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(other.kill());
    let text = rig.fabric.strangers().unwrap();
    assert!(text.contains("connections of other users") && text.contains("user 65534"), "{text}");
    assert!(rig.fabric.trouble().is_none());
}

#[tokio::test]
async fn another_users_server_is_told_no_password() {
    let at: std::net::SocketAddr = "127.50.0.77:7399".parse().unwrap();
    let (ip, port) = (at.ip().to_string(), at.port().to_string());
    let args = ["--bind", &ip, "--port", &port, "--save", "", "--protected-mode", "no"];
    let Some(mut other) = as_another(Command::new(server()).args(args)) else { return };
    let give_up = Instant::now() + SOON;
    while std::net::TcpStream::connect(at).is_err() && Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let admin = Admin::new(NodeName::new("cache", 0, 0), at);
    let refused = admin.authenticated(Some(Password::new("secret"))).ping().await.unwrap_err();
    drop((other.kill(), other.wait()));
    assert!(refused.to_string().contains("user 65534 of this machine listens"), "{refused}");
    assert!(peer::take_found().contains(&Foreign::OfUser { at, uid: NOBODY }));
}

//! A relay with one door, a server of the test's own behind it, and clients before it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use redrill::model::NodeName;
use redrill::model::traffic::{Class, End, Flow};
use redrill::net::{Channel, Door, Ends, Fabric, Openers, Pairs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

pub const MS: Duration = Duration::from_millis(1);
/// Where clients come from.
pub const CLIENTS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 50, 0, 1));
/// As long as a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Rig {
    pub fabric: Fabric,
    pub door: SocketAddr,
    pub server: TcpListener,
}

pub fn node(ordinal: u32) -> NodeName {
    NodeName::new("cache", 0, ordinal)
}

pub fn clients() -> End {
    End::Clients(None)
}

/// From clients to the node.
pub fn there() -> Pairs {
    Pairs::one_way(Ends::only([clients()]), Ends::only([node(0)]))
}

/// From the node to clients.
pub fn back() -> Pairs {
    Pairs::one_way(Ends::only([node(0)]), Ends::only([clients()]))
}

pub fn both() -> Pairs {
    there().and(back())
}

impl Rig {
    pub async fn new() -> Rig {
        Rig::seeded(1).await
    }

    pub async fn seeded(seed: u64) -> Rig {
        Rig::with(seed, None).await
    }

    pub async fn with(seed: u64, openers: Option<Openers>) -> Rig {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fabric = Fabric::start(seed, openers).unwrap();
        fabric.know(CLIENTS, clients());
        let door = open(&fabric, server.local_addr().unwrap(), Channel::Client);
        Rig { fabric, door, server }
    }

    pub async fn dial(&self) -> TcpStream {
        dial(CLIENTS, self.door).await
    }

    /// A connection as its opener and as the server has it.
    pub async fn connect(&self) -> (TcpStream, TcpStream) {
        let client = self.dial().await;
        let (server, _) = timeout(PATIENCE, self.server.accept()).await.unwrap().unwrap();
        (client, server)
    }

    /// Whether nobody comes to the server for a while.
    pub async fn nobody_comes(&self) -> bool {
        timeout(100 * MS, self.server.accept()).await.is_err()
    }

    /// What has been counted: a byte is, a moment after it has arrived.
    pub async fn flow(&self, from: impl Into<End>, to: impl Into<End>, class: Class) -> Flow {
        sleep(50 * MS).await;
        let (from, to) = (from.into(), to.into());
        let is_it = |flow: &Flow| flow.from == from && flow.to == to && flow.class == class;
        let none =
            Flow { from: from.clone(), to: to.clone(), class, bytes: 0, connections: 0, resets: 0 };
        self.fabric.traffic().into_iter().find(is_it).unwrap_or(none)
    }
}

pub fn open(fabric: &Fabric, to: SocketAddr, channel: Channel) -> SocketAddr {
    let at = "127.0.0.1:0".parse().unwrap();
    fabric.open(Door { at, to, node: node(0), channel }).unwrap()
}

/// A connection that comes from `from`.
pub async fn dial(from: IpAddr, to: SocketAddr) -> TcpStream {
    try_dial(from, to).await.unwrap()
}

async fn try_dial(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whether a client who comes to the door is reset: so soon that connecting fails, or later.
pub async fn turns_away(door: SocketAddr) -> bool {
    match try_dial(CLIENTS, door).await {
        Ok(mut client) => ends(&mut client).await.is_err(),
        Err(_) => true,
    }
}

/// What `text` becomes on its way through: it must arrive whole.
pub async fn passes(text: &str, from: &mut TcpStream, to: &mut TcpStream) {
    from.write_all(text.as_bytes()).await.unwrap();
    assert_eq!(hears(to, text.len()).await, text);
}

/// So many bytes, as text.
pub async fn hears(stream: &mut TcpStream, length: usize) -> String {
    let mut text = vec![0; length];
    timeout(PATIENCE, stream.read_exact(&mut text)).await.expect("it arrives").unwrap();
    String::from_utf8(text).unwrap()
}

/// Whether nothing is heard for a while: no byte, and no end.
pub async fn is_silent(stream: &TcpStream) -> bool {
    sleep(100 * MS).await;
    stream.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// How a connection ended: `Ok` with an end, `Err` with a reset.
pub async fn ends(stream: &mut TcpStream) -> io::Result<()> {
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it ends");
    read.map(|_| assert!(rest.is_empty(), "nothing more is said: {rest:?}"))
}

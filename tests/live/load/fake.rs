//! A server that answers to order.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub enum Do {
    Say(String),
    /// Answer this much, and close the connection.
    SayAndClose(&'static str),
    /// Go on listening, and never answer again on this connection.
    Nothing,
}

/// What to do for a command, given as upper-case words. Each connection has its
/// own number.
pub type Manners = dyn Fn(usize, &[String]) -> Do + Send + Sync;

/// A server that answers CLUSTER SLOTS with itself as the owner of all slots
/// (or with `owner`), and everything else by `manners`, until it is dropped.
pub struct Fake {
    pub address: SocketAddr,
    /// How often it was asked for CLUSTER SLOTS.
    pub asked: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

/// A socket that is bound, so that a server's address can be known before it serves.
pub async fn socket() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

impl Fake {
    pub async fn start(manners: impl Fn(usize, &[String]) -> Do + Send + Sync + 'static) -> Fake {
        let (listener, address) = socket().await;
        Fake::serve(listener, address, manners)
    }

    pub fn serve(
        listener: TcpListener,
        owner: SocketAddr,
        manners: impl Fn(usize, &[String]) -> Do + Send + Sync + 'static,
    ) -> Fake {
        Fake::serve_map(listener, &[owner], manners)
    }

    /// `shard` is the owner of all slots, and its replicas.
    pub fn serve_map(
        listener: TcpListener,
        shard: &[SocketAddr],
        manners: impl Fn(usize, &[String]) -> Do + Send + Sync + 'static,
    ) -> Fake {
        let map = map(shard);
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let manners: Arc<Manners> = Arc::new(move |number, words| {
            if words[0] != "CLUSTER" {
                return manners(number, words);
            }
            counter.fetch_add(1, Ordering::SeqCst);
            Do::Say(map.clone())
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(attend(stream, number, manners.clone()));
            }
        });
        Fake { address, asked, _tasks: tasks }
    }
}

async fn attend(stream: TcpStream, number: usize, manners: Arc<Manners>) {
    stream.set_nodelay(true).unwrap();
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    while let Some(words) = command(&mut read).await {
        match manners(number, &words) {
            Do::Say(text) => write.write_all(text.as_bytes()).await.unwrap_or(()),
            Do::SayAndClose(text) => {
                let _ = write.write_all(text.as_bytes()).await;
                return;
            }
            // Answers come in order, so there can be none to what follows either.
            Do::Nothing => while command(&mut read).await.is_some() {},
        }
    }
}

/// A reply to CLUSTER SLOTS: all of them are at the first of `shard`, the others are replicas.
fn map(shard: &[SocketAddr]) -> String {
    let node = |at: &SocketAddr| {
        let (host, port) = (at.ip().to_string(), at.port());
        format!("*2\r\n${}\r\n{host}\r\n:{port}\r\n", host.len())
    };
    let nodes: String = shard.iter().map(node).collect();
    format!("*1\r\n*{}\r\n:0\r\n:16383\r\n{nodes}", 2 + shard.len())
}

/// The next command's words; `None` when the client has gone.
async fn command(read: &mut BufReader<OwnedReadHalf>) -> Option<Vec<String>> {
    let count = number(read).await?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut word = vec![0; number(read).await? + 2];
        read.read_exact(&mut word).await.ok()?;
        word.truncate(word.len() - 2);
        words.push(String::from_utf8_lossy(&word).to_uppercase());
    }
    Some(words)
}

/// The number in a line such as `*3` or `$5`.
async fn number(read: &mut BufReader<OwnedReadHalf>) -> Option<usize> {
    let mut line = String::new();
    read.read_line(&mut line).await.ok()?;
    line.trim_end().get(1..)?.parse().ok()
}

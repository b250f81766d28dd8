//! A replicator's connection to the primary of a group, which it asks all nodes for.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::FutureExt;
use futures::future::select_ok;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, RedisConnectionInfo};
use redis::{RedisError, RedisResult, Value};

use super::functions;
use super::protocol::Place;
use super::shard::Tag;
use crate::node;

/// How long a node may take to accept, and to answer. A server that is not run for a while is not
/// to be given up, and what a link that is cut holds back arrives when it is whole again.
const PATIENCE: Duration = Duration::from_secs(5);

/// What functions refuse with while groups bring each other their data, and nodes of other shards
/// do at any time. It goes by.
const ORDINARY: [&str; 5] = ["NOTREADY", "BUSY", "LOST", "NOPASS", "MOVED"];

/// Why a replicator cannot go on at the moment.
#[derive(Debug)]
pub(super) struct Trouble {
    pub text: String,
    /// The word of the server that refuses, if that is why: `OOM`.
    pub refused: Option<String>,
}

impl Trouble {
    fn of(address: SocketAddr, error: &RedisError) -> Trouble {
        let word = error.code().filter(|word| !ORDINARY.contains(word));
        Trouble { text: format!("{address}: {error}"), refused: word.map(str::to_owned) }
    }
}

impl<T: Into<String>> From<T> for Trouble {
    fn from(text: T) -> Trouble {
        Trouble { text: text.into(), refused: None }
    }
}

/// A connection to the primary of a group, or of a shard of it. Clones share it.
#[derive(Clone)]
pub(super) struct Link {
    address: SocketAddr,
    connection: MultiplexedConnection,
}

impl Link {
    /// Asks all nodes of the group at once; the first that is a primary is the one.
    ///
    /// Errors: none of them is, or answers; why the last one does not.
    pub(super) async fn to_primary(place: &Place, password: Option<&str>) -> Result<Link, Trouble> {
        let asked = place.nodes.iter().map(|node| Link::to(*node, &place.tag, password).boxed());
        let found = select_ok(asked).await.map(|(link, _)| link);
        found.map_err(|Trouble { text, refused }| {
            let text = format!("group `{}` has no primary: {text}", place.group);
            Trouble { text, refused }
        })
    }

    async fn to(address: SocketAddr, tag: &Tag, password: Option<&str>) -> Result<Link, Trouble> {
        let connecting = connect(address, password).await;
        let connection = connecting.map_err(|error| Trouble::of(address, &error))?;
        let mut link = Link { address, connection };
        if !link.is_primary().await? {
            let text = format!("{address} is a replica");
            return Err(Trouble { text, refused: Some("READONLY".to_owned()) });
        }
        // The primary of another shard refuses (MOVED).
        if tag.is_some() {
            link.ask::<Value>(&functions::name_of_data(tag)).await?;
        }
        Ok(link)
    }

    /// Whether it is a primary still (ROLE).
    pub(super) async fn is_primary(&mut self) -> Result<bool, Trouble> {
        let role: Vec<Value> = self.ask(&redis::cmd("ROLE")).await?;
        Ok(matches!(role.first(), Some(Value::BulkString(word)) if word == b"master"))
    }

    pub(super) async fn ask<T: FromRedisValue>(&mut self, cmd: &Cmd) -> Result<T, Trouble> {
        let answer = cmd.query_async(&mut self.connection).await;
        answer.map_err(|error| Trouble::of(self.address, &error))
    }

    pub(super) async fn ask_all<T: FromRedisValue>(
        &mut self,
        all: &Pipeline,
    ) -> Result<T, Trouble> {
        let answers = all.query_async(&mut self.connection).await;
        answers.map_err(|error| Trouble::of(self.address, &error))
    }
}

async fn connect(
    address: SocketAddr,
    password: Option<&str>,
) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    let redis = RedisConnectionInfo::default().set_skip_set_lib_name();
    let redis = match password {
        Some(password) => redis.set_password(password),
        None => redis,
    };
    let connecting = tokio::time::timeout(PATIENCE, node::connect(address, &redis, config));
    let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
    connecting.await.unwrap_or_else(late)
}

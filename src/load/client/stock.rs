//! The stock cluster client of the `redis` crate with its defaults, as an
//! application would use it.
//!
//! It retries by itself, also after a connection was lost, so behind an error
//! that it hands on there may have been an attempt that the server did do. Every
//! operation that does not end ok is therefore `Unknown`; its cause is the error
//! that the application would have seen. Redirects that the library followed
//! are not seen, and so are not counted.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use redis::aio::ConnectionLike as _;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::{ErrorKind, RedisError, RedisResult, Value};

use super::request::refusal;
use super::{Answer, Client, Commands, Request};
use crate::load::workload::Doing;
use crate::model::Password;
use crate::model::op::{Cause, Outcome};

/// The library's client with its own defaults, for the cluster that `seeds` belong to.
pub(crate) fn cluster_client(
    seeds: &[impl std::fmt::Display],
    password: Option<&str>,
) -> RedisResult<ClusterClient> {
    let client = ClusterClientBuilder::new(seeds.iter().map(|seed| format!("redis://{seed}")));
    match password {
        Some(password) => client.password(password).build(),
        None => client.build(),
    }
}

pub(crate) struct Stock {
    connection: ClusterConnection,
    timeout: Duration,
}

impl Stock {
    /// Errors: what the library says if it cannot reach the cluster.
    pub(crate) async fn connect(
        seeds: &[SocketAddr],
        password: Option<&Password>,
        timeout: Duration,
        patience: Duration,
    ) -> Result<Rc<Stock>, String> {
        let client = cluster_client(seeds, password.map(Password::reveal));
        let client = client.map_err(|error| error.to_string())?;
        let connecting = tokio::time::timeout(patience, client.get_async_connection());
        match connecting.await {
            Ok(Ok(connection)) => Ok(Rc::new(Stock { connection, timeout })),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no connection in {patience:?}")),
        }
    }
}

impl Client for Stock {
    type Form = Request;

    fn request(doing: Doing<'_>) -> Request {
        doing.request()
    }

    async fn perform(&self, request: &Request) -> Answer {
        let mut connection = self.connection.clone();
        // A scenario asks it for nothing else.
        let Commands::One(command) = &request.commands else {
            return Answer::of(Outcome::Fail(Cause::Other));
        };
        let sent = connection.req_packed_command(command);
        let outcome = match tokio::time::timeout(self.timeout, sent).await {
            Ok(reply) => match reply.and_then(Value::extract_error) {
                Ok(value) => match (request.read)(&value) {
                    Some(told) => return Answer { told, ..Answer::of(Outcome::Ok) },
                    None => Outcome::Fail(Cause::Other),
                },
                Err(error) => Outcome::Unknown(cause(&error)),
            },
            Err(_) => Outcome::Unknown(Cause::Timeout),
        };
        Answer::of(outcome)
    }

    /// The library does not tell.
    fn reconnects(&self) -> u64 {
        0
    }
}

fn cause(error: &RedisError) -> Cause {
    match error.kind() {
        ErrorKind::Io if error.is_timeout() => Cause::Timeout,
        ErrorKind::Io if error.is_connection_refusal() => Cause::Refused,
        ErrorKind::Io => Cause::ConnectionLost,
        ErrorKind::ClusterConnectionNotFound => Cause::Refused,
        _ => refusal(error),
    }
}

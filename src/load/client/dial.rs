//! Connections as clients make them.
//!
//! They are multiplexed connections of the `redis` crate without anything that these would do
//! by themselves: no response time-out, no reconnection, no retry.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use futures::FutureExt;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, PushInfo, RedisConnectionInfo, RedisResult};
use tokio::net::{TcpSocket, TcpStream};

use super::link::Link;
use crate::model::Password;
use crate::peer;

/// Is told what a server pushes, on the load's thread.
pub(crate) type Tell = Rc<dyn Fn(&PushInfo)>;

/// Must be polled, for its connection to do anything.
pub(crate) type Driver = Pin<Box<dyn Future<Output = ()>>>;

/// A stream from a given source address, if there is one.
pub(super) async fn stream(address: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(from) = from else { return TcpStream::connect(address).await };
    let socket = if from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // The kernel chooses the port.
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(address).await
}

/// One on which the server tells of changes of whatever was read there: that takes RESP3.
pub(super) async fn tracking(
    address: SocketAddr,
    from: Option<IpAddr>,
    password: Option<&Password>,
    tell: Tell,
    room: usize,
) -> RedisResult<(Rc<Link>, Driver)> {
    let (connection, mut driver) = dial_told(address, from, password, config(room), tell).await?;
    let link = Link::new(connection);
    let track = redis::cmd("CLIENT").arg("TRACKING").arg("ON").take();
    driven(&mut driver, link.send(&track)).await?;
    Ok((link, driver))
}

/// A connection whose driver tells what the server pushes, before anybody has the answer that
/// follows. No other task has to run for that.
pub(super) async fn dial_told(
    address: SocketAddr,
    from: Option<IpAddr>,
    password: Option<&Password>,
    config: AsyncConnectionConfig,
    tell: Tell,
) -> RedisResult<(MultiplexedConnection, Driver)> {
    let (push, pushed) = mpsc::channel();
    let config = config.set_push_sender(push);
    let (connection, mut driver) = dial(address, from, &resp3(password), config).await?;
    let telling = poll_fn(move |context| {
        let ended = driver.as_mut().poll(context);
        pushed.try_iter().for_each(|push| tell(&push));
        ended
    });
    Ok((connection, Box::pin(telling)))
}

/// What `asking` comes to, while the connection's driver is polled.
pub(super) async fn driven<T>(
    driver: &mut Driver,
    asking: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    tokio::select! {
        asked = asking => asked,
        () = driver => Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
    }
}

/// A connection that is told of changes, which takes RESP3.
pub(super) fn resp3(password: Option<&Password>) -> RedisConnectionInfo {
    let info =
        RedisConnectionInfo::default().set_skip_set_lib_name().set_protocol(ProtocolVersion::RESP3);
    match password {
        Some(password) => info.set_password(password.reveal()),
        None => info,
    }
}

/// A connection, and its driver, which must be polled.
pub(super) async fn dial(
    address: SocketAddr,
    from: Option<IpAddr>,
    info: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> RedisResult<(MultiplexedConnection, Driver)> {
    let stream = stream(address, from).await?;
    stream.set_nodelay(true)?;
    peer::check(&stream)?;
    let (connection, driver) = MultiplexedConnection::new_with_config(info, stream, config).await?;
    Ok((connection, Box::pin(driver)))
}

pub(super) async fn in_time<T>(
    patience: Duration,
    connecting: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    let timed_out = |_| io::Error::from(io::ErrorKind::TimedOut);
    tokio::time::timeout(patience, connecting).await.map_err(timed_out)?
}

fn config(room: usize) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_pipeline_buffer_size(room + 1)
        .set_write_backpressure_boundary(64 * 1024)
}

/// A connection, from a given source address if there is one, and its driver, which must be
/// polled. `room` requests can be handed over without waiting.
///
/// It fails if the node refuses, cannot be reached, or does not accept within `patience`.
pub(crate) async fn connect(
    address: SocketAddr,
    from: Option<IpAddr>,
    password: Option<&Password>,
    patience: Duration,
    room: usize,
) -> RedisResult<(Rc<Link>, Driver)> {
    let connecting = async {
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let (connection, driver) = dial(address, from, &info, config(room)).await?;
        if let Some(password) = password {
            authenticate(connection.clone(), password);
        }
        Ok((Link::new(connection), driver))
    };
    in_time(patience, connecting).await
}

/// Hands AUTH over before any other request, and waits for nothing: a server carries out what
/// comes on a connection in order. So a password costs no round trip, and a connection to a
/// server that is paused is the same with and without one. A refused one shows in each answer.
fn authenticate(mut connection: MultiplexedConnection, password: &Password) {
    let auth = redis::cmd("AUTH").arg(password.reveal()).take();
    let mut asked = Box::pin(async move { connection.send_packed_command(&auth).await });
    if asked.as_mut().now_or_never().is_none() {
        // What nobody waits for would not be sent.
        tokio::task::spawn_local(asked);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    use super::*;

    /// Its line of those who want to connect is full.
    #[tokio::test]
    async fn a_server_that_does_not_accept_is_given_up_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let address = listener.local_addr().unwrap();
        let once = Duration::from_millis(200);
        let waiting = (0..8).map_while(|_| TcpStream::connect_timeout(&address, once).ok());
        let waiting: Vec<TcpStream> = waiting.collect();
        assert!(waiting.len() < 8, "it accepts all");
        let began = Instant::now();
        let error =
            connect(address, None, None, Duration::from_millis(300), 1).await.err().unwrap();
        let took = began.elapsed();
        assert!(error.is_timeout(), "{error}");
        assert!((300..2_000).contains(&took.as_millis()), "{took:?}");
    }
}

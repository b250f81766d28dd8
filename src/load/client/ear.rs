//! A connection on which a server tells what has changed.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, PushInfo, RedisResult};
use tracing::trace;

use super::ClientOptions;
use super::dial::{Driver, Tell, dial, dial_told, driven, resp3};
use crate::load::Targets;
use crate::model::Password;

/// One that is opened again whenever it is lost.
pub(crate) struct Ear {
    pub(crate) node: u16,
    pub(crate) address: SocketAddr,
    pub(crate) from: Option<IpAddr>,
    pub(crate) topic: Topic,
}

/// What is to be told.
#[derive(Clone)]
pub(crate) enum Topic {
    /// Changes of all keys that begin so (CLIENT TRACKING in broadcast mode).
    Keys(String),
    /// Whatever is published in any of these channels.
    Channels(Vec<String>),
}

/// Whoever hears.
pub(crate) trait Listener: 'static {
    /// From now on the node is heard.
    fn hears(&self, node: u16);

    fn told(self: &Rc<Self>, told: &PushInfo);

    /// The node is not heard any more.
    fn loses(&self, node: u16);
}

/// Whether servers can tell of changes at all: that takes RESP3. The first one that answers speaks
/// for all.
///
/// Errors: it does not speak RESP3.
pub(crate) async fn try_resp3(targets: &Targets, options: ClientOptions) -> Result<(), String> {
    let info = resp3(targets.password.as_ref());
    for address in &targets.nodes {
        let config = AsyncConnectionConfig::new();
        let dialing = dial(*address, targets.told_at(0), &info, config);
        match tokio::time::timeout(options.connect, dialing).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::Server(_)) => {
                return Err(format!(
                    "{address} does not speak RESP3 (`HELLO 3`), by which servers tell of changes: \
                     {error}; servers speak it since Redis 6.0, unless a proxy or a rule for users \
                     is in the way"
                ));
            }
            // It may be down, and is asked again by whoever wants to hear it.
            Ok(Err(_)) | Err(_) => {}
        }
    }
    Ok(())
}

impl Ear {
    /// For as long as the thread lives.
    pub(crate) async fn listen(
        self,
        listener: Rc<impl Listener>,
        password: Option<Password>,
        options: ClientOptions,
    ) {
        let tells = listener.clone();
        let tell: Tell = Rc::new(move |told| tells.told(told));
        loop {
            let connecting = self.connect(password.as_ref(), tell.clone());
            match tokio::time::timeout(options.connect, connecting).await {
                Ok(Ok((_connection, driver))) => {
                    listener.hears(self.node);
                    driver.await;
                    listener.loses(self.node);
                }
                Ok(Err(error)) => trace!(address = %self.address, %error, "changes are not heard"),
                Err(_) => trace!(address = %self.address, "changes are not heard in time"),
            }
            tokio::time::sleep(options.pause).await;
        }
    }

    async fn connect(
        &self,
        password: Option<&Password>,
        tell: Tell,
    ) -> RedisResult<(MultiplexedConnection, Driver)> {
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (mut connection, mut driver) =
            dial_told(self.address, self.from, password, config, tell).await?;
        driven(&mut driver, self.ask(&mut connection)).await?;
        Ok((connection, driver))
    }

    /// Asks the server to tell.
    async fn ask(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        match &self.topic {
            Topic::Keys(prefix) => {
                let mut track = redis::cmd("CLIENT");
                track.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(prefix);
                connection.send_packed_command(&track).await?.extract_error()?;
            }
            Topic::Channels(names) => {
                for name in names {
                    connection.subscribe(name).await?;
                }
            }
        }
        Ok(())
    }
}

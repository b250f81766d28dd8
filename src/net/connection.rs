//! One connection, from its arrival at a door to its end.
//!
//! The kernel accepts it before the relay is asked, so the client sees it as open at once. The
//! relay then delays it as the link would have delayed its first packets, before it connects to
//! the server: if one of the two directions is cut, the connection hangs here, and if they have
//! a latency, it waits for the round trip of a handshake. So the answer to a first request
//! comes after two round trips, as on any link.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tracing::field::Empty;
use tracing::{Instrument, debug, debug_span};

use super::door::Door;
use super::line::Line;
use super::open::Place;
use super::pump::{Pump, Reset, Side};
use super::shared::Shared;
use super::thread::Thread;
use super::wire::Wire;
use crate::log::OrLogged;
use crate::model::Nanos;
use crate::model::traffic::{Class, End};
use crate::peer;

/// A server that is there accepts sooner. One that does not answer (its machine is gone) lets the
/// kernel ask again for minutes.
const ACCEPTED: Duration = Duration::from_millis(100);

pub(super) struct Connection {
    shared: Arc<Shared>,
    thread: Rc<Thread>,
    door: Rc<Door>,
    number: u64,
    class: Class,
    /// From the client to the server, and back.
    there: Arc<Wire>,
    back: Arc<Wire>,
}

impl Connection {
    pub(super) fn new(
        shared: Arc<Shared>,
        thread: Rc<Thread>,
        door: Rc<Door>,
        number: u64,
        (from, class): (End, Class),
    ) -> Connection {
        let to = End::Node(door.node.clone());
        let (there, back) = (shared.rulebook.wire(&from, &to), shared.rulebook.wire(&to, &from));
        Connection { shared, thread, door, number, class, there, back }
    }

    /// Relays until both ends have ended, or the connection is reset.
    pub(super) async fn run(self, client: TcpStream) {
        let (from, to) = (self.there.from(), self.there.to());
        let (number, cut, class) = (self.number, self.is_cut(), self.class.word());
        let span = debug_span!("connection", number, %from, %to, class, cut, reset = Empty);
        let ended = self.until_ended(client).instrument(span.clone()).await;
        span.record("reset", ended.is_err());
    }

    async fn until_ended(&self, client: TcpStream) -> Result<(), Reset> {
        debug!("accepted");
        let place = self.shared.open.enter(self.number, &self.there, self.class);
        let server = tokio::select! {
            server = self.open(&client) => server,
            () = place.reset() => Err(Reset),
        };
        match server {
            Ok(server) => self.relay(Side::new(client), Side::new(server), &place).await,
            Err(Reset) => {
                reset(&client);
                Err(Reset)
            }
        }
    }

    /// Connects to the server as soon as the link lets it.
    async fn open(&self, client: &TcpStream) -> Result<TcpStream, Reset> {
        loop {
            tokio::select! {
                () = self.until_not_cut() => {}
                // A client that gives up while the link is cut was never seen at the other end.
                // (`PRIORITY` waits only for the end of its data: there is no priority data.)
                _ = client.ready(Interest::PRIORITY), if self.is_cut() => return Err(Reset),
            }
            let handshake = self.there.conditions().latency() + self.back.conditions().latency();
            self.thread.timer.until(self.shared.clock.now() + handshake).await;
            if !self.is_cut() {
                break;
            }
        }
        if !self.there.conditions().admits(&mut self.rng(0)) {
            self.there.counts(self.class).add_reset();
            debug!("a rule refuses it");
            return Err(Reset);
        }
        self.connect(client).await
    }

    async fn connect(&self, client: &TcpStream) -> Result<TcpStream, Reset> {
        let connected = tokio::select! {
            connected = TcpStream::connect(self.door.to) => connected,
            // Bytes of a client that gives up before that were never under way on a real link.
            () = gives_up(client, ACCEPTED) => return Err(Reset),
        };
        let server = match connected {
            Ok(server) => server,
            Err(error) => {
                debug!(at = %self.door.to, %error, "the server is not reached");
                if !is_the_servers(&error) {
                    let what = format!("a connection to {} at {}", self.door.node, self.door.to);
                    self.shared.trouble.tell(what, &error);
                }
                return Err(Reset);
            }
        };
        if let Err(error) = peer::check(&server) {
            debug!(at = %self.door.to, %error, "another user listens there");
            return Err(Reset);
        }
        // Small pieces go on as small pieces. If this fails, it is only slower.
        client.set_nodelay(true).or_logged("send small pieces at once");
        server.set_nodelay(true).or_logged("send small pieces at once");
        self.there.counts(self.class).add_connection();
        Ok(server)
    }

    async fn relay(&self, client: Side, server: Side, place: &Place<'_>) -> Result<(), Reset> {
        let there = self.pump(&client, &server, &self.there, 1).run();
        let back = self.pump(&server, &client, &self.back, 2).run();
        let ended = tokio::select! {
            ended = async { tokio::try_join!(there, back) } => ended.map(drop),
            () = place.reset() => Err(Reset),
        };
        if ended.is_err() {
            reset(&client.stream);
            reset(&server.stream);
        }
        ended
    }

    fn pump<'a>(&'a self, from: &'a Side, to: &'a Side, wire: &'a Wire, use_: u64) -> Pump<'a> {
        Pump {
            from,
            to,
            rules: wire.watch(),
            conditions: wire.conditions(),
            counts: wire.counts(self.class),
            rng: self.rng(use_),
            clock: self.shared.clock,
            thread: &self.thread,
            line: Line::default(),
            ended: false,
            rests_until: Nanos::ZERO,
        }
    }

    /// Random numbers for one use in this connection: the same for the same seed and number.
    fn rng(&self, use_: u64) -> Xoshiro256PlusPlus {
        self.shared.rng(self.number * 3 + use_)
    }

    fn is_cut(&self) -> bool {
        self.there.conditions().cut || self.back.conditions().cut
    }

    async fn until_not_cut(&self) {
        let (mut there, mut back) = (self.there.watch(), self.back.watch());
        while self.is_cut() {
            tokio::select! {
                _ = there.changed() => {}
                _ = back.changed() => {}
            }
        }
    }
}

/// Returns when the client has ended its side, but not before `least`: it may end as soon as it has
/// sent all.
async fn gives_up(client: &TcpStream, least: Duration) {
    tokio::time::sleep(least).await;
    client.ready(Interest::PRIORITY).await.or_logged("wait for a client's end");
}

/// Closes the connection with a reset instead of an end when the stream is dropped.
fn reset(stream: &TcpStream) {
    // It fails if there is no connection any more.
    stream.set_zero_linger().or_logged("reset a connection");
}

/// Whether nobody listens there. The client sees that itself, so it is not reported.
fn is_the_servers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, TimedOut};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | HostUnreachable | TimedOut)
}

//! Connections to one node, kept up in the background.
//!
//! They are multiplexed connections of the `redis` crate without anything that these would do
//! by themselves: no response time-out, no reconnection, no retry.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use futures::FutureExt;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, ProtocolVersion, PushInfo, PushKind,
    RedisConnectionInfo, RedisError, RedisResult, Value,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tracing::trace;

use super::request::carried_out;
use super::{ClientOptions, Commands, Then};
use crate::model::{Clock, Nanos, Password};

/// The first pause between attempts to connect to a node that refuses. Each pause is twice the
/// one before, up to the client's maximum.
const PAUSE: Duration = Duration::from_millis(5);

/// Before a node is asked again for a connection that nobody uses.
const BUSY: Duration = Duration::from_millis(1);

/// The state that all nodes of one client share.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    /// Its time-out is also how long to wait for a connection, and for answers on a connection
    /// that is given up.
    pub(crate) options: ClientOptions,
    /// The source address; `None` for any.
    pub(crate) from: Option<IpAddr>,
    pub(crate) password: Option<Password>,
    /// Told of changes of what was read on a connection (CLIENT TRACKING), and that no more are told;
    /// none if nobody wants to know.
    pub(crate) tracked: Option<Tell>,
    pub(crate) reconnects: Cell<u64>,
    /// A connection was lost, or cannot be made: the cluster may have changed.
    pub(crate) trouble: Notify,
}

/// Is told what a server pushes, on the load's thread.
pub(crate) type Tell = Rc<dyn Fn(&PushInfo)>;

/// One node, as a client sees it.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    lines: Vec<Rc<Line>>,
    turn: Cell<usize>,
    /// For those that keep a connection waiting: as many as did so at once.
    own: RefCell<Vec<Rc<Line>>>,
    /// Requests that look for one of these.
    looking: Cell<usize>,
    shared: Rc<Shared>,
}

/// One connection, which is made again whenever it breaks.
#[derive(Debug)]
struct Line {
    state: RefCell<State>,
    changed: Notify,
}

#[derive(Clone, Debug)]
enum State {
    Connecting,
    Up(Rc<Link>),
    /// The node refused; another attempt follows after a pause.
    Down,
}

/// A connection from when it was made until it breaks.
#[derive(Debug)]
pub(crate) struct Link {
    connection: MultiplexedConnection,
    last_answer: Cell<Nanos>,
    /// Requests that wait for their answers.
    waiting: Cell<usize>,
    given_up: Notify,
}

/// One more is counted, until it is dropped.
struct Counted<'a>(&'a Cell<usize>);

impl<'a> Counted<'a> {
    fn on(count: &'a Cell<usize>) -> Counted<'a> {
        count.set(count.get() + 1);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Node {
    /// Begins to connect, `lines` times. Must be called on the load's thread.
    pub(crate) fn open(address: SocketAddr, lines: usize, shared: &Rc<Shared>) -> Node {
        Node {
            address,
            lines: (0..lines).map(|_| Line::open(address, shared)).collect(),
            turn: Cell::new(0),
            own: RefCell::default(),
            looking: Cell::new(0),
            shared: shared.clone(),
        }
    }

    /// A connection, an idle one if there is one; `None` if the node refuses. While the first
    /// one is being made, this waits.
    pub(crate) async fn link(&self) -> Option<Rc<Link>> {
        loop {
            let turn = self.turn.get();
            self.turn.set(turn.wrapping_add(1));
            let (mut connecting, mut up) = (None, None::<Rc<Link>>);
            for i in 0..self.lines.len() {
                let line = &self.lines[(turn.wrapping_add(i)) % self.lines.len()];
                match &*line.state.borrow() {
                    // Idle, or the least busy.
                    State::Up(link) if link.waiting.get() == 0 => return Some(link.clone()),
                    State::Up(link) => {
                        let all = up.into_iter().chain([link.clone()]);
                        up = all.min_by_key(|link| link.waiting.get());
                    }
                    State::Connecting => connecting = Some(line.changed.notified()),
                    State::Down => {}
                }
            }
            if up.is_some() {
                return up;
            }
            connecting?.await;
        }
    }

    /// A connection that nobody waits on: what is watched there is watched for one alone.
    pub(crate) async fn idle_link(&self) -> Option<Rc<Link>> {
        loop {
            let link = self.link().await?;
            if link.waiting.get() == 0 {
                return Some(link);
            }
            tokio::time::sleep(BUSY).await;
        }
    }

    /// A connection that no other request uses, for one that keeps it waiting; a new one, if all
    /// are in use. `None` if the node refuses.
    pub(crate) async fn own_link(&self) -> Option<Rc<Link>> {
        let _looking = Counted::on(&self.looking);
        loop {
            let mut connecting = 0;
            for line in &*self.own.borrow() {
                match &*line.state.borrow() {
                    State::Up(link) if link.waiting.get() == 0 => return Some(link.clone()),
                    State::Up(_) => {}
                    State::Connecting => connecting += 1,
                    State::Down => return None,
                }
            }
            if connecting < self.looking.get() {
                self.own.borrow_mut().push(Line::open(self.address, &self.shared));
            }
            tokio::time::sleep(BUSY).await;
        }
    }
}

impl Link {
    fn new(connection: MultiplexedConnection) -> Rc<Link> {
        let last_answer = Cell::new(Nanos::ZERO);
        let (waiting, given_up) = (Cell::new(0), Notify::new());
        Rc::new(Link { connection, last_answer, waiting, given_up })
    }

    /// Carries out what belongs together, after ASKING if it must be. Errors: the first of theirs.
    pub(crate) async fn carry_out(&self, commands: &Commands, asking: bool) -> RedisResult<Value> {
        match (commands, asking) {
            (Commands::One(command) | Commands::Alone(command), asking) => {
                self.one(command, asking).await
            }
            // Without that a replica sends everybody to its primary.
            (Commands::OfReplica(command), _) => {
                let readonly = redis::cmd("READONLY");
                let answers = self.send_each([&readonly, command], false).await?;
                answers.into_iter().next_back().unwrap_or(Value::Nil).extract_error()
            }
            // Whoever routes takes care of pipelines, as each command goes its own way.
            (Commands::Transaction(commands) | Commands::Pipeline(commands), asking) => {
                self.transact(commands, asking).await
            }
            (Commands::Watched { watch, read, then }, asking) => {
                let _waiting = Counted::on(&self.waiting);
                let mut seen = Value::Nil;
                for answer in self.send_each([watch, read], asking).await? {
                    seen = answer.extract_error()?;
                }
                self.transact(&then(&seen).ok_or_else(strange)?, asking).await
            }
            (Commands::Followed { read, then }, asking) => self.follow(read, then, asking).await,
            // Whoever routes takes the lock.
            (Commands::Locked(locked), asking) => {
                self.follow(&locked.read, &locked.then, asking).await
            }
        }
    }

    /// What `then` makes of the answer to `read`, one command after the other.
    async fn follow(&self, read: &Cmd, then: &Then, asking: bool) -> RedisResult<Value> {
        let seen = self.one(read, asking).await?;
        let mut last = Value::Nil;
        for command in then(&seen).ok_or_else(strange)? {
            last = self.one(&command, asking).await?;
        }
        Ok(last)
    }

    async fn one(&self, command: &Cmd, asking: bool) -> RedisResult<Value> {
        if !asking {
            return self.answer(command).await.and_then(carried_out);
        }
        let answers = self.send_each([command], true).await?;
        carried_out(answers.into_iter().next_back().unwrap_or(Value::Nil))
    }

    /// `commands` between MULTI and EXEC: what EXEC answers.
    async fn transact(&self, commands: &[Cmd], asking: bool) -> RedisResult<Value> {
        let (multi, exec) = (redis::cmd("MULTI"), redis::cmd("EXEC"));
        let all = std::iter::once(&multi).chain(commands).chain([&exec]);
        // ASKING holds until EXEC: <https://redis.io/docs/latest/commands/asking/>
        let mut last = Value::Nil;
        for answer in self.send_each(all, asking).await? {
            // The first error says why; EXEC only says that there was one.
            last = carried_out(answer)?;
        }
        Ok(last)
    }

    /// All of `commands` in one go, after ASKING if it must be: each one's answer.
    pub(crate) async fn send_each<'a>(
        &self,
        commands: impl IntoIterator<Item = &'a Cmd>,
        asking: bool,
    ) -> RedisResult<Vec<Value>> {
        let _waiting = Counted::on(&self.waiting);
        let mut pipeline = Pipeline::new();
        if asking {
            pipeline.cmd("ASKING");
        }
        let before = usize::from(asking);
        commands.into_iter().for_each(|command| _ = pipeline.add_command(command.clone()));
        let count = pipeline.len() - before;
        self.connection.clone().send_packed_commands(&pipeline, before, count).await
    }

    pub(crate) async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        self.answer(command).await.and_then(Value::extract_error)
    }

    /// What the server answers, an error too.
    async fn answer(&self, command: &Cmd) -> RedisResult<Value> {
        let _waiting = Counted::on(&self.waiting);
        self.connection.clone().send_packed_command(command).await
    }

    /// Sends all `count` commands in one write. The error is the first of theirs.
    pub(crate) async fn send_all(&self, commands: &Pipeline, count: usize) -> RedisResult<()> {
        let answers = self.connection.clone().send_packed_commands(commands, 0, count).await?;
        answers.into_iter().try_for_each(|answer| answer.extract_error().map(|_| ()))
    }

    pub(crate) fn answered(&self, at: Nanos) {
        self.last_answer.set(at);
    }

    /// Whether nothing at all was answered since `instant`.
    pub(crate) fn is_silent_since(&self, instant: Nanos) -> bool {
        self.last_answer.get() < instant
    }

    /// New requests use a new connection. Requests under way on this one keep the time that
    /// they have left.
    pub(crate) fn give_up(&self) {
        self.given_up.notify_one();
    }
}

fn strange() -> RedisError {
    RedisError::from((ErrorKind::Extension, "not what was written"))
}

impl Line {
    /// Begins to connect. Must be called on the load's thread.
    fn open(address: SocketAddr, shared: &Rc<Shared>) -> Rc<Line> {
        let line = Rc::new(Line { state: RefCell::new(State::Connecting), changed: Notify::new() });
        tokio::task::spawn_local(keep(line.clone(), address, shared.clone()));
        line
    }

    fn set(&self, state: State) {
        *self.state.borrow_mut() = state;
        self.changed.notify_waiters();
    }
}

/// Keeps `line` connected until the load's thread ends.
async fn keep(line: Rc<Line>, address: SocketAddr, shared: Rc<Shared>) {
    let longest = shared.options.pause;
    let mut pause = PAUSE.min(longest);
    let mut lives = 0_u64;
    loop {
        line.set(State::Connecting);
        let connected = open(address, &shared).await;
        let (link, driver) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                trace!(%address, %error, "a client's connection fails");
                line.set(State::Down);
                shared.trouble.notify_one();
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
                continue;
            }
        };
        if lives > 0 {
            shared.reconnects.set(shared.reconnects.get() + 1);
        }
        lives += 1;
        let connected = shared.clock.now();
        line.set(State::Up(link.clone()));
        live(&link, driver, &shared).await;
        shared.trouble.notify_one();
        // A server that accepts and closes at once must not get connections without a pause
        // either.
        if shared.clock.now().since(connected) < longest {
            line.set(State::Down);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        } else {
            pause = PAUSE.min(longest);
        }
    }
}

pub(crate) type Driver = Pin<Box<dyn Future<Output = ()>>>;

/// Returns when the connection has broken or was given up.
async fn live(link: &Link, mut driver: Driver, shared: &Rc<Shared>) {
    let given_up = tokio::select! {
        () = &mut driver => false,
        () = link.given_up.notified() => true,
    };
    shared.tells_no_more();
    if given_up {
        let shared = shared.clone();
        tokio::task::spawn_local(async move {
            // No request on it has more time left than this.
            let _ = tokio::time::timeout(shared.options.timeout, driver).await;
            shared.tells_no_more();
        });
    }
}

/// A stream from a given source address, if there is one.
pub(super) async fn stream(address: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(from) = from else { return TcpStream::connect(address).await };
    let socket = if from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // The kernel chooses the port.
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(address).await
}

impl Shared {
    /// What was read on a connection may change now, and nobody hears of it.
    fn tells_no_more(&self) {
        if let Some(tracked) = &self.tracked {
            tracked(&PushInfo { kind: PushKind::Disconnection, data: vec![] });
        }
    }
}

/// A connection as a client's options have it.
async fn open(address: SocketAddr, shared: &Shared) -> RedisResult<(Rc<Link>, Driver)> {
    let ClientOptions { connect: patience, room, .. } = shared.options;
    let password = shared.password.as_ref();
    match &shared.tracked {
        None => connect(address, shared.from, password, patience, room).await,
        Some(tracked) => {
            in_time(patience, tracking(address, shared.from, password, tracked.clone(), room)).await
        }
    }
}

/// One on which the server tells of changes of whatever was read there: that takes RESP3.
async fn tracking(
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
/// follows. No task stands between: with a hundred connections each one costs time.
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
    let (connection, driver) = MultiplexedConnection::new_with_config(info, stream, config).await?;
    Ok((connection, Box::pin(driver)))
}

async fn in_time<T>(
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

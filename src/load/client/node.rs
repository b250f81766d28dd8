//! A node, as a client sees it: connections that are kept up in the background.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use redis::{PushInfo, PushKind, RedisResult};
use tokio::sync::Notify;
use tracing::trace;

use super::ClientOptions;
use super::dial::{Driver, Tell, connect, in_time, tracking};
use super::link::{Counted, Link};
use crate::model::{Clock, Password};
use crate::peer::{self, Foreign};

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
    /// The drill's nodes and sentinels. No server can send a client anywhere else. `None` where the
    /// nodes are not known.
    pub(crate) known: Option<HashSet<SocketAddr>>,
    /// Told of changes of what was read on a connection (CLIENT TRACKING), and that no more are told;
    /// none if nobody wants to know.
    pub(crate) tracked: Option<Tell>,
    pub(crate) reconnects: Cell<u64>,
    /// A connection was lost, or cannot be made: the cluster may have changed.
    pub(crate) trouble: Notify,
}

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
    if shared.known.as_ref().is_some_and(|known| !known.contains(&address)) {
        return Err(peer::note(Foreign::NotOfDrill { at: address }).into());
    }
    let password = shared.password.as_ref();
    match &shared.tracked {
        None => connect(address, shared.from, password, patience, room).await,
        Some(tracked) => {
            in_time(patience, tracking(address, shared.from, password, tracked.clone(), room)).await
        }
    }
}

//! Who comes to a door and is not of the drill: other users of the machine, who are turned away
//! before anything is done for them, and connections from outside, which get a part of the files
//! that this process may have open, so that the drill's own always have theirs.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use rustix::process::{Resource, getrlimit};

use crate::peer::{self, Owner};

/// Each connection from outside has two files, and all of them a quarter of those there may be.
const PART: u64 = 2 * 4;
/// Where files are not limited.
const MOST: usize = 4_096;

#[derive(Debug)]
pub(super) struct Strangers {
    /// Connections that are open from outside, or of which it is not known yet whose they are.
    open: AtomicUsize,
    most: usize,
    turned_away: Mutex<TurnedAway>,
}

#[derive(Debug, Default)]
struct TurnedAway {
    others: u64,
    /// The first of them.
    user: Option<u32>,
    closed: u64,
    too_many: u64,
}

/// One of the connections that may be open from outside.
#[derive(Debug)]
pub(super) struct Guest<'a>(&'a Strangers);

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Strangers {
    pub(super) fn new() -> Strangers {
        let files = getrlimit(Resource::Nofile).current;
        let most = files.map_or(MOST, |files| (files / PART) as usize);
        Strangers { open: AtomicUsize::new(0), most, turned_away: Mutex::default() }
    }

    /// Whether the connection from `from` to the door at `door` may come in, as far as the kernel
    /// says at once.
    pub(super) fn admit(&self, from: SocketAddr, door: SocketAddr) -> bool {
        let mut turned_away = self.turned_away.lock();
        match peer::owner(from, door) {
            Owner::Other(user) => {
                turned_away.others += 1;
                turned_away.user.get_or_insert(user);
                false
            }
            // Nobody would get the answers.
            Owner::Nobody => {
                turned_away.closed += 1;
                false
            }
            Owner::Trusted | Owner::Unknown => true,
        }
    }

    /// Counts a connection that may be from outside. `None` if there are too many.
    pub(super) fn guest(&self) -> Option<Guest<'_>> {
        let guest = Guest(self);
        if self.open.fetch_add(1, Ordering::Relaxed) < self.most {
            return Some(guest);
        }
        self.turned_away.lock().too_many += 1;
        None
    }

    /// Who was turned away, as text for a person; `None` if nobody was whom a person should know
    /// of.
    pub(super) fn text(&self) -> Option<String> {
        let TurnedAway { others, user, closed, too_many } = *self.turned_away.lock();
        let of_others = user.map(|user| {
            let closed = match closed {
                0 => String::new(),
                n => format!(", and {n} that closed before it was known whose they were"),
            };
            format!(
                "the relay turned away {others} connections of other users of this machine (the \
                 first one of user {user}){closed}"
            )
        });
        // A few close early in any drill.
        let of_nobody = (user.is_none() && closed >= MANY)
            .then(|| format!("{closed} connections to the relay closed as soon as they were open"));
        let too_many = (too_many > 0).then(|| {
            format!(
                "the relay turned away {too_many} connections from outside: {} may be open at once",
                self.most
            )
        });
        let all: Vec<String> = [of_others, of_nobody, too_many].into_iter().flatten().collect();
        (!all.is_empty()).then(|| {
            format!(
                "{}: the drill went on without them, and its figures may show their work",
                all.join("; ")
            )
        })
    }
}

const MANY: u64 = 100;

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn what_has_closed_is_turned_away_and_what_is_this_users_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = listener.local_addr().unwrap();
        let strangers = Strangers::new();
        let client = TcpStream::connect(door).unwrap();
        let from = client.local_addr().unwrap();
        let _accepted = listener.accept().unwrap();
        assert!(strangers.admit(from, door));
        drop(client);
        assert!(!strangers.admit(from, door));
        assert_eq!(strangers.text(), None, "one that gives up is no news");
    }

    #[test]
    fn connections_from_outside_are_a_part_of_all() {
        let strangers = Strangers { most: 2, ..Strangers::new() };
        let guests = [strangers.guest(), strangers.guest()];
        assert!(guests.iter().all(Option::is_some) && strangers.guest().is_none());
        let text = strangers.text().unwrap();
        assert!(
            text.starts_with("the relay turned away 1 connections from outside: 2 may"),
            "{text}"
        );
        drop(guests);
        assert!(strangers.guest().is_some());
    }
}

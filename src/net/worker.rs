//! A thread that relays. Load and probes have their own threads, so it does not delay them.

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc;

use super::conditions::PIECE;
use super::connection::Connection;
use super::door::{Door, NetError};
use super::shared::Shared;
use super::thread::Thread;
use crate::log::{OrLogged, OrUnheard};
use crate::model::traffic::End;
use crate::wake::{Timer, wake_soon};

/// After so many turns of its tasks, the thread checks for new input and for the time.
const EVENT_INTERVAL: u32 = 8;

/// Dropping it ends the thread, with every socket and every task in it.
#[derive(Debug)]
pub(super) struct Worker {
    doors: Option<mpsc::UnboundedSender<(Door, TcpListener)>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(super) fn start(shared: Arc<Shared>) -> Result<Worker, NetError> {
        let (doors, orders) = mpsc::unbounded_channel();
        let (ready, started) = std::sync::mpsc::channel();
        let main = move || {
            wake_soon();
            match prepare(&shared) {
                Ok((runtime, thread)) => {
                    ready.send(Ok(())).or_unheard();
                    runtime.block_on(serve(shared, thread, orders));
                }
                Err(error) => ready.send(Err(error)).or_unheard(),
            }
        };
        let thread = std::thread::Builder::new().name("relay".into()).spawn(main)?;
        let worker = Worker { doors: Some(doors), thread: Some(thread) };
        started.recv().unwrap_or_else(|_| Err(io::Error::other("it ended early")))?;
        Ok(worker)
    }

    pub(super) fn open(&self, door: Door, listener: TcpListener) {
        if let Some(doors) = &self.doors {
            // If the thread is gone, its connections are gone too; its panic has been printed.
            doors.send((door, listener)).or_unheard();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.doors = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            thread.join().or_unheard();
        }
    }
}

fn prepare(shared: &Shared) -> io::Result<(LocalRuntime, Rc<Thread>)> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().event_interval(EVENT_INTERVAL);
    let runtime = builder.build_local(LocalOptions::default())?;
    let _within = runtime.enter();
    let buffer = RefCell::new(vec![0; PIECE]);
    let thread = Rc::new(Thread { timer: Timer::new(shared.clock)?, buffer });
    drop(_within);
    Ok((runtime, thread))
}

/// Opens doors as they come.
async fn serve(
    shared: Arc<Shared>,
    thread: Rc<Thread>,
    mut orders: mpsc::UnboundedReceiver<(Door, TcpListener)>,
) {
    let (clock, told) = (thread.clone(), shared.clone());
    tokio::task::spawn_local(async move {
        if let Err(error) = clock.timer.run().await {
            told.trouble.tell("the timer", error);
        }
    });
    while let Some((door, listener)) = orders.recv().await {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => {
                let open = keep(shared.clone(), thread.clone(), door, listener);
                tokio::task::spawn_local(open);
            }
            Err(error) => shared.trouble.tell(format!("listening for {}", door.node), error),
        }
    }
}

/// Resets the connection, so that nothing of it is left.
fn turn_away(client: &TcpStream) {
    client.set_zero_linger().or_logged("turn a stranger away");
}

/// Takes in whoever comes, for ever.
async fn keep(
    shared: Arc<Shared>,
    thread: Rc<Thread>,
    door: Door,
    listener: tokio::net::TcpListener,
) {
    let door = Rc::new(door);
    loop {
        let (client, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                let what = format!("a connection to {} was not accepted", door.node);
                shared.trouble.tell(what, error);
                // It waits in the kernel, and there may be descriptors again soon.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        if !shared.strangers.admit(peer, door.at) {
            turn_away(&client);
            continue;
        }
        let number = shared.next_connection();
        let (shared, thread, door) = (shared.clone(), thread.clone(), door.clone());
        tokio::task::spawn_local(async move {
            let strangers = shared.clone();
            let mut guest = None;
            if !shared.places.knows(peer.ip()) {
                guest = strangers.strangers.guest();
                if guest.is_none() {
                    return turn_away(&client);
                }
            }
            let who = shared.places.tell(&client, peer, &door).await;
            if who.0 != End::Outside {
                guest = None;
            }
            Connection::new(shared, thread, door, number, who).run(client).await;
            drop(guest);
        });
    }
}

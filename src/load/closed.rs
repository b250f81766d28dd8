//! The closed loop: each client begins its next session when it has its answer and has thought.
//!
//! As many sessions are under way as there are clients, and no more. While a server stalls, its
//! clients wait, and what they would have sent meanwhile is missing from the latencies.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::coop::consume_budget;

use super::client::Client;
use super::context::LoadContext;
use super::running::Running;
use super::tally::Totals;
use super::workload::Plans;
use crate::model::Nanos;
use crate::model::event::Teller;

/// A client whose session failed waits for so long at least: a server that refuses at once is not
/// asked as fast as the processor allows.
const REST: Duration = Duration::from_millis(10);

/// Runs from `at` until `stop` is received (or its other end has gone), then waits for what is in
/// flight, as an open loop does.
///
/// Errors: the machine has no timer to give.
pub(crate) async fn run<C: Client>(
    context: Rc<LoadContext<C>>,
    operations: Plans,
    (at, think): (Nanos, Duration),
    teller: Teller,
    mut stop: oneshot::Receiver<()>,
) -> io::Result<Totals> {
    let clients = context.load.clients;
    let running = Running::new(context, at, None, teller)?;
    let operations = Rc::new(RefCell::new(operations));
    for _ in 0..clients {
        tokio::task::spawn_local(client(running.clone(), operations.clone(), (at, think)));
    }
    while !running.wait(running.window_end(), &mut stop).await? {
        running.roll(running.context.clock.now());
    }
    running.stop(running.context.clock.now()).await
}

/// One client, until the load is stopped.
async fn client<C: Client>(
    running: Rc<Running<C>>,
    operations: Rc<RefCell<Plans>>,
    (at, think): (Nanos, Duration),
) {
    let context = &running.context;
    let (mut process, mut due) = (context.take_process(), at);
    loop {
        context.sleep_until(due).await;
        // A session that needs no server ends at once, and the others are to have their turn.
        consume_budget().await;
        if running.is_stopped() {
            break;
        }
        let Some(stage) = operations.borrow_mut().next() else { break };
        running.begin();
        let ended = running.session(process, stage, due).await;
        let rest = if ended.is_ok { Duration::ZERO } else { REST };
        (process, due) = (ended.process, ended.at + think.max(rest));
    }
    context.give_back(process);
}

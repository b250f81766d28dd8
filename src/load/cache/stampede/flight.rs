//! One reader of each process asks the origin, and the others of that process wait for its answer.
//!
//! As Go's singleflight: <https://pkg.go.dev/golang.org/x/sync/singleflight>

use std::rc::Rc;

use futures::FutureExt;

use crate::load::cache::copy::entity::Entity;
use crate::load::cache::found::{Found, Trace};
use crate::load::cache::process::Process;
use crate::model::op::Cause;

pub(in crate::load::cache) async fn miss(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    let under_way = process.flights.borrow().get(&entity.id).cloned();
    if let Some(flight) = under_way {
        // Who asked keeps what it left in the group; the others did not read it there.
        let of_another = |found: Found| Found { by: None, ..found.of_another() };
        return flight.await.map(of_another);
    }
    let (process, entity, trace) = (process.clone(), entity.clone(), trace.clone());
    let (id, flights) = (entity.id, process.clone());
    // It goes on if whoever began it gives up waiting.
    let asking = tokio::task::spawn_local(async move {
        let found = process.ask_origin(&entity, &trace).await;
        process.flights.borrow_mut().remove(&entity.id);
        found
    });
    flights.goes_on_with(asking.abort_handle());
    // A panic there has been printed already.
    let flight = asking.map(|ended| ended.unwrap_or(Err(Cause::Other))).boxed_local().shared();
    flights.flights.borrow_mut().insert(id, flight.clone());
    flight.await
}

//! What steps change of an application that reads through a cache: its origin, and its processes.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use super::invalidation::bulk::{Changed, Job};
use super::library::watched::Writes;
use super::origin::Origin;
use super::warming::wanted::Warming;
use crate::log::OrUnheard;
use crate::model::op::Cause;
use crate::spec::cache::Chosen;
use crate::spec::scenario::Load;

/// Those of a drill, by the names of their loads.
pub type Applications = BTreeMap<String, Application>;

/// One load's.
#[derive(Clone, Debug)]
pub struct Application {
    pub(super) origin: Arc<Origin>,
    /// Which writes on these entities are watched, if libraries keep the copies.
    pub(super) writes: Arc<Writes>,
    /// How often its processes have been restarted.
    restarted: watch::Sender<u32>,
    pub(super) warming: Warming,
    /// What somebody changes past them.
    jobs: mpsc::UnboundedSender<Job>,
    /// Where a process hears of that, once.
    of_jobs: Arc<Mutex<Option<mpsc::UnboundedReceiver<Job>>>>,
}

/// The applications of these loads. Loads that share their entities have the origin in common.
pub fn applications(loads: &[Load], seed: u64) -> Applications {
    let mut all = Applications::new();
    // Whose entities are another load's comes after it.
    let (own, shared): (Vec<_>, Vec<_>) =
        loads.iter().zip(0u64..).partition(|(load, _)| load.keyspace.of.is_none());
    for (load, index) in own.into_iter().chain(shared) {
        let Some(cache) = &load.cache else { continue };
        let new = || {
            Application::new(Origin::new(cache.origin, load.keys, seed.wrapping_add(index << 32)))
        };
        let other = all.get(&load.keyspace.name);
        let application = other.map_or_else(new, Application::beside);
        all.insert(load.name.clone(), application);
    }
    all
}

impl Application {
    pub(crate) fn new(origin: Origin) -> Application {
        Application::on(Arc::new(origin), Arc::new(Writes::new()))
    }

    /// Another one on the same entities.
    fn beside(&self) -> Application {
        let Application { origin, writes, .. } = self.clone();
        Application::on(origin, writes)
    }

    fn on(origin: Arc<Origin>, writes: Arc<Writes>) -> Application {
        let (jobs, of_jobs) = mpsc::unbounded_channel();
        let of_jobs = Arc::new(Mutex::new(Some(of_jobs)));
        let (restarted, warming) = (watch::Sender::new(0), Warming::default());
        Application { origin, writes, restarted, warming, jobs, of_jobs }
    }

    pub fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// All its processes end, and are there again at once: what they were doing is not done, and
    /// their memory is empty.
    pub fn restart(&self) {
        self.restarted.send_modify(|times| *times += 1);
    }

    /// So many of its entities are to have copies, or all of them. Waits until that is done, or its
    /// load ends.
    pub async fn warm(&self, entities: Option<u64>) {
        self.warming.order(entities).await;
    }

    /// Somebody changes entities in the origin at once, and a process empties the caches.
    ///
    /// # Errors
    /// The origin did not take it, or the caches were not emptied in time.
    pub async fn change(&self, chosen: Chosen) -> Result<Changed, Cause> {
        let (done, changed) = oneshot::channel();
        self.jobs.send(Job { chosen, done }).or_unheard();
        // Without a process nobody hears.
        changed.await.unwrap_or(Err(Cause::Refused))
    }

    /// What [`Application::change`] orders; none if another process hears of it.
    pub(super) fn jobs(&self) -> Option<mpsc::UnboundedReceiver<Job>> {
        self.of_jobs.lock().take()
    }

    /// For a process: it changes whenever it is restarted.
    pub(super) fn restarted(&self) -> watch::Receiver<u32> {
        self.restarted.subscribe()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::spec::cache::{self, Cache, Invalidate, Naming, Stampede, Warm};

    /// A load without layers, whose origin answers at once.
    pub(in crate::load::cache) fn cache_load(name: &str) -> Load {
        let latency = (Duration::ZERO, Duration::ZERO);
        let cache = Cache {
            layers: Vec::new(),
            origin: cache::Origin { latency, capacity: None, queue: 0 },
            stampede: Stampede::None,
            invalidate: Invalidate::Delete,
            write: cache::Write::Aside,
            warm: Warm::None,
            without: None,
            naming: Naming::Plain,
            verify: false,
            pool: None,
            format: cache::Format::JSON,
            absent: 0.0,
            bound: Duration::ZERO,
        };
        Load { cache: Some(cache), ..Load::new(name, "cache", 1.0) }
    }

    #[test]
    fn services_on_the_same_entities_have_one_origin_and_processes_of_their_own() {
        let app = cache_load("app");
        let mut admin = cache_load("admin");
        admin.keyspace.of = Some(1);
        admin.keyspace.name = "app".to_owned();
        let all = applications(&[admin, app, cache_load("other")], 1);
        let origin = |name: &str| all[name].origin();
        assert!(Arc::ptr_eq(origin("app"), origin("admin")));
        assert!(!Arc::ptr_eq(origin("app"), origin("other")));
        let of_admin = all["admin"].restarted();
        all["app"].restart();
        assert!(!of_admin.has_changed().unwrap());
    }
}

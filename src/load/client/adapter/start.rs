//! From a command to an adapter that is ready: greetings, connecting, and orders that do
//! nothing, which show what the protocol itself costs.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::task::{JoinHandle, JoinSet};

use super::protocol::{Came, Connect, Greeting, Keeping, Mode, Place, VERSION, Work};
use super::{Adapter, Ended, Phase, Settings, Whose};
use crate::backend::{ActorPipes, ActorStarts};
use crate::load::{Lookup, Targets};
use crate::model::event::EventKind;
use crate::spec::cache::{Cache, Layer, Place as LayerPlace, Write};
use crate::spec::scenario::Load;
use crate::wake::Alarm;

/// For so long nothing is ordered, at the load's own rate.
const TRIAL: Duration = Duration::from_millis(500);
/// The rate at which nothing is ordered of a load that its clients close, a second.
const CLOSED: f64 = 1_000.0;
const FEWEST: u64 = 50;
const MOST: u64 = 5_000;

/// So many orders to read may come at once besides those of a cache's clients, from who watches it.
pub(in crate::load) const LOOKS: u32 = 4;

/// Why an adapter cannot carry out a load.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    #[error(
        "the program `{name}` was not found; a name without a slash is looked up on PATH, and a \
         path begins where redrill is run"
    )]
    Missing { name: String },
    #[error(
        "the program `{name}` may not be executed; `chmod +x` it, or name its interpreter first: \
         `command: [python3, {name}]`"
    )]
    NotExecutable { name: String },
    #[error("the program `{name}` did not start: {source}")]
    Start { name: String, source: io::Error },
    #[error("its command is empty: name a program")]
    NoCommand,
    #[error("the load has no group to connect to; this is a bug in redrill")]
    NoGroup,
    #[error(
        "the program did not greet within {patience:?}; its first line must be like \
         {{\"protocol\":{VERSION},\"name\":\"mine\",\"version\":\"1\",\"does\":[\"get\",\"set\"]}}, \
         flushed; {last_words}"
    )]
    NoGreeting { patience: Duration, last_words: String },
    #[error("the program's first line is no greeting ({why}): `{line}`")]
    BadGreeting { line: String, why: String },
    #[error(
        "the adapter speaks version {found} of the protocol, and this redrill version {VERSION}"
    )]
    Version { found: u32 },
    #[error(
        "the adapter does not carry out {}, which the workload `{workload}` needs; it does: {}",
        .lacks.join(", "), .does.join(", ")
    )]
    Lacks { workload: &'static str, lacks: Vec<&'static str>, does: Vec<String> },
    #[error("the adapter could not connect: {error}")]
    Connect { error: String },
    #[error("the adapter did not connect within {patience:?}; {last_words}")]
    NoConnection { patience: Duration, last_words: String },
    #[error("before the load began, the adapter's output ended; {last_words}")]
    Ended { last_words: String },
    #[error(
        "before the load began, the adapter gave {said}; nothing but answers, one JSON object a \
         line, may be on its standard output"
    )]
    Babbles { said: String },
    #[error(
        "of {asked} orders that do nothing, given at the load's own rate, the adapter answered \
         {answered} within {patience:?}: it hangs, or is too slow for {rate}/s; {last_words}"
    )]
    Hangs { patience: Duration, asked: u64, answered: u64, rate: f64, last_words: String },
    #[error("the machine gave no pipe to the program: {source}")]
    Pipe { source: io::Error },
    #[error("the machine gave no timer: {source}")]
    Timer { source: io::Error },
}

impl AdapterError {
    pub(super) fn start(name: &str, source: io::Error) -> AdapterError {
        let name = name.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => AdapterError::Missing { name },
            io::ErrorKind::PermissionDenied => AdapterError::NotExecutable { name },
            _ => AdapterError::Start { name, source },
        }
    }
}

impl Adapter {
    /// Starts the program and has it connect to `targets`, which are the first of the load's
    /// groups, and mostly one; tells what it is, and what the protocol costs. It lives on the
    /// calling thread, in a local runtime.
    pub(crate) async fn launch(
        command: &[String],
        targets: &[Targets],
        settings: Settings,
    ) -> Result<Rc<Adapter>, AdapterError> {
        // All groups of a drill ask for the same.
        let password = targets.iter().find_map(|targets| targets.password.clone());
        let (adapter, mut starts) = Adapter::start(command, settings, password).await?;
        let pipes = starts.recv().await.ok_or(AdapterError::NoCommand)?;
        let (greeting, reading) = adapter.begin(pipes, targets).await?;
        let [noop_p50_ns, noop_p99_ns] = adapter.try_out().await?;
        adapter.state.borrow_mut().ready = true;
        tokio::task::spawn_local(super::tell(adapter.clone()));
        tokio::task::spawn_local(begin_again(adapter.clone(), starts, reading, targets.to_vec()));
        adapter.settings.teller.tell(EventKind::Adapter {
            load: adapter.settings.index,
            name: greeting.name,
            version: greeting.version,
            noop_p50_ns,
            noop_p99_ns,
        });
        Ok(adapter)
    }

    /// Greets the program that has just been started, and has it connect. Gives its greeting, and
    /// the task that hears it.
    async fn begin(
        self: &Rc<Self>,
        pipes: ActorPipes,
        targets: &[Targets],
    ) -> Result<(Greeting, JoinHandle<()>), AdapterError> {
        let no_pipe = |source| AdapterError::Pipe { source };
        let input = ChildStdin::from_std(pipes.stdin).map_err(no_pipe)?;
        let output = ChildStdout::from_std(pipes.stdout).map_err(no_pipe)?;
        self.state.borrow_mut().begin();
        tokio::task::spawn_local(super::write(self.clone(), input));
        let mut output = BufReader::new(output);
        let greeting = self.greeted(&mut output).await?;
        let reading = tokio::task::spawn_local(super::read(self.clone(), output));
        self.offers(&greeting)?;
        self.state.borrow_mut().does.clone_from(&greeting.does);
        self.connect(targets).await?;
        self.state.borrow_mut().phase = Phase::Answers;
        Ok((greeting, reading))
    }

    async fn greeted(&self, output: &mut BufReader<ChildStdout>) -> Result<Greeting, AdapterError> {
        let patience = self.settings.patience;
        let line = match tokio::time::timeout(patience, super::next_line(output)).await {
            Ok(Some(line)) => line,
            Ok(None) => return Err(self.ended_early().await),
            Err(_) => {
                return Err(AdapterError::NoGreeting {
                    patience,
                    last_words: self.last_words().await,
                });
            }
        };
        let greeting: Greeting = serde_json::from_slice(&line).map_err(|why| {
            let line = super::shortened(&String::from_utf8_lossy(&line));
            AdapterError::BadGreeting { line, why: why.to_string() }
        })?;
        match greeting.protocol {
            VERSION => Ok(greeting),
            found => Err(AdapterError::Version { found }),
        }
    }

    fn offers(&self, greeting: &Greeting) -> Result<(), AdapterError> {
        let Load { workload, lock, cache, .. } = &self.settings.load;
        let extends = lock.as_ref().is_some_and(|lock| lock.extend.is_some());
        let writes = cache.as_ref().is_some_and(|cache| cache.write == Write::Through);
        let is_lacking = |word: &&str| {
            let is_needed = match *word {
                "extend" => extends,
                "write" => writes,
                _ => true,
            };
            is_needed && !greeting.does.iter().any(|does| does == word)
        };
        let needs = workload.orders().unwrap_or_default().iter().copied();
        let lacks: Vec<&str> = needs.filter(is_lacking).collect();
        if lacks.is_empty() {
            return Ok(());
        }
        let (workload, does) = (workload.word(), greeting.does.clone());
        Err(AdapterError::Lacks { workload, lacks, does })
    }

    async fn connect(&self, targets: &[Targets]) -> Result<(), AdapterError> {
        let Settings { load, patience, .. } = &self.settings;
        let patience = *patience;
        let mut groups: Vec<Place> =
            load.groups.iter().zip(targets).map(|(name, targets)| place(name, targets)).collect();
        let first = groups.first().cloned().ok_or(AdapterError::NoGroup)?;
        if groups.len() == 1 {
            groups.clear();
        }
        let order = Connect {
            place: first,
            groups,
            clients: load.clients_of_each() + load.cache.as_ref().map_or(0, |_| LOOKS),
            timeout_ms: load.timeout.as_millis() as u64,
            password: self.password.as_ref().map(|password| password.reveal().to_owned()),
            cache: load.cache.as_ref().map(keeping),
        };
        match self.order(Work::Connect(order), Whose::Own, patience).await {
            Ended::Answered(Came::Ok(_), _) => Ok(()),
            Ended::Answered(Came::Fail(error) | Came::Unknown(error), _) => {
                Err(AdapterError::Connect { error })
            }
            Ended::TimedOut { .. } | Ended::CutOff => {
                Err(AdapterError::NoConnection { patience, last_words: self.last_words().await })
            }
            Ended::Gone { .. } => Err(self.ended_early().await),
        }
    }

    /// Orders nothing at the instance's share of the load's rate; the median and the 99th
    /// percentile of how long an answer takes.
    async fn try_out(self: &Rc<Self>) -> Result<[u64; 2], AdapterError> {
        let Settings { load, patience, .. } = &self.settings;
        let all = load.pacing.rate().map_or(CLOSED, |rate| rate.most());
        let (rate, patience) = (all / f64::from(load.instances), *patience);
        let asked = ((rate * TRIAL.as_secs_f64()) as u64).clamp(FEWEST, MOST);
        let clock = self.settings.teller.clock();
        let alarm = Alarm::new(clock).map_err(|source| AdapterError::Timer { source })?;
        let began = clock.now();
        let mut orders = JoinSet::new();
        for n in 0..asked {
            let due = began + TRIAL.mul_f64(n as f64 / asked as f64);
            alarm.until(due).await.map_err(|source| AdapterError::Timer { source })?;
            let adapter = self.clone();
            orders.spawn_local(async move {
                let ended = adapter.order(Work::Noop, Whose::Own, patience).await;
                matches!(ended, Ended::Answered(Came::Ok(_), _)).then(|| clock.now().since(due))
            });
        }
        let mut took: Vec<u64> = Vec::new();
        while let Some(order) = orders.join_next().await {
            took.extend(order.ok().flatten().map(|took| took.as_nanos() as u64));
        }
        if self.state.borrow().phase != Phase::Answers {
            return Err(self.ended_early().await);
        }
        let answered = took.len() as u64;
        if answered < asked {
            let last_words = self.last_words().await;
            return Err(AdapterError::Hangs { patience, asked, answered, rate, last_words });
        }
        took.sort_unstable();
        Ok([took[took.len() / 2], took[took.len() * 99 / 100]])
    }

    async fn last_words(&self) -> String {
        self.program.last_words().await
    }

    /// Why nothing came of an order.
    async fn ended_early(&self) -> AdapterError {
        let nonsense = self.state.borrow_mut().nonsense.take();
        match nonsense {
            Some(said) => AdapterError::Babbles { said },
            None => AdapterError::Ended { last_words: self.last_words().await },
        }
    }
}

/// For how long a cache is to keep its copies.
fn keeping(cache: &Cache) -> Keeping {
    let millis = |layer: &Layer| layer.ttl.as_millis() as u64;
    let near = cache.layers.iter().find_map(|layer| match layer.place {
        LayerPlace::Process { capacity, .. } => Some((millis(layer), capacity)),
        LayerPlace::Host { .. } | LayerPlace::NearGroup | LayerPlace::Group => None,
    });
    let ttl_ms = cache.layers.last().map_or(0, millis);
    let (near_ttl_ms, near_bytes) = near.unzip();
    Keeping { ttl_ms, near_ttl_ms, near_bytes }
}

fn place(group: &str, targets: &Targets) -> Place {
    let (mode, group) = match &targets.lookup {
        Lookup::Cluster | Lookup::Standby { .. } => (Mode::Cluster, group),
        Lookup::Sentinels(name) => (Mode::Sentinel, &**name),
        Lookup::Primary if targets.nodes.len() > 1 => (Mode::Replication, group),
        Lookup::Primary => (Mode::Standalone, group),
    };
    let nodes = targets.seeds.iter().map(SocketAddr::to_string).collect();
    Place { mode, group: group.to_owned(), nodes }
}

/// Speaks to the program again whenever a step has started it again.
async fn begin_again(
    adapter: Rc<Adapter>,
    mut starts: ActorStarts,
    mut reading: JoinHandle<()>,
    targets: Vec<Targets>,
) {
    while let Some(pipes) = starts.recv().await {
        // The output of the one before has ended, and what it left is answered.
        _ = reading.await;
        reading = match adapter.begin(pipes, &targets).await {
            Ok((_, reading)) => reading,
            Err(error) => {
                adapter.state.borrow_mut().end_all();
                return adapter.warn(&format!("its adapter was started again, and: {error}"));
            }
        };
    }
}

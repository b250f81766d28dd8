//! Programs that run as processes of this machine: the actors of every backend, and the servers
//! of the process backend.
//!
//! An actor gets orders on its standard input and answers on its standard output, unless it knows
//! nothing of redrill ([`ActorPlan::talks`]); its standard error is its log. It runs in redrill's
//! working directory, so that paths in its command mean the same as at a prompt. It also has its
//! own directory ([`HOME`]), which is removed at the end.

mod addresses;
mod spawner;
mod throttle;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, Signal};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;
use tracing::debug;

use self::addresses::Addresses;
use self::spawner::{Ended, Hold, Pipes, Spawner};
use self::throttle::Throttle;
use super::error::BackendError;
use super::exits::NodeExited;
use super::logs::{Logs, cannot_write};
use super::proc::{self, RunQueue};
use super::sockets::{Inode, SocketOwner, SocketOwners};
use crate::files::make;
use crate::log::{OrLogged, OrUnheard};
use crate::model::NodeName;
use crate::spec::step::Data;

/// The environment variable with a program's own directory. What it leaves is recognised by it.
pub const HOME: &str = "REDRILL_HOME";
/// The environment variable with an actor's name: `app/actor/0`.
pub const NAME: &str = "REDRILL_ACTOR";

/// How long a program may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// How long the kernel may take to end a killed program.
const LAST_GRACE: Duration = Duration::from_secs(10);
const GROUPS_KEPT: Duration = Duration::from_millis(50);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// No file that an actor writes, its log among them, grows larger. What it writes then fails
/// (EFBIG), or the kernel ends it (SIGXFSZ).
const MOST_BYTES_OF_FILE: u64 = 256 << 20;
/// If more programs end at once, a slow receiver misses the first of them.
const EXITS_KEPT: usize = 1024;

/// An actor to start.
#[derive(Clone, Debug)]
pub struct ActorPlan {
    pub name: NodeName,
    /// Without a slash it is looked up on PATH.
    pub program: PathBuf,
    pub args: Vec<String>,
    /// In addition to redrill's own environment.
    pub env: Vec<(String, String)>,
    /// Whether redrill talks to it over its standard input and output. If not, it has no input, and
    /// its output goes to its log.
    pub talks: bool,
}

/// The two pipes of a running actor. Closing its standard input asks it to end.
#[derive(Debug)]
pub struct ActorPipes {
    pub stdin: ChildStdin,
    pub stdout: ChildStdout,
}

/// The pipes of each start of the actor; those of the first are there already.
pub type ActorStarts = mpsc::UnboundedReceiver<ActorPipes>;

pub struct Programs {
    // Dropped before the spawner, so that paused programs go on.
    throttles: Mutex<HashMap<NodeName, Throttle>>,
    spawner: Arc<Spawner>,
    pub(super) logs: Logs,
    /// Tells of every program that ends, and of every container too.
    pub(super) exits: broadcast::Sender<NodeExited>,
    /// The directories of nodes and actors.
    nodes: PathBuf,
    /// For starting them again.
    actors: Mutex<HashMap<NodeName, Actor>>,
    /// Parts of redrill itself that are paused as programs are, and whether they are now.
    parts: Mutex<HashMap<NodeName, watch::Sender<bool>>>,
    ends: Ends,
    addresses: Arc<Addresses>,
}

/// Of each program: how it ended, if it does not run, and how often redrill has ended it.
type Ends = Arc<Mutex<HashMap<NodeName, (Option<String>, usize)>>>;

struct Actor {
    plan: ActorPlan,
    starts: mpsc::UnboundedSender<ActorPipes>,
}

impl Programs {
    /// `nodes` must be absolute.
    pub fn new(nodes: PathBuf, logs: Logs) -> Result<Programs, BackendError> {
        let (exits, _) = broadcast::channel(EXITS_KEPT);
        let tell = exits.clone();
        let tails = logs.clone();
        let ends = Ends::default();
        let known = ends.clone();
        let addresses = Arc::new(Addresses::default());
        let (held, freed) = (addresses.clone(), addresses.clone());
        let ended = move |Ended { name, status, asked }| {
            held.close(&name);
            let log_tail = tails.tail(&name);
            let status = status.to_string();
            let mut known = known.lock();
            let known = known.entry(name.clone()).or_default();
            *known = (Some(status.clone()), known.1 + usize::from(asked));
            let exited = NodeExited { name, status, asked, out_of_sight: false, log_tail };
            tell.send(exited).or_unheard();
        };
        let spawner = Spawner::new(Box::new(ended), Box::new(move |name| freed.open(name)))
            .map_err(|source| BackendError::Thread { source })?;
        let (throttles, actors, parts) = Default::default();
        let spawner = Arc::new(spawner);
        Ok(Programs { throttles, spawner, logs, exits, nodes, actors, parts, ends, addresses })
    }

    /// A part of redrill that plays a program, such as an instance of its own clients. A pause of
    /// `name` is the part's own doing: what is returned says whether it is paused.
    pub fn part(&self, name: NodeName) -> watch::Receiver<bool> {
        self.parts.lock().entry(name).or_default().subscribe()
    }

    pub async fn start_actor(&self, plan: ActorPlan) -> Result<ActorStarts, BackendError> {
        let (starts, started) = mpsc::unbounded_channel();
        let name = plan.name.clone();
        self.actors.lock().insert(name.clone(), Actor { plan, starts });
        self.start_again(&name, Data::Kept).await.map(|()| started)
    }

    /// Starts an actor again that has ended. Its new pipes arrive where its first ones did.
    pub async fn start_again(&self, name: &NodeName, data: Data) -> Result<(), BackendError> {
        let actor = self.actors.lock().get(name).map(|a| (a.plan.clone(), a.starts.clone()));
        let not_running = || BackendError::NotRunning { name: name.clone() };
        let (plan, starts) = actor.ok_or_else(not_running)?;
        let home = self.nodes.join(name.file_name());
        if data == Data::Dropped && !self.runs(name) {
            remove(&home)?;
        }
        make::dir(&home).map_err(|e| cannot_write(&home, e))?;
        let mut command = Command::new(&plan.program);
        command.args(&plan.args).envs(plan.env).env(HOME, home).env(NAME, name.to_string());
        match plan.talks {
            true => command.stdin(Stdio::piped()).stdout(Stdio::piped()),
            false => command.stdin(Stdio::null()).stdout(self.logs.open(name)?),
        };
        command.stderr(self.logs.open(name)?);
        bound_files(&mut command);
        if let (Some(stdin), Some(stdout)) = self.spawn(name, command).await? {
            // Nobody may want them any more.
            starts.send(ActorPipes { stdin, stdout }).or_unheard();
        }
        Ok(())
    }

    /// Starts `command` as the program of `name`.
    pub async fn spawn(&self, name: &NodeName, command: Command) -> Result<Pipes, BackendError> {
        let program = PathBuf::from(command.get_program());
        if !self.runs(name) {
            self.ends.lock().entry(name.clone()).or_default().0 = None;
        }
        let spawned = self.spawner.spawn(name.clone(), command).await;
        let (addresses, started) = (self.addresses.clone(), name.clone());
        tokio::spawn(async move { addresses.close_once_it_listens(&started).await });
        let name = name.clone();
        spawned.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => BackendError::Running { name },
            _ => BackendError::Spawn { name, program, source },
        })
    }

    /// The program is a server that is going to listen at these addresses. Nobody else can, from
    /// its first start on until the end.
    pub fn listens_at(&self, name: &NodeName, addresses: &[SocketAddr]) {
        self.addresses.keep(name, addresses);
    }

    pub fn runs(&self, name: &NodeName) -> bool {
        self.spawner.pid(name).is_some()
    }

    /// How its last run ended; `None` while it runs.
    pub fn end_of(&self, name: &NodeName) -> Option<String> {
        self.ends.lock().get(name)?.0.clone()
    }

    /// How often redrill has ended it, as steps do.
    pub fn times_ended(&self, name: &NodeName) -> usize {
        self.ends.lock().get(name).map_or(0, |(_, times)| *times)
    }

    /// The last lines of its log; empty if there is none.
    pub fn log_tail(&self, name: &NodeName) -> String {
        self.logs.tail(name)
    }

    pub fn pid(&self, name: &NodeName) -> Option<u32> {
        self.spawner.pid(name).map(|pid| pid.as_raw_pid() as u32)
    }

    /// Whose a socket is: this process's, a program's, or that of a process in a program's group.
    pub fn socket_owners(&self) -> SocketOwners {
        let spawner = self.spawner.clone();
        let groups = Groups::default();
        Arc::new(move |local, remote| {
            let inode = Inode::connected(local, remote)?;
            let programs = spawner.pids();
            // redrill has the most sockets, so looking through them takes the longest.
            let name = programs.iter().find(|(pid, _)| inode.is_of(**pid)).map(|(_, name)| name);
            if name.is_none() && inode.is_of(std::process::id()) {
                return Some(SocketOwner::Redrill);
            }
            let of_group = || {
                let all = groups.now();
                let mut own = all.iter().filter(|(_, group)| programs.contains_key(group));
                programs.get(&own.find(|(pid, _)| inode.is_of(*pid))?.1)
            };
            name.or_else(of_group).cloned().map(SocketOwner::Program)
        })
    }

    pub fn run_queue(&self) -> RunQueue {
        let spawner = self.spawner.clone();
        Box::new(move |name| {
            spawner.pid(name).and_then(|pid| proc::waited(pid.as_raw_pid() as u32))
        })
    }

    /// Asks it to end, and kills it if it does not.
    pub async fn stop(&self, name: &NodeName) -> Result<(), BackendError> {
        self.signal(name, Signal::TERM)?;
        self.pause_part(name, false);
        if self.is_gone_within(name, GRACE).await {
            return Ok(());
        }
        match self.kill(name).await {
            // It has ended by itself after all.
            Err(BackendError::NotRunning { .. }) => Ok(()),
            ended => ended,
        }
    }

    /// Returns when it is gone, so that the caller can start it again.
    pub async fn kill(&self, name: &NodeName) -> Result<(), BackendError> {
        self.signal(name, Signal::KILL)?;
        self.pause_part(name, false);
        match self.is_gone_within(name, LAST_GRACE).await {
            true => Ok(()),
            false => Err(BackendError::Undying { name: name.clone(), waited: LAST_GRACE }),
        }
    }

    /// Whether the running program ends in time, and its end is known: one that is started again
    /// before that would be taken for ended.
    async fn is_gone_within(&self, name: &NodeName, time: Duration) -> bool {
        let Some(pid) = self.spawner.pid(name) else { return true };
        let give_up = Instant::now() + time;
        let is_there = || match self.spawner.pid(name) {
            Some(now) => now == pid,
            None => self.end_of(name).is_none(),
        };
        while is_there() {
            if Instant::now() >= give_up {
                return false;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        true
    }

    pub fn signal(&self, name: &NodeName, signal: Signal) -> Result<(), BackendError> {
        signalled(name, self.spawner.signal(name, signal))
    }

    pub fn pause(&self, name: &NodeName, on: bool) -> Result<(), BackendError> {
        debug!(%name, on, "a process is paused or goes on");
        let is_part = self.pause_part(name, on);
        match self.spawner.hold(name, Hold::Pause, on) {
            None if is_part => Ok(()),
            held => signalled(name, held),
        }
    }

    /// Whether there is such a part.
    fn pause_part(&self, name: &NodeName, on: bool) -> bool {
        self.parts.lock().get(name).map(|paused| paused.send_replace(on)).is_some()
    }

    pub fn limit_cpu(&self, name: &NodeName, share: Option<f64>) -> Result<(), BackendError> {
        debug!(%name, ?share, "a process gets a share of a CPU, or all of it");
        let mut throttles = self.throttles.lock();
        // The end of the previous throttle lets the program go on.
        throttles.remove(name);
        if let Some(share) = share {
            let throttle = Throttle::start(self.spawner.clone(), name.clone(), share);
            throttles
                .insert(name.clone(), throttle.map_err(|source| BackendError::Thread { source })?);
        }
        Ok(())
    }

    /// Kills all programs, waits until they are gone, and removes what they wrote.
    pub async fn shutdown(&self) -> Result<(), BackendError> {
        self.spawner.stop().await;
        self.addresses.forget();
        end_left(&self.nodes);
        remove(&self.nodes)
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        self.spawner.end();
        // After `shutdown` nothing is left, and looking for it takes time.
        if self.nodes.exists() {
            end_left(&self.nodes);
        }
        // `shutdown` reports what is left, and `redrill gc` finds it.
        remove(&self.nodes).or_logged("remove the files of nodes");
    }
}

/// Processes with their groups.
type InGroups = Arc<[(u32, u32)]>;

/// All processes of the machine with their groups.
#[derive(Default)]
struct Groups(Mutex<Option<(Instant, InGroups)>>);

impl Groups {
    /// Those of a moment ago: looking takes milliseconds, and anybody can make many connections.
    fn now(&self) -> InGroups {
        let mut known = self.0.lock();
        if let Some((_, all)) = known.as_ref().filter(|(at, _)| at.elapsed() < GROUPS_KEPT) {
            return all.clone();
        }
        let all = proc::pids().filter_map(|pid| Some((pid, proc::group(pid)?))).collect();
        known.insert((Instant::now(), all)).1.clone()
    }
}

/// The result of signalling a program; `None` means that it does not run.
fn signalled(name: &NodeName, sent: Option<io::Result<()>>) -> Result<(), BackendError> {
    let name = name.clone();
    match sent {
        None => Err(BackendError::NotRunning { name }),
        Some(sent) => sent.map_err(|source| BackendError::Signal { name, source }),
    }
}

fn bound_files(command: &mut Command) {
    let most = Some(MOST_BYTES_OF_FILE);
    let bound = move || {
        let limit = Rlimit { current: most, maximum: most };
        Ok(rustix::process::setrlimit(Resource::Fsize, limit)?)
    };
    // SAFETY: between fork and exec only a system call is made.
    unsafe { command.pre_exec(bound) };
}

/// Ends what servers and actors have left, waits until it is gone, and returns the pids. `nodes` is
/// the folder of their directories, which a dying server may still write to.
///
/// They die with redrill, but not a server behind a wrapper that does not `exec` it, one that made
/// itself a daemon, and what an actor has started. Those have the variable [`HOME`], or, as a
/// server writes its title over its variables, work in `nodes` without a terminal: a person who
/// looks around there has one, and a script that does so there and calls redrill is spared.
pub fn end_left(nodes: &Path) -> Vec<u32> {
    let own = proc::lineage();
    let is_left = |pid: &u32| {
        let within = |dir: Option<PathBuf>| dir.is_some_and(|dir| dir.starts_with(nodes));
        within(proc::variable(*pid, HOME))
            || within(proc::directory(*pid)) && !proc::has_terminal(*pid)
    };
    let left = proc::pids().filter(|pid| !own.contains(pid)).filter(is_left);
    let killed: Vec<_> =
        left.filter_map(proc::ProcessId::of).filter(|id| proc::kill(*id)).collect();
    let give_up = Instant::now() + LAST_GRACE;
    while killed.iter().any(|id| id.is_alive()) && Instant::now() < give_up {
        std::thread::sleep(LOOK_AGAIN);
    }
    killed.into_iter().map(|id| id.pid).collect()
}

pub fn remove(dir: &Path) -> Result<(), BackendError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(cannot_write(dir, e)),
        _ => Ok(()),
    }
}

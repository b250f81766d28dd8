//! The thread that starts servers and waits for them.
//!
//! Servers must end when redrill does, however it ends. On Linux a child can ask for a signal
//! at its parent's death (`PR_SET_PDEATHSIG`). But the parent is the *thread* that spawned it,
//! see prctl(2), and a thread of an async runtime may end at any time. So one thread spawns all
//! servers, and it lives as long as the backend.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, waitid};
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use crate::log::{OrLogged, OrUnheard};
use crate::model::NodeName;

/// How long to wait for a killed process. It is gone in milliseconds, unless it is stuck in the
/// kernel (a dead disk).
const LAST_WAIT: Duration = Duration::from_secs(10);

/// A child has ended, and whether redrill asked for that.
pub struct Ended {
    pub name: NodeName,
    pub status: ExitStatus,
    pub asked: bool,
}

type Listener = Box<dyn Fn(Ended) + Send>;
type Starting = Box<dyn Fn(&NodeName) + Send>;

/// A child's standard input and output, if its command pipes them.
pub type Pipes = (Option<ChildStdin>, Option<ChildStdout>);

pub struct Spawner {
    requests: mpsc::Sender<Request>,
    wake: Arc<OwnedFd>,
    running: Arc<Mutex<HashMap<NodeName, Running>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A child that has not been waited for, so its pid cannot belong to another process.
struct Running {
    pid: Pid,
    asked_to_end: bool,
    /// The reasons why it is paused.
    held: HashSet<Hold>,
}

/// Why a child is paused. It goes on when there is no reason left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    Pause,
    /// It has used its share of the processor.
    Throttle,
}

enum Request {
    Spawn { name: NodeName, command: Box<Command>, done: oneshot::Sender<io::Result<Pipes>> },
    Stop { done: oneshot::Sender<()> },
}

impl Spawner {
    /// Calls `ended` on the spawner's thread, and `starting` before a child is started.
    pub fn new(ended: Listener, starting: Starting) -> io::Result<Spawner> {
        let (requests, asked) = mpsc::channel();
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let running = Arc::new(Mutex::new(HashMap::new()));
        let work = Work {
            asked,
            wake: wake.clone(),
            running: running.clone(),
            ended,
            starting,
            children: Vec::new(),
        };
        let thread = thread::Builder::new().name("spawner".into()).spawn(|| work.run())?;
        Ok(Spawner { requests, wake, running, thread: Mutex::new(Some(thread)) })
    }

    /// Starts `command` in a new process group. It is killed when this process ends.
    pub async fn spawn(&self, name: NodeName, command: Command) -> io::Result<Pipes> {
        let (done, told) = oneshot::channel();
        self.ask(Request::Spawn { name, command: Box::new(command), done });
        told.await.unwrap_or_else(|_| Err(io::Error::other("the spawner has been stopped")))
    }

    pub fn pid(&self, name: &NodeName) -> Option<Pid> {
        self.running.lock().get(name).map(|running| running.pid)
    }

    /// All that run.
    pub fn pids(&self) -> HashMap<u32, NodeName> {
        let pid = |running: &Running| running.pid.as_raw_pid() as u32;
        let running = self.running.lock();
        running.iter().map(|(name, running)| (pid(running), name.clone())).collect()
    }

    /// Signals the child's whole process group; `None` if it does not run.
    pub fn signal(&self, name: &NodeName, signal: Signal) -> Option<io::Result<()>> {
        let mut running = self.running.lock();
        let child = running.get_mut(name)?;
        debug!(%name, ?signal, "a process is signalled");
        child.asked_to_end |= matches!(signal, Signal::KILL | Signal::TERM);
        Some(rustix::process::kill_process_group(child.pid, signal).map_err(io::Error::from))
    }

    /// Pauses the child (SIGSTOP) for the reason `why`, or removes that reason; `None` if it
    /// does not run.
    pub fn hold(&self, name: &NodeName, why: Hold, on: bool) -> Option<io::Result<()>> {
        let mut running = self.running.lock();
        let child = running.get_mut(name)?;
        match on {
            true => child.held.insert(why),
            false => child.held.remove(&why),
        };
        let signal = match (on, child.held.is_empty()) {
            (false, false) => return Some(Ok(())),
            (false, true) => Signal::CONT,
            (true, _) => Signal::STOP,
        };
        Some(rustix::process::kill_process_group(child.pid, signal).map_err(io::Error::from))
    }

    /// Kills all children and returns when they are gone.
    pub async fn stop(&self) {
        let (done, told) = oneshot::channel();
        self.ask(Request::Stop { done });
        told.await.or_unheard();
    }

    /// Kills all children, and ends the thread.
    pub fn end(&self) {
        self.ask(Request::Stop { done: oneshot::channel().0 });
        if let Some(thread) = self.thread.lock().take() {
            thread.join().or_unheard();
        }
    }

    fn ask(&self, request: Request) {
        self.requests.send(request).or_unheard();
        rustix::io::write(&*self.wake, &1u64.to_ne_bytes()).or_logged("wake the spawner");
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.end();
    }
}

/// The state of the thread.
struct Work {
    asked: mpsc::Receiver<Request>,
    wake: Arc<OwnedFd>,
    running: Arc<Mutex<HashMap<NodeName, Running>>>,
    ended: Listener,
    starting: Starting,
    children: Vec<Watched>,
}

struct Watched {
    name: NodeName,
    child: Child,
    /// Readable when the child has ended.
    pidfd: OwnedFd,
}

impl Work {
    fn run(mut self) {
        loop {
            self.wait(None);
            self.reap();
            while let Ok(request) = self.asked.try_recv() {
                match request {
                    Request::Spawn { name, command, done } => {
                        done.send(self.spawn(name, *command)).or_unheard();
                    }
                    Request::Stop { done } => {
                        self.end_all();
                        done.send(()).or_unheard();
                        return;
                    }
                }
            }
        }
    }

    /// Waits until a request has come or a child has ended.
    fn wait(&self, most: Option<Duration>) {
        let mut fds = vec![PollFd::new(&*self.wake, PollFlags::IN)];
        fds.extend(self.children.iter().map(|c| PollFd::new(&c.pidfd, PollFlags::IN)));
        let most = most.and_then(|most| Timespec::try_from(most).ok());
        // An error (a signal) leads to the same: everything is checked again.
        poll(&mut fds, most.as_ref()).or_unheard();
        // There is nothing to read if nobody woke it.
        rustix::io::read(&*self.wake, &mut [0u8; 8]).or_unheard();
    }

    fn spawn(&mut self, name: NodeName, mut command: Command) -> io::Result<Pipes> {
        // Two callers may have learned at the same time that it does not run.
        if self.running.lock().contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        command.process_group(0);
        let parent = rustix::process::getpid();
        let die_with_parent = move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died already.
            match rustix::process::getppid() == Some(parent) {
                true => Ok(()),
                false => Err(rustix::io::Errno::SRCH.into()),
            }
        };
        // SAFETY: between fork and exec only two system calls are made; nothing is allocated
        // and no lock is taken.
        unsafe { command.pre_exec(die_with_parent) };
        (self.starting)(&name);
        let mut child = command.spawn()?;
        let pid = Pid::from_child(&child);
        let pidfd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(e) => {
                let ended = child.kill().and_then(|()| child.wait());
                warn!(%name, ?ended, "ended again, as the kernel gave no descriptor for it");
                return Err(e.into());
            }
        };
        self.running
            .lock()
            .insert(name.clone(), Running { pid, asked_to_end: false, held: HashSet::new() });
        info!(%name, pid = pid.as_raw_pid(), "a process starts");
        let pipes = (child.stdin.take(), child.stdout.take());
        self.children.push(Watched { name, child, pidfd });
        Ok(pipes)
    }

    /// Reports the children that have ended.
    fn reap(&mut self) {
        let mut still = Vec::with_capacity(self.children.len());
        for mut watched in self.children.drain(..) {
            // Under the lock, so that nobody signals a pid that belongs to another process
            // already.
            let mut running = self.running.lock();
            watched.end_its_group();
            let status = match watched.child.try_wait() {
                Ok(Some(status)) => status,
                Ok(None) => {
                    drop(running);
                    still.push(watched);
                    continue;
                }
                // Another thread has waited for it. Its exit status is unknown.
                Err(error) => {
                    warn!(name = %watched.name, %error, "how a process ended is not known");
                    ExitStatus::from_raw(0)
                }
            };
            let asked = running.remove(&watched.name).is_some_and(|child| child.asked_to_end);
            drop(running);
            info!(name = %watched.name, %status, asked, "a process has ended");
            (self.ended)(Ended { name: watched.name, status, asked });
        }
        self.children = still;
    }

    fn end_all(&mut self) {
        for child in self.running.lock().values_mut() {
            child.asked_to_end = true;
            rustix::process::kill_process_group(child.pid, Signal::KILL)
                .or_logged("kill a process");
        }
        let give_up = Instant::now() + LAST_WAIT;
        while !self.children.is_empty() && Instant::now() < give_up {
            self.wait(Some(Duration::from_millis(100)));
            self.reap();
        }
    }
}

impl Watched {
    /// Ends everything that the child started. The child has not been waited for yet, so its
    /// group id cannot belong to another process.
    fn end_its_group(&self) {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if let Ok(Some(_)) = waitid(WaitId::PidFd(self.pidfd.as_fd()), look) {
            let group = Pid::from_child(&self.child);
            match rustix::process::kill_process_group(group, Signal::KILL) {
                // Nothing but the child was left.
                Err(rustix::io::Errno::SRCH) => {}
                ended => _ = ended.or_logged("end what a program had started"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::proc::group_members;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn spawner() -> (Spawner, mpsc::Receiver<Ended>) {
        let (tell, told) = mpsc::channel();
        let ended = move |ended| drop(tell.send(ended));
        (Spawner::new(Box::new(ended), Box::new(|_| ())).unwrap(), told)
    }

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn ends_are_told_with_their_reason() {
        let (spawner, told) = spawner();
        let (a, b) = (NodeName::new("a", 0, 0), NodeName::new("b", 0, 0));
        spawner.spawn(a.clone(), shell("exit 3")).await.unwrap();
        let ended = told.recv_timeout(SOON).unwrap();
        assert_eq!((ended.name, ended.status.code(), ended.asked), (a.clone(), Some(3), false));
        assert!(spawner.signal(&a, Signal::KILL).is_none());

        spawner.spawn(b.clone(), shell("sleep 60")).await.unwrap();
        spawner.signal(&b, Signal::KILL).unwrap().unwrap();
        let ended = told.recv_timeout(SOON).unwrap();
        assert_eq!((ended.name, ended.status.signal(), ended.asked), (b, Some(9), true));
    }

    #[tokio::test]
    async fn stopping_ends_whole_process_groups() {
        let (spawner, told) = spawner();
        let name = NodeName::new("a", 0, 0);
        // Like a wrapper that runs the server as its own child.
        spawner.spawn(name.clone(), shell("sleep 60; true")).await.unwrap();
        let group = spawner.pid(&name).unwrap();
        spawner.stop().await;
        assert!(told.recv_timeout(SOON).unwrap().asked);
        let gone = (0..100).any(|_| {
            thread::sleep(Duration::from_millis(10));
            group_members(group.as_raw_pid() as u32).is_empty()
        });
        assert!(gone, "a process of the group is left");
        assert!(spawner.spawn(name, shell("true")).await.is_err());
    }
}

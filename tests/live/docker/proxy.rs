//! A socket that leads to the engine, and can be cut.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

#[derive(Clone)]
pub struct Proxy {
    socket: PathBuf,
    engine: PathBuf,
    ways: Arc<Mutex<Ways>>,
}

#[derive(Default)]
struct Ways {
    cut: bool,
    deaf: bool,
    open: Vec<UnixStream>,
}

impl Proxy {
    /// From a new socket in `folder` to the engine at `host`; none to an engine that
    /// listens elsewhere.
    pub fn to(host: &str, folder: &Path) -> Option<Proxy> {
        let engine = PathBuf::from(host.strip_prefix("unix://")?);
        let proxy = Proxy { socket: folder.join("docker.sock"), engine, ways: Arc::default() };
        let listener = UnixListener::bind(&proxy.socket).unwrap();
        let own = proxy.clone();
        thread::spawn(move || listener.incoming().flatten().for_each(|caller| own.lead(caller)));
        Some(proxy)
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    fn lead(&self, caller: UnixStream) {
        let mut ways = self.ways.lock().unwrap();
        // Dropped, it is refused.
        let Some(engine) = (!ways.cut).then(|| UnixStream::connect(&self.engine).unwrap()) else {
            return;
        };
        let (deaf, both) = (ways.deaf, |way: &UnixStream| way.try_clone().unwrap());
        let (from, to) = (both(&caller), both(&engine));
        thread::spawn(move || copy(from, to, |asked| !(deaf && asks_for_events(asked))));
        let (from, to) = (both(&engine), both(&caller));
        thread::spawn(move || copy(from, to, |_| true));
        ways.open.extend([caller, engine]);
    }

    /// Ends all connections, and lets none through until [`Proxy::mend`].
    pub fn cut(&self) {
        let mut ways = self.ways.lock().unwrap();
        ways.cut = true;
        ways.open.drain(..).for_each(|way| drop(way.shutdown(Shutdown::Both)));
    }

    pub fn mend(&self) {
        self.ways.lock().unwrap().cut = false;
    }

    /// As an engine that was restarted: it knows of nothing that has happened.
    pub fn mend_forgetful(&self) {
        *self.ways.lock().unwrap() = Ways { deaf: true, ..Ways::default() };
    }
}

fn copy(mut from: UnixStream, mut to: UnixStream, may_pass: impl Fn(&[u8]) -> bool) {
    let mut part = [0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut part) {
        if may_pass(&part[..n]) && to.write_all(&part[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn asks_for_events(asked: &[u8]) -> bool {
    asked.windows(8).any(|part| part == b"/events?")
}

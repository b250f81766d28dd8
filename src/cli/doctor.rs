//! `redrill doctor`: lists what this machine has, and what each missing thing would be good
//! for.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::process::{Resource, getrlimit};

use super::{exit, out};
use crate::backend::docker::{endpoint, nft};
use crate::backend::process::address::Block;
use crate::backend::process::binary::{ServerBinary, on_path};
use crate::backend::registry::{Registry, RegistryError};
use crate::log::OrLogged;

/// What a server needs for 10,000 connections and its own files.
const FILES_WANTED: u64 = 10_032;
/// The length of the queue of connections to accept that a server asks for.
const BACKLOG_WANTED: u64 = 511;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Look at this server too
    #[arg(long, value_name = "PATH", env = "REDRILL_ENGINE_BINARY")]
    engine_binary: Option<PathBuf>,
}

/// One row of the table.
#[derive(Debug, PartialEq)]
struct Check {
    mark: Mark,
    what: &'static str,
    found: String,
    /// What its lack means, and how to get it.
    advice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Good,
    /// redrill works without it, but less well.
    Note,
    /// Nothing can run.
    Lack,
}

pub fn main(args: Args) -> ExitCode {
    let mut findings = servers(args.engine_binary);
    findings.push(
        super::runtime::block_on(docker())
            .unwrap_or_else(|e| Check::note("docker", e.text, "no sockets can be used")),
    );
    let runnable = findings.iter().any(|finding| finding.mark == Mark::Good);
    if !runnable {
        findings.iter_mut().for_each(|finding| finding.mark = Mark::Lack);
    }
    findings.extend([
        kernel_cuts(),
        cli(),
        addresses(),
        state(),
        files(),
        overcommit(),
        backlog(),
        cores(),
        memory(),
    ]);
    let printed = out::print(&findings.iter().map(Check::text).collect::<String>());
    let lacks = findings.iter().any(|finding| finding.mark == Mark::Lack);
    if lacks { ExitCode::from(exit::ENVIRONMENT) } else { printed }
}

impl Check {
    fn good(what: &'static str, found: impl Into<String>) -> Check {
        Check { mark: Mark::Good, what, found: found.into(), advice: None }
    }

    fn note(what: &'static str, found: impl Into<String>, advice: &str) -> Check {
        Check::but(Mark::Note, what, found, advice)
    }

    fn unknown(what: &'static str) -> Check {
        Check::note(what, "unknown", "the kernel does not report it")
    }

    fn but(mark: Mark, what: &'static str, found: impl Into<String>, advice: &str) -> Check {
        Check { mark, what, found: found.into(), advice: Some(advice.to_owned()) }
    }

    fn text(&self) -> String {
        let mark = match self.mark {
            Mark::Good => "ok",
            Mark::Note => "note",
            Mark::Lack => "LACKS",
        };
        let line = format!("{mark:<6} {:<14} {}\n", self.what, self.found);
        match &self.advice {
            Some(advice) => format!("{line}{:<22}{advice}\n", ""),
            None => line,
        }
    }
}

fn servers(named: Option<PathBuf>) -> Vec<Check> {
    let named = named
        .map(|path| server("engine binary", Some(path), "name a redis-server or valkey-server"));
    let on_path = [("redis", "redis-server"), ("valkey", "valkey-server")].map(|(kind, name)| {
        let use_of_it = format!("topologies with `engine: {{kind: {kind}}}` run on it");
        server(name, on_path(name), &format!("apt-get install {name}; {use_of_it}"))
    });
    named.into_iter().chain(on_path).collect()
}

fn server(what: &'static str, path: Option<PathBuf>, advice: &str) -> Check {
    let Some(path) = path else {
        return Check::note(what, "not on PATH", advice);
    };
    match ServerBinary::at(&path) {
        Ok(binary) => {
            let info = binary.info();
            Check::good(what, format!("{}, {} {}", path.display(), info.kind, info.version))
        }
        Err(e) => Check::note(what, e.to_string(), advice),
    }
}

/// Which Docker engine answers, and what it can limit.
async fn docker() -> Check {
    let advice = "without it servers run as processes; with it: `--backend docker`, \
                  images of any release, limits of CPU and memory";
    let engine = match endpoint::find().await {
        Ok(engine) => engine,
        Err(e) => {
            let why = e.to_string();
            let why = why.lines().take(2).map(str::trim).collect::<Vec<_>>().join(" ");
            return Check::note("docker", why, advice);
        }
    };
    let host = &engine.endpoint.host;
    let version = engine
        .docker
        .version()
        .await
        .or_logged("ask the engine for its version")
        .unwrap_or_default();
    let name = version.platform.map_or("Docker".to_owned(), |platform| platform.name);
    let name = if name.is_empty() { "Docker".to_owned() } else { name };
    let info =
        engine.docker.info().await.or_logged("ask the engine what it can do").unwrap_or_default();
    let able = |can, what: &str| format!("{}{what}", if can == Some(true) { "" } else { "NO " });
    let able =
        [able(info.cpu_cfs_quota, "limits of CPU"), able(info.memory_limit, "limits of memory")];
    let rootless = info.security_options.unwrap_or_default().iter().any(|o| o.contains("rootless"));
    let found = format!(
        "{host}, {name} {}, API {}, {}",
        version.version.unwrap_or_default(),
        version.api_version.unwrap_or_default(),
        able.join(", ")
    );
    match rootless {
        true => Check::note(
            "docker",
            format!("{found}, rootless"),
            "containers of a rootless engine have a network that this machine's processes mostly \
             cannot reach; then only `--backend process` works",
        ),
        false => Check::good("docker", found),
    }
}

/// Whether steps with `via: kernel` can be played, if there is a Docker engine.
fn kernel_cuts() -> Check {
    match nft::usable() {
        Ok(()) => Check::good("kernel cuts", "nftables rules can be made for containers"),
        Err(why) => Check::note(
            "kernel cuts",
            why,
            "only steps with `via: kernel` need it; redrill's relay cuts links without",
        ),
    }
}

fn cli() -> Check {
    match on_path("redis-cli").or_else(|| on_path("valkey-cli")) {
        Some(path) => Check::good("redis-cli", path.display().to_string()),
        None => Check::note(
            "redis-cli",
            "not on PATH",
            "not needed by redrill; for looking around by hand: apt-get install redis-tools",
        ),
    }
}

fn addresses() -> Check {
    match Block::take() {
        Ok(block) => Check::good("addresses", format!("{} is free", block.name())),
        Err(e) => Check::but(Mark::Lack, "addresses", e.to_string(), "every drill needs a block"),
    }
}

/// Where the registry is, and what killed drills have left in it.
fn state() -> Check {
    let looked = || -> Result<(PathBuf, usize), RegistryError> {
        let registry = Registry::locate()?;
        let dead = registry.records()?.iter().filter(|record| !record.is_live()).count();
        Ok((registry.state_dir().to_owned(), dead))
    };
    match looked() {
        Ok((dir, 0)) => Check::good("state", dir.display().to_string()),
        Ok((dir, dead)) => {
            let found = format!("{}: {dead} killed, with what they left", dir.display());
            Check::note("state", found, "`redrill gc` removes it")
        }
        Err(e) => Check::but(Mark::Lack, "state", e.to_string(), "set REDRILL_STATE_DIR"),
    }
}

fn files() -> Check {
    let limit = getrlimit(Resource::Nofile);
    let number = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |n| n.to_string());
    let found =
        format!("{} open files, raised to {}", number(limit.current), number(limit.maximum));
    match limit.maximum {
        Some(most) if most < FILES_WANTED => Check::note(
            "file limit",
            found,
            "servers will allow fewer than 10,000 connections; raise `ulimit -Hn`",
        ),
        _ => Check::good("file limit", found),
    }
}

fn overcommit() -> Check {
    let file = "/proc/sys/vm/overcommit_memory";
    match fs::read_to_string(file).unwrap_or_default().trim() {
        "1" => Check::good("overcommit", "1"),
        "" => Check::unknown("overcommit"),
        other => Check::note(
            "overcommit",
            other,
            "a full resynchronisation or a save may fail when memory is short; \
             sysctl vm.overcommit_memory=1",
        ),
    }
}

fn backlog() -> Check {
    match number_in("/proc/sys/net/core/somaxconn") {
        Some(n) if n >= BACKLOG_WANTED => Check::good("somaxconn", n.to_string()),
        Some(n) => Check::note(
            "somaxconn",
            n.to_string(),
            "many clients that connect at once may have to wait; sysctl net.core.somaxconn=511",
        ),
        None => Check::unknown("somaxconn"),
    }
}

fn cores() -> Check {
    match std::thread::available_parallelism().map_or(1, usize::from) {
        1 => Check::note(
            "cores",
            "1",
            "servers and load share it, so latencies are those of waiting for it",
        ),
        n => Check::good("cores", n.to_string()),
    }
}

fn memory() -> Check {
    let table = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    match kilobytes(&table, "MemAvailable:") {
        Some(kb) => Check::good("memory", format!("{:.1} GB available", kb as f64 / 1e6)),
        None => Check::unknown("memory"),
    }
}

fn kilobytes(table: &str, name: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn number_in(file: &str) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_stands_below_what_was_found() {
        let finding = Check::note("redis-cli", "not on PATH", "get one");
        let text = "note   redis-cli      not on PATH\n                      get one\n";
        assert_eq!(finding.text(), text);
    }

    #[test]
    fn available_memory_is_read() {
        let table = "MemTotal:  2000 kB\nMemAvailable:    1500 kB\n";
        assert_eq!(kilobytes(table, "MemAvailable:"), Some(1500));
        assert_eq!(kilobytes("", "MemAvailable:"), None);
    }
}

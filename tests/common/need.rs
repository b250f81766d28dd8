//! What some tests need and not every machine has. A test without it is left out, which
//! is said, and which
//! `REDRILL_REQUIRE=cachetools,cashews,cuts,disk,docker,engines,other-user,pottery,redis-cli,redis-py,rslock,quiet`
//! makes a failure.

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;

use redrill::backend::process::binary::on_path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The right to mount a file system, or to make a network of one's own.
    Disk,
    /// Both Redis and Valkey.
    Engines,
    /// A user who may not do everything, and may run redrill from where it was built.
    OtherUser,
    RedisCli,
    /// A Docker engine with the images that redrill takes by default.
    Docker,
    /// The docker-compose program.
    Compose,
    /// What the kernel's cuts between containers take.
    Cuts,
    /// A Python with the redis-py that its adapter is made for.
    RedisPy,
    /// The pottery that its adapter is made for, beside redis-py.
    Pottery,
    /// The cachetools that its adapter is made for, beside redis-py.
    Cachetools,
    /// The cashews that its adapter is made for, beside redis-py.
    Cashews,
    /// The adapter of the crate rslock, which is built by itself.
    Rslock,
    /// The adapter of the `redis` crate's cache, which is built by itself.
    CacheAio,
    /// A machine with nothing else to do.
    Quiet,
}

const NAMES: [(&str, Need); 14] = [
    ("disk", Need::Disk),
    ("engines", Need::Engines),
    ("other-user", Need::OtherUser),
    ("redis-cli", Need::RedisCli),
    ("docker", Need::Docker),
    ("compose", Need::Compose),
    ("cuts", Need::Cuts),
    ("redis-py", Need::RedisPy),
    ("pottery", Need::Pottery),
    ("cachetools", Need::Cachetools),
    ("cashews", Need::Cashews),
    ("rslock", Need::Rslock),
    ("cache-aio", Need::CacheAio),
    ("quiet", Need::Quiet),
];

/// Something is left out for want of `need`.
pub fn skip(need: Need, why: &str) {
    let required = env::var("REDRILL_REQUIRE").unwrap_or_default();
    let required = required.split(',').map(str::trim).filter(|name| !name.is_empty());
    let required: Vec<Need> = required.map(named).collect();
    assert!(!required.contains(&need), "REDRILL_REQUIRE asks for what is not there: {why}");
    // Not by `eprintln`, of which nothing is seen where a test passes.
    let _ = writeln!(io::stderr(), "skipped: {why}");
}

fn named(name: &str) -> Need {
    let known = NAMES.iter().find(|(known, _)| *known == name);
    known.unwrap_or_else(|| panic!("REDRILL_REQUIRE names `{name}`, and knows {NAMES:?}")).1
}

/// The Python of `REDRILL_PYTHON`, else the one on PATH, if it has the redis-py that its adapter
/// is made for.
pub fn python_with_redis() -> Option<PathBuf> {
    let requirements = include_str!("../../adapters/redis-py/requirements.txt");
    python_for((Need::RedisPy, "redis-py"), requirements)
}

/// The same of pottery.
pub fn python_with_pottery() -> Option<PathBuf> {
    let requirements = include_str!("../../adapters/pottery/requirements.txt");
    python_for((Need::Pottery, "pottery"), requirements)
}

/// The same of redis-py with its cache.
pub fn python_with_redis_cache() -> Option<PathBuf> {
    let requirements = include_str!("../../adapters/redis-py-cache/requirements.txt");
    python_for((Need::RedisPy, "redis-py"), requirements)
}

/// The same of cachetools.
pub fn python_with_cachetools() -> Option<PathBuf> {
    let requirements = include_str!("../../adapters/cachetools/requirements.txt");
    python_for((Need::Cachetools, "cachetools"), requirements)
}

/// The same of cashews.
pub fn python_with_cashews() -> Option<PathBuf> {
    let requirements = include_str!("../../adapters/cashews/requirements.txt");
    python_for((Need::Cashews, "cashews"), requirements)
}

fn python_for((library, name): (Need, &str), requirements: &str) -> Option<PathBuf> {
    let python = python_with(requirements);
    if python.is_none() {
        skip(library, &format!("neither REDRILL_PYTHON nor python3 has the pinned {name}"));
    }
    python
}

/// A Python that has packages of these versions.
fn python_with(requirements: &str) -> Option<PathBuf> {
    let named = env::var_os("REDRILL_PYTHON").map(PathBuf::from);
    let python = named.or_else(|| on_path("python3"))?;
    let compare = "import sys; from importlib.metadata import version as v; \
                   sys.exit(any(v(p) != n for p, n in (a.split('==') for a in sys.argv[1:])))";
    let mut command = std::process::Command::new(&python);
    let there = command.args(["-c", compare]).args(requirements.lines()).output();
    there.is_ok_and(|told| told.status.success()).then_some(python)
}

/// The adapter of the crate rslock: `REDRILL_RSLOCK`, else where cargo builds it.
pub fn rslock() -> Option<PathBuf> {
    built(Need::Rslock, "REDRILL_RSLOCK", "rslock")
}

/// The adapter of the `redis` crate's cache: `REDRILL_CACHE_AIO`, else where cargo builds it.
pub fn cache_aio() -> Option<PathBuf> {
    built(Need::CacheAio, "REDRILL_CACHE_AIO", "cache-aio")
}

fn built(adapter: Need, variable: &str, name: &str) -> Option<PathBuf> {
    let root = env!("CARGO_MANIFEST_DIR");
    let built = || format!("{root}/adapters/{name}/target/release/redrill-{name}").into();
    let path = env::var_os(variable).map_or_else(built, PathBuf::from);
    if path.exists() {
        return Some(path);
    }
    let why = format!("adapters/{name} is not built (cargo build --release in its folder)");
    skip(adapter, &why);
    None
}

/// `REDRILL_CLI`, else redis-cli or valkey-cli on PATH.
pub fn cli() -> Option<PathBuf> {
    let named = env::var_os("REDRILL_CLI").map(PathBuf::from);
    let found = named.or_else(|| on_path("redis-cli")).or_else(|| on_path("valkey-cli"));
    if found.is_none() {
        skip(Need::RedisCli, "there is no redis-cli or valkey-cli on PATH");
    }
    found
}

/// Whether all is tested that there is, as `just test-all` does.
pub fn all() -> bool {
    env::var("REDRILL_TESTS").is_ok_and(|which| which == "all")
}

/// The servers to test on where releases are not known to differ: the oldest and the newest of
/// [`every_engine`], and all of them in `just test-all`.
pub fn engines() -> Vec<PathBuf> {
    let every = every_engine();
    match &every[..] {
        [oldest, .., newest] if !all() => vec![oldest.clone(), newest.clone()],
        _ => every,
    }
}

/// Every server there is to test on: those of `REDRILL_ENGINES` (paths between colons, from the
/// oldest to the newest), else `REDRILL_SERVER` and what is on PATH.
pub fn every_engine() -> Vec<PathBuf> {
    if let Some(named) = env::var_os("REDRILL_ENGINES") {
        return env::split_paths(&named).collect();
    }
    let (redis, valkey) = (on_path("redis-server"), on_path("valkey-server"));
    if redis.is_none() || valkey.is_none() {
        skip(Need::Engines, "only one of redis-server and valkey-server is on PATH");
    }
    let named = env::var_os("REDRILL_SERVER").map(PathBuf::from);
    named.into_iter().chain(redis).chain(valkey).collect()
}

/// Whether a Docker engine answers that has the images which redrill takes by default.
pub fn docker() -> bool {
    let images = ["image", "inspect", "redis:8.0", "valkey/valkey:9.1"];
    let asked = std::process::Command::new("docker").args(images).output();
    let there = asked.is_ok_and(|answer| answer.status.success());
    if !there {
        skip(Need::Docker, "no Docker engine answers that has redis:8.0 and valkey/valkey:9.1");
    }
    there
}

//! What servers are made to bear: that they feel it, that of two of a kind each ends by
//! itself, and that they are as before when all of it has ended.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant, UNIX_EPOCH};

use redis::Cmd;
use redrill::backend::{Backend, Data, Tools};
use redrill::cluster::{Deployment, bring_up, node_names};
use redrill::fault::{ActiveFault, Fault, FaultError, Hit, Note, Site, Strains};
use redrill::load::Applications;
use redrill::model::NodeName;
use redrill::node::{Node, NodeError, Section};
use redrill::spec::quantity::{Percent, Shift, SignedPercent, Time};
use redrill::spec::step::{
    Clock, DiskFull, Files, Kill, MemoryPressure, Pause, Policy, Restart, Slow, SlowDisk,
};
use redrill::spec::topology::{Group, Mode};

use crate::backend::place::Place;
use crate::common::{group, topology};

struct Rig {
    backend: Box<dyn Backend>,
    deployed: Deployment,
    strains: Strains,
}

impl Rig {
    /// The group's first node is equipped with `tools`.
    async fn up(place: &Place, group: Group, tools: Tools) -> Rig {
        let backend = place.backend().await;
        let first = node_names(&group).remove(0);
        backend.equip(HashMap::from([(first, tools)])).unwrap();
        let deployed = bring_up(&*backend, &topology(vec![group]), None, &|_, _| ()).await.unwrap();
        Rig { backend, deployed, strains: Strains::default() }
    }

    /// Of one server that keeps an append-only file.
    async fn of_one(place: &Place, directives: &[(&str, &str)], tools: Tools) -> Rig {
        let mut one = group("one", Mode::Standalone);
        let config = directives.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        one.config.extend(config);
        Rig::up(place, one, tools).await
    }

    fn node(&self) -> &Node {
        self.deployed.nodes().next().unwrap()
    }

    async fn try_hit(&self, fault: impl Fault) -> (ActiveFault, Option<FaultError>) {
        self.try_hit_on(&self.node().name, fault).await
    }

    async fn try_hit_on(
        &self,
        name: &NodeName,
        fault: impl Fault,
    ) -> (ActiveFault, Option<FaultError>) {
        let (backend, deployment) = (&*self.backend, &self.deployed);
        let group = &deployment.groups[0];
        let (strains, applications) = (&self.strains, &Applications::new());
        let site = Site { backend, deployment, group, strains, applications };
        fault.inject(site, &Hit::of(std::slice::from_ref(name))).await
    }

    async fn hit(&self, fault: impl Fault) -> ActiveFault {
        let (active, error) = self.try_hit(fault).await;
        assert!(error.is_none(), "{error:?}");
        active
    }

    /// Something that is to be undone.
    async fn lay(&self, fault: impl Fault) -> ActiveFault {
        let active = self.hit(fault).await;
        assert!(!active.is_over());
        active
    }

    async fn stands_still(&self) -> bool {
        let brief = self.node().admin.apart().with_timeout(Duration::from_millis(500));
        brief.ping().await.is_err()
    }

    /// Twice, as the end of a step and the end of the load may both do it.
    async fn end(&self, active: &mut ActiveFault) {
        for _ in 0..2 {
            let (_, error) = active.undo(&*self.backend).await;
            assert!(error.is_none(), "{error:?}");
        }
    }

    async fn kill(&self) {
        self.backend.kill(&self.node().name).await.unwrap();
        while self.backend.runs(&self.node().name) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> Result<T, NodeError> {
        self.node().admin.with_timeout(PATIENCE).query(&command(words)).await
    }

    /// The code of the error with which a write is refused, if it is.
    async fn refusal(&self) -> Option<String> {
        let answer = self.ask::<()>(&["SET", "key", "value"]).await;
        answer.err().map(|e| e.code().unwrap_or("none").to_owned())
    }

    /// Waits until writes are refused with `code`, or taken.
    async fn comes_to(&self, code: Option<&str>) {
        let began = Instant::now();
        while self.refusal().await.as_deref() != code {
            assert!(began.elapsed() < PATIENCE, "it never came to {code:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn config(&self, name: &str) -> String {
        let (_, value): (String, String) = self.ask(&["CONFIG", "GET", name]).await.unwrap();
        value
    }

    /// How far the server's clock is ahead of this machine's, in seconds.
    async fn ahead(&self) -> f64 {
        let (seconds, micros): (f64, f64) = self.ask(&["TIME"]).await.unwrap();
        seconds + micros / 1e6 - UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
    }

    async fn down(self, place: Place) {
        self.backend.shutdown().await.unwrap();
        place.assert_nothing_left().await;
    }
}

fn command(words: &[&str]) -> Cmd {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command
}

/// Disks and processors may be busy with others.
const PATIENCE: Duration = Duration::from_secs(10);

const PAUSE: Pause = Pause {};

fn share(cpu: f64) -> Slow {
    Slow { cpu: Some(Percent(cpu)), sleep: None, every: None }
}

fn sleeping(sleep: Duration, every: Option<Duration>) -> Slow {
    Slow { cpu: None, sleep: Some(Time(sleep)), every: every.map(Time) }
}

fn pressure(share: f64, policy: Option<Policy>) -> MemoryPressure {
    MemoryPressure { maxmemory: Percent(share * 100.0), policy }
}

fn clock(jump: i64, drift: f64) -> Clock {
    Clock { jump: Shift(jump), drift: SignedPercent(drift) }
}

const PRELOAD: Tools = Tools { preload: true, debug: false };

fn near(is: f64, wanted: f64) {
    assert!((is - wanted).abs() < 1.5, "{is} and not {wanted}");
}

async fn a_share_of_a_cpu(place: Place) {
    let rig = Rig::of_one(&place, &[], Tools::default()).await;
    let busy = tokio::spawn(keep_busy(rig.node().clone()));
    let mut more = rig.lay(share(8.0)).await;
    let mut less = rig.lay(share(2.0)).await;
    // Between the two it ran as it liked.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let least = used(rig.node(), Duration::from_secs(8)).await;
    rig.end(&mut less).await;
    let larger = used(rig.node(), Duration::from_secs(4)).await;
    rig.end(&mut more).await;
    let free = used(rig.node(), Duration::from_secs(2)).await;
    println!("of one CPU it used {least:.3}, {larger:.3}, and then {free:.3}");
    // On a busy machine there is little more than that for anybody.
    assert!(least > 0.005 && least < 0.045, "{least}");
    assert!(larger > least * 1.2 && larger < 0.11, "{larger}");
    assert!(free > larger * 1.5, "{free}");
    busy.abort();

    // One that is paused as well stands still, whatever of both ends first.
    let mut slow = rig.lay(share(50.0)).await;
    let mut paused = rig.hit(PAUSE).await;
    assert!(rig.stands_still().await);
    rig.end(&mut slow).await;
    assert!(rig.stands_still().await);
    rig.end(&mut paused).await;
    rig.comes_to(None).await;
    rig.down(place).await;
}

/// Of two pauses the one that ends first lets nobody go on.
async fn pauses(place: Place) {
    let rig = Rig::of_one(&place, &[], Tools::default()).await;
    let (mut first, mut second) = (rig.hit(PAUSE).await, rig.hit(PAUSE).await);
    assert!(rig.stands_still().await);
    rig.end(&mut first).await;
    assert!(rig.stands_still().await);
    rig.end(&mut second).await;
    rig.comes_to(None).await;
    rig.down(place).await;
}

/// A pause is of one server: none that is started in its place stands still.
async fn pauses_end_with_their_server(place: Place) {
    let rig = Rig::of_one(&place, &[], Tools::default()).await;
    let mut of_the_killed = rig.hit(PAUSE).await;
    let mut killed = rig.hit(Kill {}).await;
    let (undo, error) = rig.try_hit(PAUSE).await;
    assert!(undo.is_over() && error.unwrap().to_string().contains("is down already"));
    rig.end(&mut killed).await;
    rig.comes_to(None).await;
    let mut anew = rig.hit(PAUSE).await;
    assert!(rig.stands_still().await);
    rig.end(&mut anew).await;
    rig.comes_to(None).await;
    rig.end(&mut of_the_killed).await;

    // Nor one that is restarted, and what ends while its server is down ends.
    let mut of_the_stopped = rig.hit(PAUSE).await;
    rig.hit(Restart { data: Data::Kept }).await;
    rig.comes_to(None).await;
    let mut of_the_dead = rig.hit(PAUSE).await;
    rig.kill().await;
    rig.end(&mut of_the_dead).await;
    rig.end(&mut of_the_stopped).await;
    rig.down(place).await;
}

/// With commands that take the server long, and their sender not.
async fn keep_busy(node: Node) {
    let admin = node.admin.apart().with_timeout(Duration::from_secs(10));
    let mut fill = redis::cmd("RPUSH");
    fill.arg("list").arg((0..20_000).collect::<Vec<u32>>());
    admin.query::<u64>(&fill).await.unwrap();
    let mut pipeline = redis::pipe();
    for _ in 0..100 {
        pipeline.cmd("LPOS").arg("list").arg("nothing");
    }
    loop {
        admin.replies(&pipeline).await.unwrap();
    }
}

/// The share of one CPU that a server uses for a while.
/// Of one CPU, for so long. What a busy machine lets it use too much in one period is taken
/// from the next ones, so a small share shows only after a while.
async fn used(node: &Node, during: Duration) -> f64 {
    let admin = node.admin.apart().with_timeout(Duration::from_secs(10));
    let seconds = async || {
        let info = admin.info(Section::Cpu).await.unwrap();
        let of = |name| info.get(name).unwrap().parse::<f64>().unwrap();
        of("used_cpu_user") + of("used_cpu_sys")
    };
    let (began, before) = (Instant::now(), seconds().await);
    tokio::time::sleep(during).await;
    let used = seconds().await - before;
    used / began.elapsed().as_secs_f64()
}

async fn sleeps(place: Place) {
    let debug = Tools { debug: true, preload: false };
    let rig = Rig::of_one(&place, &[], debug).await;
    let longest = async |during: Duration| {
        let (began, mut longest) = (Instant::now(), Duration::ZERO);
        while began.elapsed() < during {
            let asked = Instant::now();
            rig.node().admin.ping().await.unwrap();
            longest = longest.max(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        longest
    };
    let (sleep, every) = (Duration::from_millis(400), Some(Duration::from_millis(600)));
    let mut often = rig.lay(sleeping(sleep, every)).await;
    let mut once = rig.lay(sleeping(sleep, None)).await;
    let slept = longest(Duration::from_secs(1)).await;
    assert!(slept >= Duration::from_millis(300), "{slept:?}");
    rig.end(&mut once).await;
    rig.end(&mut often).await;
    let slept = longest(Duration::from_secs(1)).await;
    assert!(slept < Duration::from_millis(300), "{slept:?}");
    rig.down(place).await;
}

/// Nobody may have servers sleep where no scenario asks for it.
async fn sleeps_are_refused_elsewhere(place: Place) {
    let rig = Rig::of_one(&place, &[], Tools::default()).await;
    let (sleep, every) = (Duration::from_millis(400), None);
    let (undo, error) = rig.try_hit(sleeping(sleep, every)).await;
    assert!(undo.is_over());
    assert!(error.unwrap().to_string().contains("DEBUG"));
    rig.down(place).await;
}

async fn memory_limits(place: Place) {
    let config = [("maxmemory", "77mb"), ("maxmemory-policy", "volatile-ttl")];
    let rig = Rig::of_one(&place, &config, Tools::default()).await;
    rig.comes_to(None).await;
    let limit = |share: f64, policy| pressure(share, policy);
    let mut first = rig.lay(limit(0.5, Some(Policy::NoEviction))).await;
    assert_eq!(rig.refusal().await.as_deref(), Some("OOM"));
    let mut later = rig.lay(limit(9.0, Some(Policy::AllKeysLru))).await;
    assert_eq!(rig.refusal().await, None);
    rig.end(&mut later).await;
    assert_eq!(rig.refusal().await.as_deref(), Some("OOM"));
    assert_eq!(rig.config("maxmemory-policy").await, "noeviction");
    rig.end(&mut first).await;
    let mut evict = rig.lay(limit(0.5, Some(Policy::AllKeysRandom))).await;
    let remarks = {
        let evicted = async || rig.ask::<u64>(&["DBSIZE"]).await.unwrap() == 0;
        while !evicted().await {}
        evict.undo(&*rig.backend).await.0
    };
    let told = |note: &Note| matches!(note, Note::Warning(text) if text.starts_with("one/0/0 evicted 1 keys"));
    assert!(told(&remarks[0]), "{remarks:?}");
    assert_eq!(rig.config("maxmemory").await, (77 << 20).to_string());
    assert_eq!(rig.config("maxmemory-policy").await, "volatile-ttl");
    assert_eq!(rig.refusal().await, None);

    // One that has ended meanwhile has forgotten it, and one that is down has nothing to bear.
    let mut pressed = rig.lay(limit(0.5, None)).await;
    rig.kill().await;
    rig.end(&mut pressed).await;
    let (undo, error) = rig.try_hit(limit(0.5, None)).await;
    assert!(undo.is_over() && error.unwrap().to_string().contains("is down already"));
    rig.down(place).await;
}

async fn replicas_take_no_notice_of_memory_limits(place: Place) {
    let pair = group("pair", Mode::Replication { replicas: 1 });
    let rig = Rig::up(&place, pair, Tools::default()).await;
    let replica = &rig.deployed.groups[0].nodes[1].name;
    let (undo, error) = rig.try_hit_on(replica, pressure(0.5, None)).await;
    assert!(undo.is_over());
    assert!(error.unwrap().to_string().contains("replica-ignore-maxmemory"));
    rig.down(place).await;
}

async fn full_disks(place: Place) {
    let rig = Rig::of_one(&place, &[("appendonly", "yes")], PRELOAD).await;
    rig.comes_to(None).await;
    let mut first = rig.lay(DiskFull { files: Files::AppendOnly }).await;
    rig.comes_to(Some("MISCONF")).await;
    let mut second = rig.lay(DiskFull { files: Files::AppendOnly }).await;
    rig.end(&mut first).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    rig.comes_to(Some("MISCONF")).await;
    rig.end(&mut second).await;
    rig.comes_to(None).await;
    rig.down(place).await;
}

/// A full disk is no matter of the server's: it is full for the next one too, and has room
/// again whether a server runs or not.
async fn full_disks_outlast_their_server(place: Place) {
    let rig = Rig::of_one(&place, &[("appendonly", "yes")], PRELOAD).await;
    rig.comes_to(None).await;
    for is_down_at_its_end in [false, true] {
        let mut full = rig.lay(DiskFull { files: Files::AppendOnly }).await;
        rig.comes_to(Some("MISCONF")).await;
        let mut killed = rig.hit(Kill {}).await;
        match is_down_at_its_end {
            true => rig.end(&mut full).await,
            false => {
                rig.end(&mut killed).await;
                rig.comes_to(Some("MISCONF")).await;
                rig.end(&mut full).await;
            }
        }
        rig.end(&mut killed).await;
        rig.comes_to(None).await;
    }
    rig.down(place).await;
}

async fn slow_disks(place: Place) {
    let config = [("appendonly", "yes"), ("appendfsync", "always")];
    let rig = Rig::of_one(&place, &config, PRELOAD).await;
    let takes = async || {
        // What was said last is read within 10 ms of the next command.
        tokio::time::sleep(Duration::from_millis(150)).await;
        let began = Instant::now();
        assert_eq!(rig.refusal().await, None);
        began.elapsed().as_millis()
    };
    let slow = |fsync: u64, write: u64| SlowDisk {
        fsync: Time(Duration::from_millis(fsync)),
        write: Time(Duration::from_millis(write)),
        files: Files::AppendOnly,
    };
    let mut slowest = rig.lay(slow(700, 0)).await;
    let mut other = rig.lay(slow(300, 0)).await;
    let mut write = rig.lay(slow(0, 400)).await;
    let all = takes().await;
    rig.end(&mut slowest).await;
    let two = takes().await;
    rig.end(&mut other).await;
    let one = takes().await;
    rig.end(&mut write).await;
    let none = takes().await;
    println!("a write took {all}, {two}, {one} and then {none} ms");
    assert!(all >= 1100 && two >= 700, "{all} {two}");
    assert!(one >= 400 && none < 400, "{one} {none}");
    rig.down(place).await;
}

async fn clocks(place: Place) {
    let pair = group("pair", Mode::Replication { replicas: 1 });
    let rig = Rig::up(&place, pair, PRELOAD).await;
    let loaded = |node: &Node| {
        let pid = rig.backend.process(&node.name)?.pid;
        // Servers overwrite their environment.
        let mapped = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
        Some(mapped.contains("redrill-preload.so"))
    };
    let loaded: Vec<_> = rig.deployed.nodes().map(loaded).collect();
    assert!(loaded == [Some(true), Some(false)] || loaded == [None, None], "{loaded:?}");

    near(rig.ahead().await, 0.0);
    let _: () = rig.ask(&["SET", "brief", "value", "EX", "60"]).await.unwrap();
    let _: () = rig.ask(&["SET", "long", "value", "EX", "600"]).await.unwrap();
    const MINUTE: i64 = 60_000_000_000;
    let mut jump = rig.lay(clock(2 * MINUTE, 0.0)).await;
    near(rig.ahead().await, 120.0);
    let left: Vec<Option<String>> = rig.ask(&["MGET", "brief", "long"]).await.unwrap();
    assert_eq!(left, [None, Some("value".to_owned())]);
    let mut back = rig.lay(clock(-MINUTE, 0.0)).await;
    near(rig.ahead().await, 60.0);
    rig.end(&mut jump).await;
    near(in_a_moment(&rig).await, -60.0);
    rig.end(&mut back).await;
    near(in_a_moment(&rig).await, 0.0);

    let mut drift = rig.lay(clock(0, 1000.0)).await;
    let before = in_a_moment(&rig).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let gained = rig.ahead().await - before;
    assert!((9.0..14.0).contains(&gained), "ten seconds for each: {gained}");
    // What is started again goes on with the same clock.
    rig.kill().await;
    rig.backend.start_again(&rig.node().name, Data::Dropped).await.unwrap();
    assert!(in_a_moment(&rig).await > before + 10.0);
    rig.end(&mut drift).await;
    near(in_a_moment(&rig).await, 0.0);
    rig.down(place).await;
}

/// When it has had the time to look, and to start.
async fn in_a_moment(rig: &Rig) -> f64 {
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    while rig.node().admin.ping().await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    rig.ahead().await
}

/// A server that was not equipped: what does not take place is told.
async fn a_clock_that_stays_is_told(place: Place) {
    let rig = Rig::of_one(&place, &[], Tools::default()).await;
    let jump = clock(120_000_000_000, 0.0);
    let (undo, error) = rig.try_hit(jump).await;
    assert!(undo.is_over());
    let error = error.unwrap().to_string();
    assert!(error.contains("one/0/0 was started without redrill's preload library"), "{error}");
    rig.down(place).await;
}

on_every_backend! {
    a_share_of_a_cpu
    pauses
    pauses_end_with_their_server
    sleeps
    sleeps_are_refused_elsewhere
    memory_limits
    replicas_take_no_notice_of_memory_limits
    full_disks
    full_disks_outlast_their_server
    slow_disks
    clocks
    a_clock_that_stays_is_told
}

//! What right files mean.

use std::time::Duration;

use redrill::model::catalogue::{CATALOGUE, Need};
use redrill::model::event::Compare;
use redrill::model::{NodeName, Pacing, Ramp, Rate, Unit, Workload};
use redrill::spec::network::Jitter;
use redrill::spec::scenario::{Distribution, Load, Probe};
use redrill::spec::step::{Method, Pace, SlotMove};
use redrill::spec::sync::DataSync;
use redrill::spec::topology::{Engine, Mode, Placement, Sentinels};
use redrill::spec::{self, FileKind, Options, Purpose, Scenario, Source, library, write};

use super::{resolve, scenario};

const SMALL: &str = "name: small\ntopology: cluster-3x1\nloads: { app: { rate: 100/s } }\n";

#[test]
fn every_ready_file_is_right_and_can_be_run() {
    let run = Options { purpose: Purpose::Run, ..Options::default() };
    for ready in library::topologies() {
        let topology = spec::parse_topology(&ready.source(), &run).unwrap();
        assert_eq!(topology.name, ready.name);
        assert!(!topology.summary.is_empty() && ready.text.starts_with("# "), "{}", ready.name);
    }
    for ready in library::scenarios() {
        for purpose in [Purpose::Check, Purpose::Run] {
            let ci = Options { purpose, profile: Some("ci".to_owned()), ..Options::default() };
            spec::parse_scenario(&ready.source(), &resolve, &ci).unwrap();
        }
        let scenario = spec::parse_scenario(&ready.source(), &resolve, &run).unwrap();
        assert_eq!(scenario.name, ready.name);
        assert!(!scenario.summary.is_empty() && ready.text.starts_with("# "), "{}", ready.name);
    }
}

#[test]
fn a_rebalance_gives_nothing_to_a_shard_that_has_left() {
    let steps = "timeline: [{ at: 1s, do: add-shard }, { at: 2s, do: remove-shard, shard: 1 },
        { at: 3s, do: rebalance }]";
    let scenario = scenario(&format!("{SMALL}{steps}\n"), &Options::default()).unwrap();
    let slots = scenario.timeline[2].action.slots();
    assert_eq!(slots, Some(SlotMove::Rebalance { weights: vec![1.0, 0.0, 1.0, 1.0] }));
}

#[test]
fn the_library_holds_every_file_of_its_folders() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, ready) in
        [("topologies", library::topologies()), ("scenarios", library::scenarios())]
    {
        let files = std::fs::read_dir(root.join(folder)).unwrap();
        let mut names: Vec<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .map(|name| name.strip_suffix(".yaml").unwrap().to_owned())
            .collect();
        names.sort();
        let mut known: Vec<&str> = ready.iter().map(|r| r.name).collect();
        known.sort_unstable();
        assert_eq!(names, known);
    }
}

#[test]
fn what_is_not_said_has_a_default() {
    let small = scenario(SMALL, &Options::default()).unwrap();
    assert_eq!(small.settle, Duration::from_secs(5));
    let probe = Probe {
        every: Duration::from_millis(10),
        deadline: Duration::from_millis(100),
        canaries: 4,
        budget: 2_000.0,
    };
    assert_eq!(small.probe, probe);
    assert_eq!(small.loads, [Load::new("app", "cache", 100.0)]);
    let topology = &small.topology;
    assert_eq!(topology.engine, Engine::default());
    assert_eq!(topology.groups[0].placement, Placement::Anywhere);
    assert_eq!(topology.groups[0].config["cluster-node-timeout"], "2000");
}

#[test]
fn the_ready_reshard_is_what_its_file_says() {
    let found = library::find(FileKind::Scenario, "cluster-reshard").unwrap();
    let scenario = spec::parse_scenario(&found.source(), &resolve, &Options::default()).unwrap();
    assert_eq!(scenario.loads[0].distribution, Distribution::Zipf(0.99));
    assert_eq!(scenario.loads[0].value, (100, 1024));
    assert_eq!(scenario.loads[0].pacing, Pacing::steady(4000.0));
    let step = &scenario.timeline[0];
    assert_eq!((step.at, &*step.group), (Duration::from_secs(5), "cache"));
    let pace = Pace::Adds(Duration::from_millis(2));
    let slots = SlotMove::Reshard { from: 0, to: 1, slots: 1820 };
    assert_eq!((step.action.slots(), step.moving), (Some(slots), Some((Method::Auto, pace))));
    let first = &scenario.expect[0];
    assert_eq!(
        (&*first.measure, first.op, first.bound),
        ("downtime.write.max", Compare::AtMost, 500.0)
    );
}

#[test]
fn sentinels_vote_by_majority_if_not_told_otherwise() {
    let text = "name: s\ngroups: { a: { mode: sentinel, sentinels: 5 } }\n";
    let topology = spec::parse_topology(&Source::new("s.yaml", text), &Options::default()).unwrap();
    let sentinels = Sentinels {
        count: 5,
        quorum: 3,
        down_after: Duration::from_secs(30),
        failover_timeout: Duration::from_secs(180),
        parallel_syncs: 1,
    };
    assert_eq!(topology.groups[0].mode, Mode::Sentinel { replicas: 1, sentinels });
    assert_eq!(topology.nodes(), 7);
}

#[test]
fn a_link_between_is_two_and_a_link_from_is_one() {
    let links = scenario(include_str!("links.yaml"), &Options::default()).unwrap();
    assert!(links.needs_relay() && !links.topology.needs_relay());
    let again = scenario(&write::scenario(&links, "cluster-3x1"), &Options::default());
    assert_eq!(again, Ok(links));
    let source = Source::new("regions.yaml", include_str!("regions_and_sentinels.yaml"));
    let topology = spec::parse_topology(&source, &Options::default()).unwrap();
    let ends: Vec<_> = topology.links.iter().map(|link| (link.from, link.to)).collect();
    assert_eq!(ends, [(0, 1), (1, 0), (0, 2), (2, 0)]);
    assert_eq!(topology.links[1].latency, Duration::from_millis(40));
    assert_eq!(topology.links[1].bandwidth, Some(100_000_000));
    let jitter = [0, 2].map(|link: usize| topology.links[link].jitter);
    let ms = Duration::from_millis;
    assert_eq!(jitter, [Jitter::Uniform(ms(4)), Jitter::Normal(ms(5))]);
    assert_eq!(
        topology.groups[2].placement,
        Placement::Stretched { primaries: vec![0], replicas: vec![1], sentinels: vec![0] }
    );
}

#[test]
fn shards_get_the_regions_of_a_placement_in_turn() {
    let text = "name: t
regions: [us, eu, ap]
groups:
  c:
    mode: cluster
    shards: 3
    replicas: 2
    placement: { primaries: [us, eu], replicas: [eu, ap, us] }\n";
    let read = |text: &str| {
        spec::parse_topology(&Source::new("t.yaml", text), &Options::default()).unwrap()
    };
    let topology = read(text);
    assert_eq!(read(&write::topology(&topology)), topology);
    let at = |shard, ordinal| {
        let region = topology.groups[0].region_of(&NodeName::new("c", shard, ordinal)).unwrap();
        &*topology.regions[region]
    };
    let shards = [0, 1, 2].map(|shard| [0, 1, 2].map(|ordinal| at(shard, ordinal)));
    assert_eq!(shards, [["us", "eu", "ap"], ["eu", "ap", "us"], ["us", "us", "eu"]]);
}

#[test]
fn a_share_of_slots_is_of_what_the_shard_owns_by_then() {
    let text = "name: s\ntopology: cluster-3x1\ntimeline:
  - { at: 9s, do: reshard, from: 1, to: 0, slots: 100% }
  - { at: 1s, do: reshard, from: 0, to: 1, slots: 50% }\n";
    let scenario = scenario(text, &Options::default()).unwrap();
    let slots: Vec<u32> = scenario
        .timeline
        .iter()
        .map(|step| match step.action.slots() {
            Some(SlotMove::Reshard { slots, .. }) => slots,
            _ => 0,
        })
        .collect();
    // Half of 5461; then all of the 5462 that shard 1 had and those 2731.
    assert_eq!(slots, [2731, 8193]);
}

#[test]
fn probes_need_a_deadline_that_the_links_leave_time_for() {
    let probed = |topology: &str, region: &str, deadline: &str| {
        let text = format!(
            "name: s\ntopology: {topology}\nprobe: {{ deadline: {deadline} }}\n\
             loads: {{ app: {{ group: us, region: {region}, rate: 1/s }} }}\n"
        );
        let source = Source::new("s.yaml", text);
        spec::parse_scenario(&source, &resolve, &Options::default()).err().map(|e| e.to_string())
    };
    // 80 ms there and back; a quarter of the deadline is what asking for the primary may take.
    for (deadline, is_enough) in [("80ms", false), ("320ms", false), ("321ms", true)] {
        let told = probed("standby-2r", "eu-west", deadline);
        assert_eq!(told.is_none(), deadline != "80ms", "a copy is near, and names it: {told:?}");
        let told = probed("active-active-2r", "eu-west", deadline);
        assert_eq!(told.is_none(), is_enough, "{deadline}: {told:?}");
    }
    assert_eq!(probed("active-active-2r", "us-east", "1ms"), None, "they are in its region");
}

#[test]
fn steps_are_in_the_order_of_their_instants() {
    let text = "name: s\ntopology: cluster-6x1\ntimeline:
  - { at: 9s, do: drain, shard: 1 }
  - { at: 1s, do: drain, shard: 2 }\n";
    let scenario = scenario(text, &Options::default()).unwrap();
    let at: Vec<u64> = scenario.timeline.iter().map(|step| step.at.as_secs()).collect();
    assert_eq!(at, [1, 9]);
}

#[test]
fn a_step_holds_its_nodes_as_long_as_it_goes_on() {
    let text = "name: s\ntopology: standalone\nloads: { app: { rate: 1/s } }\ntimeline:
  - { at: 1s, do: client-kill, target: cache/0/0 }
  - { at: 1s, do: client-kill, target: cache/0/0, every: 1s, for: 5s }
  - { at: 1s, do: pause, target: cache/0/0, for: 2s }
  - { at: 4s, do: pause, target: cache/0/0 }\n";
    let scenario = scenario(text, &Options::default()).unwrap();
    let until: Vec<_> = scenario.timeline.iter().map(|step| step.holds_until()).collect();
    assert_eq!(until, [Some(1), Some(6), Some(3), None].map(|s| s.map(Duration::from_secs)));
}

#[test]
fn a_profile_replaces_bounds_by_measure_and_adds_others() {
    let text = format!(
        "{SMALL}expect: [writes.lost == 0, downtime.write.max <= 500ms, errors.total == 0]
profiles:
  ci:
    expect: [downtime.write.max <= 1s, reads.stale == 0]
    settle: 1s
    loads: {{ app: {{ rate: 7/s, keys: 5 }} }}\n"
    );
    let ci = Options { profile: Some("ci".to_owned()), ..Options::default() };
    let scenario = scenario(&text, &ci).unwrap();
    let texts: Vec<&str> = scenario.expect.iter().map(|e| &*e.text).collect();
    let expected =
        ["writes.lost == 0", "downtime.write.max <= 1s", "errors.total == 0", "reads.stale == 0"];
    assert_eq!(texts, expected);
    assert_eq!(scenario.settle, Duration::from_secs(1));
    assert_eq!((scenario.loads[0].pacing, scenario.loads[0].keys), (Pacing::steady(7.0), 5));
    assert_eq!(scenario.loads[0].clients, 32);
}

#[test]
fn the_command_line_outweighs_the_profile_and_reaches_the_topology() {
    let set = [
        "loads.app.rate=9/s",
        "settle=2s",
        "groups.cache.shards=5",
        "groups.cache.config.maxmemory=64mb",
    ];
    let text = format!("{SMALL}profiles: {{ ci: {{ loads: {{ app: {{ rate: 7/s }} }} }} }}\n");
    let options = Options {
        set: set.map(str::to_owned).to_vec(),
        profile: Some("ci".to_owned()),
        ..Options::default()
    };
    let scenario = scenario(&text, &options).unwrap();
    assert_eq!(scenario.loads[0].pacing, Pacing::steady(9.0));
    assert_eq!(scenario.settle, Duration::from_secs(2));
    assert_eq!(scenario.topology.groups[0].shards(), 5);
    assert_eq!(scenario.topology.groups[0].config["maxmemory"], "64mb");
}

#[test]
fn a_slip_of_the_pen_in_a_load_s_name_makes_no_second_load() {
    for set in ["loads.ap.rate=9/s", "groups.cach.shards=5"] {
        let options = Options { set: vec![set.to_owned()], ..Options::default() };
        let told = scenario(SMALL, &options).unwrap_err().render(false, 100);
        assert!(told.contains("there is nothing called"), "{told}");
        assert!(told.contains("did you mean"), "{told}");
    }
}

#[test]
fn another_topology_can_take_the_place_of_the_one_named() {
    let other = library::find(FileKind::Topology, "cluster-6x1").unwrap().source();
    let options = Options { topology: Some(other), ..Options::default() };
    assert_eq!(scenario(SMALL, &options).unwrap().topology.groups[0].shards(), 6);
    let options = Options { set: vec!["topology=cluster-10x2".to_owned()], ..Options::default() };
    assert_eq!(scenario(SMALL, &options).unwrap().topology.groups[0].shards(), 10);
}

#[test]
fn an_alias_stands_for_what_it_names() {
    let text = "name: s\ntopology: cluster-3x1
loads: { app: &app { rate: 100/s, keys: 7 }, other: *app }\n";
    let scenario = scenario(text, &Options::default()).unwrap();
    assert_eq!(scenario.loads[1].keys, 7);
}

#[test]
fn a_ramp_takes_the_planned_time_and_is_written_as_it_is_read() {
    let text = "name: s\ntopology: cluster-3x1\nloads: { app: { rate: 500/s..5000/s } }\n\
                timeline: [{ at: 5s, do: pause, target: primary of shard 0, for: 1s }]\nsettle: 7s\n";
    let ramp = scenario(text, &Options::default()).unwrap();
    let over = Ramp { to: 5_000.0, over_ms: 12_000.0 };
    assert_eq!(ramp.loads[0].pacing, Pacing::Open(Rate { first: 500.0, ramp: Some(over) }));
    let again = scenario(&write::scenario(&ramp, "cluster-3x1"), &Options::default()).unwrap();
    assert_eq!(again.loads, ramp.loads);
}

#[test]
fn a_load_is_closed_by_its_clients_where_it_asks_for_no_rate() {
    let text =
        |load: &str| format!("name: s\ntopology: cluster-3x1\nloads: {{ app: {{ {load} }} }}\n");
    let read = |load: &str| scenario(&text(load), &Options::default());
    let closed = |millis| Pacing::Closed { think: Duration::from_millis(millis) };
    for (load, pacing) in [
        ("clients: 50, rate: max", closed(0)),
        ("clients: 50, think: 5ms", closed(5)),
        ("clients: 50, rate: max, think: 5ms", closed(5)),
        ("rate: 5/s", Pacing::steady(5.0)),
    ] {
        let read = read(load).unwrap();
        assert_eq!(read.loads[0].pacing, pacing, "{load}");
        let again = write::scenario(&read, "cluster-3x1");
        assert_eq!(scenario(&again, &Options::default()).unwrap().loads, read.loads, "{again}");
    }
    for (load, fault) in [
        ("rate: 5/s, think: 5ms", "at a rate of 5/s no client waits"),
        ("rate: max, max_in_flight: 9", "one session in flight"),
        ("clients: 50", "needs the key `rate`"),
    ] {
        let faults = read(load).unwrap_err().render(false, 100);
        assert!(faults.contains(fault), "{faults}");
    }
    let with = |load: &str, expect: &str| {
        let text = format!("{}expect: [\"{expect}\"]\n", text(load));
        scenario(&text, &Options::default()).map(|_| ()).map_err(|faults| faults.render(false, 100))
    };
    let faults = with("rate: max", "schedule.held >= 99%").unwrap_err();
    assert!(faults.contains("needs a load with a schedule"), "{faults}");
    assert_eq!(with("rate: max", "concurrency.max >= 32"), Ok(()));
    assert_eq!(with("rate: 5/s", "schedule.held >= 99%"), Ok(()));
}

#[test]
fn a_stall_of_a_second_sheds_nothing_unless_the_load_says_so() {
    let most = |load: &str| {
        let text = format!("name: s\ntopology: cluster-3x1\nloads: {{ app: {{ {load} }} }}\n");
        scenario(&text, &Options::default()).unwrap().loads[0].max_in_flight
    };
    assert_eq!(most("rate: 100/s"), 10_000);
    assert_eq!(most("rate: 20000/s"), 20_000);
    assert_eq!(most("rate: 500/s..70000.5/s"), 70_001);
    assert_eq!(most("rate: 20000/s, max_in_flight: 50"), 50);
}

#[test]
fn a_trace_has_its_keys_and_lies_where_the_scenario_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.txt"), "b\na\nb\nc\n").unwrap();
    let text = "name: s\ntopology: cluster-3x1\n\
                loads: { app: { rate: 5/s, distribution: trace(mine.txt) } }\n";
    let at = folder.path().join("s.yaml").display().to_string();
    let read = |text: &str, at: &str| {
        spec::parse_scenario(&Source::new(at, text), &resolve, &Options::default()).unwrap()
    };
    let traced = read(text, &at);
    assert_eq!(traced.loads[0].keys, 3);
    let Distribution::Trace(trace) = &traced.loads[0].distribution else { panic!("{traced:?}") };
    assert_eq!(*trace.accesses, [0, 1, 0, 2]);
    let again = read(&write::scenario(&traced, "cluster-3x1"), "elsewhere/scenario.yaml");
    assert_eq!(again.loads, traced.loads);
}

/// Loads of which each measure has what it needs.
const EVERY_WORKLOAD: &str = "name: every\ntopology: ./two.yaml\nloads:
  app: { group: new, rate: 100/s, near: tracking }
  counts: { group: new, workload: counter, by: watch, rate: 1/s, wait: { replicas: 1 } }
  sets: { group: new, workload: set, rate: 1/s, client: { command: [/bin/true] } }
  queues: { group: new, workload: queue, rate: 1/s }
  streams: { group: new, workload: stream, rate: 1/s }
  bank: { group: new, workload: transfer, rate: 1/s, by: watch }
  swaps: { group: new, workload: cas, rate: 1/s, shares: app, instances: 3, connections: 2 }
  both: { workload: dual-write, groups: [new, old], rate: 1/s }
  users: { workload: cache, rate: 1/s, guard: breaker, absent: 1%, format: cbor+lz4, layers: { l1: { in: process }, l2: { group: new } } }
  ends: { group: new, workload: expiry, rate: 1/s, expiry: { lives: 200ms..1s, looked: 50% } }
  takes: { group: new, workload: lock, rate: 1/s, lock: { kind: mutex-wait, extend: 500ms, accounts: old } }
  leaves: { group: new, workload: lock, rate: 1/s, lock: { kind: fenced, abandon: 10% } }
  two: { group: new, workload: lock, rate: 1/s, lock: { take: 2, deadlock: detect } }
";

const MOVES_AND_KILLS: &str = "timeline:
  - { at: 5s, do: drain, group: new, shard: 0 }
  - { at: 9s, do: kill, group: new, target: random primary }
  - { at: 9s, do: warm, load: users }
";

const TIED: &str = "name: tied
topology: active-active-2r
loads: { app: { group: us, rate: 100/s } }
timeline: [{ at: 5s, do: kill, group: us, target: all nodes }]
";

#[test]
fn a_profile_adds_a_load_that_has_a_workload() {
    let text = "name: s\ntopology: cluster-3x1\nloads:\n  app: { rate: 1/s }\nprofiles:\n  \
                more:\n    loads:\n      app: { rate: 2/s }\n      \
                counts: { workload: counter, rate: 5/s }\n";
    let options = Options { profile: Some("more".to_owned()), ..Options::default() };
    let more = scenario(text, &options).unwrap();
    let loads: Vec<(&str, f64)> =
        more.loads.iter().map(|load| (&*load.name, load.pacing.rate().unwrap().first)).collect();
    assert_eq!(loads, [("app", 2.0), ("counts", 5.0)]);
    assert_eq!(scenario(text, &Options::default()).unwrap().loads.len(), 1);
    let set = vec!["loads.counts.rate=7/s".to_owned()];
    let more = scenario(text, &Options { set: set.clone(), ..options }).unwrap();
    assert_eq!(more.loads[1].pacing, Pacing::steady(7.0));
    assert!(scenario(text, &Options { set, ..Options::default() }).is_err());
}

/// Somebody else's replicator takes plain commands, from any client, and tells nothing of itself.
#[test]
fn an_external_replicator_takes_what_any_client_writes() {
    let tied = |sync: &str, load: &str, rest: &str| {
        let set = vec![format!("sync={{ strategy: external{sync} }}")];
        let load = format!("{{ group: us, rate: 100/s{load} }}");
        let text =
            format!("name: s\ntopology: active-active-2r\nloads: {{ app: {load} }}\n{rest}\n");
        scenario(&text, &Options { set, ..Options::default() })
    };
    let kill = "timeline: [{ at: 2s, do: kill, target: eu-to-us/actor/0 }]";
    let right = tied(", command: [rep, '{source}']", ", client: { command: [lib] }", kill).unwrap();
    assert!(!right.loads[0].outbox);
    assert_eq!(right.writers(&right.loads[0]), ["us", "eu"]);
    let actors: Vec<String> = right.actors().iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(actors, ["app/actor/0", "us-to-eu/actor/0", "eu-to-us/actor/0"]);
    let again = spec::parse_topology(
        &Source::new("t.yaml", write::topology(&right.topology)),
        &Options::default(),
    );
    assert_eq!(again.unwrap(), right.topology);

    assert!(tied("", "", "").unwrap().actors().is_empty(), "the groups do that by themselves");
    let faults =
        |sync: &str, load: &str, rest: &str| tied(sync, load, rest).unwrap_err().to_string();
    assert!(faults("", "", kill).contains("eu-to-us/actor/0"), "nobody is there to be killed");
    assert!(faults("", ", workload: queue", "").contains("has no active-active form"));
    for name in ["sync.discarded", "sync.backlog.max", "sync.backlog.bytes.max"] {
        let told = faults("", "", &format!("expect: [{name} <= 5]"));
        let why = format!("`{name}` is told by redrill's own replicators, and there are none");
        assert!(told.contains(&why), "{told}");
    }
    tied("", "", "expect: [sync.consistency == 100%, sync.lag.p99 <= 1s]").unwrap();
}

/// One of the clusters writes at a time: nothing is judged as where all of them do, and yet each
/// shard has replicators.
#[test]
fn a_cluster_has_a_standby_with_replicators_in_both_directions() {
    let text = "name: s\ntopology: cluster-standby-2r\nloads: { app: { group: eu, rate: 100/s } }\n\
                timeline: [{ at: 2s, do: promote, group: eu }, { at: 3s, do: fail-back, group: us }]\n\
                expect: [rto <= 5s, rpo <= 1s, sync.backlog.max <= 500, sync.lag.p99 <= 1s]\n";
    let scenario = scenario(text, &Options::default()).unwrap();
    let topology = &scenario.topology;
    assert_eq!(topology.sync, Some(DataSync::Standby { from: 0, to: vec![1] }));
    assert!(scenario.loads[0].outbox && scenario.writers(&scenario.loads[0]).is_empty());
    assert_eq!(topology.source_of("eu").map(|group| &*group.name), Some("us"));
    assert_eq!(topology.replicates("eu"), None, "its servers follow nobody else's");
    let actors = scenario.actors().into_iter();
    let actors: Vec<String> = actors.map(|(name, _)| name.to_string()).collect();
    let all = ["us-to-eu", "eu-to-us"].map(|pair| [0, 1, 2].map(|n| format!("{pair}/actor/{n}")));
    assert_eq!(actors, all.concat());
    let again = Source::new("t.yaml", write::topology(topology));
    assert_eq!(spec::parse_topology(&again, &Options::default()).unwrap(), *topology);
}

#[test]
fn directives_of_a_load_are_put_into_its_group_and_must_not_contradict_it() {
    let text = "name: s\ntopology: cluster-3x1\nloads:\n  app: { rate: 1/s, \
                min-replicas-to-write: 1, min-replicas-max-lag: 2s }\n";
    let scenario = scenario(text, &Options::default()).unwrap();
    let config = &scenario.topology.groups[0].config;
    assert_eq!((&*config["min-replicas-to-write"], &*config["min-replicas-max-lag"]), ("1", "2"));
    let set = vec!["groups.cache.config.min-replicas-to-write=0".to_owned()];
    let options = Options { set, ..Options::default() };
    let faults = super::faults(&Source::new("s", text), &options).unwrap();
    let told: Vec<&str> = faults.iter().map(|fault| &*fault.message).collect();
    assert_eq!(told, ["the `config` of group `cache` has `min-replicas-to-write: 0`"]);
}

#[test]
fn every_measure_can_be_expected_where_there_is_a_load_and_a_step() {
    for known in CATALOGUE {
        let bound = match known.unit {
            Unit::Millis => "5ms",
            Unit::Count => "5",
            Unit::PerSecond => "5/s",
            Unit::Percent => "5%",
            Unit::Bytes => "5B",
            Unit::BytesPerSecond => "5B/s",
        };
        let tied = [Need::Links, Need::Synced, Need::ActiveActive, Need::OwnReplicators];
        let is_tied = known.needs.iter().any(|need| tied.contains(need));
        let drill = match is_tied {
            _ if known.needs.contains(&Need::Successor) => {
                TIED.replace("active-active-2r", "standby-2r")
            }
            true => TIED.to_owned(),
            false => format!("{EVERY_WORKLOAD}{MOVES_AND_KILLS}"),
        };
        let text = format!("{drill}expect: [{} >= {bound}]\n", known.name);
        let scenario = scenario(&text, &Options::default()).unwrap();
        assert_eq!((scenario.expect[0].bound, scenario.expect[0].op), (5.0, Compare::AtLeast));
    }
}

fn reads_as_the_same_again(first: Scenario) {
    let topology = Source::new("topology.yaml", write::topology(&first.topology));
    let text = write::scenario(&first, "topology.yaml");
    let source = Source::new("scenario.yaml", text.clone());
    let again = spec::parse_scenario(&source, &|_| Ok(topology.clone()), &Options::default());
    assert_eq!(again, Ok(first), "{text}");
}

#[test]
fn what_is_written_back_reads_as_the_same() {
    let set = [
        "loads.app.reads=7%",
        "timeline.0.pace=fast",
        "groups.cache.config.save=900 1 \"",
        "loads.app.client=redis-rs",
        "summary=\"a: # \\\" {\"",
    ];
    for ready in library::scenarios() {
        for profile in [None, Some("ci".to_owned())] {
            let set = match ready.name {
                "cluster-reshard" => set.map(str::to_owned).to_vec(),
                _ => Vec::new(),
            };
            let options = Options { set, profile, ..Options::default() };
            let first = spec::parse_scenario(&ready.source(), &resolve, &options).unwrap();
            reads_as_the_same_again(first);
        }
    }
    // What a library does with its copies is its own affair, and is not written.
    let library = "name: small\ntopology: cluster-3x1\nloads:\n  app:\n    workload: cache\n    \
                   rate: 1/s\n    client: { command: [adapter] }\n    \
                   layers: { l1: { in: process }, l2: { group: cache } }\n";
    reads_as_the_same_again(scenario(library, &Options::default()).unwrap());
    let source = Source::new("regions.yaml", include_str!("regions_and_sentinels.yaml"));
    let first = spec::parse_topology(&source, &Options::default()).unwrap();
    let again = Source::new("again.yaml", write::topology(&first));
    assert_eq!(spec::parse_topology(&again, &Options::default()), Ok(first));
}

#[test]
fn redirects_cannot_be_expected_of_a_client_that_hides_them() {
    let text = |second: &str| {
        format!(
            "name: small\ntopology: cluster-3x1\nexpect: [redirects.moved <= 5]\nloads:\n  \
             a: {{ rate: 100/s, client: redis-rs }}\n  b: {{ rate: 100/s, client: {second} }}\n"
        )
    };
    scenario(&text("redrill"), &Options::default()).unwrap();
    let refused = scenario(&text("redis-rs"), &Options::default()).unwrap_err();
    let told = refused.render(false, 100);
    assert!(told.contains("`redirects.moved` cannot be seen through a library's client"), "{told}");
}

#[test]
fn connections_are_no_setting_of_a_librarys_client() {
    let text = |client: &str| {
        format!(
            "name: small\ntopology: cluster-3x1\nloads:\n  \
             a: {{ rate: 100/s, connections: 2, client: {client} }}\n"
        )
    };
    scenario(&text("redrill"), &Options::default()).unwrap();
    for client in ["redis-rs", "{ command: [adapter] }"] {
        let refused = scenario(&text(client), &Options::default()).unwrap_err();
        let told = refused.render(false, 100);
        assert!(told.contains("leave `connections` out"), "{told}");
    }
}

#[test]
fn control_characters_are_refused_at_their_line_and_not_repeated() {
    let text = format!("{SMALL}summary: \"calm\\e[31m\"\n");
    let told = scenario(&text, &Options::default()).unwrap_err().render(false, 100);
    assert!(told.contains("this text has the control character U+001B"), "{told}");
    let text = SMALL.replace("name: small", "name: \"a\\eb\"");
    let told = scenario(&text, &Options::default()).unwrap_err().render(false, 100);
    assert!(told.contains("control character U+001B") && !told.contains('\x1b'), "{told}");
}

#[test]
fn an_unknown_profile_is_refused() {
    let options = Options { profile: Some("Ci".to_owned()), ..Options::default() };
    let text = format!("{SMALL}profiles: {{ ci: {{ settle: 1s }} }}\n");
    let faults = scenario(&text, &options).unwrap_err();
    assert_eq!(faults.iter().len(), 1);
    assert!(faults.render(false, 100).contains("did you mean `ci`"));
}

/// Paths are from the file, bare names are for PATH, and `--set` is from elsewhere.
#[test]
fn where_the_server_is() {
    let binary = |text: &str, set: &[&str]| {
        let text =
            format!("name: t\nengine: {{ {text} }}\ngroups: {{ a: {{ mode: standalone }} }}\n");
        let options =
            Options { set: set.iter().map(|&set| set.to_owned()).collect(), ..Options::default() };
        let source = Source::new("/drills/mine/t.yaml", text);
        let topology = spec::parse_topology(&source, &options).unwrap();
        let again = Source::new("/runs/one/topology.yaml", spec::write::topology(&topology));
        let read = spec::parse_topology(&again, &Options::default()).unwrap();
        if !set.iter().any(|set| set.contains("./")) {
            assert_eq!(read, topology);
        }
        topology.engine.binary.unwrap().display().to_string()
    };
    assert_eq!(binary("kind: redis, binary: bin/server", &[]), "/drills/mine/bin/server");
    assert_eq!(binary("binary: /opt/server", &[]), "/opt/server");
    assert_eq!(binary("binary: redis-server-8", &[]), "redis-server-8");
    assert_eq!(binary("kind: redis", &["engine.binary=./server"]), "./server");
}

#[test]
fn connections_are_ended_once_or_every_so_often_for_a_time() {
    let told = |step: &str| {
        let text = format!("{SMALL}timeline: [{{ at: 1s, do: client-kill, {step} }}]\n");
        let told = scenario(&text, &Options::default());
        told.map(|scenario| write::scenario(&scenario, "cluster-3x1")).map_err(|diagnostics| {
            diagnostics.iter().map(|one| one.message.clone()).collect::<Vec<_>>().join("; ")
        })
    };
    let written = told("target: random primary").unwrap();
    assert!(
        written.contains("do: client-kill, target: \"random primary\", kind: normal }"),
        "{written}"
    );
    let often = "target: all nodes, kind: pubsub, every: 100ms, for: 2s";
    let written = told(often).unwrap();
    assert!(written.contains("kind: pubsub, every: 100ms, for: 2s }"), "{written}");
    for (step, message) in [
        ("target: all nodes, every: 1s", "a step that ends connections every so often needs `for`"),
        ("target: all nodes, for: 1s", "connections that are ended once are ended at once"),
        ("target: all nodes, kind: master", "there is no kind of client `master`"),
        ("target: all nodes, every: 1ms, for: 1s", "every is 1ms, but must be from 10ms to 1s"),
        ("kind: normal", "a client-kill step needs the key `target`"),
    ] {
        assert_eq!(told(step).unwrap_err(), message);
    }
}

/// What users are promised of every ready scenario.
#[test]
fn ready_scenarios_have_several_instances_and_bound_what_a_dead_application_shows() {
    for ready in library::scenarios() {
        let scenario = scenario(ready.text, &Options::default()).unwrap();
        let few: Vec<_> = scenario.loads.iter().filter(|load| load.instances < 4).collect();
        assert!(few.is_empty(), "{}: {few:?}", ready.name);
        let bounds = |name: &str| scenario.expect.iter().any(|e| e.measure == name);
        assert!(bounds("schedule.held"), "{}", ready.name);
        assert!(scenario.timeline.is_empty() || bounds("load.recovered"), "{}", ready.name);
        // Later writes hide lost ones of registers, and not of sets.
        let of = |workload| scenario.loads.iter().any(|load| load.workload == workload);
        let loses = bounds("writes.lost.share");
        assert!(!loses || of(Workload::Set), "{}: what is lost is not exact", ready.name);
    }
}

//! The figures of the tiny drill, each worked out by hand.

use redrill::model::event::*;
use redrill::model::op::{Access, Cause, Op, Purpose};
use redrill::model::slot::slot_of;
use redrill::model::{NodeName, StepKind, Verdict};
use redrill::report::{self, Moment};

use super::tiny::*;

#[test]
fn every_figure_of_a_tiny_drill() {
    let r = build(&events(), &history());
    for (name, expected) in [
        ("ready.time", 800.0),
        // The outage of canary 1 that never ended counts until the load did.
        ("downtime.write.max", 500.0),
        ("downtime.write.total", 500.0),
        ("downtime.read.max", 60.0),
        ("downtime.read.total", 60.0),
        ("canaries.lost", 0.0),
        ("writes.acknowledged", 68.0),
        ("writes.lost", 1.0),
        ("reads.stale", 0.0),
        ("reads.reverted", 0.0),
        ("reads.own_missed", 0.0),
        ("reads.not_monotonic", 0.0),
        ("keys.not_linearizable", 1.0),
        ("latency.p50.before", 1.0),
        ("latency.p99.before", 105.0),
        ("latency.p50.during", 2.0),
        // One of the 25 operations that were due timed out, after a second.
        ("latency.p99.during", 1_000.0),
        ("latency.max.during", 1_000.0),
        ("latency.answered.p99.before", 105.0),
        ("latency.answered.p99.during", 40.0),
        ("latency.answered.p99.after", 1.0),
        ("latency.p50.after", 1.0),
        ("latency.p99.after", 1.0),
        ("latency.p99.worst", 1_000.0),
        // 16 windows, and 11 before. Of these, two have nothing in common: 1 ms and 105 ms.
        ("latency.p99.degradation", {
            let spread = (105.0 - 1.0) / 2f64.sqrt();
            let factor = 6f64.sqrt() / std::f64::consts::PI * (16.0f64 / 11.0).ln();
            (1_000.0 / (105.0 + spread * factor) - 1.0) * 100.0
        }),
        ("throughput.before", 19.0 / 2.0),
        ("throughput.during", 25.0 / 2.5),
        ("throughput.after", 24.0 / 2.5),
        // In windows of 20 operations, one of which was not answered before and during.
        ("throughput.degradation", 0.0),
        ("schedule.held", 69.0 / 70.0 * 100.0),
        ("schedule.late.p99", 0.0),
        // One was never sent, which is no error.
        ("schedule.unsent", 1.0),
        ("errors.total", 1.0),
        ("errors.fail", 0.0),
        ("errors.unknown", 1.0),
        ("errors.share", 1.0 / 69.0 * 100.0),
        ("errors.share.instance", 1.0 / 69.0 * 100.0),
        ("errors.share.during", 1.0 / 25.0 * 100.0),
        ("errors.share.after", 0.0),
        ("redirects.moved", 3.0),
        ("redirects.ask", 1.0),
        ("redirects.tryagain", 0.0),
        ("convergence.view", 2_200.0),
        ("convergence", 2_500.0),
        ("reshard.duration", 2_000.0),
        ("reshard.slots", 100.0),
        ("reshard.slots.rate", 50.0),
        ("reshard.keys", 500.0),
        ("reshard.keys.rate", 250.0),
        ("servers.waited.max", 31.0),
        ("redrill.cpu", 15.0),
        // Counted from the first report of each: 1,000 probes in 5 s, 1,210 for views in 6.05 s.
        ("redrill.requests", 400.0),
        ("redrill.memory.max", 5_000.0),
    ] {
        assert_value(&r, name, expected);
    }
    // Its servers do not say how often they sent all their data.
    let untold: Vec<_> = r.measures.iter().filter(|(_, m)| m.value.is_none()).collect();
    assert!(untold.iter().all(|(name, _)| *name == "replication.full_resyncs"), "{untold:?}");
}

#[test]
fn of_two_loads_each_has_its_own_figures() {
    let (mut events, mut history) = (events(), history());
    let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
    info.loads.push(LoadInfo { name: "other".to_owned(), ..info.loads[0].clone() });
    // From 5,500 ms on, which is when all has converged, operations are the other load's.
    for op in history.iter_mut().filter(|op| op.purpose == Purpose::Load) {
        op.load = u8::from(op.key >= 45);
    }
    let r = build(&events, &history);
    let of = |load: usize| &r.loads[load].figures;
    assert_eq!((of(0).operations, of(0).answered, of(0).errors), (45, 44, 1));
    assert_eq!((of(1).operations, of(1).answered, of(1).errors), (25, 24, 0));
    assert_eq!((of(0).unsent, of(1).unsent), (0, 1));
    let near = |value: Option<f64>, expected: f64| {
        assert!((value.unwrap() / expected - 1.0).abs() < 1e-3, "{value:?} and not {expected}");
    };
    near(of(0).before.p50_ms, 1.0);
    near(of(0).before.p99_ms, 105.0);
    near(of(0).during.p50_ms, 2.0);
    near(of(0).during.p99_ms, 1_000.0);
    assert_eq!((of(0).after.p50_ms, of(1).before.p99_ms, of(1).during.p50_ms), (None, None, None));
    near(of(1).after.p99_ms, 1.0);

    let text = report::text::summary(&r, 80, false);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("load operations errors p99 before p99 during p99 after"), "{text}");
    assert!(words.contains("app 45 1 105 ms 1,000 ms –"), "{text}");
    let markdown = report::markdown::render(&r).unwrap();
    let row = "| other | 25 | 24 | 0 | – | – | 1.00 ms | – | – | 1.00 ms |";
    assert!(markdown.contains(row), "{markdown}");
    let alone =
        report::text::summary(&build(&super::tiny::events(), &super::tiny::history()), 80, false);
    assert!(!alone.contains("By load"), "one load has nothing to be told apart from");
}

#[test]
fn each_turn_of_a_step_that_flaps_is_a_hit() {
    let mut events = events();
    let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
    info.steps[0].kind = StepKind::Partition;
    let node = NodeName::new("cache", 0, 0);
    let (nodes, step) = (vec![node.clone()], 0);
    let turn = |holds| EventKind::StepTurn { step, holds };
    let told = [
        (3_000, EventKind::StepInjected { step, nodes, against: vec![] }),
        (3_200, turn(false)),
        (3_400, turn(true)),
        (3_600, turn(false)),
        (3_800, EventKind::StepUndone { step, nodes: vec![] }),
    ];
    events.extend(told.map(|(ms, kind)| Event { at: at(ms), kind }));
    events.sort_by_key(|event| event.at);
    let r = build(&events, &history());
    let hits: Vec<_> = r.steps[0].hits.iter().map(|hit| (hit.at_ms, hit.undone_ms)).collect();
    assert_eq!(hits, [(3_000.0, Some(3_200.0)), (3_400.0, Some(3_600.0))]);
    assert_eq!((&r.steps[0].nodes[..], r.steps[0].undone_ms), (&[node][..], Some(3_800.0)));
    let page = report::html::render(&r).unwrap();
    assert_eq!(page.matches("<rect class=\"hit\"").count(), 2 * 2, "in both sizes");
    let wide = page.split("<svg ").find(|svg| svg.contains("hitname")).unwrap();
    assert_eq!(wide.matches("hitname").count(), 1, "the first turn is named: {wide}");
}

/// All nodes agreed at 5,200 ms, and were linked at 5,500 ms.
#[test]
fn a_step_has_converged_when_the_outages_of_its_time_are_over() {
    let with = |outages: &[(u64, Option<u64>)]| {
        let mut events = events();
        for &(from, to) in outages {
            let (canary, action, cause) = (0, Access::Write, Cause::Timeout);
            let from = at(from);
            let kind = EventKind::OutageBegan { canary, action, from, cause };
            events.push(Event { at: from, kind });
            let Some(to) = to.map(at) else { continue };
            let kind = EventKind::OutageEnded { canary, action, from, to, blind_ns: 0 };
            events.push(Event { at: to, kind });
        }
        events.sort_by_key(|event| event.at);
        build(&events, &history())
    };
    let told = |outages: &[(u64, Option<u64>)]| {
        let r = with(outages);
        let measure = |name: &str| (r.measures[name].value, r.measures[name].at_least);
        (measure("convergence.view"), measure("convergence"), r.value("throughput.after").is_some())
    };
    let value = |ms| (Some(ms), None);
    assert_eq!(told(&[(6_050, Some(6_100))]), (value(2_200.0), value(2_500.0), true), "later");
    let late = told(&[(5_650, Some(6_100))]);
    assert_eq!(late, (value(3_100.0), value(3_100.0), true), "the last node gave way");
    let chain = told(&[(5_300, Some(5_900)), (5_901, Some(6_000))]);
    assert_eq!(chain, (value(2_900.0), value(3_000.0), true));
    let never = (None, Some(5_000.0));
    assert_eq!(told(&[(5_300, None)]), (never, never, false), "it is down for good");
    let r = with(&[(5_650, Some(6_500))]);
    // 35 operations were due from 3,000 to 6,500 ms, and one of them timed out.
    assert_value(&r, "errors.share.during", 1.0 / 35.0 * 100.0);
}

/// The write to key 5 that was acknowledged at 1,501 ms is lost: what the faults at these instants
/// make of it. Each is on the key's shard or another, and a replica may be elected after it.
#[test]
fn the_recovery_point_is_that_of_the_failures_of_the_shard_that_lost_writes() {
    let own = u32::from(slot_of(b"app:5") > 8_191);
    let with = |faults: &[(u64, StepKind, u32, Option<u64>)]| {
        let (mut events, mut history) = (events(), history());
        let by = |op: &mut Op| op.by = Some(own as u16);
        history.iter_mut().filter(|op| op.key == 5).for_each(by);
        events.retain(|event| serde_json::to_value(event).unwrap().get("step").is_none());
        let mut steps = Vec::new();
        for (step, (ms, kind, shard, elected)) in faults.iter().enumerate() {
            steps.push(StepInfo { kind: kind.clone(), ..info().steps[0].clone() });
            let nodes = vec![NodeName::new("cache", *shard, 0)];
            let mut tell = |ms, kind| events.push(Event { at: at(ms), kind });
            let (moved, error) = Default::default();
            tell(*ms, EventKind::StepBegan { step });
            tell(*ms, EventKind::StepInjected { step, nodes, against: vec![] });
            tell(ms + 1, EventKind::StepEnded { step, moved, error, doubtful: false, own: false });
            let phases = [(FailoverPhase::Suspected, 0), (FailoverPhase::Elected, 1)];
            for (phase, ordinal) in phases.into_iter().filter(|_| elected.is_some()) {
                let node = NodeName::new("cache", *shard, ordinal);
                let (group, by) = ("cache".to_owned(), NodeName::new("cache", 1 - shard, 0));
                let kind = EventKind::Failover { group, shard: *shard, phase, node, by };
                tell(elected.unwrap(), kind);
            }
        }
        if let EventKind::Drill(info) = &mut events[0].kind {
            info.steps = steps;
        }
        events.sort_by_key(|event| event.at);
        build(&events, &history)
    };
    let rpo = |faults: &[_]| with(faults).value("rpo");
    use StepKind::*;
    assert_eq!(rpo(&[(2_501, Kill, own, None)]), Some(1_000.0), "it came back empty");
    assert_eq!(rpo(&[(2_501, Kill, 1 - own, None)]), None, "another shard's is no reason");
    for kind in [Pause, Reset, Partition, Failover] {
        let unexplained = rpo(&[(1_100, kind.clone(), own, None)]);
        assert_eq!(unexplained, None, "nobody took over after the {kind}, and no server ended");
        let elected = with(&[(2_501, kind, own, Some(3_000))]);
        assert_eq!(elected.value("rpo"), Some(1_000.0));
        let [failover] = &elected.failovers[..] else { panic!("{:?}", elected.failovers) };
        assert_eq!((failover.lost, failover.rpo_ms), (Some(1), Some(1_000.0)));
    }
    let restarted = (1_100, Restart, own, None);
    let twice = rpo(&[restarted.clone(), (2_501, Kill, own, None)]);
    assert_eq!(twice, Some(1_000.0), "the restart was before it was written");
    let later = (4_501, Kill, own, Some(5_000));
    let both = rpo(&[restarted, (2_501, Kill, own, None), later.clone()]);
    // Keys that were written between the two are there, if they are of the same shard.
    let same = (16..=34)
        .any(|n| u32::from(slot_of(format!("app:{n}").as_bytes()) > 8_191) == own && n != 31);
    assert!(same);
    assert_eq!(both, Some(1_000.0), "the last one did not lose it");
    let elsewhere = rpo(&[(2_501, Kill, 1 - own, Some(3_000)), later]);
    assert_eq!(elsewhere, Some(3_000.0), "the next fault is another shard's");
}

#[test]
fn an_outage_is_the_shards_that_owned_the_slot_then() {
    let mut events = events();
    for (from, to) in [(4_900, 5_200), (6_000, 6_700)] {
        let (canary, action, cause) = (0, Access::Write, Cause::Timeout);
        let (from, to) = (at(from), at(to));
        events
            .push(Event { at: from, kind: EventKind::OutageBegan { canary, action, from, cause } });
        let kind = EventKind::OutageEnded { canary, action, from, to, blind_ns: 0 };
        events.push(Event { at: to, kind });
    }
    events.sort_by_key(|event| event.at);
    let r = build(&events, &history());
    let [first, second] = &r.shards[..] else { panic!("{:?}", r.shards) };
    // Slot 5 was the first shard's until 5,010 ms, and the second one's from then on.
    assert_eq!(first.downtime_write_max_ms, Some(250.0));
    assert_eq!(first.downtime_write_total_ms, Some(350.0 + 110.0));
    assert_eq!(second.downtime_write_max_ms, Some(700.0));
    assert_eq!(second.downtime_write_total_ms, Some(190.0 + 700.0));
    let whose: Vec<_> = r.outages.iter().map(|o| (o.from_ms, o.shard)).collect();
    assert!(whose.contains(&(4_900.0, 0)) && whose.contains(&(6_000.0, 1)), "{whose:?}");
}

#[test]
fn a_canary_that_lacks_a_write_is_lost_data_and_fails_the_drill() {
    let mut events = events();
    let wrong = events.iter_mut().find_map(|event| match &mut event.kind {
        EventKind::Probes { wrong, .. } => Some(wrong),
        _ => None,
    });
    *wrong.unwrap() = 3;
    let r = build(&events, &history());
    assert_eq!(r.value("canaries.lost"), Some(3.0));
    let lost = "data was lost: 3 reads of canaries lacked an acknowledged write";
    assert!(r.why.iter().any(|why| why == lost), "{:?}", r.why);
    if let EventKind::Drill(info) = &mut events[0].kind {
        info.reported = vec!["canaries.lost".to_owned()];
    }
    let r = build(&events, &history());
    assert!(r.why.iter().all(|why| why != lost), "it is only reported: {:?}", r.why);
}

#[test]
fn shards_of_the_tiny_drill() {
    let r = build(&events(), &history());
    let [first, second] = &r.shards[..] else { panic!("{:?}", r.shards) };
    assert_eq!(
        (first.downtime_write_max_ms, first.downtime_write_total_ms),
        (Some(250.0), Some(350.0))
    );
    assert_eq!(
        (second.downtime_write_max_ms, second.downtime_read_max_ms),
        (Some(500.0), Some(60.0))
    );
    assert_eq!((first.slots_before, first.slots_after), (Some(8_192), Some(8_092)));
    assert_eq!((first.keys_before, first.keys_after), (Some(10), Some(9)));
    assert_eq!((second.keys_before, second.keys_after), (Some(10), Some(11)));
    // 600 commands between 950 and 7,000 ms.
    let ops = first.ops_per_s.unwrap();
    assert!((ops - 600.0 / 6.05).abs() < 1e-6, "{ops}");
    assert!((first.net_in_per_s.unwrap() - ops * 10.0).abs() < 1e-6);
    assert!((first.cpu_percent.unwrap() - ops * 0.1).abs() < 1e-6);
    assert_eq!((first.canaries, first.canaries_that_move), (1, 1));
    assert_eq!((second.canaries, second.canaries_that_move), (2, 1), "one has moved to it");
}

#[test]
fn a_shard_that_was_drained_holds_nothing_whatever_it_last_said_as_a_primary() {
    let after = |slots: &str, primary| {
        let mut events = events();
        let views = events.iter_mut().filter_map(|event| match &mut event.kind {
            EventKind::View(view) => Some(&mut view.shards[0]),
            _ => None,
        });
        let last = views.last().unwrap();
        (last.slots, last.primary) = (slots.parse().unwrap(), primary);
        let r = build(&events, &history());
        (r.shards[0].keys_after, r.shards[0].memory_after, r.shards[1].keys_after)
    };
    let primary = Some(NodeName::new("cache", 0, 0));
    assert_eq!(after("100-8191", primary.clone()), (Some(9), Some(1_000), Some(11)));
    assert_eq!(after("", primary), (Some(0), Some(1_000), Some(11)));
    assert_eq!(after("", None), (Some(0), None, Some(11)));
    assert_eq!(after("100-8191", None), (None, None, Some(11)), "its primary is gone");
}

#[test]
fn redirects_are_not_known_of_loads_whose_client_hides_them() {
    let mut events = events();
    let loads = |events: &mut Vec<Event>, change: fn(&mut Vec<LoadInfo>)| {
        let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
        change(&mut info.loads);
    };
    loads(&mut events, |loads| loads[0].sees_redirects = false);
    let r = build(&events, &history());
    for name in ["redirects.moved", "redirects.ask", "redirects.tryagain"] {
        assert!(r.has(name) && r.value(name).is_none(), "{name}");
    }
    // Of two loads, one tells.
    loads(&mut events, |loads| {
        loads.insert(0, LoadInfo { sees_redirects: true, ..loads[0].clone() })
    });
    assert_value(&build(&events, &history()), "redirects.moved", 3.0);
}

#[test]
fn outages_owners_and_verdicts_of_the_tiny_drill() {
    let r = build(&events(), &history());
    let listed: Vec<_> = r.outages.iter().map(|o| (o.from_ms, o.to_ms, o.duration_ms)).collect();
    let expected = [
        (3_200.0, Some(3_450.0), 250.0),
        (3_300.0, Some(3_360.0), 60.0),
        (3_900.0, Some(4_000.0), 100.0),
        (7_500.0, None, 500.0),
    ];
    assert_eq!(listed, expected);
    let moments: Vec<_> = r.ownership.iter().map(|o| o.moment).collect();
    assert_eq!(moments, [Moment::Before, Moment::After]);
    assert_eq!(r.ownership[1].shards[1].slots.to_string(), "0-99 8192-16383");
    let verdicts: Vec<_> = r.expectations.iter().map(|judged| judged.verdict).collect();
    assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail, Verdict::Pass]);
    assert_eq!(r.verdict, Verdict::Fail);
    assert_eq!(
        r.why,
        [
            "`downtime.read.max 60` does not hold: it was 60.0 ms",
            "1 of 68 acknowledged writes lost",
            "1 of 70 keys not linearizable"
        ]
    );
    assert_eq!(r.ended.as_deref(), Some("2026-11-20T18:03:30.500Z"));
}

#[test]
fn without_steps_there_is_no_during_and_no_after() {
    let mut events = events();
    events.retain(|event| {
        let is_step = |text: &str| text.starts_with("step_") || text.contains("converged");
        let name = serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned();
        !is_step(&name)
    });
    if let EventKind::Drill(info) = &mut events[0].kind {
        info.steps.clear();
        info.expect.clear();
    }
    let r = build(&events, &history());
    let names: Vec<&String> = r.measures.keys().collect();
    let odd = |name: &&&String| {
        [".during", ".after", "convergence", "reshard"].iter().any(|part| name.contains(part))
    };
    assert_eq!(names.iter().find(odd), None);
    assert_value(&r, "latency.p99.worst", 1_000.0);
    assert_value(&r, "latency.p99.before", 1_000.0);
    assert_value(&r, "throughput.before", 68.0 / 7.0);
    // The second half over the first, in which one took a second.
    assert_value(&r, "latency.p99.degradation", (2.0 / 1_000.0 - 1.0) * 100.0);
}

/// Of the operations due during the step, 20 are answered only after it.
#[test]
fn the_backlog_of_the_steps_is_theirs() {
    let mut history = history();
    for op in history.iter_mut().filter(|op| op.purpose == Purpose::Load) {
        if (25..45).contains(&op.key) && op.key != 31 {
            op.done = at(5_600 + op.key);
        }
    }
    history.sort_by_key(|op| (op.purpose, op.done));
    let r = build(&events(), &history);
    // As if they had been answered in time: none of the others' is more.
    assert_value(&r, "throughput.after", 24.0 / 2.5);
    assert_value(&r, "throughput.during", 25.0 / 2.5);
}

#[test]
fn the_longest_silence_of_a_load_is_a_measure() {
    let (mut told, rows) = (events(), history());
    if let EventKind::Drill(info) = &mut told[0].kind {
        info.expect = vec![expect("load.downtime.max", Compare::AtMost, 100.0)];
    }
    let r = build(&told, &rows);
    let longest = r.loads[0].silences().max_by(|a, b| a.1.duration_ms.total_cmp(&b.1.duration_ms));
    let (instance, longest) = longest.unwrap();
    assert!(instance == 0 && longest.duration_ms > 100.0, "{longest:?}");
    assert_value(&r, "load.downtime.max", longest.duration_ms);
    assert_eq!(r.expectations[0].verdict, Verdict::Fail);
}

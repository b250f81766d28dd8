//! The figures of the tiny drill, each worked out by hand.

use redrill::model::event::*;
use redrill::model::op::Purpose;
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
        ("writes.acknowledged", 68.0),
        ("writes.lost", 1.0),
        ("reads.stale", 0.0),
        ("reads.own_missed", 0.0),
        ("reads.not_monotonic", 0.0),
        ("keys.not_linearizable", 1.0),
        ("latency.p50.before", 1.0),
        ("latency.p99.before", 105.0),
        ("latency.p50.during", 2.0),
        ("latency.p99.during", 40.0),
        ("latency.max.during", 40.0),
        ("latency.p50.after", 1.0),
        ("latency.p99.after", 1.0),
        ("latency.p99.worst", 40.0),
        ("latency.p99.degradation", (40.0 / 105.0 - 1.0) * 100.0),
        ("throughput.before", 19.0 / 2.0),
        ("throughput.during", 25.0 / 2.5),
        ("throughput.after", 24.0 / 2.5),
        // One of the ten operations of the worst second was not answered.
        ("throughput.degradation", (1.0 - 9.0 / 9.5) * 100.0),
        ("schedule.held", 69.0 / 70.0 * 100.0),
        ("schedule.late.p99", 0.0),
        ("errors.total", 2.0),
        ("errors.fail", 1.0),
        ("errors.unknown", 1.0),
        ("errors.share", 2.0 / 70.0 * 100.0),
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
        ("redrill.memory.max", 5_000.0),
    ] {
        assert_value(&r, name, expected);
    }
    let untold: Vec<_> = r.measures.iter().filter(|(_, m)| m.value.is_none()).collect();
    assert!(untold.is_empty(), "{untold:?}");
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
    assert_eq!((of(1).operations, of(1).answered, of(1).errors), (25, 24, 1));
    let near = |value: Option<f64>, expected: f64| {
        assert!((value.unwrap() / expected - 1.0).abs() < 1e-3, "{value:?} and not {expected}");
    };
    near(of(0).before.p50_ms, 1.0);
    near(of(0).before.p99_ms, 105.0);
    near(of(0).during.p50_ms, 2.0);
    near(of(0).during.p99_ms, 40.0);
    assert_eq!((of(0).after.p50_ms, of(1).before.p99_ms, of(1).during.p50_ms), (None, None, None));
    near(of(1).after.p99_ms, 1.0);

    let text = report::text::summary(&r, 80, false);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("app 45 operations, 44 answered, 1 error p50 1.00 ms before"), "{text}");
    assert!(words.contains("p99 105 ms before, 40.0 ms during, – after"), "{text}");
    let markdown = report::markdown::render(&r).unwrap();
    let row = "| other | 25 | 24 | 1 | – | – | 1.00 ms | – | – | 1.00 ms |";
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

/// The write that was acknowledged at 1,501 ms is lost.
#[test]
fn the_recovery_point_counts_to_the_next_fault_once_one_that_is_over_at_once_is_over() {
    let rpo = |first: StepKind, undone: bool| {
        let mut events = events();
        let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
        info.steps[0].kind = first;
        info.steps.push(StepInfo { kind: StepKind::Kill, ..info.steps[0].clone() });
        events.retain(|event| {
            let of_step = serde_json::to_value(event).unwrap().get("step").is_some();
            !of_step
        });
        let nodes = vec![NodeName::new("cache", 0, 0)];
        let injected =
            |step| EventKind::StepInjected { step, nodes: nodes.clone(), against: vec![] };
        let (moved, error) = Default::default();
        let mut told = vec![
            (1_100, EventKind::StepBegan { step: 0 }),
            (1_100, injected(0)),
            (1_111, EventKind::StepEnded { step: 0, moved, error }),
            (2_501, EventKind::StepBegan { step: 1 }),
            (2_501, injected(1)),
        ];
        if undone {
            told.push((1_110, EventKind::StepUndone { step: 0, nodes: vec![] }));
        }
        events.extend(told.into_iter().map(|(ms, kind)| Event { at: at(ms), kind }));
        events.sort_by_key(|event| event.at);
        build(&events, &history()).value("rpo")
    };
    for first in [StepKind::Failover, StepKind::Restart] {
        assert_eq!(rpo(first.clone(), true), Some(1_000.0), "{first}");
        assert_eq!(rpo(first.clone(), false), Some(1_000.0), "{first} in an older record");
    }
    assert_eq!(rpo(StepKind::Pause, false), Some(0.0), "it was lost under the fault");
    let meteor = StepKind::Other("meteor".to_owned());
    assert_eq!(rpo(meteor, false), Some(1_000.0), "nothing is known of it");
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
    assert_eq!((second.canaries, second.canaries_that_move), (1, 0));
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
        [".during", ".after", ".degradation", "convergence", "reshard"]
            .iter()
            .any(|part| name.contains(part))
    };
    assert_eq!(names.iter().find(odd), None);
    assert_value(&r, "latency.p99.worst", 105.0);
    assert_value(&r, "latency.p99.before", 105.0);
    assert_value(&r, "throughput.before", 68.0 / 7.0);
}

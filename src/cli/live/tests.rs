use super::State;
use super::log::Log;
use crate::model::event::{
    Canary, DrillInfo, End, EngineInfo, Event, EventKind, LoadInfo, Moved, NodeInfo, Phase, Role,
    Sample, StepInfo,
};
use crate::model::ids::NodeName;
use crate::model::op::{Access, Cause};
use crate::model::{Nanos, StepKind, Workload};

fn at(seconds: f64) -> Nanos {
    Nanos((seconds * 1e9) as u64)
}

fn event(seconds: f64, kind: EventKind) -> Event {
    Event { at: at(seconds), kind }
}

fn drill() -> EventKind {
    let step = StepInfo {
        kind: StepKind::Reshard,
        group: "cache".into(),
        on_actors: false,
        text: "reshard cache: 1820 slots from shard 0 to shard 1".into(),
        planned_at: at(5.0),
    };
    let load = LoadInfo {
        name: "app".into(),
        group: "cache".into(),
        region: None,
        rate: Some(4000.0),
        think_ms: None,
        ramp: None,
        clients: 32,
        keys: 20_000,
        workload: Workload::Register,
        nodes: vec![],
        fallback: None,
        near: false,
        more_groups: vec![],
        same_data: vec![],
        waits_for: 0,
        locks: None,
        cache: None,
        timeout_ms: 1_000.0,
        sees_redirects: true,
        text: String::new(),
    };
    EventKind::Drill(DrillInfo {
        id: "id".into(),
        redrill: "0.1.0".into(),
        started: "2026-11-20T18:03:22Z".into(),
        scenario: "cluster-reshard".into(),
        summary: String::new(),
        topology: "cluster-3x1".into(),
        backend: "process".into(),
        engine: EngineInfo { kind: "redis".into(), version: "7.0.15".into() },
        seed: 1,
        steps: vec![step],
        loads: vec![load],
        expect: Vec::new(),
        reported: Vec::new(),
        probe_every_ms: 10.0,
        probe_deadline_ms: 100.0,
        probe_budget: 2_000.0,
        regions: Vec::new(),
        links: Vec::new(),
        external_sync: false,
        planned_ms: 10_000.0,
    })
}

fn nodes(count: u32) -> EventKind {
    let node = |n| NodeInfo {
        name: NodeName::new("cache", n, 0),
        address: "127.64.0.1:6379".into(),
        role: Role::Primary,
        id: String::new(),
        host: Default::default(),
    };
    EventKind::Ready { nodes: (0..count).map(node).collect() }
}

fn canaries(count: u16) -> EventKind {
    let canary = |slot| {
        let (group, key) = ("cache".into(), format!("c{slot}"));
        Canary { group, shard: 0, slot, key, moves: false, region: None }
    };
    EventKind::Canaries { canaries: (0..count).map(canary).collect(), turn_ns: None }
}

fn sample(seconds: f64, fail: u64) -> Event {
    let p99_ns = 1_234_567 + (seconds * 1e6) as u64;
    let ok = 400 - fail;
    let (from, intended, in_flight) = (at(seconds - 0.1), 400, 3);
    let sample = Sample { from, ok, fail, intended, in_flight, p99_ns, ..Sample::default() };
    event(seconds, EventKind::Sample(sample))
}

fn moved(slots: u64) -> Moved {
    Moved { slots, slots_total: 1820, keys: slots + slots / 5, bytes: Some(0) }
}

fn warning(ms: u64) -> EventKind {
    EventKind::Warning {
        text: format!("redrill itself was not run for {ms} ms: the machine is busy"),
    }
}

/// A whole drill: 3 s until the load, a step from second 8 to 14, the end at 20.
fn story() -> Vec<Event> {
    let phase = |seconds, phase| event(seconds, EventKind::Phase { phase });
    let mut story = vec![
        event(0.0, drill()),
        phase(0.01, Phase::Form),
        event(1.0, EventKind::Forming { ready: 2, total: 6 }),
        event(2.1, nodes(6)),
        phase(2.2, Phase::Fill),
        event(2.9, canaries(14)),
        phase(3.0, Phase::Steps),
        event(8.0, EventKind::StepBegan { step: 0 }),
        event(
            14.0,
            EventKind::StepEnded {
                step: 0,
                moved: moved(1820),
                error: None,
                doubtful: false,
                own: false,
            },
        ),
        phase(14.0, Phase::Settle),
        event(15.5, EventKind::Converged { step: 0, since: at(14.5) }),
        phase(19.0, Phase::Verify),
        phase(19.5, Phase::Stop),
        event(20.0, EventKind::Ended { end: End::Completed }),
    ];
    story.extend((31..=190).map(|tenth| sample(f64::from(tenth) / 10.0, u64::from(tenth == 100))));
    story.extend((1..6).map(|n| {
        event(8.05 + n as f64, EventKind::StepProgress { step: 0, moved: moved(300 * n) })
    }));
    story.extend([5, 6, 7, 9].map(|n| event(n as f64 + 0.01, warning(50 + n))));
    let (canary, action, from) = (3, Access::Write, at(10.2));
    let cause = Cause::Timeout;
    story.push(event(10.3, EventKind::OutageBegan { canary, action, from, cause }));
    story.push(event(
        10.6,
        EventKind::OutageEnded { canary, action, from, to: at(10.5), blind_ns: 0 },
    ));
    story.push(event(
        9.99,
        EventKind::Probes {
            sent: 2800,
            failed: 0,
            wrong: 0,
            worst_ns: 4_560_000,
            blind_ns: 0,
            blind_max_ns: 0,
        },
    ));
    story.sort_by_key(|event| event.at);
    story
}

/// The panel as it stands at that second.
fn panel(seconds: f64, width: usize) -> String {
    let mut state = State::default();
    story().iter().filter(|event| event.at <= at(seconds)).for_each(|event| state.hear(event));
    state.lines(at(seconds), width).join("\n")
}

#[test]
fn the_panel_from_start_to_end() {
    let seconds = [0.0, 1.5, 2.5, 4.0, 8.01, 10.4, 13.5, 16.0, 19.2, 19.7];
    let frames = seconds.map(|second| format!("-- {second} s\n{}\n", panel(second, 99)));
    insta::assert_snapshot!(frames.join("\n"));
}

#[test]
fn the_panel_of_narrow_terminals() {
    let frames = [79, 59, 39].map(|width| format!("-- {width}\n{}\n", panel(10.4, width)));
    insta::assert_snapshot!(frames.join("\n"));
}

#[test]
fn no_line_is_wider_than_asked_for_and_lines_keep_their_places() {
    for width in [20, 39, 59, 79, 99] {
        let mut most = 0;
        for tenth in 0..=200 {
            let text = panel(f64::from(tenth) / 10.0, width);
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= width, "{tenth}: {text}");
            // The panel only ever grows: one that shrinks makes the screen jump.
            assert!(text.lines().count() >= most, "{tenth}: {text}");
            most = text.lines().count();
        }
    }
}

#[test]
fn before_anything_is_known_the_panel_says_so() {
    assert_eq!(State::default().lines(at(0.2), 40), ["0.2 s", "  phase    starting"]);
}

#[test]
fn what_a_step_or_warning_says_is_one_line() {
    let mut state = State::default();
    state.hear(&event(0.0, drill()));
    state.hear(&event(5.0, EventKind::StepBegan { step: 0 }));
    let error = Some("it\nended\r\x1b[2J".to_owned());
    state.hear(&event(
        6.0,
        EventKind::StepEnded { step: 0, moved: moved(0), error, doubtful: false, own: false },
    ));
    state.hear(&event(6.0, EventKind::Warning { text: "two\nlines".into() }));
    let lines = state.lines(at(7.0), 80);
    assert!(lines.iter().any(|line| line.ends_with("failed: it ended [2J")), "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with("two lines")), "{lines:?}");
    assert!(lines.iter().all(|line| !line.chars().any(char::is_control)));
}

#[test]
fn no_name_drives_a_terminal() {
    let EventKind::Drill(mut info) = drill() else { panic!() };
    info.scenario = "evil\x1b[2J".into();
    info.steps[0].text = "reshard \u{9b}2J\x07".into();
    let begins = [event(0.0, EventKind::Drill(info)), event(5.0, EventKind::StepBegan { step: 0 })];
    let warning = event(6.0, EventKind::Warning { text: "a\x1b[1m\nb".into() });
    let (mut state, mut log) = (State::default(), Log::default());
    let mut lines = Vec::new();
    for event in begins.iter().chain([&warning]) {
        state.hear(event);
        lines.extend(log.hear(event));
    }
    assert_eq!(lines.last().unwrap(), "   6.000 s  warning: a\u{fffd}[1m\nb");
    lines.extend(state.lines(at(7.0), 80));
    let text = lines.concat();
    assert!(text.contains("evil\u{fffd}[2J") && text.contains("reshard \u{fffd}2J\u{fffd}"));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}

#[test]
fn the_log_of_a_drill() {
    let mut log = Log::default();
    let lines: Vec<String> = story().iter().flat_map(|event| log.hear(event)).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_log_says_why_a_drill_ended() {
    let mut log = Log::default();
    log.hear(&event(0.0, drill()));
    let error = "the server of cache/0/0 ended".to_owned();
    let ends = [End::Interrupted, End::Failed { error }];
    let lines = ends.map(|end| log.hear(&event(1.5, EventKind::Ended { end })).join("\n"));
    assert_eq!(
        lines,
        ["   1.500 s  interrupted", "   1.500 s  failed: the server of cache/0/0 ended"]
    );
}

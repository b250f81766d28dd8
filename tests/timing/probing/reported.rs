//! What `report.json` says of events: what a user is told, and not what was told on the way.

use std::fs;

use redrill::model::Nanos;
use redrill::model::event::{Canary, DrillInfo, End, EngineInfo, Event, EventKind, Phase};
use redrill::report;
use serde_json::Value;

use super::PROBE;

/// The report of a drill that had these canaries and `during` its time line these events.
pub fn reported(canaries: &[Canary], during: &[Event]) -> Value {
    let run = tempfile::tempdir().unwrap();
    let last = during.iter().map(|event| event.at).max().unwrap_or_default();
    let first = |kind| Event { at: Nanos::ZERO, kind };
    let then = |kind| Event { at: last, kind };
    let before = [
        first(EventKind::Drill(info())),
        first(EventKind::Canaries { canaries: canaries.to_vec(), turn_ns: None }),
        first(EventKind::Phase { phase: Phase::Steps }),
    ];
    let after = [
        then(EventKind::Phase { phase: Phase::Verify }),
        then(EventKind::Phase { phase: Phase::Stop }),
        then(EventKind::Ended { end: End::Completed }),
    ];
    let events = before.iter().chain(during).chain(&after);
    let lines = events.map(|event| serde_json::to_string(event).unwrap() + "\n");
    fs::write(run.path().join(report::file::EVENTS), lines.collect::<String>()).unwrap();
    report::write(&report::build(run.path()).unwrap()).unwrap();
    let json = fs::read_to_string(run.path().join(report::file::JSON)).unwrap();
    serde_json::from_str(&json).unwrap()
}

fn info() -> DrillInfo {
    DrillInfo {
        id: "truth".into(),
        redrill: "0.0.0".into(),
        started: "2026-01-01T00:00:00Z".into(),
        scenario: "truth".into(),
        summary: String::new(),
        topology: "cluster-3x0".into(),
        backend: "process".into(),
        engine: EngineInfo::default(),
        seed: 0,
        steps: Vec::new(),
        loads: Vec::new(),
        expect: Vec::new(),
        reported: Vec::new(),
        probe_every_ms: PROBE.every.as_secs_f64() * 1e3,
        probe_deadline_ms: PROBE.deadline.as_secs_f64() * 1e3,
        probe_budget: PROBE.budget,
        regions: Vec::new(),
        links: Vec::new(),
        external_sync: false,
        planned_ms: 0.0,
    }
}

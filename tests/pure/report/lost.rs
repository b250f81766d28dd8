//! Lost writes on the time line: in the columns of `report.json`, and on the page.

use redrill::model::Workload;
use redrill::model::event::*;
use redrill::model::op::{Op, Purpose};
use redrill::report::html;

use super::{fixture, made, tiny};

/// The columns of two loads, each with seven windows from the load's start on; the second load
/// has counters, and did nothing.
fn columns(history: &[Op]) -> [Vec<u64>; 2] {
    let mut events = tiny::events();
    let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
    let counter = LoadInfo { workload: Workload::Counter, ..info.loads[0].clone() };
    info.loads.push(counter);
    let windows = (0..2).flat_map(|load| (0..7).map(move |window| (load, 1_000 + window * 100)));
    let told = windows.map(|(load, from)| {
        let sample = Sample { load, from: tiny::at(from), ..Sample::default() };
        Event { at: tiny::at(8_450), kind: EventKind::Sample(sample) }
    });
    // The drill's end stays the last event.
    let end = events.len() - 1;
    events.splice(end..end, told);
    let r = tiny::build(&events, history);
    [0, 1].map(|load| r.series[load].lost.clone())
}

#[test]
fn lost_writes_are_counted_where_they_had_been_acknowledged() {
    // Number 5, sent at 1,500 ms and acknowledged 1 ms later.
    let mut history = tiny::history();
    let [registers, counters] = columns(&history);
    assert_eq!(registers, [0, 0, 0, 0, 0, 1, 0]);
    assert_eq!(counters, [0; 0], "nobody looked for lost writes of counters");
    history.retain(|op| (op.key, op.purpose) != (5, Purpose::Final));
    assert_eq!(columns(&history)[0], [0; 0], "whether it is lost is not known");
}

#[test]
fn lost_writes_are_drawn_where_they_had_been_acknowledged() {
    let r = made(&fixture::failed());
    let lost = &r.series[0].lost;
    assert_eq!((lost.len(), lost.iter().sum::<u64>()), (r.series[0].at_ms.len(), 3));
    let page = html::render(&r).unwrap();
    let lanes: Vec<&str> = page.split("<svg ").filter(|svg| svg.contains("\"lostbar\"")).collect();
    assert_eq!(lanes.len(), 2, "a wide and a narrow one");
    let windows = r.series[0].at_ms.iter().zip(lost).filter(|(_, lost)| **lost > 0);
    for (at_ms, lost) in windows {
        let from = (at_ms - r.timeline_ms.unwrap()) / 1e3;
        let writes = if *lost == 1 { "write" } else { "writes" };
        let to = from + 0.1;
        let title =
            format!("<title>{lost} acknowledged {writes} lost between {from:.2} and {to:.2} s<");
        assert!(lanes.iter().all(|lane| lane.contains(&title)), "{title}");
    }
    let none = made(&fixture::reshard());
    assert_eq!(none.series[0].lost, vec![0; none.series[0].at_ms.len()]);
    let unknown = made(&fixture::killed());
    assert_eq!(unknown.series[0].lost, [0; 0], "without final reads nothing is known");
    for r in [none, unknown] {
        let page = html::render(&r).unwrap();
        assert!(!page.contains("class=\"lostbar\"") && !page.contains("lost between"));
    }
}

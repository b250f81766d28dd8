//! The traffic matrix: in every format where there was a relay, and in none where not.

use redrill::model::event::{Event, EventKind, Grain};
use redrill::model::traffic::{Class, Crossing};
use redrill::report::{Report, html, json, markdown};

use super::tiny::{at, build, events, history};

fn crossing(from: &str, to: &str, class: Class, bytes: u64) -> Crossing {
    let (from, to) = (from.to_owned(), to.to_owned());
    Crossing { from, to, class, bytes, connections: 3, resets: 1 }
}

/// Told once a second, and by nodes at the end.
fn linked() -> Report {
    let mut told = events();
    let end = told.pop().unwrap();
    for (ms, bytes) in [(2_000, 1_000), (3_000, 1_000_000), (4_000, 1_500_000)] {
        let crossings = vec![
            crossing("clients in eu", "nodes in us", Class::Client, bytes),
            crossing("nodes in us", "nodes in eu", Class::Bus, bytes / 10),
        ];
        told.push(Event { at: at(ms), kind: EventKind::Traffic { by: Grain::Places, crossings } });
    }
    let crossings = vec![crossing("cache/0/0", "cache/1/0", Class::Bus, 150_000)];
    told.push(Event { at: at(8_400), kind: EventKind::Traffic { by: Grain::Nodes, crossings } });
    told.push(end);
    told.sort_by_key(|event| event.at);
    build(&told, &history())
}

#[test]
fn who_sent_how_much_to_whom_is_in_every_format() {
    let r = linked();
    let page = markdown::render(&r).unwrap();
    let row = "| clients in eu → nodes in us | 1.5 MB | – | – | – | 3 | 1 |";
    assert!(page.contains(row), "{page}");
    let page = html::render(&r).unwrap();
    for part in
        ["id=\"traffic\"", "nodes in us → nodes in eu", "cache/0/0 → cache/1/0", "class=\"flow3\""]
    {
        assert!(page.contains(part), "`{part}` is not on the page");
    }
    let json: serde_json::Value = serde_json::from_str(&json::render(&r).unwrap()).unwrap();
    let traffic = &json["traffic"];
    assert_eq!(traffic["series"][0]["bytes_per_s"], serde_json::json!([999_000.0, 500_000.0]));
    assert_eq!(traffic["at_ms"], serde_json::json!([3_000.0, 4_000.0]));
    assert_eq!(traffic["nodes"][0]["class"], "bus");
}

#[test]
fn where_nodes_talk_directly_nothing_is_said_of_it() {
    let r = build(&events(), &history());
    assert!(r.traffic.is_none());
    assert!(!markdown::render(&r).unwrap().contains("Traffic"));
    assert!(!html::render(&r).unwrap().contains("id=\"traffic\""));
}

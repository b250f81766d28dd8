//! A standby in another region: it copies the source, is promoted, and hands the writes back.

use std::fs;
use std::time::{Duration, Instant};

use redrill::model::event::EventKind;
use rustix::process::Signal;
use serde_json::Value;

use crate::common::{heavy_turn, need};
use crate::drill::place::{Place, assert_no_step_failed, assert_passed_or_busy};

const LOST: &str = "
name: lost
topology: standby-2r
loads:
  near: { group: us, region: us-east, rate: 300/s, clients: 32, instances: 2, keys: 500 }
  far: { group: eu, region: eu-west, shares: near, rate: 100/s, clients: 32, instances: 2 }
timeline:
  - { at: 2s, do: kill, group: us, target: all nodes, for: 2s }
  - { at: 3s, do: promote, group: eu }
";
const BACK: &str = "  - { at: 6s, do: fail-back, group: us }
settle: 4s
reported: [all]
expect:
  - load.recovered <= 8s
  - downtime.write.max <= 6s
  - writes.lost.share <= 5%
";

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn hands_back(backend: &str, server: Option<&str>) {
    let place = Place::new();
    let mut args = vec!["--backend", backend];
    args.extend(server.iter().flat_map(|server| ["--engine-binary", *server]));
    let ran = place.play(&format!("{LOST}{BACK}"), &args);
    let report = place.report();
    assert_no_step_failed(&report);
    assert_passed_or_busy(&ran, &report);
    // Whoever is near has no server in the region, and whoever is far writes across the link until
    // the standby is promoted: before that, nobody can write.
    let steps = report["steps"].as_array().unwrap();
    let hit = |step: usize| steps[step]["nodes"][0].as_str().unwrap_or_default().to_owned();
    assert_eq!([hit(1), hit(2)], ["eu/0/0", "us/0/0"]);
    let note = steps[2]["notes"][0].as_str().unwrap();
    assert!(note.starts_with("it had all of eu/0/0 after"), "{note}");
    let down = number(&report["measures"]["downtime.write.max"]["value"]);
    assert!(down > 900.0, "from the death to the promotion nobody can write: {down} ms");
    let far = &report["loads"][1]["figures"];
    assert!(number(&far["answered"]) > 400.0, "{far}");
    assert!(number(&far["before"]["p50_ms"]) > 80.0, "writes cross the link: {far}");
    place.assert_nothing_left();
}

#[test]
fn a_standby_takes_over_and_hands_back() {
    let _turn = heavy_turn();
    for server in need::engines() {
        hands_back("process", Some(server.to_str().unwrap()));
    }
}

#[test]
#[ignore = "`just test-all`"]
fn a_standby_takes_over_and_hands_back_in_containers() {
    let _turn = heavy_turn();
    hands_back("docker", None);
}

/// The source is back as the primary that it was, and nobody has told it of the other one.
#[test]
fn two_groups_that_take_writes_of_the_same_data_do_not_agree() {
    let _turn = heavy_turn();
    let place = Place::new();
    let ran =
        place.play(&format!("{LOST}settle: 4s\nreported: [all]\n"), &["--backend", "process"]);
    let report = place.report();
    let torn = "each of us/0/0, eu/0/0 takes writes of the same data";
    assert!(report["why"].to_string().contains(torn), "{}: {}", report["why"], ran.out);
    assert_ne!(report["verdict"], "pass");
    place.assert_nothing_left();
}

/// A source that is paused cannot be copied: an interrupt does not wait for it.
#[test]
fn an_interrupt_ends_a_handing_back() {
    let _turn = heavy_turn();
    let place = Place::new();
    let text = "name: held\ntopology: standby-2r\ntimeline:\n  \
                - { at: 500ms, do: partition, between: [region us-east, region eu-west] }\n  \
                - { at: 1s, do: promote, group: eu }\n  \
                - { at: 2s, do: fail-back, group: us }\n";
    let mut playing = place.start(text, &["--backend", "process"]);
    let begun = |what: &EventKind| matches!(what, EventKind::StepInjected { step: 2, .. });
    playing.wait_for("the handing back", begun);
    let since = Instant::now();
    playing.signal(Signal::INT);
    let ran = playing.end();
    assert_eq!(ran.code, Some(130), "{}{}", ran.out, ran.err);
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    place.assert_nothing_left();
}

const THREE: &str = "
name: three
auth: none
regions: [us-east, eu-west, ap-southeast]
links:
  - { between: [us-east, eu-west], latency: 10ms }
  - { between: [us-east, ap-southeast], latency: 10ms }
  - { between: [eu-west, ap-southeast], latency: 10ms }
groups:
  us: { mode: standalone, region: us-east }
  eu: { mode: standalone, region: eu-west }
  ap: { mode: standalone, region: ap-southeast }
sync: { strategy: replica, from: us, to: [eu, ap] }
";

/// Two people promote a copy each: both take writes then, which the later step and the drill tell.
#[test]
#[ignore = "`just test-all`"]
fn of_two_promotions_at_once_neither_undoes_the_other() {
    let _turn = heavy_turn();
    for server in need::engines() {
        let place = Place::new();
        fs::write(place.path().join("three.yaml"), THREE).unwrap();
        let text = "name: twice\ntopology: ./three.yaml\nloads: { near: { group: us, region: \
                    us-east, rate: 100/s, clients: 32, keys: 100 } }\ntimeline:\n  \
                    - { at: 1s, do: kill, group: us, target: all nodes }\n  \
                    - { at: 2s, do: promote, group: eu }\n  \
                    - { at: 2s, do: promote, group: ap }\nsettle: 3s\nreported: [all]\n";
        let ran = place.play(text, &["--engine-binary", server.to_str().unwrap()]);
        let report = place.report();
        assert_no_step_failed(&report);
        let torn = "each of eu/0/0, ap/0/0 takes writes of the same data";
        assert!(report["why"].to_string().contains(torn), "{}: {}", report["why"], ran.out);
        assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
        let notes = |step: usize| report["steps"][step]["notes"].to_string();
        let notes = notes(1) + &notes(2);
        assert_eq!(
            notes.matches(" took writes already, and was not touched").count(),
            1,
            "{notes}"
        );
        place.assert_nothing_left();
    }
}

//! A container that ends although no step has asked for it.

use redrill::model::event::Phase;

use crate::common::until;
use crate::docker::engine::Engine;
use crate::drill::failover;
use crate::drill::place::{MOST, Place};

/// Its replica takes over, so that all else can be judged.
#[test]
fn a_primary_that_has_a_replica() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let rest = "settle: 8s\nexpect: [failovers == 1, writes.lost <= 100000]";
    let text = failover::scenario(&place, "[]", rest);
    let mut playing = place.start(&text, &["--backend", "docker"]);
    playing.wait_for_phase(Phase::Settle);
    let pid = playing.pid();
    let containers = engine.owned_by(pid).remove(0).containers;
    let named = |id: &&String| {
        let told = engine.wait(engine.docker().inspect_container(id, None)).unwrap();
        told.name.unwrap().ends_with("-cache-1-0")
    };
    let primary = containers.iter().find(named).unwrap();
    // As from outside: a server that is the first process of its container outlives SIGSEGV.
    engine.wait(engine.docker().kill_container(primary, None)).unwrap();
    assert!(until(MOST, || playing.has_ended().is_some()));
    let ran = playing.end();
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let report = place.report();
    assert_eq!(report["crashes"].as_array().unwrap().len(), 1);
    assert!(report["why"][0].as_str().unwrap().starts_with("the server of cache/1/0 crashed at "));
    assert_eq!(report["failovers"][0]["to"], "cache/1/1");
    for expectation in report["expectations"].as_array().unwrap() {
        assert_eq!(expectation["verdict"], "pass", "{expectation}");
    }
    engine.assert_nothing_of(pid, &place, std::time::Duration::ZERO);
    place.assert_nothing_left();
}

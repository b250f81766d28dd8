//! Several drills of one scenario at the same moment.

use std::collections::BTreeSet;

use crate::common::heavy_turn;
use crate::drill::place::{BRIEF, Place, assert_passed_or_busy};

/// Each has its run folder somewhere else, and all have one state folder.
#[test]
fn six_drills_of_one_scenario_begin_at_once_and_all_are_played() {
    let _turn = heavy_turn();
    let state = Place::new();
    let places: Vec<Place> = (0..6).map(|_| Place::new()).collect();
    let start = |place| {
        let mut command = Place::command(place, BRIEF, &[]);
        command.env("REDRILL_STATE_DIR", state.state());
        place.watch(command)
    };
    let drills: Vec<_> = places.iter().map(start).collect();
    for (drill, place) in drills.into_iter().zip(&places) {
        let ran = drill.end();
        assert!(place.folder().join("report.json").exists(), "{}", ran.err);
        assert_passed_or_busy(&ran, &place.report());
    }
    let names = places.iter().map(|place| place.folder().file_name().unwrap().to_owned());
    assert_eq!(names.collect::<BTreeSet<_>>().len(), 6);
    state.assert_nothing_left();
}

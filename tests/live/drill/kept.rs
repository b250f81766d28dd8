//! Servers that `run --keep` leaves up, and how `status` and `down` speak of them.

use crate::common::run;
use crate::drill::place::{BRIEF, MOVING, Place};

#[test]
fn down_ends_what_a_drill_kept() {
    let place = Place::new();
    let mut playing = place.start(BRIEF, &["--keep"]);
    playing.wait_for_words("The topology is up until Ctrl-C, or `redrill down ");
    let id = place.records()[0].id.clone();
    let status = run(&mut place.redrill(&["status"]));
    assert!(status.out.contains("kept after a drill of standalone"), "{}", status.out);

    let down = run(&mut place.redrill(&["down"]));
    assert_eq!((down.code, down.out), (Some(0), format!("{id} is down\n")), "{}", down.err);
    assert_eq!(playing.end().code, Some(0), "the drill's own verdict");
    place.assert_nothing_left();
    let again = run(&mut place.redrill(&["down"]));
    assert_eq!((again.code, &*again.out), (Some(0), "nothing is running\n"));
}

#[test]
fn down_leaves_a_drill_at_its_work_and_says_so() {
    let place = Place::new();
    let mut playing = place.start(MOVING, &["--keep"]);
    playing.wait_for_words("load and probes run");
    let id = place.records()[0].id.clone();
    let down = run(&mut place.redrill(&["down", "--all"]));
    assert_eq!(down.code, Some(0), "{}", down.err);
    assert!(down.out.starts_with(&format!("{id} goes on: it is a drill")), "{}", down.out);
    playing.wait_for_words("The topology is up until Ctrl-C");
    assert_eq!(run(&mut place.redrill(&["down", &id])).code, Some(0));
    playing.end();
    place.assert_nothing_left();
}

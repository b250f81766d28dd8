//! What a person reads of a drill that was not played, and of a suite, word for word.
//! (The summary of a drill that was played is held by the tests of reports.)

use std::fs;

use insta::assert_snapshot;

use crate::common::said::{said, without_the_volatile};
use crate::common::{Ran, run, script, without_servers};
use crate::drill::place::{BRIEF, Place};

#[test]
fn what_the_machine_lacks() {
    let place = Place::new();
    let on = |binary: &str| place.play(BRIEF, &["--engine-binary", binary]);
    let old = script(place.path(), "old", "echo Redis server v=6.2.14 sha=0:0 malloc=libc bits=64");
    let other = script(place.path(), "other", "echo a program, 1.0");
    let lacks = [
        ("missing-server", on("/no/such/server")),
        ("not-a-server", on(other.to_str().unwrap())),
        ("too-old", on(old.to_str().unwrap())),
    ];
    let mut none = place.command(BRIEF, &[]);
    let none = run(without_servers(&mut none));
    without_the_volatile(place.path(), || {
        for (name, ran) in &lacks {
            assert_snapshot!(*name, said(ran));
        }
        assert_snapshot!("no-server-on-path", said(&none));
    });
}

#[test]
fn the_port_is_taken() {
    let place = Place::new();
    let (port, held) = crate::drill::lacking::held_port();
    let ran = place.play(BRIEF, &["--set", &format!("groups.cache.port={port}")]);
    drop(held);
    without_the_volatile(place.path(), || assert_snapshot!("port-taken", said(&ran)));
}

/// The words of `redrill suite ARGS`, with `scenarios` in a folder of that name.
fn suite(place: &Place, scenarios: &[(&str, &str)], args: &[&str]) -> Ran {
    let folder = place.path().join("scenarios");
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in scenarios {
        fs::write(folder.join(name), text).unwrap();
    }
    let mut command = place.redrill(&["suite", "scenarios", "--out", "runs"]);
    run(command.args(args).current_dir(place.path()))
}

#[test]
fn the_end_of_a_suite() {
    let place = Place::new();
    let other = BRIEF.replace("name: brief", "name: other");
    let mut ran = suite(&place, &[("a.yaml", BRIEF), ("b.yaml", &other)], &[]);
    // What each drill did and came to is held elsewhere.
    let lines: Vec<&str> = ran.out.lines().collect();
    ran.out = format!("…\n{}\n", lines[lines.len() - 3..].join("\n"));
    let names = ran.err.lines().filter(|line| !line.starts_with(' '));
    ran.err = names.map(|line| format!("{line}\n")).collect();
    without_the_volatile(place.path(), || assert_snapshot!("suite", said(&ran)));
}

#[test]
fn a_suite_that_cannot_be_played() {
    let place = Place::new();
    let empty = suite(&place, &[], &[]);
    let topology = "name: one\ngroups: { cache: { mode: standalone } }\n";
    let topologies = suite(&place, &[("one.yaml", topology)], &[]);
    let no_server = suite(&place, &[("a.yaml", BRIEF)], &["--engine-binary", "/no/such/server"]);
    without_the_volatile(place.path(), || {
        assert_snapshot!("suite-of-nothing", said(&empty));
        assert_snapshot!("suite-of-topologies", said(&topologies));
        assert_snapshot!("suite-without-a-server", said(&no_server));
    });
}

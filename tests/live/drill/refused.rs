//! What a person wrote wrongly: refused before anything starts.

use crate::common::{Ran, run};
use crate::drill::place::{BRIEF, Place};

fn refused(place: &Place, ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, Some(code), "{}{}", ran.out, ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
    for words in words {
        assert!(ran.err.contains(words), "`{words}` is not in: {}", ran.err);
    }
    place.assert_nothing_left();
}

#[test]
fn names_that_there_are_not() {
    let place = Place::new();
    let ran = run(&mut place.run_of("cluster-reshad", &[]));
    refused(&place, &ran, 65, &["no scenario `cluster-reshad`", "cluster-reshard"]);
    let ran = run(&mut place.run_of("no/such/file.yaml", &[]));
    refused(&place, &ran, 65, &["no/such/file.yaml cannot be read"]);
    let ran = place.play(BRIEF, &["--profile", "quick"]);
    refused(&place, &ran, 65, &["quick"]);
    let ran = place.play(BRIEF, &["--topology", "cluster-3x9"]);
    refused(&place, &ran, 65, &["no topology `cluster-3x9`", "cluster-3x1"]);
    assert!(place.folders().is_empty());
}

#[test]
fn settings_that_make_no_sense() {
    let place = Place::new();
    for (set, words) in [
        ("loads.app.rate=fast", "fast"),
        ("loads.app.rte=10/s", "did you mean `loads.app.rate`"),
        ("settle", "has no `=`"),
        ("topology=cluster-3x9", "cluster-3x9"),
        ("expect.0=downtime.wite.max <= 1s", "downtime.write.max"),
    ] {
        let ran = place.play(BRIEF, &["--set", set]);
        refused(&place, &ran, 65, &[words]);
    }
    assert!(place.folders().is_empty());
}

#[test]
fn a_directive_that_the_server_refuses() {
    let place = Place::new();
    let ran = place.play(BRIEF, &["--set", "groups.cache.config.maxmemory=banana"]);
    // In the server's own words, which differ.
    let words = ["maxmemory banana", "argument must be a memory value", "the run folder"];
    refused(&place, &ran, 65, &words);
    assert!(place.folder().join("report.json").exists());
    let ran = place.play(BRIEF, &["--set", "groups.cache.config.no-such-directive=1"]);
    refused(&place, &ran, 65, &["no-such-directive", "Bad directive"]);
}

#[test]
fn usage() {
    let place = Place::new();
    for args in [
        &["run"][..],
        &["run", "steady-state", "--no-such-flag"],
        &["run", "steady-state", "--repeat", "0"],
        &["run", "steady-state", "--repeat", "2", "--keep"],
        &["run", "steady-state", "--seed", "x"],
        &["run", "steady-state", "--backend", "moon"],
        &["no-such-command"],
        &[],
    ] {
        refused(&place, &run(&mut place.redrill(args)), 64, &["--help"]);
    }
}

const CUT: &str =
    "timeline: [{ at: 1s, do: partition, between: [cache/0/0, other nodes], via: kernel }]\n";

#[test]
fn a_cut_in_the_kernel_between_processes() {
    let place = Place::new();
    let ran = place.play(&format!("{BRIEF}{CUT}"), &["--backend", "process"]);
    let words = ["the kernel cannot cut between servers that run as processes", "scenario.yaml:7"];
    refused(&place, &ran, 65, &words);
    assert!(place.folders().is_empty());
}

/// The file is right, and the machine lacks something.
#[test]
fn a_cut_in_the_kernel_without_the_tool_for_it() {
    let place = Place::new();
    let mut command = place.command(&format!("{BRIEF}{CUT}"), &["--backend", "docker"]);
    let ran = run(command.env("PATH", "/nowhere"));
    let words =
        ["the kernel cannot cut containers off here", "no `nft` on PATH", "scenario.yaml:7"];
    refused(&place, &ran, 69, &words);
    assert!(place.folders().is_empty());
}

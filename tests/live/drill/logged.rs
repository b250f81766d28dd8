//! What redrill tells of its own work: in the run folder, and on standard error when asked to.

use std::fs;
use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;
use std::process::{Command, Stdio};

use redrill::model::event::EventKind;

use super::place::{BRIEF, Place, events};
use crate::common::run;

/// Connections are reset, and an expectation does not hold.
const CUT: &str = "
name: cut
topology: standalone
loads: { app: { rate: 200/s, clients: 8, keys: 100 } }
timeline: [{ at: 1s, do: reset, between: [clients, others] }]
settle: 1s
expect: [throughput.before >= 100000/s]
";

#[test]
fn a_drill_leaves_its_log_and_says_where_it_is_when_it_fails() {
    let place = Place::new();
    let ran = place.play(CUT, &["--backend", "process"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let log = place.folder().join("redrill.log");
    let named = |out: &str| out.lines().any(|line| line.ends_with("redrill.log"));
    assert!(named(&ran.out), "{}", ran.out);
    let text = fs::read_to_string(&log).unwrap();
    for told in [
        "INFO redrill::drill: the drill begins",
        "drill:phase{name=Steps}:step{n=1 does=",
        "redrill::backend::programs::spawner: a process starts",
        "ask{node=cache/0/0 command=",
        "redrill::net::fabric: connections are reset",
        "redrill::net::connection: accepted",
        "a process has ended",
    ] {
        assert!(text.contains(told), "`{told}` in\n{text}");
    }
    // Its lines lie beside those of events.jsonl.
    let began = events(&place.folder())
        .into_iter()
        .find(|event| matches!(event.kind, EventKind::StepBegan { step: 0 }));
    let began = began.unwrap().at.as_secs_f64();
    let span = text.lines().find(|line| line.contains(":step{n=1") && line.ends_with(": begins"));
    let at: f64 = span.unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!((began - at).abs() < 0.1, "the step began at {began} s, and in the log at {at} s");

    let again = run(&mut place.redrill(&["report", place.folder().to_str().unwrap()]));
    assert!(named(&again.out), "{}", again.out);
    fs::remove_file(log).unwrap();
    let without = run(&mut place.redrill(&["report", place.folder().to_str().unwrap()]));
    assert!(!named(&without.out), "{}", without.out);
}

#[test]
fn standard_error_has_as_much_as_is_asked_for() {
    let said = |args: &[&str], rust_log: &str| {
        let place = Place::new();
        let mut command = place.command(BRIEF, args);
        let ran = run(command.env("RUST_LOG", rust_log));
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        assert!(!ran.out.contains("redrill.log") && ran.err.contains("load and probes run"));
        ran.err
    };
    let (info, debug) = (" INFO drill:phase{name=Fill}", " DEBUG ");
    let none = said(&[], "");
    assert!(!none.contains(info) && !none.contains(debug), "{none}");
    let some = said(&["-v"], "");
    assert!(some.contains(info) && !some.contains(debug), "{some}");
    let all = said(&["-vv"], "");
    assert!(all.contains(info) && all.contains("ask{node=cache/0/0 command="), "{all}");
    let part = said(&[], "redrill::node=debug");
    assert!(!part.contains(info) && part.contains("ask{node=cache/0/0 command="), "{part}");
    let nonsense = said(&[], "loud");
    assert!(nonsense.starts_with("warning: RUST_LOG is ignored: `loud`"), "{nonsense}");
    assert!(!nonsense.contains(info), "{nonsense}");
}

/// Everything that a terminal of 100 columns is sent until nobody has it open any more.
fn on_a_terminal(mut command: Command) -> String {
    let (mut ours, mut theirs) = (-1, -1);
    let size = libc::winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let none = std::ptr::null_mut();
    // SAFETY: both numbers are written before it returns 0, and nobody else has them.
    let (mut ours, theirs) = unsafe {
        assert_eq!(libc::openpty(&mut ours, &mut theirs, none, none.cast(), &size), 0);
        (File::from_raw_fd(ours), File::from_raw_fd(theirs))
    };
    let mut child = command.stdout(Stdio::null()).stderr(theirs).spawn().unwrap();
    // It has its own descriptor of the other side, which is open here as well.
    drop(command);
    let mut sent = Vec::new();
    let _ended_with_an_error = ours.read_to_end(&mut sent);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    String::from_utf8(sent).unwrap()
}

/// Lines of the log stand above the panel, each whole and on a line of its own.
#[test]
fn a_panel_and_a_log_share_a_terminal() {
    let place = Place::new();
    let sent = on_a_terminal(place.command(BRIEF, &["-vv"]));
    assert!(sent.contains("\x1b[J") && sent.contains("  phase  "), "no panel:\n{sent}");
    let mut lines = 0;
    for line in sent.split('\n').filter(|line| line.contains(" redrill::")) {
        // What comes before it moves the cursor or wipes the panel, and no more.
        let text = line.split("\x1b[").map(|part| match part.split_once(['A', 'J', 'K']) {
            Some((count, text)) if count.chars().all(|c| c.is_ascii_digit()) => text,
            _ => part,
        });
        let text: String = text.collect();
        let at = text.trim_start().split(" s ").next().unwrap();
        assert!(at.parse::<f64>().is_ok(), "torn: {line:?}");
        lines += 1;
    }
    assert!(lines > 10, "{lines} lines:\n{sent}");
}

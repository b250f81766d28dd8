//! What redrill says to a person, as snapshots hold it: without what is another each time.

use std::path::Path;

use insta::Settings;

use super::{Ran, server};

/// Exit code, standard output, and standard error below it; without what `gc` says of others
/// who use this machine's Docker engine.
pub fn said(ran: &Ran) -> String {
    let code = ran.code.map_or("killed".to_owned(), |code| code.to_string());
    let own = ran.err.split_inclusive('\n').filter(|line| !line.starts_with("left alone: "));
    let err: String = own.collect();
    let err = if err.is_empty() { String::new() } else { format!("-- errors\n{err}") };
    format!("({code})\n{}{err}", ran.out)
}

/// Times, ids, numbers of this machine: what they are does not matter.
const VOLATILE: &[(&str, &str)] = &[
    (r"\d{4}-\d\d-\d\dT\d\d[-:]\d\d[-:]\d\d[\d.]*Z", "INSTANT"),
    // Another drill may have begun in the same second.
    (r"INSTANT-([a-z-]*[a-z])-\d+", "INSTANT-$1"),
    (r"127\.\d+\.(\d+\.\d+):\d+", "127.B.$1:PORT"),
    (r"127\.\d+\.", "127.B."),
    (r"-p \d+", "-p PORT"),
    (r"port \d+", "port PORT"),
    (r"taken by \S+", "taken by PROGRAM"),
    (r"pid \d+", "pid PID"),
    (r"(redis|valkey) \d+\.\d+\.\d+", "ENGINE"),
    (r"(redis|valkey)-cli( -c)? -h", "CLI$2 -h"),
    (r"\d+\.\d MB", "SIZE"),
    (r" +\d+\.\d{3} s  ", "  TIME  "),
    // As wide as what was replaced.
    (r"(\S) {2,}", "$1  "),
];

/// Runs `hold`, in which snapshots are taken of what was said of `place`.
pub fn without_the_volatile(place: &Path, hold: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    let path = |path: &Path| path.to_string_lossy().replace('.', r"\.");
    settings.add_filter(&path(place), "PLACE");
    settings.add_filter(&path(&server()), "SERVER");
    VOLATILE.iter().for_each(|(what, by)| settings.add_filter(what, *by));
    settings.bind(hold);
}

//! Locks of libraries, drilled for real; the adapter that the document shows; and the same adapter
//! made wrong in one thing, which the drill finds.

use std::path::Path;
use std::time::Duration;
use std::{fs, thread};

use redrill::model::event::Phase;
use serde_json::Value;

use crate::common::need;
use crate::drill::locks::server_of;
use crate::drill::place::{Place, assert_ended_or_busy, assert_no_step_failed};

/// What a library does with locks that many want. No step takes data away: nobody is to be found
/// to have what somebody else has.
const CALM: &str = "
topology: locks-1x0
loads:
  app:
    workload: lock
    group: locks
    lock: { ttl: 2s, hold: 5ms, patience: 5s, accounts: bank }
    rate: 40/s
    clients: 10
    instances: 2
    keys: 4
    timeout: 3s
settle: 2s
expect: [lock.overlaps == 0, lock.updates.lost == 0]
";

/// The same on five servers, of which one dies.
fn on_five() -> String {
    let steps = "timeline: [{ at: 1s, do: kill, group: a, target: a/0/0, for: 500ms }]\nsettle";
    CALM.replace("locks-1x0", "redlock-5")
        .replace("group: locks", "groups: [a, b, c, d, e]")
        .replace("settle", steps)
}

/// Plays a scenario with that adapter.
fn played(name: &str, scenario: &str, command: &[&str]) -> (Place, Value) {
    let words: Vec<String> = command.iter().map(|word| format!("'{word}'")).collect();
    let by = format!("loads.app.client={{ command: [{}] }}", words.join(", "));
    let place = Place::new();
    let ran = place.play(&format!("name: {name}\n{scenario}"), &["--set", &by]);
    assert!(matches!(ran.code, Some(0..=2)), "{}{}", ran.out, ran.err);
    place.assert_nothing_left();
    let report = place.report();
    assert_no_step_failed(&report);
    assert_eq!(report["completed"], true, "{}", ran.err);
    (place, report)
}

fn measure(report: &Value, name: &str) -> f64 {
    let value = &report["measures"][name]["value"];
    value.as_f64().unwrap_or_else(|| panic!("{name} is {value}"))
}

/// It took locks, and nobody had one that somebody else had.
fn assert_right(report: &Value, library: &str) {
    assert_eq!(report["loads"][0]["adapter"]["name"], library);
    assert!(measure(report, "lock.acquired") > 20.0, "{}", report["measures"]);
    assert_eq!(measure(report, "lock.overlaps"), 0.0, "{}", report["findings"]);
    assert_eq!(measure(report, "lock.updates.lost"), 0.0, "{}", report["findings"]);
}

fn adapter(folder: &str) -> String {
    format!("{}/adapters/{folder}/adapter.py", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn redis_py_takes_locks() {
    let Some(python) = need::python_with_redis() else { return };
    let command = [python.to_str().unwrap(), &adapter("redis-py")];
    let (_, report) = played("calm", CALM, &command);
    assert_right(&report, "redis-py");
    // It waits by itself, so one order is enough.
    assert!(measure(&report, "lock.tries") < 1.5, "{}", report["measures"]["lock.tries"]);
}

/// Its lease began when the server got the last try, and not when the answer came.
#[test]
#[ignore = "`just test-all`"]
fn redis_py_on_a_slow_link_is_not_accused() {
    let Some(python) = need::python_with_redis() else { return };
    let text = format!(
        "name: slow-library\ntopology: locks-1x0\nloads:\n  app: {{ workload: lock, group: locks, \
         client: {{ command: [{}, {}] }}, rate: 25/s, clients: 120, keys: 12, instances: 2, timeout: 3s, \
         lock: {{ ttl: 1s, hold: 600ms, accounts: bank, patience: 5s }} }}\n\
         timeline: [{{ at: 1s, do: latency, group: locks, between: [app/actor/0, locks/0/0], \
         latency: 400ms, for: 5s }}]\nsettle: 2s\nreported: [all]\n",
        python.display(),
        adapter("redis-py")
    );
    let place = Place::new();
    let ran = place.play(&text, &[]);
    let report = place.report();
    assert_ended_or_busy(0, &ran, &report);
    assert_eq!(measure(&report, "lock.overlaps"), 0.0, "{}", report["findings"]);
    assert!(measure(&report, "lock.acquired") > 50.0, "{}", report["measures"]);
    place.assert_nothing_left();
}

#[test]
fn pottery_takes_locks_on_five_servers_of_which_one_dies() {
    let Some(python) = need::python_with_pottery() else { return };
    let command = [python.to_str().unwrap(), &adapter("pottery")];
    let (_, report) = played("five", &on_five(), &command);
    assert_right(&report, "pottery");
}

#[test]
fn rslock_takes_locks_on_five_servers_of_which_one_dies() {
    let Some(program) = need::rslock() else { return };
    let (_, report) = played("five", &on_five(), &[program.to_str().unwrap()]);
    assert_right(&report, "rslock");
}

/// A library sends its scripts by their digests, and the server has forgotten them; then it forgets
/// all locks.
#[test]
#[ignore = "`just test-all`"]
fn a_server_that_forgets_scripts_and_locks_is_survived_by_libraries_and_found_out() {
    let python = need::python_with_redis();
    let redis_py = python.map(|python| format!("{}', '{}", python.display(), adapter("redis-py")));
    let rslock = need::rslock().map(|program| program.display().to_string());
    for command in [redis_py, rslock].into_iter().flatten() {
        let place = Place::new();
        let text = format!(
            "name: forgets\ntopology: locks-1x0\nloads:\n  app: {{ workload: lock, group: locks, \
             client: {{ command: ['{command}'] }}, rate: 40/s, clients: 30, keys: 2, timeout: 3s, \
             lock: {{ hold: 300ms, patience: 3s, accounts: bank }} }}\nsettle: 4s\nreported: [all]\n"
        );
        let mut playing = place.start(&text, &[]);
        playing.wait_for_phase(Phase::Settle);
        let mut server = server_of(&place, "locks/0/0");
        for _ in 0..6 {
            thread::sleep(Duration::from_millis(400));
            let () = redis::cmd("SCRIPT").arg("FLUSH").query(&mut server).unwrap();
            let () = redis::cmd("FLUSHALL").query(&mut server).unwrap();
        }
        let ran = playing.end();
        assert!(matches!(ran.code, Some(0..=2)), "{}{}", ran.out, ran.err);
        let report = place.report();
        assert!(measure(&report, "lock.overlaps") > 0.0, "{command}: {}", ran.out);
        assert!(measure(&report, "lock.acquired") > 10.0, "{command}: {}", ran.out);
        place.assert_nothing_left();
    }
}

/// The second adapter in Python of the document; with `wrong`, what stands there first is replaced
/// by what stands there then.
fn of_the_document(wrong: Option<(&str, &str)>) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/adapters.md");
    let page = fs::read_to_string(page).unwrap();
    let code = page.split("```python\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
    let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 21, "{lines} lines are too many for twenty");
    let Some((right, wrong)) = wrong else { return code.to_owned() };
    assert!(code.contains(right), "the document has no {right}");
    code.replace(right, wrong)
}

/// Plays a scenario with the document's adapter, made wrong so.
fn played_with(name: &str, scenario: &str, wrong: Option<(&str, &str)>) -> Option<Value> {
    let python = need::python_with_redis()?;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("adapter.py");
    fs::write(&file, of_the_document(wrong)).unwrap();
    let command = [python.to_str().unwrap(), file.to_str().unwrap()];
    Some(played(name, scenario, &command).1)
}

/// What adapters send takes longer than a lease, while they are to give locks back.
const LATE: &str = "
topology: locks-1x0
loads:
  app:
    workload: lock
    group: locks
    lock: { ttl: 300ms, hold: 150ms, patience: 2s, retry: 20ms, accounts: bank }
    rate: 55/s
    clients: 40
    instances: 4
    keys: 10
    timeout: 2s
timeline:
  - { at: 1s, do: latency, group: locks, between: [app/actor/0, locks/0/0], latency: 700ms, for: 700ms }
  - { at: 2500ms, do: latency, group: locks, between: [app/actor/1, locks/0/0], latency: 700ms, for: 700ms }
  - { at: 4s, do: latency, group: locks, between: [app/actor/2, locks/0/0], latency: 700ms, for: 700ms }
settle: 1s
expect: [lock.overlaps == 0]
";

#[test]
fn a_release_without_a_token_check_is_found() {
    let Some(right) = played_with("late", LATE, None) else { return };
    assert_right(&right, "twenty-lines");
    let wrong = ("server.eval(RELEASE, 1, key, token)", "server.delete(key)");
    let Some(wrong) = played_with("late", LATE, Some(wrong)) else { return };
    assert!(measure(&wrong, "lock.overlaps") > 0.0, "{}", wrong["measures"]);
    assert_eq!(wrong["verdict"], "fail");
}

/// Four programs want one lock.
const WANTED: &str = "
topology: locks-1x0
loads:
  app:
    workload: lock
    group: locks
    lock: { ttl: 2s, hold: 10ms, patience: 2s, retry: 10ms, accounts: bank }
    rate: 60/s
    clients: 40
    instances: 4
    keys: 1
    timeout: 2s
settle: 4s
expect: [lock.overlaps == 0]
";

#[test]
fn an_acquire_that_checks_and_then_sets_is_found() {
    let Some(right) = played_with("wanted", WANTED, None) else { return };
    assert_right(&right, "twenty-lines");
    let set = r#"bool(server.set(key, token, nx=True, px=order["ttl_ms"]))"#;
    // It takes its time between the two.
    let wrong = r#"not server.get(key) and not __import__("time").sleep(0.005) and bool(server.set(key, token, px=order["ttl_ms"]))"#;
    let Some(wrong) = played_with("wanted", WANTED, Some((set, wrong))) else { return };
    assert!(measure(&wrong, "lock.overlaps") > 0.0, "{}", wrong["measures"]);
    assert_eq!(wrong["verdict"], "fail");
}

/// Two programs die with all locks that they have, one after the other, and are started again.
const DIES: &str = "
topology: locks-1x0
loads:
  app:
    workload: lock
    group: locks
    lock: { ttl: 500ms, hold: 100ms, patience: 4s, retry: 20ms, accounts: bank }
    rate: 60/s
    clients: 40
    instances: 2
    keys: 10
    timeout: 2s
timeline:
  - { at: 2s, do: kill, target: app/actor/0, for: 200ms }
  - { at: 3s, do: kill, target: app/actor/1, for: 200ms }
settle: 6s
expect: [lock.overlaps == 0, lock.free_again <= 2s]
";

#[test]
#[ignore = "`just test-all`"]
fn a_lock_without_an_end_is_found_when_its_holder_dies() {
    let Some(right) = played_with("dies", DIES, None) else { return };
    assert_right(&right, "twenty-lines");
    // What the dead programs had ended by itself, and others got it.
    let ended = measure(&right, "lock.in_vain");
    let wrong = (r#", px=order["ttl_ms"]"#, "");
    let Some(wrong) = played_with("dies", DIES, Some(wrong)) else { return };
    let in_vain = measure(&wrong, "lock.in_vain");
    assert!(ended < 5.0 && in_vain > 20.0, "in vain: {ended}, and without an end {in_vain}");
    assert_eq!(measure(&wrong, "lock.overlaps"), 0.0, "nobody had it twice");
    assert_eq!(wrong["verdict"], "fail", "{}", wrong["why"]);
    let why = wrong["why"][0].as_str().unwrap();
    assert!(why.contains("`lock.free_again <= 2s` does not hold"), "{why}");
}

/// Two of five servers stand still, and then two others: who gets a lock meanwhile has it on three.
const STANDS: &str = "
name: stands
topology: redlock-5
loads:
  app:
    workload: lock
    groups: [a, b, c, d, e]
    lock: { kind: redlock, ttl: 2s, hold: 200ms, patience: 2s, accounts: bank }
    rate: 40/s
    clients: 40
    instances: 4
    keys: 5
    timeout: 200ms
timeline:
  - { at: 1s, do: pause, group: a, target: a/0/0, for: 700ms }
  - { at: 1s, do: pause, group: b, target: b/0/0, for: 700ms }
  - { at: 4s, do: pause, group: c, target: c/0/0, for: 700ms }
  - { at: 4s, do: pause, group: d, target: d/0/0, for: 700ms }
settle: 1s
expect: [lock.overlaps == 0]
";

/// What redrill's own redlock comes to with such a quorum.
fn with_quorum(quorum: usize) -> Value {
    let place = Place::new();
    let set = format!("loads.app.lock.quorum={quorum}");
    let ran = place.play(STANDS, &["--set", &set]);
    assert!(matches!(ran.code, Some(0..=2)), "{}{}", ran.out, ran.err);
    let report = place.report();
    assert_no_step_failed(&report);
    report
}

#[test]
#[ignore = "`just test-all`"]
fn a_redlock_with_less_than_a_majority_is_found() {
    let right = with_quorum(3);
    assert!(measure(&right, "lock.acquired") > 20.0, "{}", right["measures"]);
    assert_eq!(measure(&right, "lock.overlaps"), 0.0, "{}", right["findings"]);
    let wrong = with_quorum(2);
    assert!(measure(&wrong, "lock.overlaps") > 0.0, "{}", wrong["measures"]);
    assert_eq!(wrong["verdict"], "fail");
}

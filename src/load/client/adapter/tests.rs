//! Adapters that go wrong, each a shell script: in words before a load, in counts during it.

use std::sync::mpsc::Receiver;
use std::time::Instant;

use tokio::runtime::{Builder, LocalOptions};

use super::*;
use crate::backend::Data;
use crate::backend::logs::Logs;
use crate::load::client::ReplyValue;
use crate::load::workload::{Plan, Values};
use crate::load::{Lookup, Targets};
use crate::model::event::Event;
use crate::model::op::{LockOp, QueueOp, RegisterOp};
use crate::model::{Clock, Workload};
use crate::spec::scenario::ClientKind;

const GREETING: &str = r#"echo '{"protocol":1,"name":"echo","version":"1","does":["get","set"]}'"#;
/// Answers the order of which `$line` is the line with `$1`.
const ANSWER: &str =
    r#"answer() { id=${line#*\"id\":}; printf '{"id":%s,%s}\n' "${id%%,*}" "$1"; }"#;

/// An adapter that greets, reads its greeting, and does `each` with every line.
fn adapter(each: &str) -> String {
    format!("{GREETING}\n{ANSWER}\nread -r line\nwhile read -r line; do\n{each}\ndone")
}

/// The same: what it does with orders on keys. It connects, and does nothing at all, well.
fn on_keys(each: &str) -> String {
    adapter(&format!("case $line in *noop*|*connect*) answer '\"ok\":null' ;; *)\n{each}\n;; esac"))
}

const WELL: &str = "answer '\"ok\":null,\"ns\":5000'";

fn load(workload: Workload) -> Load {
    let client = ClientKind::Adapter { command: Vec::new() };
    let timeout = Duration::from_millis(400);
    let all = Load::new("app", "cache", 100.0);
    Load { workload, client, clients: 8, keys: 10, timeout, max_in_flight: 100, ..all }
}

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

fn programs(folder: &std::path::Path) -> Arc<Programs> {
    let logs = Logs::make(folder).unwrap();

    Arc::new(Programs::new(folder.join("nodes"), logs).unwrap())
}

type Launched = Result<Rc<Adapter>, AdapterError>;

/// Launches `command` for a load of the workload, and does `then` with what came of it.
fn with<T>(
    command: &[String],
    workload: Workload,
    then: impl AsyncFnOnce(Launched, Receiver<Event>) -> T,
) -> T {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(async {
        let (teller, events) = Teller::new(Clock::start());
        let patience = Duration::from_millis(700);
        let folder = tempfile::tempdir().unwrap();
        let programs = programs(folder.path());
        let settings = Settings {
            index: 3,
            instance: 0,
            load: load(workload),
            teller,
            programs,
            patience,
            questions: None,
        };
        then(Adapter::launch(command, &[nobody()], settings).await, events).await
    })
}

/// An address that these adapters do not connect to.
pub(in crate::load) fn nobody() -> Targets {
    let node = "127.0.0.1:6379".parse().unwrap();
    Targets {
        seeds: vec![node],
        lookup: Lookup::Primary,
        nodes: vec![node],
        from: vec![],
        told_at: vec![],
        password: None,
    }
}

fn refused(script: &str) -> String {
    with(&shell(script), Workload::Register, async |launched, _| match launched {
        Ok(_) => panic!("this adapter can do nothing: {script}"),
        Err(error) => error.to_string(),
    })
}

fn get() -> (Option<Work>, Action) {
    (Some(Work::Get { key: "app:1".to_owned() }), Action::Register(RegisterOp::Read(None)))
}

fn set() -> (Option<Work>, Action) {
    let value = format!("{:020}:{}", 7, "x".repeat(100));
    (Some(Work::Set { key: "app:1".to_owned(), value }), Action::Register(RegisterOp::Write(7)))
}

async fn read_a_key(adapter: &Adapter) -> Outcome {
    adapter.perform(&get()).await.outcome
}

fn warnings(events: &Receiver<Event>) -> Vec<String> {
    let warnings = events.try_iter().filter_map(|event| match event.kind {
        EventKind::Warning { text } => Some(text),
        _ => None,
    });
    warnings.collect()
}

/// Runs an adapter that does `each` with orders on keys.
fn run<T>(each: &str, then: impl AsyncFnOnce(Rc<Adapter>, Receiver<Event>) -> T) -> T {
    let command = shell(&on_keys(each));
    with(&command, Workload::Register, async |launched, events| {
        then(launched.unwrap(), events).await
    })
}

/// The log is what the adapter writes to its standard error.
#[test]
fn no_file_of_an_adapter_grows_without_end() {
    let limit = on_keys("ulimit -f >&2; echo '{\"id\":'");
    let told = with(&shell(&limit), Workload::Register, async |launched, _| {
        let adapter = launched.unwrap();
        read_a_key(&adapter).await;
        adapter.program.last_words().await
    });
    // `ulimit` counts blocks of 512 bytes.
    assert!(told.contains("524288"), "{told}");
}

#[test]
fn a_program_that_cannot_be_run_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("adapter.py");
    std::fs::write(&file, "print()").unwrap();
    let why = |program: &str| {
        with(&[program.to_owned()], Workload::Register, async |launched, _| {
            launched.err().unwrap().to_string()
        })
    };
    assert!(why("no-such-adapter").starts_with("the program `no-such-adapter` was not found"));
    let told = why(file.to_str().unwrap());
    assert!(told.contains("may not be executed; `chmod +x` it, or name its interpreter"), "{told}");
}

#[test]
fn an_adapter_that_does_not_greet_as_it_must_is_refused() {
    let told = refused("sleep 60");
    assert!(told.starts_with("the program did not greet within 700ms"), "{told}");
    assert!(told.ends_with("it runs on, and it said nothing on standard error"), "{told}");
    let told = refused("echo Traceback >&2; echo 'no module named redis' >&2; exit 3");
    assert!(told.contains("output ended; it ended (exit status: 3)"), "{told}");
    assert!(told.contains("  | Traceback\n  | no module named redis"), "{told}");
    let told = refused("echo hello; sleep 60");
    assert!(told.contains("first line is no greeting") && told.ends_with("`hello`"), "{told}");
    let told = refused(r#"echo '{"protocol":2,"name":"x","version":"1"}'; sleep 60"#);
    assert!(
        told.contains("speaks version 2 of the protocol, and this redrill version 1"),
        "{told}"
    );
}

#[test]
fn an_adapter_that_does_not_do_what_the_load_needs_is_refused() {
    let told = with(&shell(&on_keys(WELL)), Workload::Counter, async |launched, _| {
        launched.err().unwrap().to_string()
    });
    let all = "does not carry out incr, which the workload `counter` needs; it does: get, set";
    assert!(told.contains(all), "{told}");
    let told = with(&shell(&on_keys(WELL)), Workload::Lock, async |launched, _| {
        launched.err().unwrap().to_string()
    });
    let all = "does not carry out acquire, release, which the workload `lock` needs";
    assert!(told.contains(all), "no lease is extended, so `extend` need not be: {told}");
}

#[test]
fn an_adapter_that_cannot_begin_is_refused() {
    let told = refused(&adapter(r#"answer '"fail":"ConnectionError: refused"'"#));
    assert_eq!(told, "the adapter could not connect: ConnectionError: refused");
    let told = refused(&adapter("true"));
    assert!(told.starts_with("the adapter did not connect within 700ms"), "{told}");
    let told = refused(&adapter("exit 4"));
    assert!(told.contains("it ended (exit status: 4)"), "{told}");
    let told = refused(&adapter("case $line in *connect*) answer '\"ok\":null' ;; esac"));
    let hangs =
        "of 50 orders that do nothing, given at the load's own rate, the adapter answered 0";
    assert!(told.starts_with(hangs), "{told}");
    let told = refused(&adapter("echo starting..."));
    assert!(told.contains("gave a line that is no answer: `starting..."), "{told}");
}

#[test]
fn what_an_adapter_is_and_costs_is_told() {
    run(WELL, async |adapter, events| {
        let told = events.try_iter().next().unwrap().kind;
        let EventKind::Adapter { load: 3, name, version, noop_p50_ns, noop_p99_ns } = told else {
            panic!("{told:?}");
        };
        assert_eq!((&*name, &*version), ("echo", "1"));
        assert!(0 < noop_p50_ns && noop_p50_ns <= noop_p99_ns && noop_p99_ns < 700_000_000);
        assert_eq!(read_a_key(&adapter).await, Outcome::Ok);
        adapter.end().await;
        let told = events.try_iter().next().unwrap().kind;
        let EventKind::AdapterTold { errors, late: 0, own_p50_ns: Some(own), .. } = told else {
            panic!("{told:?}");
        };
        assert!(errors.is_empty() && (4_900..5_100).contains(&own), "{own}");
    });
}

#[test]
fn outcomes_are_the_adapters_own_and_its_errors_are_counted_by_text() {
    let each = r#"n=$((n + 1)); case $n in
        1) answer '"fail":"ReadOnlyError: no\nmore"' ;;
        2) answer '"unknown":"TimeoutError"' ;;
        *) answer '"unknown":"TimeoutError"' ;; esac"#;
    run(each, async |adapter, events| {
        assert_eq!(read_a_key(&adapter).await, Outcome::Fail(Cause::Library));
        assert_eq!(read_a_key(&adapter).await, Outcome::Unknown(Cause::Library));
        assert_eq!(read_a_key(&adapter).await, Outcome::Unknown(Cause::Library));
        adapter.end().await;
        let told = events.try_iter().find_map(|event| match event.kind {
            EventKind::AdapterTold { errors, .. } => Some(errors),
            _ => None,
        });
        let errors = [("ReadOnlyError: no".to_owned(), 1), ("TimeoutError".to_owned(), 2)];
        assert_eq!(told, Some(BTreeMap::from(errors)));
    });
}

/// Nor is it counted as done, as an order that does nothing would be.
#[test]
fn what_adapters_have_no_order_for_is_not_done() {
    run(WELL, async |adapter, _| {
        let ack = (None, Action::Queue(QueueOp::Ack(1)));
        assert_eq!(adapter.perform(&ack).await.outcome, Outcome::Fail(Cause::Other));
        adapter.end().await;
    });
}

#[test]
fn an_adapter_that_hangs_leaves_in_doubt_what_it_was_given_and_refuses_the_rest() {
    let each = "sleep 60";
    run(each, async |adapter, events| {
        let began = Instant::now();
        assert_eq!(read_a_key(&adapter).await, Outcome::Unknown(Cause::Timeout));
        assert!(began.elapsed() < Duration::from_millis(600));
        // More than a pipe and one batch hold: the last of them cannot be handed over.
        let requests: Vec<_> = (0..2_000).map(|_| set()).collect();
        let all = requests.iter().map(|request| adapter.perform(request));
        let outcomes = futures::future::join_all(all).await;
        let count = |wanted| outcomes.iter().filter(|answer| answer.outcome == wanted).count();
        let doubtful = count(Outcome::Unknown(Cause::Timeout));
        let refused = count(Outcome::Fail(Cause::Refused));
        assert_eq!(doubtful + refused, 2_000);
        assert!((300..1_500).contains(&doubtful), "{doubtful} were handed over");
        adapter.end().await;
        let told = warnings(&events);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("ran on for 2.4s after the end of its input"), "{told:?}");
    });
}

/// However long a library may wait for a lock.
#[test]
fn when_the_load_ends_nobody_waits_for_an_adapter_that_hangs() {
    run("sleep 60", async |adapter, _| {
        let began = Instant::now();
        let plan = Plan { patience: Duration::from_secs(3_600), ..Plan::bare(1, ACQUIRE) };
        let values = &mut Values::new(24);
        let work = Work::of("app:1".to_owned(), &plan, Some(Duration::from_secs(1)), values);
        let request = (work, ACQUIRE);
        let stopped = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            adapter.stop();
        };
        let (answer, ()) = tokio::join!(adapter.perform(&request), stopped);
        assert_eq!(answer.outcome, Outcome::Unknown(Cause::CutOff));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    });
}

const ACQUIRE: Action = Action::Lock(LockOp::Acquire { token: 7, shared: false, got: None });

#[test]
fn an_adapter_that_dies_leaves_in_doubt_what_it_was_given_and_is_told_of_once() {
    let each = "echo 'segmentation fault' >&2; exit 9";
    run(each, async |adapter, events| {
        assert_eq!(read_a_key(&adapter).await, Outcome::Unknown(Cause::ConnectionLost));
        assert_eq!(read_a_key(&adapter).await, Outcome::Fail(Cause::Refused));
        tokio::time::sleep(Duration::from_millis(600)).await;
        adapter.end().await;
        let told = warnings(&events);
        assert_eq!(told.len(), 1, "{told:?}");
        let dead = "load `app`: its adapter answers no more: it ended (exit status: 9); the last \
                    lines of its standard error:\n  | segmentation fault";
        assert_eq!(told[0], dead);
    });
}

#[test]
fn an_adapter_that_is_started_again_is_spoken_to_again() {
    run(WELL, async |adapter, events| {
        assert_eq!(read_a_key(&adapter).await, Outcome::Ok);
        let (programs, name) = (adapter.settings.programs.clone(), NodeName::actor("app", 0));
        programs.kill(&name).await.unwrap();
        within(MOMENT, || adapter.state.borrow().phase == Phase::Silent).await;
        assert_eq!(read_a_key(&adapter).await, Outcome::Fail(Cause::Refused));
        programs.start_again(&name, Data::Kept).await.unwrap();
        within(MOMENT, || adapter.state.borrow().phase == Phase::Answers).await;
        assert_eq!(read_a_key(&adapter).await, Outcome::Ok);
        adapter.end().await;
        let told = warnings(&events);
        assert!(told.is_empty(), "a step did it: {told:?}");
    });
}

#[test]
fn an_adapter_that_closes_its_output_or_input_early_is_told_of() {
    run("exec >&-; sleep 60", async |adapter, events| {
        assert_eq!(read_a_key(&adapter).await, Outcome::Unknown(Cause::ConnectionLost));
        tokio::time::sleep(Duration::from_millis(600)).await;
        let told = warnings(&events);
        assert!(told[0].contains("answers no more: it runs on"), "{told:?}");
    });
    run("exec <&-; sleep 60", async |adapter, events| {
        assert_eq!(read_a_key(&adapter).await, Outcome::Unknown(Cause::Timeout));
        read_a_key(&adapter).await;
        assert_eq!(read_a_key(&adapter).await, Outcome::Fail(Cause::Refused));
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let told = warnings(&events);
        assert!(told[0].contains("reads no more orders: it runs on"), "{told:?}");
    });
}

#[test]
fn an_adapter_that_babbles_is_told_of_once_for_each_kind() {
    let each =
        r#"echo Warning; echo '{"id":99999,"ok":1}'; answer '"ok":null'; answer '"ok":null'"#;
    run(each, async |adapter, events| {
        for _ in 0..3 {
            assert_eq!(read_a_key(&adapter).await, Outcome::Ok);
        }
        adapter.end().await;
        let told = warnings(&events);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("a line that is no answer: `Warning"), "{told:?}");
        assert!(told[1].contains("an answer to an order that was not given"), "{told:?}");
        assert!(told[2].contains("a second answer to one order"), "{told:?}");
    });
}

#[test]
fn an_answer_that_makes_no_sense_leaves_a_change_in_doubt() {
    run(r#"answer '"ok":[1]'"#, async |adapter, events| {
        assert_eq!(read_a_key(&adapter).await, Outcome::Fail(Cause::Library));
        let written = adapter.perform(&set()).await;
        assert_eq!(written.outcome, Outcome::Ok, "nothing is to be learned of a write");
        assert!(warnings(&events)[0].contains("an answer that does not fit its order"));
    });
}

#[test]
fn an_answer_after_its_time_is_counted_and_changes_nothing() {
    run("sleep 0.6; answer '\"unknown\":\"slow\"'", async |adapter, events| {
        assert_eq!(read_a_key(&adapter).await, Outcome::Unknown(Cause::Timeout));
        adapter.end().await;
        let told = events.try_iter().filter_map(|event| match event.kind {
            EventKind::AdapterTold { errors, late, .. } => Some((errors, late)),
            EventKind::Warning { text } => panic!("{text}"),
            _ => None,
        });
        assert_eq!(told.last(), Some((BTreeMap::from([("slow".to_owned(), 1)]), 1)));
    });
}

/// A try to get a lock, for which the library may wait so long.
fn acquire(wait_ms: u64) -> (Option<Work>, Action) {
    let (key, token) = ("app:1".to_owned(), "7".to_owned());
    let work = Work::Acquire { key, token, ttl_ms: 2_000, wait_ms };
    (Some(work), Action::Lock(LockOp::Acquire { token: 7, shared: false, got: None }))
}

#[test]
fn a_library_may_wait_for_a_lock_beyond_the_time_out() {
    let each = r#"sleep 0.6; answer '"ok":{"got":true,"fence":3,"valid_ms":1500},"ns":600000000'"#;
    run(each, async |adapter, _| {
        assert_eq!(adapter.perform(&acquire(0)).await.outcome, Outcome::Unknown(Cause::Timeout));
        let answer = adapter.perform(&acquire(2_000)).await;
        assert_eq!(answer.outcome, Outcome::Ok);
        let (took, valid) = (Duration::from_millis(600), Some(Duration::from_millis(1_500)));
        assert_eq!(answer.told, ReplyValue::Lease { got: Some(3), took, valid });
        adapter.end().await;
    });
}

#[test]
fn a_lock_of_which_nothing_sensible_is_told_is_in_doubt() {
    run(r#"answer '"ok":true'"#, async |adapter, events| {
        assert_eq!(adapter.perform(&acquire(0)).await.outcome, Outcome::Unknown(Cause::Library));
        assert!(warnings(&events)[0].contains("an answer that does not fit its order"));
    });
}

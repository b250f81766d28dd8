//! Adapters of caches that go wrong, each a shell script: what its load and its origin make of it.

use std::sync::mpsc::Receiver;
use std::time::Instant;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;

use super::*;
use crate::backend::logs::Logs;
use crate::backend::programs::Programs;
use crate::load::cache::Application;
use crate::load::cache::application::tests::cache_load;
use crate::load::client::adapter::Settings;
use crate::load::client::adapter::tests::nobody;
use crate::model::Workload;
use crate::model::event::{Event, EventKind, Teller};
use crate::model::op::Ended;
use crate::spec::cache::{Layer, Place, Policy};
use crate::spec::scenario::{ClientKind, Load};

/// `$line` is the line that has come. What redrill computed stands in it as JSON.
const SCRIPT: &str = r#"
echo '{"protocol":1,"name":"wrong","version":"1","does":["read","invalidate"]}'
answer() { printf '{"id":%s,%s}\n' "$1" "$2"; }
ask() { printf '{"ask":%s,"compute":"%s"}\n' "$1" "$2"; }
read -r line
while read -r line; do
id=${line#*\"id\":}; id=${id%%,*}
computed=${line#*\"ok\":}; computed=${computed%\}}
case $line in
EACH
*connect*|*noop*|*invalidate*) answer "$id" '"ok":null' ;;
esac
done"#;

const TIMEOUT: Duration = Duration::from_millis(400);

fn load() -> Load {
    let layer = |name: &str, place| Layer {
        name: name.to_owned(),
        place,
        ttl: Duration::from_secs(60),
        jitter: 0.0,
    };
    let near = Place::Process { capacity: 1_000, policy: Policy::Lru };
    let mut load = cache_load("app");
    if let Some(cache) = &mut load.cache {
        cache.layers = vec![layer("l1", near), layer("l2", Place::Group)];
    }
    let client = ClientKind::Adapter { command: Vec::new() };
    Load { workload: Workload::Cache, client, clients: 4, keys: 10, timeout: TIMEOUT, ..load }
}

/// Runs an adapter that does `each` with reads and with what redrill computed.
fn run<T>(each: &str, then: impl AsyncFnOnce(Rc<Library>, Receiver<Event>) -> T) -> T {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(async {
        let (clock, load) = (Clock::start(), load());
        let (teller, events) = Teller::new(clock);
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::make(folder.path()).unwrap();
        let programs = Arc::new(Programs::new(folder.path().join("nodes"), logs).unwrap());
        let (ask, questions) = mpsc::unbounded_channel();
        let patience = Duration::from_secs(5);
        let settings = Settings {
            index: 0,
            instance: 0,
            load: load.clone(),
            teller,
            programs,
            patience,
            questions: Some(ask),
        };
        let command = ["sh", "-c", &SCRIPT.replace("EACH", each)].map(str::to_owned);
        let adapter = Adapter::launch(&command, &[nobody()], settings).await.unwrap();
        let cache = load.cache.as_ref().unwrap();
        let application = Application::new(Origin::new(cache.origin, load.keys, 1));
        let of = Of { load: &load, cache, application: &application, hosts: &[] };
        let library = Library::begin(of, adapter, questions, clock).unwrap();
        then(library, events).await
    })
}

/// What came of a read of entity 1, and the version that was found.
async fn read(library: &Library) -> (Outcome, Option<u64>) {
    let began = Instant::now();
    let answer = library.perform(&Form::Read(1)).await;
    assert!(began.elapsed() < TIMEOUT + Duration::from_millis(300), "{:?}", began.elapsed());
    match answer.told {
        ReplyValue::Found(Action::Cache(CacheOp::Read { version, .. })) => {
            (answer.outcome, version)
        }
        told => panic!("{told:?}"),
    }
}

fn warnings(events: &Receiver<Event>) -> Vec<String> {
    let warnings = events.try_iter().filter_map(|event| match event.kind {
        EventKind::Warning { text } => Some(text),
        _ => None,
    });
    warnings.collect()
}

const FAILED: (Outcome, Option<u64>) = (Outcome::Fail(Cause::Library), None);

#[test]
fn what_is_asked_for_is_computed_and_counted_once_a_question() {
    // It asks twice by two numbers, and once more by one that it has used.
    let each = r#"*\"do\":\"read\"*) ask 1 app:1; ask 2 app:1; ask 2 app:1; first=$id ;;
        *\"answer\":1*) answer $first "\"ok\":{\"text\":$computed,\"from\":\"origin\"}" ;;"#;
    run(each, async |library, events| {
        assert_eq!(read(&library).await, (Outcome::Ok, Some(1)));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(library.noted(true).len(), 3, "the origin was asked so often");
        library.end().await;
        assert_eq!(warnings(&events), Vec::<String>::new());
    });
}

#[test]
fn an_entity_that_does_not_exist_is_not_computed() {
    for key in ["other:1", "app:", "app:x", ""] {
        let each = format!(
            r#"*\"do\":\"read\"*) first=$id; ask 1 '{key}' ;;
               *there\ is\ no\ entity*) answer $first '"fail":"there is none"' ;;"#
        );
        run(&each, async |library, _| {
            assert_eq!(read(&library).await, FAILED, "{key}");
            assert!(library.noted(true).is_empty(), "{key}");
            library.end().await;
        });
    }
}

#[test]
fn one_that_asks_on_and_on_is_ended() {
    let each = r#"*\"do\":\"read\"*) while :; do ask 1 other:1; done ;;"#;
    run(each, async |library, events| {
        read(&library).await;
        let (give_up, mut told) = (Instant::now() + Duration::from_secs(20), Vec::new());
        while told.is_empty() && Instant::now() < give_up {
            tokio::time::sleep(Duration::from_millis(20)).await;
            told = warnings(&events);
        }
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("asked 10000 questions without reading the answers"), "{told:?}");
        library.end().await;
    });
}

#[test]
fn a_question_that_is_none_is_told_of() {
    let each = r#"*\"do\":\"read\"*) echo '{"ask":"one","compute":"app:1"}'; echo '{"ask":1}' ;;"#;
    run(each, async |library, events| {
        assert_eq!(read(&library).await, (Outcome::Unknown(Cause::Timeout), None));
        library.end().await;
        let told = warnings(&events);
        assert_eq!(told.len(), 1, "each kind once: {told:?}");
        assert!(told[0].contains(r#"a line that is no answer: `{"ask":"one""#), "{told:?}");
    });
}

#[test]
fn an_adapter_that_asks_and_never_answers_is_waited_for_no_longer_than_any() {
    let each = r#"*\"do\":\"read\"*) ask $id app:1 ;;"#;
    run(each, async |library, _| {
        assert_eq!(read(&library).await, (Outcome::Unknown(Cause::Timeout), None));
        library.end().await;
    });
}

#[test]
fn an_adapter_that_answers_twice_has_answered_once() {
    let each = r#"*\"do\":\"read\"*) ask 1 app:1; first=$id ;;
        *\"answer\":1*) for n in 1 2; do
            answer $first "\"ok\":{\"text\":$computed,\"from\":\"group\"}"; done ;;"#;
    run(each, async |library, events| {
        for _ in 0..2 {
            assert_eq!(read(&library).await, (Outcome::Ok, Some(1)));
        }
        library.end().await;
        let told = warnings(&events);
        assert!(told[0].contains("a second answer to one order"), "{told:?}");
    });
}

#[test]
fn what_is_no_copy_is_not_taken_for_one() {
    let of = |answer: &str| {
        let each = format!(r#"*\"do\":\"read\"*) answer "$id" '{answer}' ;;"#);
        run(&each, async |library, events| {
            let read = read(&library).await;
            library.end().await;
            (read, warnings(&events).len())
        })
    };
    // The checker says of it that the origin never had that.
    assert_eq!(of(r#""ok":{"text":"?","from":"near"}"#), ((Outcome::Ok, None), 0));
    for nonsense in [r#""ok":null"#, r#""ok":{"from":"near"}"#, r#""ok":{"text":"","from":"?"}"#] {
        assert_eq!(of(nonsense), (FAILED, 1), "{nonsense}");
    }
}

#[test]
fn an_adapter_that_dies_while_the_origin_computes_is_told_of() {
    let each = r#"*\"do\":\"read\"*) ask 1 app:1; echo 'out of memory' >&2; exit 9 ;;"#;
    run(each, async |library, events| {
        assert_eq!(read(&library).await, (Outcome::Unknown(Cause::ConnectionLost), None));
        assert_eq!(read(&library).await, (Outcome::Fail(Cause::Refused), None));
        tokio::time::sleep(Duration::from_millis(700)).await;
        library.end().await;
        let told = warnings(&events);
        assert!(
            told[0].contains("answers no more") && told[0].contains("out of memory"),
            "{told:?}"
        );
    });
}

/// It has one copy in its memory, and answers with it five times after it is to be gone.
const SLOW: &str = r#"*\"do\":\"invalidate\"*) left=5; answer $id '"ok":null' ;;
    *\"do\":\"read\"*)
        if [ -n "$refused" ]; then
            for waits in $all $id; do answer $waits '"fail":"not computed"'; done; refused=; all=
        elif [ -n "$copy" ] && [ "$left" != 0 ]; then
            [ -n "$left" ] && left=$((left - 1))
            answer $id "\"ok\":{\"text\":$copy,\"from\":\"near\"}"
        else
            copy=; all="$all $id"; ask 1 app:1
        fi ;;
    *\"answer\"*\"fail\"*) REFUSED ;;
    *\"answer\"*) copy=$computed; left=
        for waits in $all; do answer $waits "\"ok\":{\"text\":$copy,\"from\":\"origin\"}"; done
        all= ;;"#;

/// Reads entity 1 twice, writes it, and waits until no old copy is looked for any more.
async fn write_and_look(library: &Library) {
    for _ in 0..2 {
        assert_eq!(read(library).await, (Outcome::Ok, Some(1)));
    }
    assert_eq!(library.perform(&Form::Write(1)).await.outcome, Outcome::Ok);
    tokio::time::sleep(Duration::from_millis(150)).await;
}

#[test]
fn a_process_is_asked_until_its_old_copy_is_gone() {
    let refused = r#"for waits in $all; do answer $waits '"fail":"not computed"'; done; all="#;
    run(&SLOW.replace("REFUSED", refused), async |library, events| {
        write_and_look(&library).await;
        let noted = library.noted(true);
        let computed = noted.iter().filter(|noted| {
            matches!(noted.action, Action::Cache(CacheOp::Read { from: FoundIn::Origin, .. }))
        });
        assert_eq!(computed.count(), 1, "nobody wanted what a look did not find: {noted:?}");
        let held: Vec<_> = noted
            .iter()
            .filter(|noted| matches!(noted.action, Action::Cache(CacheOp::Held { .. })))
            .collect();
        let [held] = held[..] else { panic!("{noted:?}") };
        let Action::Cache(CacheOp::Held { version: 1, ended, .. }) = held.action else {
            panic!("{held:?}");
        };
        assert_eq!(ended, Ended::Invalidated);
        // Five looks, one every millisecond, and reads before them.
        assert!(held.to.since(held.from) >= Duration::from_millis(4), "{held:?}");
        assert_eq!(read(&library).await, (Outcome::Ok, Some(2)));
        library.end().await;
        assert_eq!(warnings(&events), Vec::<String>::new(), "looks are none of the load's");
    });
}

/// Who stops the load does not know that yet.
#[test]
fn an_old_copy_that_is_there_at_the_end_is_told() {
    run(&SLOW.replace("left=5", "left=100000"), async |library, _| {
        write_and_look(&library).await;
        let held = |noted: &Noted| match noted.action {
            Action::Cache(CacheOp::Held { version: 1, ended, .. }) => Some((ended, noted.to)),
            _ => None,
        };
        let told = || library.noted(false).iter().filter_map(held).collect::<Vec<_>>();
        assert_eq!(told(), []);
        library.stop();
        let told = told();
        let [(Ended::Open, last)] = told[..] else { panic!("{told:?}") };
        assert!(
            library.clock.now().since(last) < Duration::from_millis(100),
            "it was seen: {last}"
        );
        library.end().await;
    });
}

/// Some libraries share one fetch among all waiting readers, so a reader may get a watcher's error.
#[test]
fn a_read_that_was_refused_with_a_look_is_asked_for_again() {
    run(&SLOW.replace("REFUSED", "refused=1"), async |library, _| {
        write_and_look(&library).await;
        assert_eq!(read(&library).await, (Outcome::Ok, Some(2)));
        library.end().await;
    });
}

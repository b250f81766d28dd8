//! Bad luck that caches meet: bytes that nobody can read, servers that forget, refuse or go silent, and
//! an origin that fails. Nobody waits for ever, and what is wrong is told.

use std::thread;
use std::time::Duration;

use redis::{Connection, Value as Reply, cmd};
use redrill::model::event::Phase;
use serde_json::Value;

use crate::common::{need, script};
use crate::drill::caches::played;
use crate::drill::locks::server_of;
use crate::drill::place::Place;
use crate::drill::ready::measure;

/// Five entities on one server with these directives, while somebody does this to it five times in two
/// seconds.
fn while_somebody(keys: &str, config: &str, does: impl Fn(&mut Connection)) -> Value {
    let place = Place::new();
    let topology =
        format!("name: one\ngroups: {{ cache: {{ mode: standalone, config: {{ {config} }} }} }}\n");
    std::fs::write(place.path().join("topology.yaml"), topology).unwrap();
    let text = format!(
        "name: luck\ntopology: ./topology.yaml\n\
         loads: {{ app: {{ workload: cache, rate: 600/s, clients: 60, instances: 6, keys: 5, {keys} }} }}\n\
         settle: 2500ms\nreported: [all]"
    );
    let mut playing = place.start(&text, &[]);
    playing.wait_for_phase(Phase::Settle);
    let mut server = server_of(&place, "cache/0/0");
    for _ in 0..5 {
        thread::sleep(Duration::from_millis(400));
        does(&mut server);
    }
    let ran = playing.end();
    assert!(matches!(ran.code, Some(0 | 2)), "{keys}: {}{}", ran.out, ran.err);
    let report = place.report();
    place.assert_nothing_left();
    assert_eq!(measure(&report, "cache.impossible"), 0.0, "{keys}: {}", report["findings"]);
    report
}

const LAYERS: &str = "layers: { l1: { in: process, ttl: 3s }, l2: { group: cache, ttl: 5s } }, \
                      origin: { latency: 1ms }, stampede: lease";

/// Whatever the way with stampedes, they are read as nothing and replaced.
#[test]
fn bytes_that_are_no_copy_are_none() {
    let ways = ["lease", "lock", "none", "stale-while-revalidate"];
    let some = if need::all() { &ways[..] } else { &ways[..1] };
    for stampede in some {
        let keys = format!(
            "reads: 100%, warm: priority, layers: {{ l1: {{ group: cache, ttl: 60s }} }}, \
             origin: {{ latency: 1ms }}, stampede: {stampede}"
        );
        // Somebody else's, a part of a copy, one of redrill's before formats, and nothing.
        let strange = [
            "x",
            r#"1 99999999999999 5000 {"id":1,"versi"#,
            r#"{"id":2,"version":1,"until":99999999999999,"took":5000,"data":"xxx"}"#,
            "",
        ];
        let report = while_somebody(&keys, "", |server| {
            for (key, bytes) in strange.iter().enumerate() {
                let () = cmd("SET").arg(format!("app:{key}")).arg(bytes).query(server).unwrap();
            }
        });
        assert_eq!(measure(&report, "errors.total"), 0.0, "{stampede}: {}", report["why"]);
        let misses = measure(&report, "cache.misses.gone");
        assert!((15.0..100.0).contains(&misses), "{stampede}: {misses} of some twenty");
        let broken = measure(&report, "format.broken");
        assert!(broken >= 15.0, "{stampede}: {broken} were seen");
        assert!(measure(&report, "cache.hits") > 80.0, "{stampede}: {}", report["measures"]);
    }
}

#[test]
#[ignore = "`just test-all`"]
fn a_server_that_forgets_its_scripts_is_survived() {
    let keys = "reads: 70%, write: through, layers: { l1: { group: cache, ttl: 300ms } }, \
                origin: { latency: 1ms }, stampede: lease";
    let report = while_somebody(keys, "", |server| {
        let () = cmd("SCRIPT").arg("FLUSH").query(server).unwrap();
    });
    assert_eq!(measure(&report, "errors.total"), 0.0, "{}", report["why"]);
    assert_eq!(measure(&report, "cache.stale.late"), 0.0, "{}", report["findings"]);
}

/// It drops the oldest, and tells whoever has them.
#[test]
#[ignore = "`just test-all`"]
fn a_full_table_of_tracked_keys_makes_nothing_late() {
    let keys = format!("reads: 90%, {LAYERS}, invalidate: tracking");
    let evicted = |config| {
        let report = while_somebody(&keys, config, |server| {
            let Reply::BulkString(info) = cmd("INFO").arg("stats").query(server).unwrap() else {
                panic!("no text")
            };
            let info = String::from_utf8(info).unwrap();
            assert!(info.contains("tracking_total_keys:"), "{info}");
        });
        assert_eq!(measure(&report, "cache.stale.late"), 0.0, "{}", report["findings"]);
        measure(&report, "cache.hits.near")
    };
    let [room, full] = ["", "tracking-table-max-keys: 1"].map(evicted);
    assert!(full < room && room > 5.0, "{room} % of hits, and with room for one key {full} %");
}

/// Nobody is told of deleted keys any more, by anybody.
#[test]
#[ignore = "`just test-all`"]
fn news_that_are_switched_off_are_found_by_late_reads() {
    let keys = format!("reads: 90%, {LAYERS}, invalidate: keyspace");
    let config = "notify-keyspace-events: Eg";
    let right = while_somebody(&keys, config, |_| ());
    assert_eq!(measure(&right, "cache.stale.late"), 0.0, "{}", right["findings"]);
    let off = while_somebody(&keys, config, |server| {
        let off = ["SET", "notify-keyspace-events", ""];
        let () = cmd("CONFIG").arg(&off).query(server).unwrap();
    });
    assert!(measure(&off, "cache.stale.late") > 20.0, "{}", off["measures"]);
}

/// The server closes the connection of who does not take what it has for him. What was told meanwhile
/// is lost.
#[test]
#[ignore = "`just test-all`"]
fn a_subscriber_that_is_cut_off_for_slowness_keeps_nothing() {
    let keys = format!("reads: 90%, {LAYERS}, invalidate: publish");
    let config = "client-output-buffer-limit: 'pubsub 64kb 64kb 1'";
    let report = while_somebody(&keys, config, |server| {
        let much = "x".repeat(2_000_000);
        let told: u32 = cmd("PUBLISH").arg("app:changed").arg(much).query(server).unwrap();
        assert!(told > 0, "nobody listens");
        let clients: String =
            cmd("CLIENT").arg("LIST").arg("TYPE").arg("pubsub").query(server).unwrap();
        assert!(clients.lines().count() < 6, "nobody was cut off: {clients}");
    });
    assert_eq!(measure(&report, "cache.stale.late"), 0.0, "{}", report["findings"]);
    assert!(measure(&report, "cache.hits.near") > 5.0, "{}", report["measures"]);
    assert_eq!(measure(&report, "errors.total"), 0.0, "{}", report["why"]);
}

/// They do not know HELLO, which a server does not from before Redis 6, and behind some proxies.
#[test]
#[ignore = "`just test-all`"]
fn without_resp3_tracking_is_refused_before_the_load() {
    let engine = need::engines()[0].display().to_string();
    for invalidate in ["tracking", "tracking-broadcast", "publish"] {
        let place = Place::new();
        let options = "--rename-command HELLO ''";
        let text = format!(
            "case \"$*\" in --version) exec '{engine}' \"$@\";; esac\n\
             exec '{engine}' \"$@\" {options}"
        );
        let old = script(place.path(), "old-server", &text);
        let text = format!(
            "name: old\ntopology: standalone\nloads: {{ app: {{ workload: cache, rate: 100/s, \
             clients: 10, keys: 5, reads: 90%, {LAYERS}, invalidate: {invalidate} }} }}\nsettle: 1s"
        );
        let ran = place.play(&text, &["--engine-binary", old.to_str().unwrap()]);
        let told = ran.out + &ran.err;
        assert!(told.contains("RESP3"), "{invalidate}: {told}");
        assert_ne!(ran.code, Some(0), "{told}");
        place.assert_nothing_left();
    }
}

/// Who asked for all others gets an error. The others ask again, and no error is kept.
#[test]
#[ignore = "`just test-all`"]
fn an_origin_that_fails_while_it_is_asked_keeps_nobody_waiting() {
    let steps = "timeline=[{ at: 1s, do: origin, load: app, failing: 100%, for: 800ms }, \
                 { at: 2500ms, do: origin, load: app, failing: 50%, for: 800ms }]";
    // A writer would take leases away, so nobody writes.
    for stampede in ["none", "lock", "single-flight", "early", "stale-while-revalidate", "lease"] {
        let keys = format!(
            "reads: 100%, layers: {{ l1: {{ group: cache, ttl: 300ms }} }}, timeout: 4s, \
             origin: {{ latency: 60ms }}, stampede: {stampede}"
        );
        let (report, ops) = played("standalone", &keys, &["--set", steps]);
        assert_eq!(measure(&report, "cache.impossible"), 0.0, "{stampede}: {}", report["findings"]);
        assert_eq!(measure(&report, "errors.unknown"), 0.0, "{stampede}: {}", report["why"]);
        assert!(measure(&report, "errors.fail") > 10.0, "{stampede}: {}", report["measures"]);
        // Who failed gives its lock or lease back, and does not let it end after two seconds.
        let took = ops.iter().map(|op| op.done.since(op.intended).as_millis());
        let longest = took.max().unwrap();
        assert!(longest < 1_500, "{stampede}: {longest} ms");
        // Who waits for a question of before gets its error.
        assert!(measure(&report, "errors.share.after") < 1.0, "{stampede}: {}", report["why"]);
        assert!(measure(&report, "cache.hits") > 30.0, "{stampede}: {}", report["measures"]);
    }
}

/// It does 100 a second, of 300. So 50 wait, half a second each, and two of three are refused.
#[test]
#[ignore = "`just test-all`"]
fn an_origin_that_is_asked_for_too_much_delays_and_sheds_as_arithmetic_says() {
    let place = Place::new();
    let text = "name: too-much\ntopology: standalone\nloads: { app: { workload: cache, rate: 300/s, \
                clients: 300, keys: 100, reads: 100%, timeout: 2s, \
                origin: { latency: 5ms, capacity: 100/s, queue: 50 } } }\nsettle: 5s\nreported: [all]";
    let ran = place.play(text, &[]);
    assert!(matches!(ran.code, Some(0 | 2)), "{}{}", ran.out, ran.err);
    let report = place.report();
    let ops: Vec<_> = place.ops();
    let loaded = || ops.iter().filter(|op| op.purpose == redrill::model::op::Purpose::Load);
    let all = loaded().count() as f64;
    let served = all - measure(&report, "origin.shed");
    let seconds = all / 300.0;
    let most = 100.0 * seconds + 50.0;
    assert!((most - 5.0..=most + 5.0).contains(&served), "{served} of {all}, {most} at most");
    let begun = loaded().map(|op| op.sent).min().unwrap();
    let ok = loaded().filter(|op| op.outcome == redrill::model::op::Outcome::Ok);
    let full = ok.filter(|op| op.sent > begun + Duration::from_secs(1));
    let mut waits: Vec<u128> = full.map(|op| op.done.since(op.sent).as_millis()).collect();
    waits.sort_unstable();
    // 49 to 50 before it, and 5 ms.
    let (first, median) = (waits[0], waits[waits.len() / 2]);
    assert!(first >= 485 && (485..=520).contains(&median), "{first} and {median} ms");
    place.assert_nothing_left();
}

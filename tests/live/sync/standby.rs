//! Standby groups: one of them takes the writes at a time, that of the latest term.

use std::path::Path;

use redis::{RedisResult, Value};
use redrill::spec::sync::SyncRule;
use redrill::sync::functions::{Writers, write};
use redrill::sync::term::{self, Term};

use super::Server;
use super::replicator::{Replicator, SOON};
use crate::common::{heavy_turn, need, until};

fn tell(server: &mut Server, term: &Term) {
    let told = term::tell(term, server.tag());
    server.ask::<Value>(&told).unwrap();
}

fn knows(server: &mut Server) -> Term {
    let asked = term::ask(server.tag());
    server.ask::<term::Answer>(&asked).unwrap().into()
}

fn set(server: &mut Server, key: &str, value: &str) -> RedisResult<Value> {
    server.ask(&write("set", key, value.as_bytes()))
}

fn refuses(server: &mut Server) -> bool {
    let refused = set(server, "refused", "v").err();
    refused.is_some_and(|error| error.code() == Some(term::STANDBY))
}

/// Both, with the writes at `us`.
fn both(binary: &Path) -> [Server; 2] {
    let mut both = ["us", "eu"].map(|group| Server::start_standby(binary, group));
    both.iter_mut().for_each(|server| {
        assert!(refuses(server), "nobody has told it who takes the writes");
        tell(server, &Term::first("us"));
    });
    both
}

fn carry([one, other]: [&Server; 2]) -> Replicator {
    Replicator::of([one.place(), other.place()], SyncRule::Lww, Writers::OneOf)
}

fn both_ways([us, eu]: &[Server; 2]) -> [Replicator; 2] {
    [carry([us, eu]), carry([eu, us])]
}

fn held(server: &mut Server) -> (Vec<Option<String>>, Vec<String>) {
    let keys = ["a", "k", "late", "gone", "eu"];
    (keys.iter().map(|key| server.get(key)).collect(), server.members("s"))
}

fn assert_alike([us, eu]: &mut [Server; 2]) {
    let same = until(SOON, || held(us) == held(eu));
    assert!(same, "{:?} {:?}", held(us), held(eu));
}

/// Exactly one takes the writes, and both know which.
fn assert_taken_by_eu([us, eu]: &mut [Server; 2], term: &Term) {
    assert!(until(SOON, || knows(us) == *term), "{:?}", knows(us));
    assert_eq!(knows(eu), *term);
    assert!(refuses(us), "it was replaced");
    set(eu, "eu", "takes them").unwrap();
}

/// What the old source took meanwhile is carried, but overwrites nothing of the promoted group's,
/// although it was written later.
#[test]
fn a_source_that_was_cut_off_refuses_writes_when_it_is_reached() {
    let _turn = heavy_turn();
    for binary in need::engines() {
        let mut both = both(&binary);
        {
            let _carried = both_ways(&both);
            let [us, eu] = &mut both;
            assert!(refuses(eu), "it is a standby");
            set(us, "a", "before").unwrap();
            set(us, "gone", "before").unwrap();
            assert!(until(SOON, || eu.get("gone").is_some()));
        }
        let promoted = Term::first("us").next("eu");
        let [us, eu] = &mut both;
        tell(eu, &promoted);
        set(eu, "k", "of eu").unwrap();
        eu.write("del", "gone", "");
        eu.write("sadd", "s", "of eu");
        for key in ["k", "gone", "late"] {
            set(us, key, "of us, who does not know").unwrap();
        }
        us.write("sadd", "s", "of us");
        let _carried = both_ways(&both);
        assert_taken_by_eu(&mut both, &promoted);
        assert_alike(&mut both);
        let [us, eu] = &mut both;
        assert_eq!(us.get("k").as_deref(), Some("of eu"));
        assert_eq!(us.get("gone"), None, "it was deleted in a later term");
        assert_eq!(eu.get("late").as_deref(), Some("of us, who does not know"));
        assert_eq!(us.members("s"), ["of eu", "of us"]);
        // An earlier term changes nothing any more.
        tell(us, &Term::first("us"));
        assert!(refuses(us));
    }
}

/// The data and the functions are gone, and so is the term.
#[test]
fn a_source_that_lost_its_data_is_a_standby_when_it_has_them_back() {
    for binary in need::engines() {
        let mut both = both(&binary);
        let _carried = both_ways(&both);
        let [us, eu] = &mut both;
        set(us, "a", "v").unwrap();
        assert!(until(SOON, || eu.get("a").is_some()));
        let promoted = Term::first("us").next("eu");
        tell(eu, &promoted);
        let mut lost = redis::pipe();
        lost.atomic().cmd("FLUSHALL").ignore().cmd("FUNCTION").arg("FLUSH").ignore();
        lost.exec(&mut us.connection).unwrap();
        assert!(until(SOON, || us.get("a").is_some()), "a full pass brings them");
        assert_taken_by_eu(&mut both, &promoted);
        assert_alike(&mut both);
    }
}

/// Who takes the writes and loses its data gets them back and goes on. Nobody else does meanwhile.
#[test]
fn a_group_that_takes_the_writes_goes_on_when_it_has_its_data_back() {
    let mut both = both(&need::engines()[0]);
    let _carried = both_ways(&both);
    let [us, eu] = &mut both;
    set(us, "a", "v").unwrap();
    assert!(until(SOON, || eu.get("a").is_some() && knows(eu) == Term::first("us")));
    let mut lost = redis::pipe();
    lost.atomic().cmd("FLUSHALL").ignore().cmd("FUNCTION").arg("FLUSH").ignore();
    lost.exec(&mut us.connection).unwrap();
    assert!(until(SOON, || set(us, "a", "again").is_ok()));
    assert!(refuses(eu));
    assert_alike(&mut both);
}

/// A term without a taker: the writes are being handed over.
#[test]
fn nobody_takes_writes_while_they_are_handed_over() {
    let mut both = both(&need::engines()[0]);
    let _carried = both_ways(&both);
    let stopped = Term::first("us").nobodys();
    tell(&mut both[0], &stopped);
    assert!(until(SOON, || knows(&mut both[1]) == stopped));
    assert!(both.iter_mut().all(refuses));
    let [_, eu] = &mut both;
    tell(eu, &stopped.next("eu"));
    assert_taken_by_eu(&mut both, &stopped.next("eu"));
}

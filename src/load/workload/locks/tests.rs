//! What clients of locks do, answer by answer.

use std::time::Duration;

use super::names::account;
use super::*;
use crate::model::Nanos;
use crate::model::op::{Cause, Outcome};
use crate::spec::lock::LockKind;

const MS: u64 = 1_000_000;

fn lock(kind: LockKind) -> Lock {
    Lock { hold: Duration::from_millis(100), ..Lock::new(kind) }
}

fn redlock() -> Lock {
    Lock { groups: 5, quorum: 3, ttl: Duration::from_secs(1), ..lock(LockKind::Redlock) }
}

/// Of a load whose operations take a second at most.
fn locks(lock: Lock) -> Locks {
    locks_of(lock, Deadlocks::default())
}

fn locks_of(lock: Lock, deadlocks: Deadlocks) -> Locks {
    Locks::new(lock, Duration::from_secs(1), deadlocks)
}

/// An operation from `sent` to `done`, in milliseconds.
fn op(action: LockOp, sent: u64, done: u64) -> Op {
    Op::new(3, Action::Lock(action), Nanos(sent * MS), Nanos(done * MS))
}

fn tried(got: Option<u64>, sent: u64, done: u64) -> Op {
    op(LockOp::Acquire { token: 7, shared: false, got }, sent, done)
}

fn actions(next: &Next) -> Vec<(u8, LockOp)> {
    let of = |plan: &Plan| match plan.action {
        Action::Lock(action) => (plan.group, action),
        _ => unreachable!("these are sessions of locks"),
    };
    next.stage.iter().map(of).collect()
}

fn in_ms(after: Duration) -> u64 {
    after.as_millis() as u64
}

const RELEASE: LockOp = LockOp::Release { token: 7, held: false };
const READ: LockOp = LockOp::Read { token: 7, balance: None };

#[test]
fn whoever_has_it_reads_works_writes_and_gives_it_back() {
    let locks = locks(lock(LockKind::Fenced));
    let next = locks.then(&[tried(Some(4), 0, 1)], 0).unwrap();
    assert_eq!((actions(&next), next.after), (vec![(0, READ)], Duration::ZERO));
    let read = op(LockOp::Read { token: 7, balance: Some(41) }, 1, 2);
    let next = locks.then(&[read], 1).unwrap();
    let write = LockOp::Write { token: 7, balance: 42, fence: 4, taken: false };
    assert_eq!(actions(&next), [(0, write)]);
    assert!((50..150).contains(&in_ms(next.after)), "{:?}", next.after);
    let next = locks.then(&[op(write, 100, 101)], 2).unwrap();
    assert_eq!(actions(&next), [(0, RELEASE)]);
    assert!(locks.then(&[op(RELEASE, 101, 102)], 3).is_none());
    assert!(locks.wishes.borrow().is_empty(), "nothing of it is kept");
}

#[test]
fn whoever_finds_it_taken_tries_again_until_patience_is_over() {
    let locks = locks(lock(LockKind::Mutex));
    let next = locks.then(&[tried(None, 0, 1)], 0).unwrap();
    let again = LockOp::Acquire { token: 7, shared: false, got: None };
    assert_eq!(actions(&next), [(0, again)]);
    assert!((5..10).contains(&in_ms(next.after)), "{:?}", next.after);
    assert!(locks.then(&[tried(None, 4_980, 4_989)], 1).is_some());
    assert!(locks.then(&[tried(None, 4_990, 4_999)], 2).is_none(), "five seconds are over");
}

#[test]
fn a_try_without_an_answer_is_taken_back_before_the_next() {
    let locks = locks(lock(LockKind::Mutex));
    let mut unknown = tried(None, 0, 1_000);
    unknown.outcome = Outcome::Unknown(Cause::Timeout);
    assert_eq!(actions(&locks.then(&[unknown], 0).unwrap()), [(0, RELEASE)]);
    let next = locks.then(&[op(RELEASE, 1_000, 1_001)], 1).unwrap();
    assert!(matches!(actions(&next)[..], [(0, LockOp::Acquire { .. })]));
}

/// It would take the lock away that the session got meanwhile.
#[test]
fn what_may_still_be_given_back_was_got_with_another_token() {
    let locks = locks(lock(LockKind::Mutex));
    let unknown = |op: Op| Op { outcome: Outcome::Unknown(Cause::Timeout), ..op };
    locks.then(&[unknown(tried(None, 0, 1_000))], 0).unwrap();
    let next = locks.then(&[unknown(op(RELEASE, 1_000, 2_000))], 1).unwrap();
    let anew = 7 + (1 << 32);
    let again = LockOp::Acquire { token: anew, shared: false, got: None };
    assert_eq!(actions(&next), [(0, again)]);
    let got = LockOp::Acquire { token: anew, shared: false, got: Some(0) };
    let next = locks.then(&[op(got, 2_100, 2_101)], 2).unwrap();
    assert_eq!(actions(&next), [(0, READ)], "the session is the same");
    let next = locks.then(&[op(READ, 2_101, 2_102)], 3).unwrap();
    let LockOp::Write { token, .. } = actions(&next)[0].1 else { panic!("{:?}", actions(&next)) };
    let next = locks.then(&[op(actions(&next)[0].1, 2_103, 2_104)], 4).unwrap();
    assert_eq!(actions(&next), [(0, LockOp::Release { token: anew, held: false })]);
    assert_eq!(token, 7);
}

#[test]
fn who_may_have_lost_its_place_in_line_gives_up() {
    let line = locks(lock(LockKind::Fair));
    let unknown = |op: Op| Op { outcome: Outcome::Unknown(Cause::Timeout), ..op };
    line.then(&[unknown(tried(None, 0, 1_000))], 0).unwrap();
    assert!(line.then(&[unknown(op(RELEASE, 1_000, 2_000))], 1).is_none());
}

/// The answer to an extension may come when the lease is over.
#[test]
fn nobody_writes_when_a_late_extension_is_over() {
    let extend = Some(Duration::from_millis(600));
    let holder = locks(Lock { extend, hold: Duration::from_millis(700), ..lock(LockKind::Mutex) });
    holder.then(&[tried(Some(0), 10, 20)], 0).unwrap();
    holder.then(&[op(READ, 20, 30)], 1).unwrap();
    let held = LockOp::Extend { token: 7, held: true };
    assert_eq!(actions(&holder.then(&[op(held, 630, 2_700)], 2).unwrap()), [(0, RELEASE)]);
}

#[test]
fn nobody_writes_when_the_lease_is_over() {
    let long = Lock { hold: Duration::from_secs(10), ..lock(LockKind::Mutex) };
    let holder = locks(long.clone());
    holder.then(&[tried(Some(0), 10, 20)], 0).unwrap();
    let next = holder.then(&[op(LockOp::Read { token: 7, balance: None }, 20, 30)], 1).unwrap();
    assert_eq!(actions(&next), [(0, RELEASE)]);
    assert_eq!(in_ms(next.after), 1_980, "two seconds after the try was sent");

    let holder = locks(Lock { extend: Some(Duration::from_millis(600)), ..long });
    holder.then(&[tried(Some(0), 10, 20)], 0).unwrap();
    let next = holder.then(&[op(READ, 20, 30)], 1).unwrap();
    let extend = LockOp::Extend { token: 7, held: false };
    assert_eq!((actions(&next), in_ms(next.after)), (vec![(0, extend)], 600));
    let held = LockOp::Extend { token: 7, held: true };
    assert_eq!(actions(&holder.then(&[op(held, 630, 640)], 2).unwrap()), [(0, extend)]);
    assert_eq!(actions(&holder.then(&[op(extend, 1_240, 1_250)], 3).unwrap()), [(0, RELEASE)]);
}

#[test]
fn of_several_servers_a_quorum_decides_within_the_lease() {
    let lock = redlock();
    let decided = |ended: &[Op]| redlock::is_decided(&lock, ended, 5);
    let (yes, no) = (tried(Some(0), 0, 1), tried(None, 0, 1));
    assert!(!decided(&[yes.clone(), yes.clone()]));
    assert!(decided(&[yes.clone(), yes.clone(), yes.clone()]));
    assert!(!decided(&[yes.clone(), no.clone(), no.clone()]));
    assert!(decided(&[no.clone(), no.clone(), no.clone()]), "no quorum is left");
    assert!(!decided(&[op(RELEASE, 0, 1)]), "it is given back everywhere");

    let then = |ended: &[Op]| actions(&locks(redlock()).then(ended, 0).unwrap());
    let three = [yes.clone(), yes.clone(), yes.clone()];
    assert_eq!(then(&three), [(0, READ)]);
    let all: Vec<(u8, LockOp)> = (0..5).map(|group| (group, RELEASE)).collect();
    assert_eq!(then(&[no.clone(), no.clone(), yes.clone(), no.clone()]), all, "in vain");
    // A hundredth and 2 ms are for clocks that differ.
    let late = |done| [yes.clone(), yes.clone(), tried(Some(0), 0, done)];
    assert_eq!(then(&late(987)), [(0, READ)]);
    assert_eq!(then(&late(988)), all, "the lease is over before it began");
}

/// What a minority does is nothing that a user notices.
#[test]
fn a_session_on_several_servers_went_as_its_quorum_did() {
    let holder = locks(redlock());
    let failed = Op { outcome: Outcome::Fail(Cause::Refused), ..op(RELEASE, 0, 1) };
    let ended = |fails: usize| {
        let each = |place| if place < fails { failed.clone() } else { op(RELEASE, 0, 2) };
        (0..5).map(each).collect::<Vec<Op>>()
    };
    for (fails, went) in [(0, Outcome::Ok), (2, Outcome::Ok), (3, failed.outcome)] {
        let ended = ended(fails);
        let decisive = holder.decisive(&ended).unwrap();
        assert_eq!(ended[decisive].outcome, went, "{fails} failed");
    }
    assert_eq!(holder.decisive(&ended(1)[..1]), Some(0), "fewer than a quorum");
}

/// A lock that a library got within 300 ms, which says that it is valid for `valid` more.
fn got_by_a_library(valid: Option<u64>) -> (Locks, Next) {
    let lock = Lock { groups: 5, accounts_apart: true, ..lock(LockKind::Library) };
    let mut locks = locks(Lock { hold: Duration::from_secs(10), ..lock });
    let (took, valid) = (Duration::from_millis(300), valid.map(Duration::from_millis));
    let got = tried(Some(9), 10, 320);
    locks.learn(&got, &ReplyValue::Lease { got: Some(9), took, valid });
    let next = locks.then(&[got], 0).unwrap();
    (locks, next)
}

#[test]
fn a_library_is_asked_once_and_its_lock_is_valid_as_long_as_it_says() {
    let lock = Lock { groups: 5, ..lock(LockKind::Library) };
    let patience = Duration::from_millis(700);
    let stage = wish::acquire(&lock, 3, (7, false), patience);
    assert_eq!((stage.len(), stage[0].patience), (1, patience));
    for (valid, until) in [(Some(400), 710), (None, 2_010)] {
        let (locks, next) = got_by_a_library(valid);
        assert_eq!(actions(&next), [(5, READ)], "the accounts are on a group of their own");
        let next = locks.then(&[op(READ, 330, 340)], 1).unwrap();
        assert_eq!((actions(&next), in_ms(next.after)), (vec![(0, RELEASE)], until - 340));
    }
}

#[test]
fn a_library_is_asked_again_with_the_patience_that_is_left() {
    let locks = locks(lock(LockKind::Library));
    let next = locks.then(&[tried(None, 0, 1_000)], 0).unwrap();
    let left = next.stage[0].patience + next.after;
    assert_eq!(left, Duration::from_secs(4), "of five seconds");
}

#[test]
fn a_reader_reads_twice_and_writes_nothing() {
    let readers = locks(lock(LockKind::ReadWrite));
    let got = op(LockOp::Acquire { token: 7, shared: true, got: Some(0) }, 0, 1);
    assert_eq!(actions(&readers.then(&[got], 0).unwrap()), [(0, READ)]);
    let next = readers.then(&[op(READ, 1, 2)], 1).unwrap();
    assert_eq!(actions(&next), [(0, READ)]);
    assert!((50..150).contains(&in_ms(next.after)), "{:?}", next.after);
    assert_eq!(actions(&readers.then(&[op(READ, 100, 101)], 2).unwrap()), [(0, RELEASE)]);
    assert!(readers.then(&[op(RELEASE, 101, 102)], 3).is_none());

    let readers = locks(lock(LockKind::ReadWrite));
    let taken = op(LockOp::Acquire { token: 7, shared: true, got: None }, 0, 1);
    let again = LockOp::Acquire { token: 7, shared: true, got: None };
    assert_eq!(actions(&readers.then(&[taken], 0).unwrap()), [(0, again)], "as a reader again");
}

const WAIT: LockOp = LockOp::Wait { token: 7, woken: false };
const TRY: LockOp = LockOp::Acquire { token: 7, shared: false, got: None };

/// The client was told that somebody else has the lock for `rest` milliseconds.
fn queued(locks: &mut Locks, rest: u64, (sent, done): (u64, u64)) -> Next {
    let tried = tried(None, sent, done);
    locks.learn(&tried, &ReplyValue::Taken(Duration::from_millis(rest)));
    locks.then(&[tried], 0).unwrap()
}

/// How the client asks to be woken up.
fn sent(locks: &Locks, next: &Next) -> Vec<String> {
    let (commands, _) = locks.command("app:3", &next.stage[0], &mut Values::new(100));
    let Commands::Alone(command) = commands else { panic!("it may keep its connection waiting") };
    let text = |arg| match arg {
        redis::Arg::Simple(text) => String::from_utf8_lossy(text).into_owned(),
        _ => unreachable!("it is no cursor"),
    };
    command.args_iter().map(text).collect()
}

#[test]
fn whoever_stands_in_line_waits_to_be_woken_up_until_the_lease_is_over() {
    let mut line = locks(lock(LockKind::Fair));
    let next = queued(&mut line, 300, (0, 1));
    assert_eq!((actions(&next), next.after), (vec![(0, WAIT)], Duration::ZERO));
    assert_eq!(sent(&line, &next), ["BLPOP", "{app:3}:wake:00000000000000000007:", "0.300"]);
    let woken = op(LockOp::Wait { token: 7, woken: true }, 1, 200);
    assert_eq!(actions(&line.then(&[woken], 1).unwrap()), [(0, TRY)], "its lease counts from now");
    assert_eq!(actions(&line.then(&[tried(Some(0), 200, 201)], 2).unwrap()), [(0, READ)]);

    // An answer is to come within the time-out, and nobody waits beyond their patience.
    let mut line = locks(lock(LockKind::Fair));
    queued(&mut line, 1_500, (0, 1));
    let next = queued(&mut line, 1_500, (300, 301));
    assert_eq!(sent(&line, &next)[2], "0.500");
    let next = queued(&mut line, 1_500, (4_850, 4_900));
    assert_eq!(sent(&line, &next)[2], "0.100");
}

#[test]
fn whoever_has_no_patience_left_leaves_the_line() {
    let mut line = locks(lock(LockKind::Fair));
    queued(&mut line, 300, (0, 1));
    assert_eq!(actions(&queued(&mut line, 300, (5_000, 5_001))), [(0, RELEASE)]);
    assert!(line.then(&[op(RELEASE, 5_001, 5_002)], 2).is_none());

    let mut line = locks(lock(LockKind::Fair));
    queued(&mut line, 300, (0, 1));
    let mut broken = op(WAIT, 1, 100);
    broken.outcome = Outcome::Unknown(Cause::ConnectionLost);
    let next = line.then(std::slice::from_ref(&broken), 1).unwrap();
    assert_eq!(actions(&next), [(0, TRY)]);
    assert!(!next.after.is_zero(), "not again and again at once");
    let mut late = op(WAIT, 4_900, 4_999);
    late.outcome = broken.outcome;
    assert_eq!(actions(&line.then(&[late], 2).unwrap()), [(0, RELEASE)]);
    assert!(line.then(&[op(RELEASE, 4_999, 5_000)], 3).is_none());
}

#[test]
fn keys_of_a_lock_are_in_its_slot() {
    use crate::model::slot::slot_of;
    assert_eq!(account("app:3"), "{app:3}:account");
    assert_eq!(slot_of(account("app:3").as_bytes()), slot_of(b"app:3"));
}

fn several(deadlock: Deadlock) -> Lock {
    Lock { take: 2, deadlock, ttl: Duration::from_secs(20), ..lock(LockKind::Mutex) }
}

/// An operation on the lock `key`.
fn by(key: u64, action: LockOp, sent: u64) -> Op {
    Op { key, ..op(action, sent, sent + 1) }
}

/// Says that the session is to take the lock `then` after its first one.
fn begins(locks: &mut Locks, token: u64, first: u64, then: u64) {
    let stage = wish::acquire(&locks.lock, first, (token, false), Duration::ZERO);
    let plan = Plan { then: [then].into(), ..stage[0].clone() };
    assert!(locks.complete(plan).then.is_empty(), "it is remembered");
}

fn acquire(token: u64, got: bool) -> LockOp {
    LockOp::Acquire { token, shared: false, got: got.then_some(0) }
}

fn keys(next: &Next) -> Vec<u64> {
    next.stage.iter().map(|plan| plan.key).collect()
}

#[test]
fn who_takes_two_locks_has_both_before_it_works_and_gives_both_back() {
    let mut locks = locks_of(several(Deadlock::Timeout), Deadlocks::default());
    begins(&mut locks, 7, 3, 9);
    let mut at = 0;
    let mut then = |key: u64, action: LockOp| {
        at += 1;
        let next = locks.then(&[by(key, action, at)], at as u32);
        next.map(|next| (keys(&next)[0], actions(&next)[0].1, in_ms(next.after)))
    };
    let read = |balance| LockOp::Read { token: 7, balance };
    let tries = LockOp::Acquire { token: 7, shared: false, got: None };
    let write = |balance| LockOp::Write { token: 7, balance, fence: 0, taken: false };
    assert_eq!(then(3, acquire(7, true)), Some((3, read(None), 0)));
    let (key, next, after) = then(3, read(Some(40))).unwrap();
    assert!((key, next) == (9, tries) && after >= 50, "it works with the first: {after}");
    let (key, again, after) = then(9, acquire(7, false)).unwrap();
    assert!((key, again) == (9, tries) && after >= 5, "{key} {again:?} {after}");
    assert_eq!(then(9, acquire(7, true)), Some((9, read(None), 0)));
    let (key, wrote, after) = then(9, read(Some(60))).unwrap();
    assert!((key, wrote) == (3, write(41)) && after >= 50, "{key} {wrote:?} {after}");
    assert_eq!(then(3, write(41)), Some((9, write(61), 0)));
    assert_eq!(then(9, write(61)), Some((9, RELEASE, 0)), "the last one first");
    assert_eq!(then(9, RELEASE), Some((3, RELEASE, 0)));
    assert_eq!(then(3, RELEASE), None);
    assert!(locks.wishes.borrow().is_empty() && locks.others.borrow().is_empty());
}

#[test]
fn a_share_of_holders_never_gives_the_lock_back() {
    let abandoned = |abandon| {
        let lock = Lock { abandon, ..Lock::new(LockKind::Mutex) };
        let locks = locks_of(lock, Deadlocks::default());
        let ends = |token: u64| {
            let read = LockOp::Read { token, balance: None };
            locks.then(&[by(3, acquire(token, true), 1)], 0).unwrap();
            let next = locks.then(&[by(3, read, 2)], 1);
            next.is_none()
        };
        (0..1_000).filter(|token| ends(*token)).count()
    };
    assert_eq!((abandoned(0.0), abandoned(1.0)), (0, 1_000));
    assert!((50..150).contains(&abandoned(0.1)), "{}", abandoned(0.1));
}

#[test]
fn a_fenced_account_hears_of_a_number_when_it_is_read() {
    let (command, _) = Fenced.read("app:3", 7);
    let sent = command.get_packed_command();
    let sent = String::from_utf8_lossy(&sent);
    assert!(sent.contains("EVAL") && sent.contains("{app:3}:newest") && sent.contains("\r\n7\r\n"));
    let (command, _) = Mutex.read("app:3", 7);
    assert!(!String::from_utf8_lossy(&command.get_packed_command()).contains("newest"));
}

#[test]
fn whose_patience_or_lease_is_over_gives_back_what_it_has() {
    for (lock, until) in [
        (several(Deadlock::Timeout), 5_000),
        (Lock { ttl: Duration::from_secs(1), ..several(Deadlock::Timeout) }, 1_001),
    ] {
        let mut locks = locks_of(lock, Deadlocks::default());
        begins(&mut locks, 7, 3, 9);
        locks.then(&[by(3, acquire(7, true), 1)], 0).unwrap();
        locks.then(&[by(3, READ, 2)], 1).unwrap();
        let next = locks.then(&[by(9, acquire(7, false), until - 20)], 2).unwrap();
        assert_eq!(keys(&next), [9], "there is time for another try");
        let next = locks.then(&[by(9, acquire(7, false), until - 5)], 3).unwrap();
        assert_eq!((keys(&next), actions(&next)), (vec![3], vec![(0, RELEASE)]));
        assert!(locks.then(&[by(3, RELEASE, until)], 4).is_none());
    }
}

/// Two instances of a load: each has a session that has a lock which the other one's wants.
#[test]
fn the_youngest_of_a_deadlock_gives_back_and_begins_anew() {
    let deadlocks = Deadlocks::default();
    let new = || locks_of(several(Deadlock::Detect), deadlocks.clone());
    let (mut one, mut other) = (new(), new());
    begins(&mut one, 7, 3, 9);
    begins(&mut other, 8, 9, 3);
    for (locks, token, key, sent) in [(&one, 7, 3, 1), (&other, 8, 9, 2)] {
        locks.then(&[by(key, acquire(token, true), sent)], 0).unwrap();
        let read = LockOp::Read { token, balance: None };
        locks.then(&[by(key, read, sent + 2)], 1).unwrap();
    }
    // The older one closes it. Only the younger one gives way, when it hears of that.
    let next = other.then(&[by(3, acquire(8, false), 10)], 2).unwrap();
    assert_eq!(keys(&next), [3]);
    let next = one.then(&[by(9, acquire(7, false), 12)], 2).unwrap();
    assert_eq!(keys(&next), [9], "it is older");
    let next = other.then(&[by(3, acquire(8, false), 20)], 3).unwrap();
    let [(0, abort @ LockOp::Abort { token: 8, held: false, found })] = actions(&next)[..] else {
        panic!("{next:?}")
    };
    assert!(found >= Nanos(13 * MS), "{found}");
    assert_eq!(keys(&next), [9]);
    let next = other.then(&[by(9, abort, 21)], 4).unwrap();
    let again = LockOp::Acquire { token: 8 + (1 << 40), shared: false, got: None };
    assert_eq!((keys(&next), actions(&next)), (vec![9], vec![(0, again)]));
    // It takes its locks as before, and the same token never again.
    let token = again.token();
    let next = other.then(&[by(9, acquire(token, true), 40)], 5).unwrap();
    assert_eq!(actions(&next), [(0, LockOp::Read { token, balance: None })]);
    assert_eq!(other.wishes.borrow().len(), 1);
}

#[test]
fn in_order_locks_are_taken_by_their_numbers() {
    use crate::load::workload::Plans;
    use crate::model::Workload;
    use crate::spec::scenario::Load;

    let first = |deadlock| {
        let lock = Some(Lock { take: 4, ..several(deadlock) });
        let load = Load { workload: Workload::Lock, keys: 9, lock, ..Load::new("app", "l", 1.0) };
        let plans = Plans::new(&load, 5).take(200);
        let keys = |stage: Stage| [&[stage[0].key][..], &stage[0].then[..]].concat();
        plans.map(keys).collect::<Vec<_>>()
    };
    for keys in first(Deadlock::Order) {
        assert!(keys.len() == 4 && keys.is_sorted_by(|one, next| one < next), "{keys:?}");
    }
    let mut different = first(Deadlock::Detect);
    assert!(different.iter().any(|keys| !keys.is_sorted()));
    different.iter_mut().for_each(|keys| keys.sort_unstable());
    assert_eq!(different, first(Deadlock::Order), "they are the same locks");
}

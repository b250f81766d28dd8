//! Loads that take locks.

use std::time::Duration;

use super::acknowledged::{WAIT, check_replicas};
use super::groups::{group, named};
use crate::model::Workload;
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::file::scenario::{LoadMap, LockMap};
use crate::spec::lock::{Lock, LockBy, LockKind};
use crate::spec::quantity::{Percent, Time};
use crate::spec::scenario::{Load, Wait};
use crate::spec::source::Span;
use crate::spec::topology::{Group, Topology};

/// How many have a semaphore at once, where the file does not say.
const SEMAPHORE: u32 = 3;
/// How many of those that want a read-write lock read, where the file does not say.
const READERS: Percent = Percent(90.0);

/// The groups of a load that takes locks: those of the locks, and then that of the accounts, if it
/// is another one.
pub fn groups<'t>(
    map: &LoadMap,
    span: &Span,
    topology: &'t Topology,
    errors: &mut Diagnostics,
) -> Option<Vec<&'t Group>> {
    let kind = kind(map);
    let mut groups = match (map.group.given(), map.groups.given()) {
        (Some(_), Some(at)) => {
            let message = "a load has a `group` or `groups`, and not both";
            errors.add(&at.span, message, "leave one of them out");
            return None;
        }
        (None, Some(at)) if matches!(kind, LockKind::Redlock | LockKind::Library) => {
            let groups = named(&at.value, span, topology, errors)?;
            groups.iter().for_each(|group| is_one_server(group, &at.span, errors));
            groups
        }
        // That has been told.
        (None, Some(_)) if is_unread(map) => return None,
        (None, Some(at)) => {
            let message = format!("a lock of the kind `{}` is on one group", kind.word());
            errors.add(&at.span, message, "write `group:` with its name, or `kind: redlock`");
            return None;
        }
        (_, None) => {
            let group = group(&map.group, span, topology, errors)?;
            if kind == LockKind::Redlock {
                is_one_server(group, map.group.given().map_or(span, |at| &at.span), errors);
            }
            vec![group]
        }
    };
    let accounts = map.lock.given().and_then(|at| at.value.accounts.given());
    if let Some(at) = accounts {
        let found = group(&Field::Given(at.clone()), span, topology, errors)?;
        if groups.iter().any(|other| other.name == found.name) {
            let message = format!("`{}` has the locks already", found.name);
            let advice =
                "leave `accounts` out, or name a group of its own: faults are to hit the locks";
            errors.add(&at.span, message, advice);
            return None;
        }
        groups.push(found);
    }
    Some(groups)
}

/// Whether the kind is there, and is none.
fn is_unread(map: &LoadMap) -> bool {
    map.lock.given().is_some_and(|at| matches!(at.value.kind, Field::Bad))
}

/// What an adapter takes is its library's lock.
fn kind(map: &LoadMap) -> LockKind {
    let usual = match is_by_an_adapter(map) {
        true => LockKind::Library,
        false => LockKind::Mutex,
    };
    map.lock.given().map_or(usual, |at| at.value.kind.or(usual))
}

fn is_by_an_adapter(map: &LoadMap) -> bool {
    map.client.given().is_some_and(|at| at.value.is_an_adapter())
}

/// Whether that kind of lock is what the load's client can take.
fn check_kind(map: &LoadMap, lock: &LockMap, errors: &mut Diagnostics) {
    let Some(At { value: kind, span }) = lock.kind.given() else { return };
    match (is_by_an_adapter(map), *kind == LockKind::Library) {
        (true, false) => {
            let message = format!("how a lock is made is the library's, and not `{}`", kind.word());
            errors.add(span, message, "write `kind: library`, or leave `kind` out");
        }
        (false, true) => {
            let message = "only an adapter takes a library's locks";
            errors.add(span, message, "add `client: { command: [...] }`, or use another kind");
        }
        (true, true) | (false, false) => {}
    }
}

/// Each server of a lock on several decides for itself: what replicates is another kind of lock.
fn is_one_server(group: &Group, span: &Span, errors: &mut Diagnostics) {
    if group.is_cluster() || group.replicas() > 0 {
        let message = format!(
            "`{}` is no single server, and a lock on several groups needs such",
            group.name
        );
        errors.add(span, message, "name groups of `mode: standalone`");
    }
}

/// What locks the load takes; none if its workload is another one. `groups` are all of its groups.
pub fn check(
    map: &LoadMap,
    workload: Workload,
    groups: usize,
    errors: &mut Diagnostics,
) -> Option<Lock> {
    let given = map.lock.given();
    if workload != Workload::Lock {
        if let Some(at) = given {
            let message = format!("the workload `{}` takes no locks", workload.word());
            errors.add(&at.span, message, "write `workload: lock`, or leave `lock` out");
        }
        return None;
    }
    let usual = Lock::new(kind(map));
    let Some(At { value: lock, .. }) = given else { return Some(Lock { groups, ..usual }) };
    check_kind(map, lock, errors);
    let accounts_apart = lock.accounts.given().is_some();
    let groups = groups - usize::from(accounts_apart);
    let checked = Lock {
        kind: usual.kind,
        ttl: lock.ttl.or(Time(usual.ttl)).0,
        hold: lock.hold.or(Time(usual.hold)).0,
        patience: lock.patience.or(Time(usual.patience)).0,
        retry: lock.retry.or(Time(usual.retry)).0,
        extend: lock.extend.given().map(|at| at.value.0),
        abandon: lock.abandon.or(Percent(0.0)).0 / 100.0,
        take: take(usual.kind, lock, errors),
        deadlock: lock.deadlock.or(usual.deadlock),
        holders: holders(lock, errors),
        by: by(usual.kind, lock, errors),
        comparing: None,
        groups,
        quorum: quorum((usual.kind, lock), groups, errors),
        accounts_apart,
    };
    if let Some(at) = lock.ttl.given().filter(|at| at.value.0.subsec_nanos() % 1_000_000 != 0) {
        let message = "servers count leases in whole milliseconds";
        errors.add(&at.span, message, "write `ttl` in milliseconds");
    }
    let is_too_short = checked.extend.is_none() && checked.hold / 2 >= checked.ttl;
    if let Some(at) = lock.hold.given().filter(|_| is_too_short) {
        let message = format!(
            "every lease of {} is over before the work is done, which takes {} at least",
            Time(checked.ttl),
            Time(checked.hold / 2)
        );
        errors.add(&at.span, message, "make `ttl` longer than `hold`, or add `extend`");
    }
    if let Some(at) = lock.extend.given().filter(|at| at.value.0 >= checked.ttl) {
        let message = format!("a lease of {} is over before it begins anew", Time(checked.ttl));
        errors.add(&at.span, message, "make `extend` shorter than `ttl`; a third of it is usual");
    }
    Some(checked)
}

/// How many locks a session takes.
fn take(kind: LockKind, lock: &LockMap, errors: &mut Diagnostics) -> usize {
    let take = lock.take.or(1);
    if take == 1 {
        if let Some(at) = lock.deadlock.given() {
            let message = "who takes one lock is in no deadlock";
            errors.add(&at.span, message, "add `take: 2`, or leave `deadlock` out");
        }
        return 1;
    }
    let may_be_several = match kind {
        LockKind::Mutex | LockKind::MutexWait | LockKind::Fenced | LockKind::Redlock => true,
        LockKind::Semaphore | LockKind::ReadWrite | LockKind::Fair | LockKind::Library => false,
    };
    if let Some(at) = lock.take.given().filter(|_| !may_be_several) {
        let message = format!("a session takes one lock of the kind `{}`", kind.word());
        errors.add(&at.span, message, "leave `take` out, or use a `mutex`");
    }
    if let Some(at) = lock.abandon.given() {
        let message = "a session that takes several locks gives all of them back";
        errors.add(&at.span, message, "leave `abandon` out, or take one lock");
    }
    if let Some(at) = lock.extend.given() {
        let message = "a session that takes several locks does not extend them";
        errors.add(&at.span, message, "leave `extend` out, and make `ttl` longer than `patience`");
    }
    take as usize
}

/// There are as many locks as a session takes.
pub fn check_keys(maps: &[(At<String>, LoadMap)], loads: &[Load], errors: &mut Diagnostics) {
    for (name, map) in maps {
        let given = map.lock.given().and_then(|at| at.value.take.given());
        let load = loads.iter().find(|load| load.name == name.value);
        let (Some(at), Some(load)) = (given, load) else { continue };
        let (take, keys) = (u64::from(at.value), load.keys);
        if take > keys {
            let message = format!("a session cannot take {take} different locks of {keys}");
            errors.add(&at.span, message, format!("take {keys} at most, or have more `keys`"));
        }
    }
}

/// Of a semaphore. Others have one holder.
fn holders(lock: &LockMap, errors: &mut Diagnostics) -> u32 {
    if lock.kind.or(LockKind::Mutex) == LockKind::Semaphore {
        return lock.holders.or(SEMAPHORE);
    }
    if let Some(at) = lock.holders.given() {
        errors.add(&at.span, "only a semaphore has several holders", "leave `holders` out");
    }
    1
}

/// Only locks that are one key can be compared by a command.
fn by(kind: LockKind, lock: &LockMap, errors: &mut Diagnostics) -> LockBy {
    let by = lock.by.or(LockBy::Script);
    let is_one_key = match kind {
        LockKind::Mutex | LockKind::MutexWait | LockKind::Redlock => true,
        LockKind::Fenced
        | LockKind::Semaphore
        | LockKind::ReadWrite
        | LockKind::Fair
        | LockKind::Library => false,
    };
    if let Some(at) = lock.by.given().filter(|_| by == LockBy::Command && !is_one_key) {
        let message = format!("a lock of the kind `{}` is made by scripts", kind.word());
        errors.add(&at.span, message, "leave `by` out, or use a `mutex`");
    }
    by
}

/// The share of readers of a read-write lock.
pub fn readers(map: &LoadMap, lock: &Lock, errors: &mut Diagnostics) -> f64 {
    if lock.kind == LockKind::ReadWrite {
        return map.reads.or(READERS).0 / 100.0;
    }
    if let Some(at) = map.reads.given() {
        let message = format!("who has a `{}` lock reads and writes", lock.kind.word());
        errors.add(&at.span, message, "leave `reads` out, or use `kind: read-write`");
    }
    0.0
}

/// What is wrong if a load of locks uses those of `other`: one lock is made in one way.
pub fn of_another_kind(own: &Load, other: &Load) -> Option<String> {
    let (lock, of_other) = (own.lock.as_ref()?, other.lock.as_ref()?);
    let made = |lock: &Lock| (lock.kind, lock.holders);
    (made(lock) != made(of_other)).then(|| {
        let (kind, holders) = made(of_other);
        let several = (holders > 1).then(|| format!(" for {holders} holders"));
        let several = several.unwrap_or_default();
        format!("the locks of `{}` are of the kind `{}`{several}", other.name, kind.word())
    })
}

fn quorum((kind, lock): (LockKind, &LockMap), groups: usize, errors: &mut Diagnostics) -> usize {
    // A library says itself what comes of its servers' answers.
    let majority = if kind == LockKind::Library { 1 } else { groups / 2 + 1 };
    let Some(at) = lock.quorum.given() else { return majority };
    if kind != LockKind::Redlock {
        errors.add(&at.span, "only a redlock has a quorum", "leave `quorum` out");
    }
    let quorum = at.value as usize;
    if quorum == 0 || quorum > groups {
        let message = format!("a quorum of {quorum} of {groups} servers cannot be");
        errors.add(&at.span, message, format!("a majority is {majority}"));
    }
    quorum
}

/// A `mutex-wait` waits for one replica, unless the load says for how many. Others wait for none.
pub fn wait(
    map: &LoadMap,
    (lock, given): (Option<&Lock>, Option<Wait>),
    (timeout, group): (Duration, &Group),
    errors: &mut Diagnostics,
) -> Option<Wait> {
    let (Some(lock), Some(span)) = (lock, map.workload.span()) else { return given };
    match (lock.kind == LockKind::MutexWait, given, map.wait.given()) {
        (true, None, None) => {
            check_replicas(1, span, group, errors);
            return Some(Wait { replicas: 1, timeout: WAIT.0.min(timeout) });
        }
        (true, None, Some(at)) => {
            let message = "a `mutex-wait` waits for a replica at least";
            errors.add(&at.span, message, "ask for `replicas: 1`, or use `kind: mutex`");
        }
        (false, Some(_), Some(at)) => {
            let message = format!("a lock of the kind `{}` waits for no replica", lock.kind.word());
            errors.add(&at.span, message, "use `kind: mutex-wait`, or leave `wait` out");
        }
        (true, Some(_), _) | (false, ..) => {}
    }
    given
}

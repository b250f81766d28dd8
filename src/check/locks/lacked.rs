//! Locks that a server no longer had while their holders did: a new primary that never heard of them,
//! or a server that lost its data.
//!
//! A holder that releases its lock before its lease is over is told so by the server's answer. Such
//! a lock was free for anybody who wanted it. That nobody got it twice is luck then, if nobody wanted
//! it.

use std::time::Duration;

use super::session::{Held, Lock};
use crate::check::checker::{Checked, Context};
use crate::model::Nanos;

/// Of all locks of a load.
#[derive(Default)]
pub(super) struct Lacked {
    /// The server no longer had them.
    locks: u64,
    /// Another client tried to get them meanwhile.
    wanted: u64,
    /// A library may not tell whether it still held what it released.
    pub(super) is_untold: bool,
}

impl Lacked {
    pub(super) fn add(&mut self, lock: &Lock, held: &[Held], ttl: Duration, context: &Context) {
        let lacked = |one: &Held| {
            let (sent, _) = one.leased?;
            let at = one.not_held.filter(|at| *at < sent + ttl)?;
            // The server lost it after it was granted, and not before the last fault began.
            let fault = context.fault_before(at).map_or(Nanos::ZERO, |fault| fault.from);
            Some((one.got.max(fault), at))
        };
        let spans: Vec<(Nanos, Nanos)> = held.iter().filter_map(lacked).collect();
        if spans.is_empty() {
            return;
        }
        let mut tries: Vec<(Nanos, Nanos)> = lock.tries().collect();
        tries.sort_unstable();
        let mut latest = Nanos::ZERO;
        for (_, tried) in &mut tries {
            latest = latest.max(*tried);
            *tried = latest;
        }
        for (from, to) in spans {
            // The last try of those that began before the release. The holder's own was before.
            let begun = tries.partition_point(|(wished, _)| *wished <= to);
            let wanted = begun.checked_sub(1).is_some_and(|last| tries[last].1 > from);
            self.locks += 1;
            self.wanted += u64::from(wanted);
        }
    }

    pub(super) fn join(&mut self, other: Lacked) {
        self.locks += other.locks;
        self.wanted += other.wanted;
        self.is_untold |= other.is_untold;
    }

    pub(super) fn told(&self, told: &mut Checked) {
        let known = |count: u64| (!self.is_untold).then_some(count as f64);
        told.measure("lock.lacked", known(self.locks));
        told.measure("lock.lacked.wanted", known(self.wanted));
    }
}

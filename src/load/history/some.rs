//! Operations of every kind, for tests of how they are written and read.

use proptest::prelude::*;

use crate::model::Nanos;
use crate::model::op::{
    Action, CacheOp, Cause, CounterOp, Ended, ExpiryOp, FoundIn, LockOp, Op, Outcome, Part,
    Purpose, QueueOp, Redirects, RegisterOp, SetOp, TransferOp,
};

/// Small numbers, and the greatest.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..300u64, any::<u64>()]
}

fn action() -> impl Strategy<Value = Action> {
    let value = || prop::option::of(number());
    let all = || prop::collection::vec(number(), 0..4).prop_map(Vec::into_boxed_slice);
    let signed = || prop::collection::vec(any::<i64>(), 0..4).prop_map(Vec::into_boxed_slice);
    prop_oneof![
        value().prop_map(|value| Action::Register(RegisterOp::Read(value))),
        number().prop_map(|value| Action::Register(RegisterOp::Write(value))),
        (value(), number()).prop_map(|(from, to)| Action::Register(RegisterOp::Cas { from, to })),
        value().prop_map(|value| Action::Counter(CounterOp::Read(value))),
        value().prop_map(|value| Action::Counter(CounterOp::Add(value))),
        number().prop_map(|value| Action::Set(SetOp::Insert(value))),
        all().prop_map(|all| Action::Set(SetOp::Members(all))),
        Just(Action::Queue(QueueOp::Open)),
        number().prop_map(|value| Action::Queue(QueueOp::Push(value))),
        value().prop_map(|value| Action::Queue(QueueOp::Pop(value))),
        number().prop_map(|value| Action::Queue(QueueOp::Ack(value))),
        all().prop_map(|all| Action::Queue(QueueOp::Drain(all))),
        signed().prop_map(|all| Action::Transfer(TransferOp::Open(all))),
        signed().prop_map(|all| Action::Transfer(TransferOp::Balances(all))),
        any::<(u16, u16, u32, Vec<u16>, bool)>().prop_map(|(from, to, amount, others, fails)| {
            let others = others.into();
            Action::Transfer(TransferOp::Move { from, to, amount, others, fails })
        }),
        lock().prop_map(Action::Lock),
        cache().prop_map(Action::Cache),
        expiry().prop_map(Action::Expiry),
    ]
}

fn expiry() -> impl Strategy<Value = ExpiryOp> {
    let at = || number().prop_map(Nanos);
    prop_oneof![
        (number(), at()).prop_map(|(value, lives)| ExpiryOp::Set { value, lives }),
        (number(), at(), any::<bool>(), prop::option::of(number())).prop_map(
            |(value, ends, replica, found)| ExpiryOp::Look { value, ends, replica, found }
        ),
    ]
}

fn cache() -> impl Strategy<Value = CacheOp> {
    let at = || number().prop_map(Nanos);
    let from = || prop::sample::select(FoundIn::ALL.to_vec());
    let asked = || prop::option::of((at(), at()));
    let at_times = || (prop::option::of(at()), prop::option::of(at()));
    let read = (prop::option::of(number()), from(), asked(), at_times());
    prop_oneof![
        (number(), at(), prop::option::of(any::<u32>()))
            .prop_map(|(version, at, commands)| CacheOp::Write { version, at, commands }),
        Just(CacheOp::Guarded),
        (any::<u32>(), any::<bool>(), prop::option::of((number(), at())))
            .prop_map(|(step, has, left)| CacheOp::Warmed { step, has, left }),
        prop::option::of(number()).prop_map(|older| CacheOp::Swept { older }),
        number().prop_map(|version| CacheOp::Lost { version }),
        (number(), prop::sample::select(Ended::ALL.to_vec()), any::<bool>())
            .prop_map(|(version, ended, in_host)| CacheOp::Held { version, ended, in_host }),
        read.prop_map(|(version, from, asked, (kept, met))| CacheOp::Read {
            version,
            from,
            asked,
            kept,
            met,
        }),
    ]
}

fn lock() -> impl Strategy<Value = LockOp> {
    let number_if = || prop::option::of(number());
    prop_oneof![
        (number(), any::<bool>(), number_if()).prop_map(|(token, shared, got)| LockOp::Acquire {
            token,
            shared,
            got
        }),
        (number(), any::<bool>()).prop_map(|(token, woken)| LockOp::Wait { token, woken }),
        (number(), any::<bool>()).prop_map(|(token, held)| LockOp::Extend { token, held }),
        (number(), any::<bool>()).prop_map(|(token, held)| LockOp::Release { token, held }),
        (number(), any::<bool>(), number()).prop_map(|(token, held, found)| LockOp::Abort {
            token,
            held,
            found: Nanos(found)
        }),
        (number(), number_if()).prop_map(|(token, balance)| LockOp::Read { token, balance }),
        (number(), number(), number(), any::<bool>()).prop_map(|(token, balance, fence, taken)| {
            LockOp::Write { token, balance, fence, taken }
        }),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let cause = || prop::sample::select(Cause::ALL.to_vec());
    prop_oneof![
        Just(Outcome::Ok),
        cause().prop_map(Outcome::Fail),
        cause().prop_map(Outcome::Unknown),
    ]
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let who = (any::<(u8, Option<u8>, u16, u32, u8)>(), prop::option::of(any::<u16>()));
    let part = (number(), any::<u32>(), (number(), 0..9_u64), any::<bool>());
    let part = prop::option::of(part.prop_map(|(session, step, (began, late), last)| Part {
        session,
        step,
        began: Nanos(began),
        late: Nanos(late),
        last,
    }));
    let when = (number(), number(), number());
    let purpose = prop::sample::select(Purpose::ALL.to_vec());
    let redirects = any::<(u16, u16, u16)>();
    let what = (number(), action(), outcome(), purpose, redirects);
    (who, part, when, what).prop_map(|(who, part, when, what)| {
        let ((load, shares, instance, process, group), by) = who;
        let (intended, sent, done) = (Nanos(when.0), Nanos(when.1), Nanos(when.2));
        let (key, action, outcome, purpose, (moved, ask, try_again)) = what;
        let redirects = Redirects { moved, ask, try_again };
        #[rustfmt::skip]
        let op = Op {
            load, shares, instance, process, part, purpose, group, key, action, by,
            intended, sent, done, outcome, redirects,
        };
        op
    })
}

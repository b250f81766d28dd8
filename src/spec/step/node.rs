//! Steps that end servers, stop them for a while, start them again, or make another one primary.

use std::time::Duration;

use super::declare::{Keys, Rule, step};
use super::shared::Context;
use super::target::Target;
use crate::spec::decode::{At, word_enum};
use crate::spec::quantity::Time;
use crate::spec::source::Span;
use crate::spec::topology::{Group, Mode};

/// A server that is asked to end has so long; then it is killed.
const GRACE: Duration = Duration::from_secs(10);

step! {
    /// Ends servers at once (SIGKILL), as a power cut would. When its time is over they start
    /// again with their data.
    Kill KillMap "a kill step" [Target, For] {}
}

step! {
    /// Asks servers to end (SIGTERM), as a deployment does. When its time is over they start
    /// again with their data.
    Stop StopMap "a stop step" [Target, For] {}
}

step! {
    /// Keeps servers from running (SIGSTOP); their connections stay open.
    Pause PauseMap "a pause step" [Target, For] {}
}

step! {
    /// Stops servers and starts them again at once.
    Restart RestartMap "a restart step" [Target] {
        /// `kept`, or `dropped`: they start without data, and still know their cluster. Default: `kept`.
        default "data" data: Data = Data::Kept,
    }
}

step! {
    /// Tells a replica to become the primary of its shard, or, in mode `sentinel`, a sentinel to
    /// fail over.
    Failover FailoverMap "a failover step" [Target] {
        /// `none` agrees with the primary on the handover, `force` does not wait for it,
        /// `takeover` asks nobody. Default: `none`.
        default "force" force: Force = Force::None,
    }
}

step! {
    /// Servers write a snapshot of what they hold to their disks (SAVE), which they have when they are
    /// started again with their data.
    Save SaveMap "a save step" [Target] {}
}

step! {
    /// Ends connections to servers (CLIENT KILL), once or every so often until its time is over.
    ClientKill ClientKillMap "a client-kill step" [Target, For] {
        /// Whose connections: those of `normal` clients, of `replica`s, or of subscribers
        /// (`pubsub`). Default: `normal`.
        default "kind" kind: ClientType = ClientType::Normal,
        /// How often. Default: once.
        optional "every" every: Time,
    }
}

step! {
    /// Empties servers (FLUSHALL), as an operator does. Replicas are emptied with their primaries.
    Flush FlushMap "a flush step" [Target] {
        /// Whether the server goes on while it gives the memory back. Default: `false`.
        default "async" is_async: bool = false,
    }
}

word_enum! {
    /// Whose connections a server ends, as CLIENT KILL calls them.
    ClientType "kind of client" {
        Normal "normal",
        Replica "replica",
        Pubsub "pubsub",
    }
}

word_enum! {
    /// What becomes of a node's data when its server is started again.
    Data "data" {
        Kept "kept",
        /// Its data set is gone. It still knows its cluster (`nodes.conf`); a sentinel and an actor
        /// start as they were started first.
        Dropped "dropped",
    }
}

word_enum! {
    /// Whom a replica asks before it becomes primary. See CLUSTER FAILOVER, and FAILOVER for
    /// groups without a cluster:
    /// <https://redis.io/docs/latest/commands/cluster-failover/>
    /// <https://redis.io/docs/latest/commands/failover/>
    Force "force" {
        /// The primary, and then the other primaries.
        None "none",
        /// The other primaries. Without a cluster: the primary, which waits a second at most until
        /// the replica has all its writes.
        Force "force",
        /// Nobody.
        Takeover "takeover",
    }
}

impl Rule for Kill {
    fn ends_servers_in(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn can_be_on_actors(&self) -> bool {
        true
    }
}

impl Rule for Stop {
    fn ends_servers_in(&self) -> Option<Duration> {
        Some(GRACE)
    }

    fn can_be_on_actors(&self) -> bool {
        true
    }
}

impl Rule for Pause {
    fn can_be_on_actors(&self) -> bool {
        true
    }

    fn can_be_on_instances(&self) -> bool {
        true
    }
}

impl Rule for Restart {
    fn how(&self) -> String {
        self.data.how().to_owned()
    }

    fn can_be_on_actors(&self) -> bool {
        true
    }
}

impl Data {
    /// As a person would say it, behind the target.
    pub fn how(self) -> &'static str {
        match self {
            Data::Kept => "",
            Data::Dropped => " without its data",
        }
    }
}

impl Rule for Failover {
    fn check(map: &FailoverMap, context: &mut Context<'_>) -> Option<Failover> {
        // SENTINEL FAILOVER does not ask the other sentinels, and knows no other way.
        if let Some(at) = map.force.given()
            && context.group.sentinels().is_some()
            && at.value != Force::None
        {
            let advice = "leave `force` out; it is for clusters and mode `replication`";
            context.errors.add(&at.span, "sentinels fail over in one way only", advice);
        }
        let target = context.target?;
        if let Some((message, advice)) = cannot_fail_over(&target.value, context.group) {
            context.errors.add(&target.span, message, advice);
            return None;
        }
        map.filled()
    }

    fn how(&self) -> String {
        match self.force {
            Force::None => String::new(),
            Force::Force => ", by force".to_owned(),
            Force::Takeover => ", by takeover".to_owned(),
        }
    }
}

impl Rule for Save {
    fn check(map: &SaveMap, context: &mut Context<'_>) -> Option<Save> {
        context.refuse_sentinels("hold no data", "take nodes of the group");
        map.filled()
    }
}

impl Rule for Flush {
    fn check(map: &FlushMap, context: &mut Context<'_>) -> Option<Flush> {
        context.refuse_sentinels("have no keys", "take nodes of the group");
        map.filled()
    }

    fn how(&self) -> String {
        if self.is_async { ", asynchronously".to_owned() } else { String::new() }
    }
}

impl Rule for ClientKill {
    fn check(map: &ClientKillMap, context: &mut Context<'_>) -> Option<ClientKill> {
        let mut refuse = |span: &Span, message: &str, advice: &str| {
            context.errors.add(span, message, advice);
        };
        match (map.every.given(), context.step.lasts.given()) {
            (Some(every), None) if context.step.lasts.is_missing() => {
                let message = "a step that ends connections every so often needs `for`";
                refuse(&every.span, message, "say how long it goes on, like `for: 10s`");
            }
            (None, Some(lasts)) if map.every.is_missing() => {
                let message = "connections that are ended once are ended at once";
                refuse(&lasts.span, message, "leave `for` out, or say `every` how often");
            }
            (Some(_), Some(lasts)) => {
                let range = (Time(Duration::from_millis(10)), lasts.value);
                let why = "clients need a moment to connect again";
                map.every.check_range("every", range, why, context.errors);
            }
            _ => {}
        }
        if map.kind.or(ClientType::Normal) == ClientType::Replica {
            let advice = "take nodes of the group, or `kind: normal`";
            context.refuse_sentinels("have no replicas", advice);
        }
        map.filled()
    }

    fn how(&self) -> String {
        let every = self.every.map(|every| format!(" every {every}")).unwrap_or_default();
        format!(", connections of {} clients{every}", self.kind.word())
    }
}

/// Why this target cannot be told to fail over, and what to write.
fn cannot_fail_over(target: &Target, group: &Group) -> Option<(String, String)> {
    if group.mode == Mode::Standalone {
        let message = format!("`{}` has no replica that could take over", group.name);
        return Some((message, "give it another mode and replicas".to_owned()));
    }
    let one_sentinel = match target {
        Target::Node(name) => name.is_sentinel(),
        other => *other == Target::RandomSentinel,
    };
    if group.sentinels().is_some() {
        return (!one_sentinel).then(|| {
            let message = format!("`{target}` is not one sentinel, and they choose the replica");
            (message, format!("write {}/sentinel/0, or `random sentinel`", group.name))
        });
    }
    let one_replica =
        matches!(target, Target::Node(_) | Target::ReplicaOf(_) | Target::RandomReplica);
    (!one_replica).then(|| {
        let message = format!("`{target}` is not one replica");
        (message, "write `a replica of shard 1`, or a node's name".to_owned())
    })
}

step! {
    /// Restarts nodes one after the other, replicas first, as an upgrade does: each when the one
    /// before it has passed the gate.
    RollingRestart RollingMap "a rolling-restart step" [AnyTarget] {
        /// `kept`, or `dropped`: they start without data, and still know their cluster. Default: `kept`.
        default "data" data: Data = Data::Kept,
        /// Whether a primary hands over to a replica first (CLUSTER FAILOVER). Default: `false`.
        default "hand_over" hand_over: bool = false,
        /// What a node must have come to before the next one's turn: `started`, `answering`, or
        /// `whole`, which is that the whole group is well. Default: `whole`.
        default "gate" gate: Gate = Gate::Whole,
        /// How long that may take, and a handover; past it the step has failed. Default: 30s.
        #[range(Time::millis(100), Time::secs(24 * 3600),
            "a node that never comes back ends the step after so long")]
        default "patience" patience: Time = Time::secs(30),
    }
}

word_enum! {
    /// What a restarted node must have come to before the next one's turn.
    Gate "gate" {
        /// Its process runs.
        Started "started",
        /// It answers, its data is loaded, and a replica's link is up.
        Answering "answering",
        /// The whole group is: all nodes answer and agree, nobody is taken for failed.
        Whole "whole",
    }
}

impl Rule for RollingRestart {
    fn check(map: &RollingMap, context: &mut Context<'_>) -> Option<RollingRestart> {
        if let Some(At { value: true, span }) = map.hand_over.given()
            && !context.owned.has_replicas()
        {
            let message = format!("`{}` has no replicas to hand over to", context.group.name);
            context.errors.add(span, message, "give it some, or leave `hand_over` out");
        }
        map.filled()
    }

    fn how(&self) -> String {
        let hand_over = if self.hand_over { ", primaries hand over" } else { "" };
        let data = if self.data == Data::Dropped { " without their data" } else { "" };
        let gate = self.gate.word();
        format!("{data}, one after the other{hand_over}, gate `{gate}`")
    }
}

//! Steps that end servers, stop them for a while, or make another one primary.

use std::time::Duration;

use super::declare::{Rule, step};
use super::shared::Context;
use super::target::Target;
use crate::spec::decode::{Word, word_enum};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::quantity::Time;
use crate::spec::rules::check_range;
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
        /// `kept`, or `dropped`: they start as they were started first. Default: `kept`.
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
    /// Ends connections to servers (CLIENT KILL), once or every so often until its time is over.
    ClientKill ClientKillMap "a client-kill step" [Target, For] {
        /// Whose connections: those of `normal` clients, of `replica`s, or of subscribers
        /// (`pubsub`). Default: `normal`.
        default "kind" kind: ClientType = ClientType::Normal,
        /// How often. Default: once.
        optional "every" every: Time,
    }
}

/// Whose connections a server ends, as CLIENT KILL calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientType {
    Normal,
    Replica,
    Pubsub,
}

/// What becomes of a node's data when its server is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    Kept,
    /// It starts as it was when it was started first.
    Dropped,
}

/// Whom a replica asks before it becomes primary. See CLUSTER FAILOVER, and FAILOVER for
/// groups without a cluster:
/// <https://redis.io/docs/latest/commands/cluster-failover/>
/// <https://redis.io/docs/latest/commands/failover/>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// The primary, and then the other primaries.
    None,
    /// The other primaries. Without a cluster: the primary, which waits a second at most until
    /// the replica has all its writes.
    Force,
    /// Nobody.
    Takeover,
}

word_enum!(Data as "data" { "kept" => Data::Kept, "dropped" => Data::Dropped });
word_enum!(Force as "force" {
    "none" => Force::None,
    "force" => Force::Force,
    "takeover" => Force::Takeover,
});

impl Rule for Kill {
    type Map = KillMap;

    fn check(map: &KillMap, _: &mut Context<'_>, _: &mut Vec<Diagnostic>) -> Option<Kill> {
        map.filled()
    }

    fn ends_servers_in(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

impl Rule for Stop {
    type Map = StopMap;

    fn check(map: &StopMap, _: &mut Context<'_>, _: &mut Vec<Diagnostic>) -> Option<Stop> {
        map.filled()
    }

    fn ends_servers_in(&self) -> Option<Duration> {
        Some(GRACE)
    }
}

impl Rule for Pause {
    type Map = PauseMap;

    fn check(map: &PauseMap, _: &mut Context<'_>, _: &mut Vec<Diagnostic>) -> Option<Pause> {
        map.filled()
    }
}

impl Rule for Restart {
    type Map = RestartMap;

    fn check(map: &RestartMap, _: &mut Context<'_>, _: &mut Vec<Diagnostic>) -> Option<Restart> {
        map.filled()
    }

    fn how(&self) -> String {
        self.data.how().to_owned()
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
    type Map = FailoverMap;

    fn check(
        map: &FailoverMap,
        context: &mut Context<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Failover> {
        // SENTINEL FAILOVER does not ask the other sentinels, and knows no other way.
        if let Some(at) = map.force.given()
            && context.group.sentinels().is_some()
            && at.value != Force::None
        {
            let told = Diagnostic::new(&at.span, "sentinels fail over in one way only");
            let advice = "leave `force` out; it is for clusters and mode `replication`";
            diagnostics.push(told.advise(advice));
        }
        let target = context.target?;
        if let Some((message, advice)) = cannot_fail_over(&target.value, context.group) {
            diagnostics.push(Diagnostic::new(&target.span, message).advise(advice));
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

word_enum!(ClientType as "kind of client" {
    "normal" => ClientType::Normal,
    "replica" => ClientType::Replica,
    "pubsub" => ClientType::Pubsub,
});

impl Rule for ClientKill {
    type Map = ClientKillMap;

    fn check(
        map: &ClientKillMap,
        context: &mut Context<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<ClientKill> {
        let mut refuse = |span: &Span, message: &str, advice: &str| {
            diagnostics.push(Diagnostic::new(span, message).advise(advice));
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
            (Some(every), Some(lasts)) => {
                let range = (Time(Duration::from_millis(10)), lasts.value);
                let why = "clients need a moment to connect again";
                check_range("every", &every.value, &every.span, range, why, diagnostics);
            }
            _ => {}
        }
        if map.kind.or(ClientType::Normal) == ClientType::Replica {
            let advice = "take nodes of the group, or `kind: normal`";
            context.refuse_sentinels("have no replicas", advice, diagnostics);
        }
        map.filled()
    }

    fn how(&self) -> String {
        let every = self.every.map(|every| format!(" every {every}")).unwrap_or_default();
        format!(", connections of {} clients{every}", self.kind.word())
    }
}

/// Why a failover cannot be told so, and what to write.
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

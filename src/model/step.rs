//! The kinds of steps: the word of each, and its effects.
//!
//! Code that needs to know what a step may do uses its [`Effects`] and not its name.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Passes all kinds of steps, with their words, to the macro `$with`.
macro_rules! all_steps {
    ($with:ident) => {
        $with! {
            Reshard "reshard",
            Drain "drain",
            Rebalance "rebalance",
            AddShard "add-shard",
            RemoveShard "remove-shard",
            AddReplica "add-replica",
            Kill "kill",
            Stop "stop",
            Pause "pause",
            Restart "restart",
            RollingRestart "rolling-restart",
            Failover "failover",
            Promote "promote",
            FailBack "fail-back",
            ClientKill "client-kill",
            Save "save",
            Slow "slow",
            MemoryPressure "memory-pressure",
            DiskFull "disk-full",
            SlowDisk "slow-disk",
            Clock "clock",
            Partition "partition",
            Latency "latency",
            Bandwidth "bandwidth",
            Trickle "trickle",
            Refuse "refuse",
            Reset "reset",
            Origin "origin",
            RestartProcesses "restart-processes",
            Warm "warm",
            Invalidate "invalidate",
            Flush "flush",
            Chaos "chaos",
        }
    };
}
pub(crate) use all_steps;

macro_rules! kinds {
    ($( $kind:ident $word:literal, )*) => {
        /// What a step is.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum StepKind {
            $( $kind, )*
            /// A word from the record of another version of redrill.
            Other(String),
        }

        impl StepKind {
            /// All kinds that this version knows.
            pub const ALL: &[StepKind] = &[$( StepKind::$kind, )*];

            /// As it is written in a scenario.
            pub fn word(&self) -> &str {
                match self {
                    $( StepKind::$kind => $word, )*
                    StepKind::Other(word) => word,
                }
            }

            pub fn parse(word: &str) -> StepKind {
                match word {
                    $( $word => StepKind::$kind, )*
                    other => StepKind::Other(other.to_owned()),
                }
            }
        }
    };
}
all_steps!(kinds);

/// When the effect of a step is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// As soon as it is done: nothing is left to undo.
    AtOnce,
    /// When its time is over and it is undone, or at the end of the load.
    UntilUndone,
    /// While the step is running.
    WhileAtWork,
}

/// What a step may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effects {
    pub lasts: Lasts,
    /// Acknowledged writes may be lost.
    pub loses_writes: bool,
    /// Servers may forget what they hold: they end, or evict keys.
    pub empties: bool,
    /// A replica may become primary.
    pub fails_over: bool,
    pub moves_slots: bool,
    /// Nodes of two sides do not hear each other.
    pub cuts_links: bool,
    /// Nodes join a cluster, or leave it.
    pub changes_members: bool,
    /// Programs that are no servers are hit.
    pub touches_actors: bool,
}

impl Effects {
    const fn none(lasts: Lasts) -> Effects {
        Effects {
            lasts,
            loses_writes: false,
            empties: false,
            fails_over: false,
            moves_slots: false,
            cuts_links: false,
            changes_members: false,
            touches_actors: false,
        }
    }

    /// Of the same step if its targets are actors: they hold no data and no role.
    pub fn on_actors(self) -> Effects {
        Effects { touches_actors: true, ..Effects::none(self.lasts) }
    }

    /// Such steps run one after the other.
    pub fn takes_turns(self) -> bool {
        self.moves_slots || self.changes_members
    }
}

impl StepKind {
    /// What it may do to servers and links.
    pub fn effects(&self) -> Effects {
        use StepKind::*;
        const AT_WORK: Effects = Effects::none(Lasts::WhileAtWork);
        /// A step on nodes or links that a replica may take for the end of its primary. It lacks
        /// what the primary has acknowledged and not sent yet.
        const AT_ONCE: Effects =
            Effects { fails_over: true, loses_writes: true, ..Effects::none(Lasts::AtOnce) };
        const HELD: Effects = Effects { lasts: Lasts::UntilUndone, ..AT_ONCE };
        match self {
            Reshard | Drain | Rebalance => Effects { moves_slots: true, ..AT_WORK },
            AddShard | RemoveShard => {
                Effects { moves_slots: true, changes_members: true, ..AT_WORK }
            }
            AddReplica => Effects { changes_members: true, ..AT_WORK },
            RollingRestart => Effects { lasts: Lasts::WhileAtWork, empties: true, ..AT_ONCE },
            Restart => Effects { empties: true, ..AT_ONCE },
            Failover | Promote | FailBack | Reset => AT_ONCE,
            Kill | Stop | DiskFull | MemoryPressure => Effects { empties: true, ..HELD },
            Pause | Slow | SlowDisk | Clock => HELD,
            Partition => Effects { cuts_links: true, ..HELD },
            Latency | Bandwidth | Trickle | Refuse => HELD,
            // Servers go on, and clients connect again.
            ClientKill => Effects::none(Lasts::AtOnce),
            // A server that writes its snapshot serves nobody meanwhile.
            Save => AT_ONCE,
            // It is redrill's own.
            Origin => Effects::none(Lasts::UntilUndone),
            RestartProcesses | Warm | Invalidate => Effects::none(Lasts::AtOnce),
            // Replicas are emptied with their primary, so that nobody takes over.
            Flush => Effects { loses_writes: true, empties: true, ..Effects::none(Lasts::AtOnce) },
            // It draws steps with effects of their own.
            Chaos => Effects { fails_over: true, ..AT_WORK },
            // Nobody knows whether an unknown step loses writes. The blame is for those that are
            // known to.
            Other(_) => Effects { loses_writes: false, ..HELD },
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for StepKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for StepKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<StepKind, D::Error> {
        Ok(StepKind::parse(&Cow::<str>::deserialize(deserializer)?))
    }
}

/// Any word: records of other versions have others.
impl JsonSchema for StepKind {
    fn schema_name() -> Cow<'static, str> {
        "StepKind".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replication is asynchronous. Without a failover, only who empties servers loses writes.
    #[test]
    fn a_step_that_may_fail_over_may_lose_writes() {
        for kind in StepKind::ALL.iter().filter(|kind| **kind != StepKind::Chaos) {
            let effects = kind.effects();
            let loses = effects.fails_over || *kind == StepKind::Flush;
            assert_eq!(effects.loses_writes, loses, "{kind}");
            let on_actors = effects.on_actors();
            assert!(!on_actors.loses_writes && !on_actors.fails_over, "{kind}");
        }
    }

    #[test]
    fn every_kind_is_read_by_its_word_and_any_other_word_is_kept() {
        for kind in StepKind::ALL {
            assert_eq!(StepKind::parse(kind.word()), *kind);
        }
        let read: StepKind = serde_json::from_str("\"meteor\"").unwrap();
        assert_eq!(read, StepKind::Other("meteor".to_owned()));
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"meteor\"");
    }
}

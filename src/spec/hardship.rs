//! What a server has to bear while it runs on: too little of its machine's resources.

use std::time::Duration;

use super::quantity::{Percent, Shift, SignedPercent, Time};
use super::topology::Group;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hardship {
    /// No more than this share of one CPU, from 0.01 to 1.
    Slow {
        cpu: f64,
    },
    /// DEBUG SLEEP: it does nothing for so long, once or every so often.
    Sleep {
        sleep: Duration,
        every: Option<Duration>,
    },
    /// `maxmemory` is this share of what it uses when the step begins.
    MemoryPressure {
        share: f64,
        policy: Option<Policy>,
    },
    DiskFull {
        files: Files,
    },
    /// How much longer each call takes.
    SlowDisk {
        fsync: Duration,
        write: Duration,
        files: Files,
    },
    /// Its clock is set by `jump` nanoseconds, and goes too fast by this share.
    Clock {
        jump: i64,
        drift: f64,
    },
}

/// What of a server's files is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    AppendOnly,
    All,
}

/// `maxmemory-policy`, see
/// <https://redis.io/docs/latest/develop/reference/eviction/>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    NoEviction,
    AllKeysLru,
    AllKeysLfu,
    AllKeysRandom,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
}

/// What servers must be started with, so that a scenario can be played on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tools {
    /// redrill's preload library, which sets off clocks and makes disks full or slow.
    pub preload: bool,
    /// `enable-debug-command`.
    pub debug: bool,
}

impl Tools {
    pub fn is_none(self) -> bool {
        self == Tools::default()
    }

    pub fn and(self, other: Tools) -> Tools {
        Tools { preload: self.preload || other.preload, debug: self.debug || other.debug }
    }
}

impl Hardship {
    /// The word for it in a scenario.
    pub fn word(self) -> &'static str {
        match self {
            Hardship::Slow { .. } | Hardship::Sleep { .. } => "slow",
            Hardship::MemoryPressure { .. } => "memory-pressure",
            Hardship::DiskFull { .. } => "disk-full",
            Hardship::SlowDisk { .. } => "slow-disk",
            Hardship::Clock { .. } => "clock",
        }
    }

    pub fn is_one_sleep(self) -> bool {
        matches!(self, Hardship::Sleep { every: None, .. })
    }

    pub fn tools(self) -> Tools {
        let preload = matches!(
            self,
            Hardship::DiskFull { .. } | Hardship::SlowDisk { .. } | Hardship::Clock { .. }
        );
        Tools { preload, debug: matches!(self, Hardship::Sleep { .. }) }
    }

    /// Its keys, as they are written in a scenario.
    pub fn keys(self) -> String {
        match self {
            Hardship::Slow { cpu } => format!("cpu: {}", Percent::of(cpu)),
            Hardship::Sleep { sleep, every } => {
                let every = every.map(|every| format!(", every: {}", Time(every)));
                format!("sleep: {}{}", Time(sleep), every.unwrap_or_default())
            }
            Hardship::MemoryPressure { share, policy } => {
                let policy = policy.map(|policy| format!(", policy: {}", policy.name()));
                format!("maxmemory: {}{}", Percent::of(share), policy.unwrap_or_default())
            }
            Hardship::DiskFull { files } => format!("files: {}", files.name()),
            Hardship::SlowDisk { fsync, write, files } => {
                let (fsync, write, files) = (Time(fsync), Time(write), files.name());
                format!("fsync: {fsync}, write: {write}, files: {files}")
            }
            Hardship::Clock { jump, drift } => {
                format!("jump: {}, drift: {}", Shift(jump), SignedPercent(drift))
            }
        }
    }

    /// As a person would say it, behind the target.
    pub fn describe(self) -> String {
        match self {
            Hardship::Slow { cpu } => format!(", to {} of a CPU", Percent::of(cpu)),
            Hardship::Sleep { sleep, every: None } => format!(", asleep for {}", Time(sleep)),
            Hardship::Sleep { sleep, every: Some(every) } => {
                format!(", asleep for {} of every {}", Time(sleep), Time(every))
            }
            Hardship::MemoryPressure { share, policy } => {
                let policy = policy.map(|policy| format!(" with {}", policy.name()));
                let policy = policy.unwrap_or_default();
                format!(", maxmemory at {} of what is used{policy}", Percent::of(share))
            }
            Hardship::DiskFull { files: Files::AppendOnly } => ", for the append-only file".into(),
            Hardship::DiskFull { files: Files::All } => String::new(),
            Hardship::SlowDisk { fsync, write, .. } => {
                let part = |name: &str, time: Duration| match time {
                    Duration::ZERO => String::new(),
                    time => format!(", {} more for each {name}", Time(time)),
                };
                part("fsync", fsync) + &part("write", write)
            }
            Hardship::Clock { jump, drift } => {
                let jump = if jump == 0 { String::new() } else { format!(" by {}", Shift(jump)) };
                let drift = match drift {
                    0.0 => String::new(),
                    drift => format!(", drifting by {}", SignedPercent(drift)),
                };
                jump + &drift
            }
        }
    }
}

impl Files {
    /// As it is written in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            Files::AppendOnly => "append-only",
            Files::All => "all",
        }
    }

    /// What the paths of such files of the group hold; all of them do if it is empty.
    pub fn part_of_path(self, group: &Group) -> String {
        match self {
            Files::AppendOnly => {
                format!("/{}/", group.directive("appenddirname").unwrap_or("appendonlydir"))
            }
            Files::All => String::new(),
        }
    }
}

impl Policy {
    pub const ALL: [Policy; 8] = [
        Policy::NoEviction,
        Policy::AllKeysLru,
        Policy::AllKeysLfu,
        Policy::AllKeysRandom,
        Policy::VolatileLru,
        Policy::VolatileLfu,
        Policy::VolatileRandom,
        Policy::VolatileTtl,
    ];

    /// As servers call it.
    pub fn name(self) -> &'static str {
        match self {
            Policy::NoEviction => "noeviction",
            Policy::AllKeysLru => "allkeys-lru",
            Policy::AllKeysLfu => "allkeys-lfu",
            Policy::AllKeysRandom => "allkeys-random",
            Policy::VolatileLru => "volatile-lru",
            Policy::VolatileLfu => "volatile-lfu",
            Policy::VolatileRandom => "volatile-random",
            Policy::VolatileTtl => "volatile-ttl",
        }
    }
}

/// Whether servers with this policy evict keys of loads, which have no time to live.
pub fn evicts(policy: &str) -> bool {
    policy.to_ascii_lowercase().starts_with("allkeys-")
}

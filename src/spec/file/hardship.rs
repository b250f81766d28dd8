//! The maps of steps that take something of its machine's resources from a server.

use super::step::{ClockStep, DiskFull, MemoryPressure, Slow, SlowDisk};
use crate::spec::decode::{object, words};
use crate::spec::hardship::{Files, Policy};
use crate::spec::quantity::{Percent, Shift, SignedPercent, Time};
use crate::spec::scenario::Target;

object! {
    /// Gives servers too little of the processor: a share of one CPU, or none at all for
    /// moments (DEBUG SLEEP).
    SlowMap "a slow step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `slow`
        required "do" kind: Slow,
        /// The group in which it happens. Default: the only group.
        optional "group" group: String,
        /// Which nodes: a name, or a role as it is by then.
        required "target" target: Target,
        /// How long. Default: until the load has ended.
        optional "for" lasts: Time,
        /// The share of one CPU that they get.
        optional "cpu" cpu: Percent,
        /// For how long they do nothing.
        optional "sleep" sleep: Time,
        /// How often they sleep. Default: once.
        optional "every" every: Time,
    }
}

object! {
    /// Sets `maxmemory` to a share of what servers use.
    MemoryPressureMap "a memory-pressure step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `memory-pressure`
        required "do" kind: MemoryPressure,
        /// The group in which it happens. Default: the only group.
        optional "group" group: String,
        /// Which nodes: a name, or a role as it is by then.
        required "target" target: Target,
        /// How long. Default: until the load has ended.
        optional "for" lasts: Time,
        /// The share of what they use when it starts.
        required "maxmemory" maxmemory: Percent,
        /// `maxmemory-policy` meanwhile. Default: as it is.
        optional "policy" policy: Policy,
    }
}

object! {
    /// Lets servers find no room on their disk: writes fail with ENOSPC.
    DiskFullMap "a disk-full step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `disk-full`
        required "do" kind: DiskFull,
        /// The group in which it happens. Default: the only group.
        optional "group" group: String,
        /// Which nodes: a name, or a role as it is by then.
        required "target" target: Target,
        /// How long. Default: until the load has ended.
        optional "for" lasts: Time,
        /// Which of their files: `append-only`, or `all`. Default: `append-only`.
        optional "files" files: Files,
    }
}

object! {
    /// Makes servers wait for their disk.
    SlowDiskMap "a slow-disk step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `slow-disk`
        required "do" kind: SlowDisk,
        /// The group in which it happens. Default: the only group.
        optional "group" group: String,
        /// Which nodes: a name, or a role as it is by then.
        required "target" target: Target,
        /// How long. Default: until the load has ended.
        optional "for" lasts: Time,
        /// How much longer each fsync takes. Default: 0s.
        optional "fsync" fsync: Time,
        /// How much longer each write takes. Default: 0s.
        optional "write" write: Time,
        /// Which of their files: `append-only`, or `all`. Default: `append-only`.
        optional "files" files: Files,
    }
}

object! {
    /// Sets servers' clocks off the true time.
    ClockMap "a clock step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `clock`
        required "do" kind: ClockStep,
        /// The group in which it happens. Default: the only group.
        optional "group" group: String,
        /// Which nodes: a name, or a role as it is by then.
        required "target" target: Target,
        /// How long. Default: until the load has ended.
        optional "for" lasts: Time,
        /// By how much it is set at once, ahead or (`-2m`) back. Default: 0s.
        optional "jump" jump: Shift,
        /// By how much it is too fast, or (`-10%`) too slow. Default: 0%.
        optional "drift" drift: SignedPercent,
    }
}

words!(Files as "kind of files" {
    "append-only" => Files::AppendOnly,
    "all" => Files::All,
});
words!(Policy as "policy" {
    "noeviction" => Policy::NoEviction,
    "allkeys-lru" => Policy::AllKeysLru,
    "allkeys-lfu" => Policy::AllKeysLfu,
    "allkeys-random" => Policy::AllKeysRandom,
    "volatile-lru" => Policy::VolatileLru,
    "volatile-lfu" => Policy::VolatileLfu,
    "volatile-random" => Policy::VolatileRandom,
    "volatile-ttl" => Policy::VolatileTtl,
});

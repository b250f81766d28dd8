//! What a load whose workload is `cache` reads and writes through: layers of copies before an
//! origin, and what keeps them right.

use std::fmt;
use std::time::Duration;

use super::decode::word_enum;

/// A repository of entities, as an application has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Cache {
    /// Nearest first.
    pub layers: Vec<Layer>,
    pub origin: Origin,
    pub stampede: Stampede,
    pub invalidate: Invalidate,
    pub write: Write,
    pub warm: Warm,
    /// What a read gets while a circuit breaker keeps it from the group; none without a breaker.
    pub without: Option<Without>,
    /// How entities are called in the group.
    pub naming: Naming,
    /// Whether readers look whose copy it is that they find.
    pub verify: bool,
    /// How many requests of a process to the group are under way at once; without a limit if there is
    /// none.
    pub pool: Option<u32>,
    /// How copies stand in the group.
    pub format: Format,
    /// The share of reads, of one, that ask for entities that the origin does not have.
    pub absent: f64,
    /// How long after a write an old version may be served.
    pub bound: Duration,
}

/// A layer of copies.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    pub name: String,
    pub place: Place,
    /// How long a copy is kept.
    pub ttl: Duration,
    /// By how much a copy's own time may be longer or shorter, of one.
    pub jitter: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// In the memory of each instance, which has room for so many bytes.
    Process { capacity: u64, policy: Policy },
    /// On each of so many hosts, in what the instances there have in common.
    Host { count: u16, capacity: u64, policy: Policy },
    /// In the servers of the load's second group, which is asked before the first one.
    NearGroup,
    /// In the servers of the load's first group.
    Group,
}

/// The slow source of truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Origin {
    /// The shortest and the longest time from beginning with a request to its answer.
    pub latency: (Duration, Duration),
    /// Requests a second; without a limit if there is none.
    pub capacity: Option<f64>,
    /// Requests that may wait; one more is refused.
    pub queue: u32,
}

/// What a step changes of an origin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OriginChange {
    pub latency: Option<(Duration, Duration)>,
    pub capacity: Option<f64>,
    /// The share of requests that it answers with an error, of one.
    pub failing: Option<f64>,
}

/// What steps have to know of a load whose workload is `cache`.
#[derive(Clone, Copy, Debug)]
pub struct CacheLoad<'a> {
    pub name: &'a str,
    /// With which the names of its entities begin.
    pub keyspace: &'a str,
    pub entities: u64,
    /// Whether a library has the copies.
    pub is_by_library: bool,
}

/// Things of each user, where names or writes go by users.
pub const THINGS: u64 = 12;

/// Entities that a step changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Chosen {
    /// So many, from number 0 on.
    First(u64),
    These(Vec<u64>),
    /// The things of the user of that number.
    Tag(u64),
    /// Those whose names match: `*` and `?` stand for any letters.
    Pattern(String),
    All,
}

impl Cache {
    /// The `bound` of a file that names none.
    pub const BOUND: Duration = Duration::from_millis(100);

    /// How long after the acknowledgement of a write an old version may be served. A reader may have
    /// found it just before the write, and leaves its copy within its `timeout`.
    pub fn promised(&self, timeout: Duration) -> Duration {
        let longest = |layer: &Layer| layer.ttl.mul_f64(1.0 + layer.jitter);
        let window = self.layers.last().map_or(Duration::ZERO, |layer| self.window(layer));
        match self.invalidate {
            Invalidate::Ttl => {
                self.layers.iter().map(longest).max().unwrap_or_default() + window + timeout
            }
            Invalidate::Confirmed => Duration::ZERO,
            Invalidate::Delete
            | Invalidate::Publish
            | Invalidate::Tracking
            | Invalidate::TrackingBroadcast
            | Invalidate::Keyspace
            | Invalidate::Versioned
            | Invalidate::Tags
            | Invalidate::Pattern => self.bound,
        }
    }

    /// Whether a writer deletes the copy in the group, and leaves none.
    pub fn deletes(&self) -> bool {
        match self.write {
            Write::Aside | Write::Ahead => self.invalidate != Invalidate::Ttl,
            Write::Through | Write::Behind => false,
        }
    }

    /// Whether instances have connections on which servers, or other instances, tell them of changes.
    pub fn is_told(&self) -> bool {
        let keeps =
            |layer: &Layer| matches!(layer.place, Place::Process { .. } | Place::Host { .. });
        let is_told = match self.invalidate {
            // Servers tell on the connections on which the copies were read.
            Invalidate::Ttl | Invalidate::Delete | Invalidate::Tracking | Invalidate::Versioned => {
                false
            }
            Invalidate::Publish
            | Invalidate::Confirmed
            | Invalidate::TrackingBroadcast
            | Invalidate::Keyspace
            | Invalidate::Tags
            | Invalidate::Pattern => true,
        };
        is_told && self.layers.iter().any(keeps)
    }

    /// How long a copy may be served beyond its own time.
    pub fn window(&self, layer: &Layer) -> Duration {
        match self.stampede {
            Stampede::StaleWhileRevalidate => layer.ttl,
            Stampede::None
            | Stampede::Lock
            | Stampede::SingleFlight
            | Stampede::Early
            | Stampede::Lease => Duration::ZERO,
        }
    }
}

word_enum! {
    /// Which copies go when there is no room.
    Policy "policy" {
        /// Those that were not used for longest.
        Lru "lru",
        /// Those that are used seldom: W-TinyLFU.
        TinyLfu "tinylfu",
    }
}

word_enum! {
    /// Where a layer is, if not in a group.
    LayerIn "place" {
        /// In the memory of each instance.
        Process "process",
        /// In what the instances on a host have in common.
        Host "host",
    }
}

word_enum! {
    /// What many readers do that find no copy of the same entity at once.
    Stampede "way with stampedes" {
        /// Each asks the origin.
        None "none",
        /// One of them takes a lock and asks the origin; the others wait for its copy.
        Lock "lock",
        /// One of each process asks the origin; the others of that process wait for its answer.
        SingleFlight "single-flight",
        /// Somebody asks the origin before the copy's time is over, by chance.
        Early "early",
        /// For as long again as `ttl`, readers get the old copy while one of them asks the origin.
        StaleWhileRevalidate "stale-while-revalidate",
        /// The server lets one of them ask the origin, and takes its copy unless the entity was
        /// deleted meanwhile.
        Lease "lease",
    }
}

word_enum! {
    /// Of which entities there are copies when the load begins.
    Warm "way to warm" {
        /// Of none.
        None "none",
        /// Of all: they are read before it.
        Priority "priority",
        /// Of none. A step warms those first that have been read most often.
        Frequency "frequency",
        /// Of none. A step warms those first that have been read most often lately.
        Predictive "predictive",
    }
}

word_enum! {
    /// What keeps copies from being served for long after a write.
    Invalidate "way to invalidate" {
        /// Nothing but their own time.
        Ttl "ttl",
        /// The writer deletes the copy in the group, and its own process's.
        Delete "delete",
        /// The same, and the writer tells all processes (PUBLISH), which drop theirs.
        Publish "publish",
        /// The same, and the write ends when all processes have said that they dropped theirs.
        Confirmed "confirmed",
        /// The writer deletes the copy in the group, whose servers tell those who have read it, on
        /// the connection on which they did (CLIENT TRACKING).
        Tracking "tracking",
        /// The writer deletes the copy in the group, whose servers tell all processes (CLIENT
        /// TRACKING in broadcast mode).
        TrackingBroadcast "tracking-broadcast",
        /// The same by notifications of deleted keys, which the servers have to be told to send.
        Keyspace "keyspace",
        /// The name of a copy has its entity's generation in it, and the writer begins a new one.
        Versioned "versioned",
        /// A write changes all things of a user, whose copies bear that user's tag. The writer
        /// deletes all copies of the tag, and tells all processes (PUBLISH).
        Tags "tags",
        /// The same, and the writer looks for the copies by a pattern of their names (SCAN).
        Pattern "pattern",
    }
}

/// By what a writer finds the copies in the group that its write made old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// By the name of the entity.
    Name,
    /// Nobody finds a copy of an old generation any more.
    Generation,
    /// By the user whose things they are, as the set of a tag names them.
    Tag,
    /// The same, as their names match a pattern.
    Pattern,
}

impl Invalidate {
    pub fn found_by(self) -> FoundBy {
        match self {
            Invalidate::Versioned => FoundBy::Generation,
            Invalidate::Tags => FoundBy::Tag,
            Invalidate::Pattern => FoundBy::Pattern,
            Invalidate::Ttl
            | Invalidate::Delete
            | Invalidate::Publish
            | Invalidate::Confirmed
            | Invalidate::Tracking
            | Invalidate::TrackingBroadcast
            | Invalidate::Keyspace => FoundBy::Name,
        }
    }

    /// Whether processes hear of changes: from servers, or from each other through a server.
    pub fn is_heard(self) -> bool {
        match self {
            Invalidate::Ttl | Invalidate::Delete | Invalidate::Versioned => false,
            Invalidate::Publish
            | Invalidate::Confirmed
            | Invalidate::Tracking
            | Invalidate::TrackingBroadcast
            | Invalidate::Keyspace
            | Invalidate::Tags
            | Invalidate::Pattern => true,
        }
    }

    /// Whether servers tell processes of changes, by the names of keys.
    pub fn is_by_servers(self) -> bool {
        match self {
            Invalidate::Tracking | Invalidate::TrackingBroadcast | Invalidate::Keyspace => true,
            Invalidate::Ttl
            | Invalidate::Delete
            | Invalidate::Publish
            | Invalidate::Confirmed
            | Invalidate::Versioned
            | Invalidate::Tags
            | Invalidate::Pattern => false,
        }
    }

    /// Whether a write changes all things of a user at once, and so do their copies go.
    pub fn is_of_families(self) -> bool {
        matches!(self.found_by(), FoundBy::Tag | FoundBy::Pattern)
    }
}

word_enum! {
    /// What a write does to the origin and to the copy in the group.
    Write "way to write" {
        /// The origin has it, and then the copy is deleted.
        Aside "aside",
        /// The origin has it, and then the copy is it.
        Through "through",
        /// The copy is it, and the origin has it later.
        Behind "behind",
        /// As `aside`; and readers of a copy whose time is nearly over have it replaced before that.
        Ahead "ahead",
    }
}

word_enum! {
    /// What keeps readers from waiting for a group that does not answer.
    Guard "guard" {
        /// Nothing but their time-out.
        None "none",
        /// A circuit breaker in each process.
        Breaker "breaker",
    }
}

word_enum! {
    /// What a read gets while the circuit breaker is open, if its process has no copy.
    Without "way without the group" {
        /// What the origin says, which each process asks once for an entity at a time.
        Origin "origin",
        /// What the process read last, however old that is.
        Stale "stale",
        /// An error.
        Error "error",
    }
}

word_enum! {
    /// How entities become bytes.
    Codec "format" {
        Json "json",
        MsgPack "msgpack",
        Cbor "cbor",
        Postcard "postcard",
        Protobuf "protobuf",
    }
}

word_enum! {
    /// How these bytes become fewer.
    Packing "compression" {
        None "none",
        Lz4 "lz4",
        Zstd "zstd",
    }
}

/// How copies stand in the group: `json`, `msgpack+zstd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    pub codec: Codec,
    pub packing: Packing,
}

impl Format {
    pub const JSON: Format = Format { codec: Codec::Json, packing: Packing::None };
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.packing {
            Packing::None => write!(f, "{}", self.codec),
            Packing::Lz4 | Packing::Zstd => write!(f, "{}+{}", self.codec, self.packing),
        }
    }
}

/// How entities are called in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// By their names.
    Plain,
    /// By so many bits of a hash of their names.
    Hashed(u32),
    /// By two numbers with nothing between them: a user, and one of twelve things of that user.
    Joined,
    /// By their names, with the load's own as the tag that all have in common: so they are in one slot.
    Tagged,
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Naming::Plain => f.write_str("plain"),
            Naming::Hashed(bits) => write!(f, "hashed({bits})"),
            Naming::Joined => f.write_str("joined"),
            Naming::Tagged => f.write_str("tagged"),
        }
    }
}

//! What keeps copies from being served for long after a write: one way a file.
//!
//! - `way`: what each consists of.
//! - `ttl`, `delete`, `publish`, `confirmed`, `tracking`, `tracking_broadcast`, `keyspace`: an entity's
//!   copy goes by its name. `versioned`, `tags`, `pattern`: by more than that; `family`: entities that
//!   change together.
//! - `hearing`: what processes hear of changes; `confirmations`: who has said that it dropped its copy.
//! - `bulk`: what somebody changes past the users.

pub(super) mod bulk;
pub(super) mod confirmations;
mod confirmed;
mod delete;
pub(super) mod family;
pub(super) mod hearing;
mod keyspace;
pub(super) mod pattern;
mod publish;
pub(super) mod tags;
mod tracking;
mod tracking_broadcast;
mod ttl;
pub(super) mod versioned;
pub(super) mod way;

use self::way::Way;
use crate::spec::cache::Invalidate;

pub(super) fn of(invalidate: Invalidate) -> &'static dyn Way {
    match invalidate {
        Invalidate::Ttl => &ttl::Ttl,
        Invalidate::Delete => &delete::Delete,
        Invalidate::Publish => &publish::Publish,
        Invalidate::Confirmed => &confirmed::Confirmed,
        Invalidate::Tracking => &tracking::Tracking,
        Invalidate::TrackingBroadcast => &tracking_broadcast::TrackingBroadcast,
        Invalidate::Keyspace => &keyspace::Keyspace,
        Invalidate::Versioned => &versioned::Versioned,
        Invalidate::Tags => &tags::Tags,
        Invalidate::Pattern => &pattern::ByPattern,
    }
}

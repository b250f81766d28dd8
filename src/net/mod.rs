//! The relay that links nodes and clients, and the rules on a link.
//!
//! Every node announces an address of the relay as its own, and whoever wants to talk to the
//! node connects there: to its [`Door`]. The relay knows both ends of the connection (the door
//! says where it leads, the address it came from says who opened it) and lets bytes pass
//! as the rules of that directed pair of ends say: later, slower, not at all. A [`Rule`] holds
//! as long as its [`Guard`]. What redrill itself asks of nodes does not go this way, so
//! a cut hides no truth from it.
//!
//! ```text
//!            know(ip, end)      Door { at, to, node }
//!   opener ───────────────▶ relay ───────────────▶ server
//!              there: wire (opener, node)    due = instant of arrival + latency
//!              back:  wire (node, opener)
//! ```
//!
//! What is not as on a real link, because TCP ends at the relay:
//!
//! - A connection that is cut, refused, or leads to a dead server is open for its
//!   opener at first: the kernel accepts it before the relay is asked. On a cut link it
//!   then hangs; otherwise it is reset.
//! - After a cut heals, bytes go on at once. TCP would notice by a retransmission, at worst as
//!   much later as the cut was long.
//! - The relay's kernel acknowledges what it has buffered, so a sender may hand over some
//!   megabytes more before it is held back; and a cut in one direction does not keep
//!   bytes in the other from being acknowledged.
//! - Bandwidth counts payload: no headers, no retransmissions.
//!
//! The parts, in the order in which a connection meets them:
//!
//! - `fabric`: the relay as its owner sees it; `worker`: its thread; `shared`: what they share.
//! - `door`: listening for a node. `places` and `owner`: who has come in.
//! - `connection`: going on to the server; `open`: those that may be reset.
//! - `pump`: one direction of it. `line`: what is under way; `timer`: until when.
//! - `wire`: a directed pair of ends, with its `conditions` and its counts.
//! - `rulebook`: the rules that conditions are made of; `rule`, `pairs`, `bucket`: their parts.

mod bucket;
mod conditions;
mod connection;
mod door;
mod error;
mod fabric;
mod line;
mod open;
mod owner;
mod pairs;
mod places;
mod pump;
mod rule;
mod rulebook;
mod shared;
mod timer;
mod wire;
mod worker;

pub use door::{Channel, Door};
pub use error::NetError;
pub use fabric::Fabric;
pub use pairs::{Ends, Pairs};
pub use rule::Rule;
pub use rulebook::Guard;

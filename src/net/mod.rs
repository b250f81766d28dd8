//! The relay that links nodes and clients, and the rules on a link.
//!
//! Every node announces an address of the relay as its own, and clients of the node connect
//! there: to its [`Door`]. The relay knows both ends of the connection: the door shows where it
//! leads, and its source address who opened it. It lets bytes pass as the rules of that directed
//! pair of ends say: later, slower, not at all. A [`Rule`] is in force as long as its [`Guard`].
//! redrill's own requests to nodes do not pass the relay, so a cut hides nothing from it.
//!
//! ```text
//!            know(ip, end)      Door { at, to, node }
//!   client ───────────────▶ relay ───────────────▶ server
//!              there: wire (opener, node)    due = instant of arrival + latency
//!              back:  wire (node, opener)
//! ```
//!
//! Differences from a real link, because TCP ends at the relay:
//!
//! - A connection that is cut, refused, or leads to a dead server is open for its client at
//!   first: the kernel accepts it before the relay is asked. On a cut link it then hangs, as it does
//!   before a server that does not answer; what its client sends is dropped if it gives up meanwhile.
//!   Otherwise it is reset.
//! - After a cut, bytes go on at once. TCP would go on with a retransmission, later by up to the
//!   length of the cut.
//! - The relay's kernel acknowledges what it has buffered, so a sender may send some megabytes
//!   more before it must wait. And a cut in one direction does not stop acknowledgements for the
//!   other.
//! - Bandwidth counts payload: no headers, no retransmissions.
//!
//! The parts, in the order in which a connection meets them:
//!
//! - `fabric`: the relay as its owner uses it; `worker`: its thread; `shared`: their state.
//! - `door`: listening for a node. `places`: who opened a connection.
//! - `connection`: connecting to the server; `open`: the connections that may be reset.
//! - `pump`: one direction of a connection. `line`: bytes under way, until when.
//! - `wire`: a directed pair of ends, with its `conditions` and its counts.
//! - `cuts`: the list of cuts that are active, for those who judge what nodes report.
//! - `rulebook`: the rules that make up the conditions; `pairs`, `bucket`: their parts.

mod bucket;
mod conditions;
mod connection;
mod cuts;
mod door;
mod fabric;
mod line;
mod open;
mod pairs;
mod places;
mod pump;
mod rulebook;
mod shared;
mod strangers;
mod thread;
mod wire;
mod worker;

pub use conditions::Rule;
pub use cuts::{CutEntry, Cuts};
pub use door::{Channel, Door, NetError};
pub use fabric::Fabric;
pub use pairs::{Ends, Pairs};
pub use places::Openers;
pub use rulebook::Guard;

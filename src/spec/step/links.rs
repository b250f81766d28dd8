//! Steps that do something to links.

use super::declare::{Keys, Rule, step};
use super::shared::Context;
use super::sides::{Side, Spot};
use crate::spec::decode::{At, word_enum};
use crate::spec::file::topology::MAX_LATENCY;
use crate::spec::network::Jitter;
use crate::spec::quantity::{Bandwidth as Bits, Bytes, Percent, Time};
use crate::spec::rules::links;
use crate::spec::source::Span;

/// What the relay reads in one go.
const MOST_BYTES: Bytes = Bytes(64 << 10);
const RELAY: &str = "leave `via` out: redrill's relay makes the cut";

step! {
    /// Cuts links: nothing passes, and nobody is told.
    Partition PartitionMap "a partition step" [Sides, For, Flaps] {
        /// Who cuts: redrill's relay, or the kernel, in containers and between nodes only.
        /// Default: `relay`.
        default "via" via: Via = Via::Relay,
    }
}

step! {
    /// Makes links slower.
    Latency LatencyMap "a latency step" [Sides, For, Flaps] {
        /// How much longer a packet takes one way.
        #[range(Time::secs(0), MAX_LATENCY, "no cluster works over a longer link")]
        required "latency" latency: Time,
        /// How far a packet's own latency may be from that: `5ms` at most, all of it equally
        /// likely, or `normal(5ms)`, the standard deviation. Default: 0.
        default "jitter" jitter: Jitter = Jitter::None,
    }
}

step! {
    /// Makes links narrower.
    Bandwidth BandwidthMap "a bandwidth step" [Sides, For, Flaps] {
        /// How much fits through in each direction, for all connections together.
        required "bandwidth" bandwidth: Bits,
    }
}

step! {
    /// Lets every connection give a few bytes at a time only.
    Trickle TrickleMap "a trickle step" [Sides, For, Flaps] {
        /// How many of each connection at a time.
        #[range(Bytes(1), MOST_BYTES, "for more at a time, write `do: bandwidth`")]
        required "bytes" bytes: Bytes,
        /// The time from then until the next ones.
        #[range(Time::millis(1), Time::secs(60), "to let nothing pass, write `do: partition`")]
        required "rest" rest: Time,
    }
}

step! {
    /// Refuses new connections: each is reset at once. Open ones go on.
    Refuse RefuseMap "a refuse step" [Sides, For, Flaps] {
        /// The share of them that is refused; the seed draws. Default: 100%.
        #[range(Percent(0.0), Percent(100.0), "each new connection is refused with this probability")]
        default "share" share: Percent = Percent(100.0),
    }
}

step! {
    /// Resets connections that are open.
    Reset ResetMap "a reset step" [Sides] {
        /// The share of them that is reset; the seed draws. Default: 100%.
        #[range(Percent(0.0), Percent(100.0), "each open connection is reset with this probability")]
        default "share" share: Percent = Percent(100.0),
    }
}

word_enum! {
    /// Who drops packets.
    Via "kind of cut" {
        /// redrill, which all that nodes and clients say passes.
        Relay "relay",
        /// The kernel, where nodes are containers that talk directly.
        Kernel "kernel",
    }
}

impl Rule for Partition {
    fn check(map: &PartitionMap, context: &mut Context<'_>) -> Option<Partition> {
        if let Some(At { value: Via::Kernel, span }) = map.via.given() {
            cut_in_kernel(span, context);
        }
        map.filled()
    }

    fn amount(&self) -> String {
        match self.via {
            Via::Kernel => " in the kernel".to_owned(),
            Via::Relay => String::new(),
        }
    }

    fn needs_relay(&self) -> bool {
        self.via == Via::Relay
    }
}

impl Rule for Latency {
    fn check(map: &LatencyMap, context: &mut Context<'_>) -> Option<Latency> {
        links::latency(&map.latency, &map.jitter, context.errors);
        map.filled()
    }

    fn amount(&self) -> String {
        match self.jitter {
            Jitter::None => format!(" of {}", self.latency),
            jitter => format!(" of {} ± {jitter}", self.latency),
        }
    }
}

impl Rule for Bandwidth {
    fn check(map: &BandwidthMap, context: &mut Context<'_>) -> Option<Bandwidth> {
        links::bandwidth(map.bandwidth.given()?, "use `do: partition` to cut it", context.errors)?;
        map.filled()
    }

    fn amount(&self) -> String {
        format!(" of {}", self.bandwidth)
    }
}

impl Rule for Trickle {
    fn amount(&self) -> String {
        format!(" of {} every {}", self.bytes, self.rest)
    }
}

impl Rule for Refuse {
    fn amount(&self) -> String {
        of_share(self.share)
    }
}

impl Rule for Reset {
    fn amount(&self) -> String {
        of_share(self.share)
    }
}

fn of_share(share: Percent) -> String {
    match share {
        Percent(100.0) => String::new(),
        share => format!(" of {share}"),
    }
}

/// Whether the kernel can make the cut; `span` is where it is asked for.
fn cut_in_kernel(span: &Span, context: &mut Context<'_>) {
    let mut refuse = |span: &Span, message: String, advice: &str| {
        context.errors.add(span, message, advice);
    };
    if let Err(lack) = &context.capabilities.kernel_cuts {
        refuse(span, format!("the kernel cannot cut {}", lack.why), lack.advice);
    }
    let regions = context.topology.needs_relay();
    if regions || context.relayed {
        let what = if regions { "regions" } else { "other steps on links" };
        let message = format!(
            "the kernel cannot cut where there are {what}: nodes are linked by the relay then, \
             and all packets come from it"
        );
        refuse(span, message, RELAY);
    }
    if let Some(at) = context.step.sides.target.given() {
        let message = "the kernel cuts between nodes only, and `target` is cut off from clients \
                       too: clients come from the address that redrill asks nodes from";
        let advice = match is_of_nodes(&at.value) {
            true => format!("write `between: [{}, other nodes]`, or leave `via` out", at.value),
            false => RELAY.to_owned(),
        };
        return refuse(&at.span, message.to_owned(), &advice);
    }
    for side in context.step.sides.given() {
        if !is_of_nodes(&side.value) {
            let message = format!(
                "the kernel cuts between nodes only, and `{}` includes clients: they come \
                 from the address that redrill asks nodes from",
                side.value
            );
            refuse(&side.span, message, "name nodes, or `other nodes`, or leave `via` out");
        }
    }
}

fn is_of_nodes(side: &Side) -> bool {
    let of_nodes = |spot: &Spot| matches!(spot, Spot::Nodes(_) | Spot::Shard(_));
    match side {
        Side::Spots(spots) => spots.iter().all(of_nodes),
        Side::OtherNodes => true,
        Side::Others => false,
    }
}

//! Who makes a cut: the relay, or the kernel where it can.

use crate::spec::Purpose;
use crate::spec::decode::At;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::network_step::PartitionMap;
use crate::spec::network::{Side, Spot, Via};
use crate::spec::source::Span;
use crate::spec::topology::Topology;

const RELAY: &str = "leave `via` out: redrill's relay makes the cut";

/// What a step is among.
#[derive(Clone, Copy, Debug)]
pub struct TimelineContext {
    pub purpose: Purpose,
    /// Another step of the timeline needs the relay.
    pub relayed: bool,
}

/// Who makes the cut of `step`.
pub fn check(
    step: &PartitionMap,
    topology: &Topology,
    around: TimelineContext,
    diagnostics: &mut Vec<Diagnostic>,
) -> Via {
    let Some(At { value: Via::Kernel, span }) = step.via.given() else { return Via::Relay };
    let mut refuse = |span: &Span, message: String, advice: &str| {
        diagnostics.push(Diagnostic::new(span, message).advise(advice));
    };
    match around.purpose {
        Purpose::RunAsProcesses => {
            let message = "the kernel cannot cut between servers that run as processes: all of \
                           them are in one network";
            let advice = "run them in containers (--backend docker), or leave `via` out";
            refuse(span, message.to_owned(), advice);
        }
        Purpose::RunWithoutCuts(why) => {
            refuse(span, format!("the kernel cannot cut containers off here: {why}"), RELAY);
        }
        _ => {}
    }
    if topology.needs_relay() || around.relayed {
        let what = if topology.needs_relay() { "regions" } else { "other steps on links" };
        let message = format!(
            "the kernel cannot cut where there are {what}: nodes are linked by the relay then, \
             and all packets come from it"
        );
        refuse(span, message, RELAY);
    }
    if let Some(at) = step.target.given() {
        let message = "the kernel cuts between nodes only, and `target` is cut off from clients \
                       too: clients come from the address that redrill asks nodes from";
        let advice = match is_of_nodes(&at.value) {
            true => format!("write `between: [{}, other nodes]`, or leave `via` out", at.value),
            false => RELAY.to_owned(),
        };
        refuse(&at.span, message.to_owned(), &advice);
        return Via::Kernel;
    }
    for side in step.sides().given() {
        if !is_of_nodes(&side.value) {
            let message = format!(
                "the kernel cuts between nodes only, and `{}` includes clients: they come \
                 from the address that redrill asks nodes from",
                side.value
            );
            refuse(&side.span, message, "name nodes, or `other nodes`, or leave `via` out");
        }
    }
    Via::Kernel
}

fn is_of_nodes(side: &Side) -> bool {
    let of_nodes = |spot: &Spot| matches!(spot, Spot::Nodes(_) | Spot::Shard(_));
    match side {
        Side::Spots(spots) => spots.iter().all(of_nodes),
        Side::OtherNodes => true,
        Side::Others => false,
    }
}

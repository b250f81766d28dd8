//! Steps that can be done, in the order of their instants.

use std::collections::HashMap;
use std::time::Duration;

use super::groups;
use crate::model::{NodeName, StepKind};
use crate::spec::Capabilities;
use crate::spec::cache::CacheLoad;
use crate::spec::decode::At;
use crate::spec::diagnostic::{Diagnostic, Diagnostics};
use crate::spec::quantity::Time;
use crate::spec::source::Span;
use crate::spec::step::{Context, On, Owned, Step, StepMap, Target};
use crate::spec::topology::{Group, Topology};

/// The checked timeline, by its instants.
pub fn check(
    steps: &[At<StepMap>],
    topology: Option<&Topology>,
    (actors, caches): (Option<[&[NodeName]; 3]>, &[CacheLoad<'_>]),
    capabilities: &Capabilities,
    errors: &mut Diagnostics,
) -> Vec<Step> {
    let mut ordered: Vec<&At<StepMap>> = steps.iter().collect();
    ordered.sort_by_key(|step| step.value.shared.at.or(Time::secs(0)));
    let relayed = steps.iter().any(|step| step.value.needs_relay());
    // How each group is when the step begins.
    let mut groups: HashMap<&str, (Group, Owned)> = HashMap::new();
    let mut down = Down::default();
    let mut checked = Vec::new();
    for step in ordered {
        let shared = &step.value.shared;
        let Some(topology) = topology else { continue };
        let group = match &topology.groups[..] {
            // Links between regions and clients, actors, and origins are no group's.
            [first, ..] if step.value.is_of_no_group() => Some(first),
            _ => groups::group(&shared.group, &step.span, topology, errors),
        };
        let Some(group) = group else { continue };
        keeps_shards(step, group, topology, errors);
        let (group, owned) =
            groups.entry(&group.name).or_insert_with(|| (group.clone(), Owned::of(group)));
        let mut context = Context {
            capabilities,
            topology,
            actors: actors.map(|[actors, ..]| actors),
            connected: actors.map(|[_, connected, _]| connected),
            subscribers: actors.map(|[.., subscribers]| subscribers),
            caches: actors.map(|_| caches),
            relayed,
            errors,
            group,
            owned,
            step: shared,
            target: None,
        };
        if let Some(can_be_played) = step.value.check(&mut context) {
            down.look(&can_be_played, &step.span, errors);
            checked.push(can_be_played);
        }
    }
    checked
}

/// Replicators carry from a shard to the one with the same slots, and know the nodes of the start.
fn keeps_shards(step: &At<StepMap>, group: &Group, topology: &Topology, errors: &mut Diagnostics) {
    let effects = step.value.effects();
    let changes = effects.moves_slots || effects.changes_members;
    if changes && group.is_cluster() && topology.rule_of(&group.name).is_some() {
        let word = step.value.kind();
        let message = format!("`{word}` cannot be done to `{}`, which is in `sync`", group.name);
        let advice = "replicators carry from each shard to the one with the same slots: leave the step \
                      out, or take a cluster that is in no `sync`";
        errors.add(&step.span, message, advice);
    }
}

#[derive(Debug, Default)]
pub struct Down(HashMap<NodeName, Ended>);

#[derive(Debug)]
struct Ended {
    kind: StepKind,
    at: Duration,
    /// It has ended at this instant at the latest,
    from: Duration,
    /// and is started again at this one at the soonest; `None` is after the load.
    until: Option<Duration>,
}

impl Down {
    /// Tells it if `step` is done to a node that is down; what it ends is down from then on. To
    /// be asked of all steps in the order of their instants.
    pub fn look(&mut self, step: &Step, span: &Span, errors: &mut Diagnostics) {
        let On::Nodes(Target::Node(name)) = &step.on else { return };
        let at = step.at;
        let known = self.0.get(name);
        if let Some(ended) = known.filter(|ended| ended.is_certain(at)) {
            errors.push(ended.refuse(name, span));
            return;
        }
        let Some(grace) = step.action.ends_servers_in() else { return };
        let from = at + grace;
        // Whichever of two steps is over first starts it again.
        let other = known.and_then(|ended| ended.until).filter(|until| *until > at);
        let until = step.lasts.map(|lasts| at + lasts).into_iter().chain(other).min();
        let kind = step.action.kind();
        self.0.insert(name.clone(), Ended { kind, at, from, until });
    }
}

impl Ended {
    fn is_certain(&self, at: Duration) -> bool {
        self.from < at && self.until.is_none_or(|until| at < until)
    }

    fn refuse(&self, name: &NodeName, span: &Span) -> Diagnostic {
        let (word, at) = (&self.kind, Time(self.at));
        let message = format!("{name} is down at that time: the `{word}` at {at} has ended it");
        let advice = match self.until {
            None => {
                "give that step `for`, so that the node is started again, or take another".into()
            }
            Some(until) => format!(
                "it is started again at {} at the soonest: let this step begin later, or take another \
                 node",
                Time(until)
            ),
        };
        Diagnostic::new(span, message).advise(advice)
    }
}

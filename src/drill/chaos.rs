//! Faults that the drill's seed draws, made into steps before anything starts.
//!
//! Once drawn they are steps as any others: they are told, undone, judged and shown like
//! those, and the run folder's scenario holds them written out. Nodes are drawn by their
//! names and not by their roles, so that what is drawn depends on the seed alone.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::cluster::{node_names, sentinel_names};
use crate::model::NodeName;
use crate::spec::Scenario;
use crate::spec::chaos::{Among, Chaos, Drawn};
use crate::spec::network::{Links, NetworkFault, NetworkStep, Side, Spot, Via};
use crate::spec::quantity::Times;
use crate::spec::scenario::{Data, NodeFault, Step, StepAction, Target};
use crate::spec::topology::Group;

/// The scenario with all its faults drawn. The same seed draws the same ones.
pub fn drawn(scenario: &Scenario, seed: u64) -> Scenario {
    let mut drawn = scenario.clone();
    for (index, chaos) in std::mem::take(&mut drawn.chaos).iter().enumerate() {
        let group = scenario.topology.groups.iter().find(|group| group.name == chaos.group);
        let nodes = group.map(|group| who(chaos.among, group)).unwrap_or_default();
        // Not the stream from which steps draw their targets.
        let seed = seed.rotate_left(17) ^ (index as u64 + 1);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let steps = draw(chaos, &nodes, &held(&drawn.timeline), &mut random);
        drawn.timeline.extend(steps);
    }
    drawn.timeline.sort_by_key(|step| step.at);
    drawn
}

fn who(among: Among, group: &Group) -> Vec<NodeName> {
    match among {
        Among::Nodes => node_names(group),
        Among::Sentinels => sentinel_names(group),
        Among::All => [node_names(group), sentinel_names(group)].concat(),
    }
}

/// A node that a step of the timeline names, from when it is hit, and until when.
type Held = (NodeName, Duration, Duration);

/// What is known of the steps so far: those that take nodes by their roles may hit any.
fn held(timeline: &[Step]) -> Vec<Held> {
    let one = |step: &Step| {
        let StepAction::Fault { fault, target: Target::Node(name) } = &step.action else {
            return None;
        };
        let over_at_once = matches!(fault, NodeFault::Restart { .. } | NodeFault::Failover { .. });
        let until = match fault.lasts() {
            None if over_at_once => step.at,
            None => Duration::MAX,
            Some(lasts) => step.at + lasts,
        };
        Some((name.clone(), step.at, until))
    };
    timeline.iter().filter_map(one).collect()
}

fn draw(chaos: &Chaos, nodes: &[NodeName], held: &[Held], random: &mut impl RngExt) -> Vec<Step> {
    let end = chaos.at + chaos.lasts;
    let mut steps = Vec::new();
    // Which nodes are not whole, and until when.
    let mut broken: Vec<(NodeName, Duration)> = Vec::new();
    let mut at = chaos.at;
    // One that has no time to last is none.
    while at + chaos.heal.0.0 <= end {
        broken.retain(|(_, until)| *until > at);
        let lasts = between(chaos.heal, random).min(end - at);
        let is_whole = |node: &&NodeName| {
            broken.iter().all(|(other, _)| other != *node)
                && held
                    .iter()
                    .all(|(other, from, until)| other != *node || *until < at || *from > at + lasts)
        };
        let whole: Vec<&NodeName> = nodes.iter().filter(is_whole).collect();
        let fault = chaos.faults.choose(random);
        if let (Some(node), Some(&fault)) = (whole.choose(random), fault) {
            broken.push(((*node).clone(), at + lasts));
            let action = action(fault, (*node).clone(), lasts);
            steps.push(Step { at, group: chaos.group.clone(), drawn: true, action });
        }
        at += between(chaos.every, random);
    }
    steps
}

/// In whole milliseconds, so that they can be read.
fn between(Times(least, most): Times, random: &mut impl RngExt) -> Duration {
    let (least, most) = (least.0.as_millis() as u64, most.0.as_millis() as u64);
    Duration::from_millis(random.random_range(least..=most))
}

fn action(fault: Drawn, node: NodeName, lasts: Duration) -> StepAction {
    let target = Target::Node(node);
    let lasts = Some(lasts);
    let on_links = |fault, target, lasts| {
        let from = Side::Spots(vec![Spot::Nodes(target)]);
        let links = Links { from, to: Side::Others, one_way: false };
        StepAction::Network(NetworkStep { fault, links, lasts, every: None })
    };
    let fault = match fault {
        Drawn::Kill => NodeFault::Kill { lasts },
        Drawn::Stop => NodeFault::Stop { lasts },
        Drawn::Pause => NodeFault::Pause { lasts },
        Drawn::Restart => NodeFault::Restart { data: Data::Kept },
        Drawn::Partition => return on_links(NetworkFault::Partition(Via::Relay), target, lasts),
        Drawn::Reset => return on_links(NetworkFault::Reset { share: 1.0 }, target, None),
        Drawn::Refuse => return on_links(NetworkFault::Refuse { share: 1.0 }, target, lasts),
    };
    StepAction::Fault { fault, target }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spec::quantity::Time;

    fn times(least: u64, most: u64) -> Times {
        Times(Time(Duration::from_millis(least)), Time(Duration::from_millis(most)))
    }

    fn steps(chaos: &Chaos, held: &[Held], seed: u64) -> Vec<Step> {
        let nodes: Vec<NodeName> =
            (0..3).flat_map(|shard| [0, 1].map(|n| NodeName::new("c", shard, n))).collect();
        draw(chaos, &nodes, held, &mut Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// The node that is hit, and for how long.
    fn hit(step: &Step) -> (NodeName, Option<Duration>) {
        let named = |target: &Target| match target {
            Target::Node(name) => name.clone(),
            other => panic!("{other} is no node's name"),
        };
        match &step.action {
            StepAction::Fault { fault, target } => (named(target), fault.lasts()),
            StepAction::Network(NetworkStep { links, lasts, .. }) => match links.from.spots() {
                [Spot::Nodes(target)] => (named(target), *lasts),
                other => panic!("{other:?} is not one node"),
            },
            other => panic!("{other:?} is not drawn"),
        }
    }

    proptest! {
        /// What is drawn keeps to what was asked for, and hits no node that is not whole.
        #[test]
        fn draws_keep_to_their_bounds(
            seed in any::<u64>(),
            every in (100u64..3000, 0u64..3000),
            heal in (100u64..5000, 0u64..5000),
            lasts in 5000u64..60_000,
            other in (0u64..60_000, 0u64..30_000),
        ) {
            let chaos = Chaos {
                at: Duration::from_secs(5),
                group: "c".into(),
                among: Among::Nodes,
                lasts: Duration::from_millis(lasts),
                every: times(every.0, every.0 + every.1),
                heal: times(heal.0, heal.0 + heal.1),
                faults: Drawn::ALL.to_vec(),
            };
            let ms = |(from, lasts): (u64, u64)| {
                (Duration::from_millis(from), Duration::from_millis(from + lasts))
            };
            let (from, to) = ms(other);
            let held = [(NodeName::new("c", 1, 0), from, to)];
            let drawn = steps(&chaos, &held, seed);
            prop_assert_eq!(&drawn, &steps(&chaos, &held, seed), "the same seed");
            let end = chaos.at + chaos.lasts;
            prop_assert_eq!(drawn[0].at, chaos.at);
            let mut until: std::collections::HashMap<NodeName, Duration> = Default::default();
            for step in &drawn {
                prop_assert!(step.drawn);
                let (node, lasts) = hit(step);
                let whole_from = until.get(&node).copied().unwrap_or_default();
                prop_assert!(whole_from <= step.at, "{node} is hit while it is not whole");
                if node == held[0].0 {
                    let end = step.at + lasts.unwrap_or_default();
                    prop_assert!(end < from || step.at > to, "another step holds {node}");
                }
                if let Some(lasts) = lasts {
                    prop_assert!(step.at + lasts <= end);
                    prop_assert!(lasts >= chaos.heal.0.0 && lasts <= chaos.heal.1.0);
                    until.insert(node, step.at + lasts);
                }
            }
            for pair in drawn.windows(2) {
                prop_assert!(pair[1].at - pair[0].at >= chaos.every.0.0);
            }
        }
    }

    #[test]
    fn everything_comes_up_and_seeds_differ() {
        let chaos = Chaos {
            at: Duration::ZERO,
            group: "c".into(),
            among: Among::Nodes,
            lasts: Duration::from_secs(600),
            every: times(1000, 2000),
            heal: times(500, 900),
            faults: Drawn::ALL.to_vec(),
        };
        let drawn = steps(&chaos, &[], 1);
        for fault in Drawn::ALL {
            let word = fault.word();
            assert!(drawn.iter().any(|step| step.action.word() == word), "{word}");
        }
        let nodes: std::collections::BTreeSet<_> = drawn.iter().map(|s| hit(s).0).collect();
        assert_eq!(nodes.len(), 6);
        assert_ne!(drawn, steps(&chaos, &[], 2));
    }
}

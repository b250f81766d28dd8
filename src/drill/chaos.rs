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
use crate::model::step::Lasts;
use crate::spec::Scenario;
use crate::spec::quantity::{Percent, Times};
use crate::spec::step::{
    Among, Chaos, Data, Drawn, Kill, Links, On, Partition, Pause, Refuse, Reset, Restart, Side,
    Spot, Step, StepAction, Stop, Target, Via,
};
use crate::spec::topology::Group;

/// The scenario with all its faults drawn. The same seed draws the same ones.
pub fn drawn(scenario: &Scenario, seed: u64) -> Scenario {
    let mut drawn = scenario.clone();
    let is_chaos = |step: &mut Step| matches!(step.action, StepAction::Chaos(_));
    let all: Vec<Step> = drawn.timeline.extract_if(.., is_chaos).collect();
    for (index, step) in all.iter().enumerate() {
        let StepAction::Chaos(chaos) = &step.action else { continue };
        let group = scenario.topology.groups.iter().find(|group| group.name == step.group);
        let nodes = group.map(|group| who(chaos.among, group)).unwrap_or_default();
        // Not the stream from which steps draw their targets.
        let seed = seed.rotate_left(17) ^ (index as u64 + 1);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let steps = draw((step, chaos), &nodes, &held(&drawn.timeline), &mut random);
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
        let name = step.on.node()?.clone();
        Some((name, step.at, step.holds_until().unwrap_or(Duration::MAX)))
    };
    timeline.iter().filter_map(one).collect()
}

fn draw(
    (step, chaos): (&Step, &Chaos),
    nodes: &[NodeName],
    held: &[Held],
    random: &mut impl RngExt,
) -> Vec<Step> {
    let begin = step.at;
    let end = begin + chaos.lasts.0;
    let mut steps = Vec::new();
    // Which nodes are not whole, and until when.
    let mut broken: Vec<(NodeName, Duration)> = Vec::new();
    let mut at = begin;
    // A fault that has no time to last is not drawn.
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
        let fault = chaos.faults.0.choose(random);
        if let (Some(node), Some(&fault)) = (whole.choose(random), fault) {
            broken.push(((*node).clone(), at + lasts));
            let drawn = one(fault, (*node).clone(), lasts);
            steps.push(Step { at, group: step.group.clone(), ..drawn });
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

/// The step that does `fault` to `node`.
fn one(fault: Drawn, node: NodeName, lasts: Duration) -> Step {
    let on_node = On::Nodes(Target::Node(node.clone()));
    let from = Side::Spots(vec![Spot::Nodes(Target::Node(node))]);
    let on_links = On::Links(Links { from, to: Side::Others, one_way: false });
    let share = Percent(100.0);
    let (on, action) = match fault {
        Drawn::Kill => (on_node, StepAction::Kill(Kill {})),
        Drawn::Stop => (on_node, StepAction::Stop(Stop {})),
        Drawn::Pause => (on_node, StepAction::Pause(Pause {})),
        Drawn::Restart => (on_node, StepAction::Restart(Restart { data: Data::Kept })),
        Drawn::Partition => (on_links, StepAction::Partition(Partition { via: Via::Relay })),
        Drawn::Reset => (on_links, StepAction::Reset(Reset { share })),
        Drawn::Refuse => (on_links, StepAction::Refuse(Refuse { share })),
    };
    let lasts = (action.kind().effects().lasts == Lasts::UntilUndone).then_some(lasts);
    let (at, group, every, moving) = Default::default();
    Step { at, group, drawn: true, on, lasts, every, moving, action }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spec::decode::Scalar;
    use crate::spec::quantity::Time;
    use crate::spec::step::DrawnFrom;

    fn all() -> DrawnFrom {
        DrawnFrom(Drawn::WORDS.iter().map(|word| Drawn::read(word).unwrap()).collect())
    }

    fn times(least: u64, most: u64) -> Times {
        Times(Time(Duration::from_millis(least)), Time(Duration::from_millis(most)))
    }

    fn steps((at, chaos): (Duration, &Chaos), held: &[Held], seed: u64) -> Vec<Step> {
        let nodes: Vec<NodeName> =
            (0..3).flat_map(|shard| [0, 1].map(|n| NodeName::new("c", shard, n))).collect();
        let (on, action) = (On::Group, StepAction::Chaos(chaos.clone()));
        let (lasts, every, moving) = Default::default();
        let step = Step { at, group: "c".into(), drawn: false, on, lasts, every, moving, action };
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        draw((&step, chaos), &nodes, held, &mut random)
    }

    /// The node that is hit, and for how long.
    fn hit(step: &Step) -> (NodeName, Option<Duration>) {
        (step.on.node().expect("it names a node").clone(), step.lasts)
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
                among: Among::Nodes,
                lasts: Time(Duration::from_millis(lasts)),
                every: times(every.0, every.0 + every.1),
                heal: times(heal.0, heal.0 + heal.1),
                faults: all(),
            };
            let ms = |(from, lasts): (u64, u64)| {
                (Duration::from_millis(from), Duration::from_millis(from + lasts))
            };
            let (from, to) = ms(other);
            let held = [(NodeName::new("c", 1, 0), from, to)];
            let begin = Duration::from_secs(5);
            let drawn = steps((begin, &chaos), &held, seed);
            prop_assert_eq!(&drawn, &steps((begin, &chaos), &held, seed), "the same seed");
            let end = begin + chaos.lasts.0;
            prop_assert_eq!(drawn[0].at, begin);
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
            among: Among::Nodes,
            lasts: Time(Duration::from_secs(600)),
            every: times(1000, 2000),
            heal: times(500, 900),
            faults: all(),
        };
        let drawn = steps((Duration::ZERO, &chaos), &[], 1);
        for word in Drawn::WORDS {
            assert!(drawn.iter().any(|step| step.action.kind().word() == *word), "{word}");
        }
        let nodes: std::collections::BTreeSet<_> = drawn.iter().map(|s| hit(s).0).collect();
        assert_eq!(nodes.len(), 6);
        assert_ne!(drawn, steps((Duration::ZERO, &chaos), &[], 2));
    }
}

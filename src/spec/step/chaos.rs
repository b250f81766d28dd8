//! A step that draws faults: the drill's seed decides which, when and to whom.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator};

use super::declare::{Keys, Rule, step};
use super::shared::{Context, DAY};
use crate::spec::decode::{At, Decode, Field, word_enum};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::quantity::{Time, Times};
use crate::spec::tree::Node;
use crate::spec::yaml::Yaml;

/// Faults that come faster than this are one.
const LEAST: Time = Time(Duration::from_millis(100));
const EVERY: Times = Times(Time(Duration::from_secs(3)), Time(Duration::from_secs(8)));
const HEAL: Times = Times(Time(Duration::from_secs(2)), Time(Duration::from_secs(6)));

step! {
    /// Draws faults by the drill's seed: the same seed gives the same ones.
    Chaos ChaosMap "a chaos step" [] {
        /// Who may be hit: `nodes`, `sentinels`, or `all` of both. Default: `nodes`.
        default "among" among: Among = Among::Nodes,
        /// The time from one fault's beginning to the next one's. Default: 3s..8s.
        default "every" every: Times = EVERY,
        /// How long faults go on; all is healed by then.
        #[range(Time::millis(1), DAY, "a drill takes a day at most")]
        required "for" lasts: Time,
        /// How long a fault lasts. Default: 2s..6s.
        default "heal" heal: Times = HEAL,
        /// What is drawn from: `kill`, `stop`, `pause`, `restart`, `partition`, `reset`,
        /// `refuse`. Default: kill, pause and partition.
        default "faults" faults: DrawnFrom = DrawnFrom::default(),
    }
}

word_enum! {
    /// Who may be hit.
    Among "choice of nodes" {
        Nodes "nodes",
        Sentinels "sentinels",
        All "all",
    }
}

word_enum! {
    /// What can be drawn. It is done to a single node.
    Drawn "fault that can be drawn" {
        Kill "kill",
        Stop "stop",
        Pause "pause",
        Restart "restart",
        /// From all others.
        Partition "partition",
        /// Connections with all others.
        Reset "reset",
        Refuse "refuse",
    }
}

/// One of these is drawn each time; none is in it twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnFrom(pub Vec<Drawn>);

impl Default for DrawnFrom {
    fn default() -> DrawnFrom {
        DrawnFrom(vec![Drawn::Kill, Drawn::Pause, Drawn::Partition])
    }
}

impl Decode for DrawnFrom {
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<DrawnFrom> {
        let given = Vec::<At<Drawn>>::decode(node, errors)?;
        let mut drawn: Vec<Drawn> = Vec::new();
        for At { value, span } in given {
            if drawn.contains(&value) {
                let message = format!("`{}` stands here twice", value.word());
                errors.add(&span, message, "each is as likely as any other; keep one");
            }
            drawn.push(value);
        }
        Some(DrawnFrom(drawn))
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<At<Drawn>>::schema(generator)
    }
}

impl Yaml for DrawnFrom {
    fn yaml(&self) -> Option<String> {
        Some(format!("[{}]", self.words()))
    }
}

impl DrawnFrom {
    fn words(&self) -> String {
        self.0.iter().map(|drawn| drawn.word()).collect::<Vec<_>>().join(", ")
    }
}

impl Drawn {
    fn is_on_links(&self) -> bool {
        matches!(self, Drawn::Partition | Drawn::Reset | Drawn::Refuse)
    }
}

impl Rule for Chaos {
    fn check(map: &ChaosMap, context: &mut Context<'_>) -> Option<Chaos> {
        if let Some(At { value: Among::Sentinels | Among::All, span }) = map.among.given()
            && context.group.sentinels().is_none()
        {
            let message = format!("`{}` has no sentinels", context.group.name);
            context.errors.add(span, message, "leave it out, or give the group mode `sentinel`");
        }
        if let Some(at) = map.faults.given().filter(|at| at.value.0.is_empty()) {
            let message = "there is nothing to draw from";
            let advice = format!("name some of {}", Drawn::WORDS.join(", "));
            context.errors.add(&at.span, message, advice);
        }
        let most = map.lasts.given()?.value.max(LEAST);
        for (name, field) in [("every", &map.every), ("heal", &map.heal)] {
            check_times(name, field, most, context.errors);
        }
        map.filled()
    }

    fn how(&self) -> String {
        format!(": one of {} every {} for {}", self.faults.words(), self.every, self.lasts)
    }

    fn needs_relay(&self) -> bool {
        self.faults.0.iter().any(Drawn::is_on_links)
    }
}

fn check_times(name: &str, field: &Field<Times>, most: Time, errors: &mut Diagnostics) {
    let Some(At { value: Times(shortest, longest), span }) = field.given() else { return };
    let why = "what is drawn must fit into the time that `for` gives";
    for end in [*shortest, *longest] {
        let end = Field::Given(At { value: end, span: span.clone() });
        end.check_range(name, (LEAST, most), why, errors);
    }
}

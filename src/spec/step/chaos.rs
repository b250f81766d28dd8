//! A step that draws faults: the drill's seed decides which, when and to whom.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator};

use super::declare::{Rule, step};
use super::shared::{Context, lasts};
use crate::spec::decode::{At, Decode, Field, Word, word_enum};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::quantity::{Time, Times};
use crate::spec::rules::check_range;
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
        required "for" lasts: Time,
        /// How long a fault lasts. Default: 2s..6s.
        default "heal" heal: Times = HEAL,
        /// What is drawn from: `kill`, `stop`, `pause`, `restart`, `partition`, `reset`,
        /// `refuse`. Default: kill, pause and partition.
        default "faults" faults: DrawnFrom = DrawnFrom::default(),
    }
}

/// Who may be hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    Nodes,
    Sentinels,
    All,
}

/// What can be drawn. It is done to a single node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    Kill,
    Stop,
    Pause,
    Restart,
    /// From all others.
    Partition,
    /// Connections with all others.
    Reset,
    Refuse,
}

/// One of these is drawn each time; none is in it twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnFrom(pub Vec<Drawn>);

word_enum!(Among as "choice of nodes" {
    "nodes" => Among::Nodes,
    "sentinels" => Among::Sentinels,
    "all" => Among::All,
});
word_enum!(Drawn as "fault that can be drawn" {
    "kill" => Drawn::Kill,
    "stop" => Drawn::Stop,
    "pause" => Drawn::Pause,
    "restart" => Drawn::Restart,
    "partition" => Drawn::Partition,
    "reset" => Drawn::Reset,
    "refuse" => Drawn::Refuse,
});

impl Default for DrawnFrom {
    fn default() -> DrawnFrom {
        DrawnFrom(vec![Drawn::Kill, Drawn::Pause, Drawn::Partition])
    }
}

impl Decode for DrawnFrom {
    fn decode(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<DrawnFrom> {
        let given = Vec::<At<Drawn>>::decode(node, diagnostics)?;
        let mut drawn: Vec<Drawn> = Vec::new();
        for At { value, span } in given {
            if drawn.contains(&value) {
                let told = Diagnostic::new(&span, format!("`{}` stands here twice", value.word()));
                diagnostics.push(told.advise("each is as likely as any other; keep one"));
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
        self.0.iter().map(Word::word).collect::<Vec<_>>().join(", ")
    }
}

impl Drawn {
    fn is_on_links(&self) -> bool {
        matches!(self, Drawn::Partition | Drawn::Reset | Drawn::Refuse)
    }
}

impl Rule for Chaos {
    type Map = ChaosMap;

    fn check(
        map: &ChaosMap,
        context: &mut Context<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Chaos> {
        if let Some(At { value: Among::Sentinels | Among::All, span }) = map.among.given()
            && context.group.sentinels().is_none()
        {
            let message = format!("`{}` has no sentinels", context.group.name);
            let told = Diagnostic::new(span, message);
            diagnostics.push(told.advise("leave it out, or give the group mode `sentinel`"));
        }
        if let Some(at) = map.faults.given().filter(|at| at.value.0.is_empty()) {
            let told = Diagnostic::new(&at.span, "there is nothing to draw from");
            diagnostics.push(told.advise(format!("name some of {}", Drawn::WORDS.join(", "))));
        }
        let most = Time(lasts(&map.lasts, diagnostics)?).max(LEAST);
        for (name, field) in [("every", &map.every), ("heal", &map.heal)] {
            check_times(name, field, most, diagnostics);
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

fn check_times(name: &str, field: &Field<Times>, most: Time, diagnostics: &mut Vec<Diagnostic>) {
    let Some(At { value: Times(shortest, longest), span }) = field.given() else { return };
    let why = "what is drawn must fit into the time that `for` gives";
    check_range(name, shortest, span, (LEAST, most), why, diagnostics);
    if longest != shortest {
        check_range(name, longest, span, (LEAST, most), why, diagnostics);
    }
}

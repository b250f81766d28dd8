//! What a drill costs beyond the scenario's own seconds: the wall time of
//! `redrill run cluster-reshard`, less the time from the load's begin to its end.

use std::time::Duration;

use redrill::model::event::{EventKind, Phase};

use crate::drill::{self, Played};
use crate::table::{Better, Side, Table};

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut ours = Side::new("redrill run cluster-reshard");
    for _ in 0..runs {
        let played = drill::play(&["cluster-reshard"], &[])?;
        let over = played.took.saturating_sub(own_time(&played)?);
        ours.values.push(over.as_secs_f64());
    }
    let what = "a drill's time beyond the scenario's own";
    table.add(what, "s", Better::Lower, ours, Side::bound(4.0), 1.0);
    Ok(())
}

/// From the phase in which the load runs to the one in which it has stopped.
fn own_time(played: &Played) -> Result<Duration, Box<dyn std::error::Error>> {
    let events = played.events()?;
    let began = |wanted| {
        let is_it =
            |kind: &EventKind| matches!(kind, EventKind::Phase { phase } if *phase == wanted);
        events.iter().find(|event| is_it(&event.kind)).map(|event| event.at)
    };
    let from = began(Phase::Steps).ok_or("the load did not begin")?;
    Ok(began(Phase::Verify).ok_or("the drill did not come to its end")?.since(from))
}

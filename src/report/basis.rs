//! What a verdict rests on: the history of all operations, loads that were answered, probes that
//! were. Where some of it is missing, nothing that was found wrong says little: the drill does not
//! pass.

use crate::model::event::Phase;

use super::load_tally::LoadTally;
use super::record::Record;
use super::tally::Tally;

const PLAY_AGAIN: &str = "run the drill again";

/// One sentence for each thing that a verdict of this drill lacks. Of a drill that broke off that
/// has been said already. `tally` is what was read of the history, and `cut` says that its file
/// breaks off; there is no tally without that file.
pub(super) fn lacking(record: &Record, tally: Option<&Tally>, cut: bool) -> Vec<String> {
    let has_line = record.phase_at(Phase::Steps).is_some();
    if !record.completed() || !has_line || record.info.loads.is_empty() {
        return Vec::new();
    }
    let mut reasons = Vec::new();
    match tally {
        None => reasons.push(format!(
            "history.jsonl.zst is missing, so nothing is known of what was asked and answered; \
             {PLAY_AGAIN}"
        )),
        Some(_) if cut => reasons.push(format!(
            "history.jsonl.zst breaks off, so what it lacks may be wrong; {PLAY_AGAIN}"
        )),
        Some(tally) if tally.foreign > 0 => reasons.push(format!(
            "history.jsonl.zst has {} operations of loads that events.jsonl does not name: the two \
             files are of different drills",
            tally.foreign
        )),
        Some(tally) => {
            for (index, (load, info)) in tally.loads.iter().zip(&record.info.loads).enumerate() {
                let counted = record.series.get(index).map_or(0, |series| series.ended());
                reasons.extend(of_load(&info.name, load, counted));
            }
        }
    }
    let probes = record.probe;
    if probes.sent > 0 && probes.failed >= probes.sent {
        reasons.push(format!(
            "none of {} probes was answered, so nothing is known of downtime; look at the servers' \
             logs, and {PLAY_AGAIN}",
            probes.sent
        ));
    }
    reasons
}

/// Of a load of which so many sessions were `counted` while it ran; 0 in records without counts.
fn of_load(name: &str, load: &LoadTally, counted: u64) -> Option<String> {
    let figures = load.figures();
    if figures.operations < counted {
        return Some(format!(
            "history.jsonl.zst has {} of the {counted} operations of load `{name}`: the others may \
             be wrong; {PLAY_AGAIN}",
            figures.operations
        ));
    }
    if figures.operations == figures.unsent {
        return Some(format!(
            "no operation of load `{name}` was sent: look at its rate and at `max_in_flight`"
        ));
    }
    let sent = figures.operations - figures.unsent;
    (load.served == 0).then(|| {
        format!(
            "none of {sent} operations of load `{name}` was answered as it should be, so nothing \
             is known of what they would have found; look at its errors and at the servers' logs"
        )
    })
}

//! A disk that was full although no step had asked for that. What servers do then is no fault of
//! theirs, so it fails no drill.

use crate::check::Finding;
use crate::model::logged::LogTopic;
use crate::model::{NodeName, StepKind, Verdict};

use super::data::Judged;
use super::record::Record;

/// The signal that ends a server whose file may not get larger.
const TOO_LARGE: &str = "SIGXFSZ";

/// The node, and the words that say so: a line of its log, or how its server ended. None if a step
/// fills disks.
fn full(record: &Record) -> Option<(&NodeName, &str)> {
    if record.steps.iter().any(|step| step.info.kind == StepKind::DiskFull) {
        return None;
    }
    let line = record.logged.iter().find(|line| line.topic == LogTopic::Disk);
    let line = line.map(|line| (&line.node, &*line.text));
    let crash = record.crashes.iter().find(|crash| crash.status.contains(TOO_LARGE));
    line.or(crash.map(|crash| (&crash.node, &*crash.status)))
}

/// Why the drill's result is unknown.
pub(super) fn reason(record: &Record) -> Option<String> {
    let (node, words) = full(record)?;
    Some(format!(
        "the disk of {node} was full, or its files may not get larger, and no step had asked for \
         that (by its server: `{words}`): make room, and run it again"
    ))
}

/// What was found may be the disk's doing.
pub(super) fn excuse(record: &Record, findings: &mut [Finding]) {
    let Some((node, _)) = full(record) else { return };
    for finding in findings.iter_mut().filter(|finding| finding.verdict == Verdict::Fail) {
        finding.verdict = Verdict::Unknown;
        finding.text += &format!(", and the disk of {node} was full");
    }
}

/// The same of an expectation that does not hold.
pub(super) fn excuse_bound(record: &Record, judged: Judged) -> Judged {
    let Some((node, _)) = full(record).filter(|_| judged.verdict == Verdict::Fail) else {
        return judged;
    };
    let was = judged.why.unwrap_or_default().replace("does not hold", "cannot be judged");
    let why = Some(format!("{was}, and the disk of {node} was full"));
    Judged { verdict: Verdict::Unknown, why, ..judged }
}

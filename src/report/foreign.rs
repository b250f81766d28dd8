//! Servers that are not the drill's and were found among its own: what they did is no fault of the
//! servers.

use crate::check::Finding;
use crate::model::Verdict;

use super::data::Judged;
use super::record::Record;

/// The finding's kind.
pub(super) const KIND: &str = "foreign_servers";
pub(super) const ADVICE: &str = "see that nobody else uses this machine's addresses, or run the \
                                 servers in containers (`--backend docker`), and run it again";
const WHY: &str = "servers that are not the drill's took part";

/// The finding, if there were any.
pub(super) fn finding(record: &Record) -> Option<Finding> {
    let first = record.foreign.first()?;
    let more = match record.foreign.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Some(Finding {
        kind: KIND.to_owned(),
        verdict: Verdict::Unknown,
        text: format!("{first}{more}"),
        count: record.foreign.len() as u64,
        examples: Vec::new(),
    })
}

/// Blames no server for what broke meanwhile.
pub(super) fn excuse(record: &Record, (verdict, why): (Verdict, String)) -> (Verdict, String) {
    match verdict {
        Verdict::Fail if !record.foreign.is_empty() => (Verdict::Unknown, format!("{why}; {WHY}")),
        _ => (verdict, why),
    }
}

/// Blames no server for an expectation that does not hold.
pub(super) fn excuse_judged(record: &Record, judged: Judged) -> Judged {
    if record.foreign.is_empty() || judged.verdict != Verdict::Fail {
        return judged;
    }
    let was = judged.why.unwrap_or_default().replace("does not hold", "cannot be judged");
    Judged { verdict: Verdict::Unknown, why: Some(format!("{was}; {WHY}")), ..judged }
}

//! Full resynchronizations: how often servers sent all their data to a replica while the load ran, by
//! their own counters.

use crate::model::Nanos;

use super::kept::Told;
use super::record::Record;

/// Servers are asked once a second. The first answer of one that was there from the start is what
/// later ones are compared with.
const FIRST_ANSWER: u64 = 2_000_000_000;

/// How many there were; none if no server told.
pub(super) fn full_resyncs(record: &Record, begin: Nanos) -> Option<u64> {
    let span = (begin, record.load_ended().unwrap_or(record.last));
    let counted = record.kept.nodes.values().filter_map(|all| of_server(all, span));
    counted.reduce(|sum, one| sum + one)
}

fn of_server(all: &[Told], (begin, end): (Nanos, Nanos)) -> Option<u64> {
    let mut before: Option<&Told> = None;
    let mut sum = None;
    for now in all.iter().filter(|told| told.at <= end) {
        let Some(count) = now.kept.full_syncs else { continue };
        let new = match before {
            Some(before) if before.kept.run == now.kept.run => {
                count.saturating_sub(before.kept.full_syncs.unwrap_or_default())
            }
            // It was started after the load's start.
            Some(_) => count,
            None if now.at.0 > begin.0 + FIRST_ANSWER => count,
            None => 0,
        };
        *sum.get_or_insert(0) += if now.at >= begin { new } else { 0 };
        before = Some(now);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::KeptStats;

    fn told(answers: &[(u64, &str, u64)]) -> Vec<Told> {
        let one = |(second, run, count): &(u64, &str, u64)| Told {
            at: Nanos(second * 1_000_000_000),
            used: 0,
            kept: KeptStats {
                run: (*run).to_owned(),
                full_syncs: Some(*count),
                ..KeptStats::default()
            },
        };
        answers.iter().map(one).collect()
    }

    #[test]
    fn what_a_server_did_before_the_load_or_after_it_does_not_count() {
        let span = (Nanos(10_000_000_000), Nanos(20_000_000_000));
        let of = |answers: &[(u64, &str, u64)]| of_server(&told(answers), span);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(9, "a", 2), (10, "a", 2), (19, "a", 2)]), Some(0), "of its formation");
        assert_eq!(of(&[(9, "a", 2), (11, "a", 5), (21, "a", 9)]), Some(3));
        assert_eq!(of(&[(11, "a", 2), (12, "a", 5)]), Some(3), "what the first one says is old");
        assert_eq!(of(&[(11, "a", 2), (14, "b", 1)]), Some(1), "it was started again");
        assert_eq!(of(&[(15, "j", 1), (16, "j", 2)]), Some(2), "it joined");
    }
}

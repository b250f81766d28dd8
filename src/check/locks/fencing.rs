//! Accounts of fenced locks that took an update of an older holder.

use super::session::Held;
use crate::model::Nanos;

/// A write that an account took from an older holder after that of a newer one.
pub(super) struct Late<'a> {
    pub older: &'a Held,
    pub sent: Nanos,
    pub newer: &'a Held,
}

/// Newer is who has the greater fencing number, or of two with the same one who got the lock later.
/// `held` is in the order of getting it.
pub(super) fn overtaken_writes(held: &[Held]) -> Vec<Late<'_>> {
    let fenced = held.iter().filter(|one| one.fence > 0);
    let mut writes: Vec<(&Held, (Nanos, Nanos))> =
        fenced.filter_map(|one| Some((one, one.written?))).collect();
    writes.sort_by_key(|(one, _)| one.fence);
    // Of newer holders, the first write that was done.
    let (mut earliest, mut found) = (None::<(Nanos, &Held)>, Vec::new());
    for (older, (sent, done)) in writes.into_iter().rev() {
        if let Some((_, newer)) = earliest.filter(|(before, _)| *before < sent) {
            found.push(Late { older, sent, newer });
        }
        if earliest.is_none_or(|(before, _)| done < before) {
            earliest = Some((done, older));
        }
    }
    found
}

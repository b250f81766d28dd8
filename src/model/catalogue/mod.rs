//! The catalogue of measures: one row for each, with all that is known of it.
//!
//! Nothing else lists measures by their names. Whoever wants to know whether lower is better,
//! what a scenario must have, what a person is told or where a figure is shown asks the row.
//! A new measure is a row here and a line where it is computed: in `report/measures.rs`, or in
//! its checker. (`docs/measures.md` tells each at length; a test compares the two.)

mod known;

pub use known::{Better, Busy, Covers, Headline, Known, Need, ScenarioFacts, When};

use super::measure::Unit;
use super::workload::Workload;

use Busy::{Carried, Disorders, Errors, Failovers, Lengthens, Lowers, MayBeAll, Raises, Spares};
use Need::*;
use When::*;

/// The row of the measure `name`.
pub fn known(name: &str) -> Option<&'static Known> {
    CATALOGUE.iter().find(|known| known.name == name)
}

/// The measure that counts findings of this kind.
pub fn of_finding(kind: &str) -> Option<&'static Known> {
    CATALOGUE.iter().find(|known| known.finding == Some(kind))
}

/// The measures that checkers judge.
pub fn judged() -> impl Iterator<Item = &'static str> {
    CATALOGUE.iter().filter(|known| known.finding.is_some()).map(|known| known.name)
}

/// Rows by families: what a family needs, what to do where it could not be told, and the span of
/// the drill that it covers; then the name, unit, direction and text of each, and what else is said
/// of it (also the span, where a row has its own).
macro_rules! catalogue {
    ($($needs:expr, $advice:expr, $covers:ident => {$(
        $name:literal $unit:ident $better:ident $about:literal $(.$more:ident($($value:expr),*))*;
    )*})*) => {
        &[$($(Known {
            name: $name,
            unit: Unit::$unit,
            better: Better::$better,
            needs: $needs,
            about: $about,
            advice: $advice,
            side_by_side: false,
            finding: None,
            must_end: false,
            busy: None,
            knows_own_lateness: false,
            of_views: false,
            share_of: None,
            covers: Covers::$covers,
            headline: None,
            cell: None,
            in_suite: None,
        }$(.$more($($value),*))*,)*)*]
    };
}

const SERVED: &str =
    "have all shards served again before the drill ends: heal, or a longer `settle`";
const LONGER: &str =
    "let the load go on for longer before, during and after the steps, and look at its errors";
const SEARCH: &str =
    "have fewer operations on each key: more `keys`, or a lower `rate` on fewer hot ones";
const WARNINGS: &str = "the run's `warnings` say what was missing";

/// Every measure that redrill knows, in the order in which people are shown them.
pub const CATALOGUE: &[Known] = catalogue! {
    &[], "let the drill come to its load", Throughout => {
        "crashes" Count Lower "servers that ended although no step had asked for that"
            .busy_does(Spares).side_by_side().headline("Crashed servers", &["{crashed}"]).if_any();
    }
    &[], "let the load last longer: no probe was counted", Throughout => {
        "downtime.write.max" Millis Lower "the longest outage of any canary for writes"
            .side_by_side().in_suite("longest write outage")
            .headline("Longest write outage", &[
                "reads {downtime.read.max}", "the longest {longest outage}",
                "{canaries}{probed}",
            ])
            .knows_own_lateness();
        "downtime.write.total" Millis Lower "all write outages of the worst canary together"
            .knows_own_lateness();
        "downtime.read.max" Millis Lower "the longest outage of any canary for reads"
            .side_by_side().in_suite("longest read outage")
            .knows_own_lateness();
        "downtime.read.total" Millis Lower "all read outages of the worst canary together"
            .knows_own_lateness();
        "canaries.lost" Count Lower "reads of canaries that lacked an acknowledged write"
            .finding("canaries");
    }
    &[Load], "let the load go on for longer, and look at its errors", Throughout => {
        "load.downtime.max" Millis Lower
            "the longest time in which an instance of a load had no good answer from a shard"
            .side_by_side().headline("Load downtime", &["{longest silence}"]);
    }
    &[], "let the drill come to its load", Throughout => {
        "failovers" Count Lower "primaries that another node replaced, by an election or a command"
            .side_by_side().busy_does(Failovers).of_views();
    }
    &[Replicas], "let the load last for some seconds: servers are asked once a second", Throughout => {
        "replication.full_resyncs" Count Lower
            "how often a server sent all its data to a replica while the load ran"
            .headline("Full resynchronizations", &[]).if_any();
    }
    &[Load, Step], WARNINGS, SinceSteps => {
        "load.recovered" Millis Lower
            "from a step's start until 95 % of a load's operations are answered again, the slowest load"
            .side_by_side().must_end().headline("Loads recovered after", &["{slowest load}"]);
    }
    &[MayFailOver], "look at the failovers that were seen: the steps have to make a primary fail", Failures => {
        "failover.served" Millis Lower "from the fault until a write succeeds".side_by_side();
        "failover.detect" Millis Lower
            "from the fault until a node or a sentinel suspects the primary (PFAIL), the longest"
            .side_by_side().of_views();
        "failover.agree" Millis Lower
            "from then until a majority does, or a quorum of sentinels (FAIL)".side_by_side().of_views();
    }
    &[MayFailOver, Replicas], "look at the failovers that were seen: the steps have to make a primary fail", Failures => {
        "failover.elect" Millis Lower "from then until a replica is elected".side_by_side().of_views();
        "failover.reconnect" Millis Lower "from the election until a write to the shard succeeds"
            .side_by_side();
        "failover.propagate" Millis Lower
            "from the election until all live nodes name the new primary".side_by_side().of_views();
        "failover.redundant" Millis Lower
            "from the fault until the shard has a linked replica again".side_by_side().of_views();
    }
    &[Load, Registers], SERVED, Throughout => {
        "writes.acknowledged" Count Neither "writes that a server acknowledged";
        "writes.lost" Count Lower "acknowledged writes that the final state contradicts"
            .side_by_side().in_suite("lost writes").finding("lost_writes")
            .headline("Lost writes", &[
                "of {writes.acknowledged} acknowledged",
                "at least: a later write to a key hides an earlier loss",
                "{writes.lost.wrong_side?} on a side that lost",
                "{final read}",
            ]);
    }
    &[Load, Registers], SERVED, Throughout => {
        "writes.lost.share" Percent Lower "lost writes, of those that were acknowledged"
            .busy_does(Raises).share_of("writes.lost");
    }
    &[Load, Registers, MayFailOver], SERVED, Losses => {
        "writes.lost.wrong_side" Count Lower
            "lost writes that were acknowledged on a side that lost".side_by_side();
    }
    &[Load, Writes, MayFailOver], SERVED, Losses => {
        "rpo" Millis Lower
            "how much time's acknowledged writes a shard lost with a failure, the worst"
            .side_by_side().busy_does(Lengthens);
    }
    &[Wait], SERVED, Throughout => {
        "writes.under_replicated" Count Lower
            "changes that had reached too few replicas when their wait was over"
            .side_by_side().headline("Too few replicas", &["changes whose outcome is unknown"]);
    }
    &[Load, Registers], WARNINGS, Throughout => {
        "reads.stale" Count Lower "reads that came too late for a write which was there to be found"
            .side_by_side().finding("stale_reads")
            .headline("Stale reads", &["by up to {reads.stale.age.max?}"]);
        "reads.stale.age.max" Millis Lower
            "the oldest stale read: how long ago what it missed had been acknowledged"
            .busy_does(Lengthens);
        "reads.reverted" Count Lower
            "reads of a value that came back because what had followed it was lost"
            .side_by_side().finding("reverted_reads");
        "reads.own_missed" Count Lower
            "reads that missed a write that the same client had made before"
            .finding("own_writes_missed");
        "reads.not_monotonic" Count Lower
            "reads of something older than the same client had read before"
            .finding("reads_not_monotonic");
    }
    &[Load, Registers], SEARCH, Throughout => {
        "keys.not_linearizable" Count Lower "keys whose operations no single order explains"
            .side_by_side().finding("linearizability").headline("Keys not linearizable", &[]);
    }
    &[Load, Registers, ActiveActive], WARNINGS, Throughout => {
        "reads.stale.age.p99" Millis Lower
            "how old reads are, the 99th percentile: since when what they missed had been acknowledged"
            .side_by_side().busy_does(MayBeAll);
        "reads.stale.versions.p99" Count Lower
            "acknowledged writes that a read missed, the 99th percentile".busy_does(MayBeAll);
        "reads.stale.versions.max" Count Lower "the most acknowledged writes that a read missed"
            .side_by_side().busy_does(MayBeAll);
    }
    &[Near], "let the load last longer: nothing was read", Throughout => {
        "near.hits" Percent Higher "reads that an instance's own memory answered"
            .side_by_side().busy_does(Lowers);
    }
    &[Load, Registers, ActiveActive], WARNINGS, Throughout => {
        "causal.violations" Count Lower
            "reads that contradict what their own client had read or written, or what that followed from: \
             monotonic writes and writes-follow-reads count here"
            .side_by_side().finding("causality").headline("Causality broken", &[]);
        "causal.diverged" Count Lower
            "groups of operations on whose order clients disagree, though causality holds"
            .side_by_side().finding("convergence");
    }
    &[Workload(Workload::Counter)], SERVED, Throughout => {
        "counter.acknowledged" Count Neither "increments that a server acknowledged";
        "counter.wrong" Count Lower
            "all that is wrong with counters: increments lost, too many or repeated, impossible totals"
            .side_by_side().finding("counters").headline("Wrong with counters", &[
                "{counter.lost} of {counter.acknowledged} acknowledged increments lost",
                "{counter.surplus} too many", "{counter.repeated} repeated",
                "{counter.impossible} impossible totals",
                "{final read}",
            ]);
        "counter.lost" Count Lower "acknowledged increments that final totals lack".side_by_side();
        "counter.surplus" Count Lower
            "by how much final totals are above all that can have been counted";
        "counter.repeated" Count Lower
            "increments that returned a total which another had returned";
        "counter.impossible" Count Lower "totals during the load that nothing explains";
    }
    &[Workload(Workload::Set)], SERVED, Throughout => {
        "set.acknowledged" Count Neither "elements whose adding a server acknowledged";
        "set.wrong" Count Lower
            "all that is wrong with sets: elements lost, unexpected or duplicated"
            .side_by_side().finding("sets").headline("Wrong with sets", &[
                "{set.lost} of {set.acknowledged} acknowledged elements lost",
                "no later write hides a loss",
                "{set.unexpected} unexpected", "{set.duplicated} duplicated",
                "{set.recovered} recovered",
                "{final read}",
            ]);
        "set.lost" Count Lower "acknowledged elements that are not there at the end";
        "set.unexpected" Count Lower "elements at the end that nobody can have added";
        "set.duplicated" Count Lower "elements that stand there more than once";
        "set.recovered" Count Neither
            "elements of which nobody knew whether they had been added, and that are there";
    }
    &[Workload(Workload::Queue)], SERVED, Throughout => {
        "queue.acknowledged" Count Neither "elements that a server acknowledged to have put in";
        "queue.wrong" Count Lower
            "all that is wrong with queues: lost, unexpected, delivered again"
            .side_by_side().finding("queues").headline("Wrong with queues", &[
                "{queue.lost} of {queue.acknowledged} acknowledged elements lost",
                "{queue.unexpected} unexpected", "{queue.repeated} delivered again",
                "{queue.recovered} recovered",
                "{final read}",
            ]);
        "queue.lost" Count Lower "acknowledged elements that never came out";
        "queue.unexpected" Count Lower "elements that came out and that nobody can have put in";
        "queue.repeated" Count Lower "deliveries of an element beyond its first";
        "queue.recovered" Count Neither
            "elements of which nobody knew whether they had gone in, and that came out";
    }
    &[Workload(Workload::Stream)], SERVED, Throughout => {
        "stream.acknowledged" Count Neither "elements that a server acknowledged to have put in";
        "stream.wrong" Count Lower
            "all that is wrong with streams: lost, unexpected, delivered after an XACK"
            .side_by_side().finding("streams").headline("Wrong with streams", &[
                "{stream.lost} of {stream.acknowledged} acknowledged elements lost",
                "{stream.unexpected} unexpected", "{stream.repeated} delivered again",
                "{stream.after_ack} of them after XACK", "{stream.recovered} recovered",
                "{final read}",
            ]);
        "stream.lost" Count Lower "acknowledged elements that never came out";
        "stream.unexpected" Count Lower "elements that came out and that nobody can have put in";
        // A group delivers again what was not acknowledged: that is its promise.
        "stream.repeated" Count Neither "deliveries of an element beyond its first";
        "stream.after_ack" Count Lower
            "deliveries sent after the element had been dealt with (XACK)";
        "stream.recovered" Count Neither
            "elements of which nobody knew whether they had gone in, and that came out";
    }
    &[Workload(Workload::Transfer)], SERVED, Throughout => {
        "transfer.acknowledged" Count Neither "transfers that a server acknowledged";
        "transfer.wrong" Count Lower
            "all that is wrong with transfers: reads torn, banks half-done or with transfers lost"
            .side_by_side().finding("transfers").headline("Wrong with transfers", &[
                "{transfer.torn} reads torn", "{transfer.half_done} banks with a half-done transfer",
                "{transfer.lost} banks that lost some of {transfer.acknowledged} acknowledged",
                "{final read}",
            ]);
        "transfer.torn" Count Lower "reads of a bank whose sum is not what it was opened with";
        "transfer.half_done" Count Lower "banks whose sum is wrong at the end";
        "transfer.lost" Count Lower
            "banks whose sum is right at the end, and that lack acknowledged transfers";
        "transactions.torn" Count Lower
            "reads that saw some changes of a transaction and not the others, and banks that ended so"
            .side_by_side();
        "transactions.partial" Count Lower
            "transactions of which some commands were carried out and others failed"
            .side_by_side().headline("In part", &["transactions of which a command failed"]).if_any();
    }
    &[Workload(Workload::DualWrite)], SERVED, Throughout => {
        "dual.acknowledged" Count Neither "values that both groups acknowledged";
        "dual.wrong" Count Lower "keys whose final values differ between groups"
            .side_by_side().finding("dual_writes").headline("Keys that differ between groups", &[
                "{dual.one_sided} by a write of one group only", "{dual.lost} by a lost write",
                "{dual.reordered} by writes in different order", "{final read}",
            ]);
        "dual.one_sided" Count Lower
            "keys that differ by a write that only one group is known to have taken";
        "dual.lost" Count Lower
            "keys that differ by a write that both acknowledged, and one lost";
        "dual.reordered" Count Lower
            "keys that differ by two writes that the groups took in different order";
    }
    &[Workload(Workload::Lock)], SERVED, Throughout => {
        "lock.overlaps" Count Lower
            "acquisitions of a lock that another client certainly used afterwards"
            .side_by_side().in_suite("locks broken").finding("lock_overlaps")
            .headline("Locks held twice", &[
                "of {lock.acquired} acquisitions", "{lock.overlaps.possible?} more possibly",
                "{lock.updates.lost} updates lost", "{lock.fencing.caught?} caught by fencing",
                "{lock.fencing.missed?} not caught by fencing",
                "{lock.lacked?} were gone from their servers while held", "{luck}",
            ]);
        "lock.overlaps.possible" Count Lower
            "acquisitions of a lock that another client gave back afterwards, and perhaps used";
        "lock.acquired" Count Neither "acquisitions of locks";
        "lock.updates" Count Neither "acknowledged updates of the accounts that locks guard";
        "lock.updates.lost" Count Lower "acknowledged updates that accounts lack at the end"
            .side_by_side().finding("lost_updates");
        "lock.lacked" Count Lower
            "locks that their servers no longer had when holders released them within their leases"
            .side_by_side();
        "lock.lacked.wanted" Count Lower "those of them that another client wanted meanwhile";
        "lock.reads.changed" Count Lower
            "readers that saw the account of their lock change while they had it";
    }
    &[Workload(Workload::Lock), Fenced], SERVED, Throughout => {
        "lock.fencing.caught" Count Neither
            "updates of an older holder that the account refused".side_by_side();
        "lock.fencing.missed" Count Lower
            "updates of an older holder that the account took after one of a newer holder"
            .side_by_side().finding("unfenced_updates");
    }
    &[Workload(Workload::Lock)], "let the load go on for longer: nobody got a lock", Throughout => {
        "lock.acquire.p50" Millis Lower "median time from the wish for a lock to having it"
            .busy_does(MayBeAll);
        "lock.acquire.p99" Millis Lower "the 99th percentile of that"
            .side_by_side().headline("Lock acquired after, p99", &[
                "median {lock.acquire.p50?}", "the longest {lock.acquire.max?}",
                "{lock.rate?} acquisitions", "{lock.in_vain?} wishes in vain",
            ])
            .busy_does(MayBeAll);
        "lock.acquire.max" Millis Lower "the longest such time".busy_does(MayBeAll);
        "lock.hold.p99" Millis Neither
            "99th percentile of the time from having a lock to giving it back";
        "lock.release.p99" Millis Lower "99th percentile of the time that giving it back takes"
            .busy_does(MayBeAll);
        "lock.rate" PerSecond Higher "acquisitions a second, from the first one to the last one"
            .side_by_side();
        "lock.in_vain" Count Lower "wishes for a lock that ended without it"
            .side_by_side().busy_does(MayBeAll);
        "lock.timed_out" Count Lower
            "those of them whose patience was over while somebody else had the lock"
            .busy_does(MayBeAll);
        "lock.tries" Count Lower "tries for each acquisition".busy_does(MayBeAll);
        "lock.commands" Count Lower
            "operations on locks sent for each acquisition, those of wishes in vain included"
            .side_by_side().busy_does(MayBeAll);
        "lock.fairness" Percent Higher
            "Jain's index of the times waited for locks: 100 % if all waited alike"
            .side_by_side().busy_does(MayBeAll);
        "lock.overtaken.max" Count Lower
            "the most clients that wished for a lock later than another one, and got it sooner"
            .busy_does(MayBeAll);
    }
    &[Workload(Workload::Lock), Abandoned], "have some holders never give their locks back (`abandon`)", Throughout => {
        "lock.lease.early" Count Lower
            "locks that a client got before the lease of a holder that never released it had ended"
            .side_by_side();
        "lock.lease.late.p99" Millis Lower
            "99th percentile of the time from the end of such a lease to somebody having the lock"
            .busy_does(MayBeAll);
        "lock.lease.late.max" Millis Lower "the longest such time".busy_does(MayBeAll);
    }
    &[Workload(Workload::Lock), Step],
        "let the load go on after the faults, for longer than `ttl`: nobody wished for a lock", SinceSteps => {
        "lock.free_again" Millis Lower
            "the longest time until a lock could be had when faults and leases were over"
            .side_by_side().busy_does(MayBeAll);
    }
    &[Workload(Workload::Cache)], "let the load go on for longer: nobody read from the cache", Throughout => {
        "cache.hits" Percent Higher "reads that found a copy"
            .side_by_side().in_suite("hits")
            .headline("Hits", &[
                "{cache.hits.near?} in the reader's own process", "{cache.misses} misses",
                "{cache.misses.expired?} expired", "{cache.misses.invalidated?} invalidated",
                "{cache.misses.evicted?} evicted", "{cache.misses.lost?} lost with a server",
                "{cache.misses.cold?} cold", "{cache.misses.gone?} gone for no known reason",
            ]);
        "cache.hits.host" Percent Higher "reads that found a copy on their host";
        "cache.hits.near_group" Percent Higher "reads that found a copy in the nearer group";
        "cache.hits.group" Percent Higher "reads that found a copy in the group";
        "cache.hits.near" Percent Higher "reads that found a copy in their own process";
        "cache.misses" Count Lower "reads that found no copy";
        "cache.misses.cold" Count Lower "those of entities of which there had been none";
        "cache.misses.expired" Count Lower "those of copies whose time was over";
        "cache.misses.invalidated" Count Lower "those of copies that a writer had deleted";
        "cache.misses.evicted" Count Lower "those of copies that servers had no room for"
            .side_by_side();
        "cache.misses.lost" Count Lower
            "those of copies that were lost with a server's data or its role";
        "cache.misses.gone" Count Lower
            "those of copies that were gone, and nobody can tell which way";
        "cache.unkept" Count Lower
            "answers of the origin of which the group took no copy: it had no room, or did not answer"
            .side_by_side().busy_does(MayBeAll);
        "cache.hit.p95" Millis Lower "95th percentile of the latency of reads that found a copy"
            .side_by_side().busy_does(MayBeAll);
        "cache.miss.p95" Millis Lower "the same of reads that found none".side_by_side()
            .busy_does(MayBeAll);
        "cache.write.p95" Millis Lower "the same of acknowledged writes".busy_does(MayBeAll);
        "cache.write.commands" Count Lower
            "commands to the group for each write that the origin took".side_by_side();
        "cache.lost" Count Lower
            "acknowledged writes that the origin never got: their process ended before (`write: behind`)"
            .side_by_side();
        "cache.time_saved" Percent Higher
            "by how much a hit is faster than the origin's answer, both in the median"
            .side_by_side();
        "origin.saved" Percent Higher "reads for which the origin was not asked, of all that were sent"
            .side_by_side();
        "origin.requests" Count Lower "reads that the origin was asked for";
        "origin.worst" Count Lower "the most reads of the origin within any one second"
            .side_by_side().busy_does(MayBeAll).headline("Origin's worst second", &[
                "reads of the origin; {origin.saved?} of all reads spared", "{origin.shed?} requests refused",
            ]);
        "origin.shed" Count Lower "reads and writes that the origin had no room for"
            .side_by_side().busy_does(MayBeAll);
    }
    &[Workload(Workload::Cache)], SERVED, Throughout => {
        "cache.stale" Count Lower "reads of a version that was replaced before they were sent"
            .side_by_side();
        "cache.stale.age.max" Millis Lower
            "the longest time for which such a version had been replaced".busy_does(MayBeAll);
        "cache.stale.late" Count Lower
            "reads of an old version, sent later after a newer one's acknowledgement than promised"
            .side_by_side().in_suite("late reads").finding("late_reads")
            .headline("Old versions served too late", &[
                "{cache.stale} stale reads", "the oldest {cache.stale.age.max}",
                "{cache.resurrected?} old versions put back",
            ]);
        "invalidation.left" Count Lower
            "copies in the group at the end, older than what writes should have left there"
            .side_by_side().finding("left_copies");
        "consistency.sweep" Millis Lower
            "from the load's end until a comparison of all copies with the origin finds none that is older"
            .side_by_side().busy_does(MayBeAll).must_end().covers(Covers::Afterwards);
    }
    &[Workload(Workload::Cache)], "use redrill's own client: a library does not tell what it leaves", Throughout => {
        "cache.resurrected" Count Lower
            "old versions put into the group after a newer write had been acknowledged"
            .side_by_side().finding("resurrected_copies");
    }
    &[Workload(Workload::Cache)], SERVED, Throughout => {
        "cache.impossible" Count Lower "reads of what the origin never had, or not yet"
            .finding("impossible_reads");
        "cache.outlived" Count Lower
            "copies in the memory of a process, served when their time was over"
            .side_by_side().finding("outlived_copies");
        "cache.not_monotonic" Count Lower
            "reads of an older version than one that their process had read before"
            .side_by_side().finding("older_reads");
    }
    &[Workload(Workload::Cache)], "have processes keep copies (`in: process`) of what is written", Throughout => {
        "invalidation.p99" Millis Lower
            "99th percentile of the time from a write's acknowledgement until no process has an older copy"
            .side_by_side().busy_does(MayBeAll)
            .headline("Old copies gone after a write", &[
                "at most {invalidation.max}", "{invalidation.reached?} were told to go",
            ])
            .if_known();
        "invalidation.max" Millis Lower "the longest such time".side_by_side().busy_does(MayBeAll);
        "invalidation.host.p99" Millis Lower
            "99th percentile of the time until no host has an older copy".busy_does(MayBeAll);
        "invalidation.cascade" Millis Lower
            "99th percentile of the time until nothing older comes from any layer"
            .side_by_side().busy_does(MayBeAll);
        "invalidation.reached" Percent Higher
            "copies in processes that went because of a write, of those that should"
            .side_by_side();
    }
    &[Workload(Workload::Cache)], "have entities whose names collide (`naming`)", Throughout => {
        "keys.collided" Count Lower
            "reads that found another entity's copy under the name of theirs".side_by_side();
        "keys.detected.p99" Millis Lower
            "99th percentile of the time until such a read had seen that".busy_does(MayBeAll);
        "keys.resolved" Percent Higher "such reads that got the right entity in the end";
    }
    &[Workload(Workload::Cache)], "have a layer that is a group, and let the load last longer", Throughout => {
        "format.share" Percent Lower
            "time in which copies were encoded and decoded, of the time that operations took"
            .side_by_side();
        "format.bytes" Bytes Lower "how large a copy in the group is, without its head, on average"
            .side_by_side();
        "format.broken" Count Lower
            "times something was found in the place of a copy that is not what was written"
            .side_by_side().finding("broken_copies");
    }
    &[Workload(Workload::Cache), Step],
        "let the load go on for a second before the first step, and after the last one", SinceSteps => {
        "recovery.hits" Millis Lower
            "from a step's start until the share of hits is 90 % of what it was before"
            .side_by_side().busy_does(MayBeAll).headline("Hits are back after", &[]);
        "origin.recovery" Millis Lower
            "from the end of a step on the origin, or the start of another, until it has no more to do than before"
            .side_by_side().busy_does(MayBeAll);
    }
    &[Workload(Workload::Cache), Guarded, Step],
        "have a step keep the group from answering: no circuit breaker opened", SinceSteps => {
        "breaker.opened" Millis Lower
            "the longest time from a step's start until a process asked the group no more"
            .side_by_side().busy_does(MayBeAll)
            .headline("Circuit breakers open after", &["closed again after {breaker.closed?}"])
            .if_known();
        "breaker.closed" Millis Lower
            "the longest time from a step's end until a process asked the group again"
            .side_by_side().busy_does(MayBeAll);
    }
    &[Workload(Workload::Cache), Warms],
        "let the step `warm` find entities without copies, and the load go on for two seconds after it", SinceSteps => {
        "warm.time" Millis Lower "from the first entity that a step warmed to the last one, the longest step"
            .covers(Covers::Steps).side_by_side().headline("Warm after", &[
                "{warm.done?} have copies", "{warm.used?} of those that were made were read",
                "{warm.gain?} fewer misses",
            ]);
        "warm.done" Percent Higher "entities that a step wanted, and that had copies after it"
            .side_by_side();
        "warm.used" Percent Higher "copies that steps made, and that were read before their time was over"
            .side_by_side();
        "warm.gain" Percent Higher
            "fewer misses of warmed loads than of the others, in the two seconds after a step that warmed"
            .side_by_side();
    }
    &[Workload(Workload::Cache)], "have a layer in a group whose `maxmemory` is reached", Throughout => {
        "cache.efficiency" Percent Higher
            "hits in the group, of those that the best choice of what to keep would have in its memory"
            .side_by_side().busy_does(Spares).headline("Hits against the ideal", &[
                "{cache.misses.evicted?} misses of evicted copies",
                "{eviction.accuracy?} of evictions were right",
                "servers stood still for {eviction.stall.max?} at most, evicting",
            ]);
        "eviction.accuracy" Percent Higher
            "evicted copies that the exact order of the policy would not hold either"
            .side_by_side().busy_does(Spares);
    }
    &[Workload(Workload::Expiry)], "let the load go on for longer than keys live: none was seen to go", Throughout => {
        "expiry.accuracy" Percent Higher
            "keys that went within 50 ms of their end, of those of which that is known"
            .side_by_side().in_suite("in time")
            .headline("Keys gone within 50 ms of their end", &[
                "of {expiry.judged}", "the latest {expiry.late.max?}", "{expiry.early?} too early",
                "{expiry.touched?} that steps touched are left out",
                "looked at every {expiry.between.p99?}",
            ]);
        "expiry.accuracy.replicas" Percent Higher "the same of those that were looked at on replicas"
            .side_by_side();
        "expiry.judged" Count Neither "keys that were looked at around their end";
        "expiry.touched" Count Neither
            "keys whose end a step moved, or that it may have lost: they are not judged";
        "expiry.early" Count Lower "keys that were gone before their time was over"
            .side_by_side().finding("early_keys");
        "expiry.late.p99" Millis Lower
            "99th percentile of how long after its end a key was still there"
            .side_by_side().busy_does(MayBeAll);
        "expiry.late.max" Millis Lower "the longest such time".side_by_side().busy_does(MayBeAll);
        "expiry.spread" Millis Lower
            "between the first and the last of keys to go, from their ends: the 99th percentile less the first"
            .side_by_side().busy_does(MayBeAll);
        "expiry.between.p99" Millis Neither
            "99th percentile of the time between the two looks between which a key went: so exact are these figures";
    }
    &[Expires], "let the load last longer: no server told of its memory", Throughout => {
        "eviction.stall.max" Millis Lower
            "the longest time for which a server did nothing but let keys go, by its own account"
            .side_by_side().busy_does(MayBeAll);
    }
    &[Expires], "have a step limit memory (`memory-pressure`) for 5 s, or keys expire 5 s before the end", Throughout => {
        "memory.recovered" Percent Higher
            "memory beyond a new limit, or of keys whose time is over, that was free 5 s later"
            .side_by_side().headline("Memory free again", &[]).if_known();
    }
    &[Workload(Workload::Cache)], "let copies expire while several clients read them", Throughout => {
        "stampede.computations.max" Count Lower
            "the most readers that asked the origin for one entity at once"
            .side_by_side().busy_does(MayBeAll).headline("Asked the origin at once", &[
                "readers of one entity at most", "{stampede.spared?} spared",
            ]);
        "stampede.spared" Percent Higher
            "readers that found no copy and waited for another one's question, of all that could"
            .side_by_side();
        "stampede.prevented" Percent Higher
            "times in which the origin was asked for an entity, by one reader only"
            .side_by_side();
        "stampede.lock.p95" Millis Lower
            "95th percentile of the time until a reader that asked the origin might do so"
            .side_by_side().busy_does(MayBeAll);
        "stampede.wait.mean" Millis Lower "how long readers waited for another one's question"
            .busy_does(MayBeAll);
        "stampede.wait.max" Millis Lower "the longest of these times".busy_does(MayBeAll);
    }
    &[SeveralLocks], "have deadlocks looked for (`deadlock: detect`), or leave the expectation out", Throughout => {
        "lock.deadlocks" Count Lower "cycles of sessions that waited for each other's locks"
            .side_by_side().in_suite("deadlocks").finding("deadlocks")
            .headline("Deadlocks", &[
                "{lock.deadlocks.found} found", "{lock.deadlocks.unresolved?} not resolved",
                "{lock.deadlocks.false?} false alarms",
                "found after {lock.deadlocks.detect.max?} at most",
                "over after {lock.deadlocks.lasted.max?} at most",
            ]);
        "lock.deadlocks.found" Count Neither "deadlocks that the load found while they lasted";
        "lock.deadlocks.missed" Count Lower "deadlocks that the load could have found and did not"
            .side_by_side();
        "lock.deadlocks.resolved" Count Neither
            "deadlocks that were over before the load's end";
        "lock.deadlocks.unresolved" Count Lower "deadlocks that stood at the load's end"
            .side_by_side();
        "lock.deadlocks.false" Count Lower
            "sessions that the load ended for a deadlock in which they were not"
            .side_by_side().finding("false_alarms");
        "lock.deadlocks.chances" Count Neither
            "waits for a lock by sessions that had another one: each might have closed a deadlock";
        "lock.deadlocks.detect.p99" Millis Lower
            "99th percentile of the time from the try that closed a deadlock to its being found"
            .side_by_side().busy_does(MayBeAll);
        "lock.deadlocks.detect.max" Millis Lower "the longest such time".busy_does(MayBeAll);
        "lock.deadlocks.lasted.p99" Millis Lower
            "99th percentile of the time from the closing of a deadlock to its end"
            .side_by_side().busy_does(MayBeAll);
        "lock.deadlocks.lasted.max" Millis Lower "the longest such time".busy_does(MayBeAll);
    }
    &[ActiveActive], SERVED, Afterwards => {
        "sync.consistency" Percent Higher "keys that all groups have alike at the end"
            .side_by_side().busy_does(Carried);
        "sync.diverged" Count Lower "keys that differ between groups at the end"
            .side_by_side().busy_does(Carried).finding("diverged_keys").headline("Keys that differ between groups", &[
                "{sync.consistency} are alike", "{sync.consistency.sampled?} while the load ran",
                "{sync.discarded?} updates thrown away by the rule",
                "up to {sync.backlog.max?} entries behind", "{final read}",
            ]);
    }
    &[OwnReplicators], WARNINGS, Throughout => {
        "sync.discarded" Count Neither
            "updates that replicators threw away because something newer was there".side_by_side();
        "sync.backlog.max" Count Lower "the most entries that any pair was behind"
            .side_by_side().busy_does(MayBeAll);
        "sync.backlog.bytes.max" Bytes Lower
            "the most memory of their source that the entries took that any pair was behind"
            .side_by_side().busy_does(MayBeAll);
    }
    &[ActiveActive], "let the load last longer, and have registers or counters: no key was compared", Throughout => {
        "sync.consistency.sampled" Percent Higher
            "keys that all groups have alike while the load runs, but for what is on its way"
            .side_by_side().busy_does(Disorders);
    }
    &[ActiveActive], "let the load last longer: no key was written in two groups at once", Throughout => {
        "sync.resolution.p50" Millis Lower
            "median time until all groups agree on a key that two wrote at the same instant"
            .side_by_side().must_end().busy_does(MayBeAll);
        "sync.resolution.p99" Millis Lower "the 99th percentile of that"
            .side_by_side().must_end().headline("Conflicts resolved after, p99", &[
                "median {sync.resolution.p50?}", "the longest {sync.resolution.max?}",
                "{sync.conflicts?} writes of the loads met another one",
            ])
            .busy_does(MayBeAll);
        "sync.resolution.max" Millis Lower "the longest such time"
            .must_end().busy_does(MayBeAll);
    }
    &[Load, Registers, ActiveActive, OwnReplicators], WARNINGS, Throughout => {
        "sync.conflicts" Count Neither
            "writes to a key that was written in another group before either was there"
            .side_by_side().finding("conflicts");
    }
    &[Load], WARNINGS, Throughout => {
        "errors.total" Count Lower "operations that were sent and did not end ok"
            .side_by_side().headline("Errors", &[
                "{errors.share?} of what was sent", "{errors by cause}",
                "{redirects.moved?} MOVED · {redirects.ask?} ASK · \
                 {redirects.tryagain?} TRYAGAIN · {reconnects}",
                "{schedule.held?} of the schedule was sent", "{schedule.unsent?} never sent",
            ])
            .busy_does(Errors);
        "errors.fail" Count Lower "operations that the server certainly did not do"
            .busy_does(Errors);
        "errors.unknown" Count Lower "operations that may or may not have been done"
            .busy_does(Errors);
        "errors.share" Percent Lower "operations that did not end ok, of those that were sent"
            .busy_does(Errors);
        "errors.share.instance" Percent Lower
            "operations that did not end ok, of those of the one instance that met the most"
            .busy_does(Errors);
    }
    &[Load, Step], WARNINGS, Steps => {
        "errors.share.during" Percent Lower
            "operations that did not end ok, of those due from the first step's start until convergence"
            .side_by_side()
            .busy_does(Errors)
            .of(During);
        "errors.share.after" Percent Lower
            "operations that did not end ok, of those due after convergence"
            .busy_does(Errors)
            .of(After);
    }
    &[Load, Baseline], LONGER, BeforeSteps => {
        "latency.p50.before" Millis Lower "median latency before the first step"
            .cell("p50", Before);
        "latency.p95.before" Millis Lower "95th percentile of latency before the first step"
            .cell("p95", Before);
    }
    &[Load, Step], LONGER, Steps => {
        "latency.p50.during" Millis Lower
            "median latency from the first step's start until convergence".cell("p50", During);
        "latency.p50.after" Millis Lower "median latency after convergence".cell("p50", After);
        "latency.p95.during" Millis Lower
            "95th percentile of latency from the first step's start until convergence"
            .cell("p95", During);
        "latency.p95.after" Millis Lower "95th percentile of latency after convergence"
            .cell("p95", After);
    }
    &[Load, Baseline], LONGER, BeforeSteps => {
        "latency.p99.before" Millis Lower "99th percentile of latency before the first step"
            .side_by_side().cell("p99", Before).in_suite("p99 before").headline("p99 latency", &[
                "worst second {latency.p99.worst}", "median {latency.p50.before}{time-outs}",
                "redrill itself sent late: p99 {schedule.late.p99?}", "{closed loads}",
            ]).unless("latency.p99.during");
    }
    &[Load, Step], LONGER, Steps => {
        "latency.p99.during" Millis Lower
            "99th percentile from the first step's start until convergence"
            .side_by_side().cell("p99", During).in_suite("p99 during")
            .headline("p99 latency during the steps", &[
                "worst second during the steps {latency.p99.worst}",
                "median {latency.p50.during}{time-outs}",
                "redrill itself sent late: p99 {schedule.late.p99?}", "{closed loads}",
            ]);
        "latency.p99.after" Millis Lower "99th percentile after convergence".cell("p99", After);
    }
    &[Load, Baseline], LONGER, BeforeSteps => {
        "latency.p999.before" Millis Lower "99.9th percentile of latency before the first step"
            .cell("p99.9", Before);
    }
    &[Load, Step], LONGER, Steps => {
        "latency.p999.during" Millis Lower
            "99.9th percentile from the first step's start until convergence"
            .cell("p99.9", During);
        "latency.p999.after" Millis Lower "99.9th percentile after convergence"
            .cell("p99.9", After);
    }
    &[Load, Baseline], LONGER, BeforeSteps => {
        "latency.answered.p99.before" Millis Lower
            "99th percentile of good answers alone before the first step"
            .busy_does(MayBeAll).of(Before);
    }
    &[Load, Step], LONGER, Steps => {
        "latency.answered.p99.during" Millis Lower
            "99th percentile of good answers alone from the first step's start until convergence"
            .busy_does(MayBeAll).of(During);
        "latency.answered.p99.after" Millis Lower
            "99th percentile of good answers alone after convergence"
            .busy_does(MayBeAll).of(After);
    }
    &[Load], LONGER, Steps => {
        "latency.p99.worst" Millis Lower
            "the highest 99th percentile of any 1 s window during the steps"
            .side_by_side().cell("p99", WorstSecond)
            .busy_does(MayBeAll);
    }
    &[Load, Baseline], LONGER, Steps => {
        "latency.p99.degradation" Percent Lower
            "the worst 1 s window's p99 during the steps, over the worst of as long a time before";
    }
    &[Load, Step], LONGER, Steps => {
        "latency.max.during" Millis Lower "the slowest operation during the steps"
            .busy_does(MayBeAll).of(During);
    }
    &[Load, Baseline], LONGER, BeforeSteps => {
        "throughput.before" PerSecond Higher "operations answered a second before the first step"
            .cell("answers", Before).headline("Answers a second", &[])
            .unless("throughput.during");
    }
    &[Load, Step], LONGER, Steps => {
        "throughput.during" PerSecond Higher "operations answered a second during the steps"
            .side_by_side().cell("answers", During)
            .headline("Answers a second during the steps", &[]);
        "throughput.after" PerSecond Higher "operations answered a second after convergence"
            .cell("answers", After);
    }
    &[Load, Baseline, Steady], LONGER, Steps => {
        "throughput.degradation" Percent Lower
            "how far the worst window's throughput fell below the worst of as long a time before";
    }
    &[Moves], "let the steps that move slots finish", Steps => {
        "reshard.duration" Millis Lower "time that moving slots took".side_by_side();
        "reshard.slots" Count Neither "slots moved";
        "reshard.slots.rate" PerSecond Higher "slots moved a second"
            .side_by_side().headline("Slots moved a second", &[
                "{reshard.keys.rate?} keys",
                "{reshard.slots} slots and {reshard.keys} keys in {reshard.duration?}",
                "{moved so far}", "by {method}",
            ]);
        "reshard.keys" Count Neither "keys moved";
        "reshard.keys.rate" PerSecond Higher "keys moved a second".side_by_side();
    }
    &[Load, SeesRedirects], WARNINGS, Throughout => {
        "redirects.moved" Count Lower "MOVED answers that clients followed";
        "redirects.ask" Count Lower "ASK answers that clients followed".side_by_side();
        "redirects.tryagain" Count Lower "TRYAGAIN answers that clients waited out";
    }
    &[Synced], "let the load last longer: no write of one group was seen in another", Throughout => {
        "sync.lag.p50" Millis Lower
            "median time from a write's acknowledgement in one group until another one shows it"
            .side_by_side().busy_does(MayBeAll);
        "sync.lag.p99" Millis Lower "the 99th percentile of that, of the pair that is latest"
            .side_by_side().in_suite("lag p99").headline("Replication lag, p99", &[
                "median {sync.lag.p50?}", "{sync.added.p99?} more than the link",
                "the longest {sync.lag.max?}",
            ])
            .busy_does(MayBeAll);
        "sync.lag.max" Millis Lower "the longest such time".busy_does(MayBeAll);
        "sync.added.p99" Millis Lower "the 99th percentile beyond the latency of the link"
            .busy_does(MayBeAll);
    }
    &[Synced, Step], "let the load last longer: no write of one group was seen in another", SinceSteps => {
        "sync.catch_up" Millis Lower
            "from the end of a fault until all groups had what was written until then, the longest"
            .side_by_side().must_end().busy_does(MayBeAll);
    }
    &[Load, Links], "let the load last for some seconds", Throughout => {
        "links.bytes" BytesPerSecond Neither "what crossed all links between regions, a second"
            .headline("Traffic between regions", &["{links.bytes.write?} for each write"]);
        "links.bytes.write" Bytes Lower
            "bytes over links between regions for each write that a server acknowledged"
            .side_by_side();
    }
    &[Load, Successor, MayFailOver], "promote another group after the one that takes the writes is lost", SinceSteps => {
        "rto" Millis Lower
            "from a fault on the group that takes a load's writes until another group takes one"
            .side_by_side().must_end().headline("Another group took over after", &[]);
    }
    &[Step], "give the nodes more time, with a longer `settle`", Steps => {
        "convergence.view" Millis Lower
            "from a step's start until all nodes agree on owners and roles, the longest".of_views();
        "convergence" Millis Lower
            "until all nodes agree on owners and roles and every replica's link is up"
            .side_by_side().in_suite("convergence").headline("Convergence", &[
                "{agreed on} {convergence.view}", "from the start of the slowest step",
            ]).of_views();
    }
    &[], WARNINGS, Forming => {
        "ready.time" Millis Lower
            "from nothing to a topology that is ready: all nodes agree, replicas linked"
            .side_by_side()
            // It was over before the load, and so before anybody looked.
            .busy_does(Spares);
    }
    &[Load], WARNINGS, Throughout => {
        "concurrency.max" Count Neither "sessions of all loads that were under way at once, at most"
            .busy_does(MayBeAll);
        "concurrency.mean" Count Neither
            "sessions of all loads that were under way at once, on average".busy_does(MayBeAll);
    }
    &[Load, Scheduled], WARNINGS, Throughout => {
        "schedule.held" Percent Higher "operations sent in time, of those the schedule asked for";
        "schedule.unsent" Count Lower
            "operations that were due and never sent: too many were in flight"
            .busy_does(MayBeAll);
        "schedule.late.p99" Millis Neither
            "99th percentile of how late redrill itself was to send an operation".side_by_side();
    }
    &[Load, Shards], "let the load last for some seconds", Throughout => {
        "keys.skew" Percent Lower
            "what the busiest shard does of its group's commands or bytes, against an even share"
            .side_by_side().busy_does(Spares);
    }
    &[], WARNINGS, Throughout => {
        "servers.waited.max" Percent Neither
            "the most of a second that a server was ready to run and no processor was free"
            .busy_does(Spares);
        "redrill.cpu" Percent Neither "redrill's own share of one core, on average"
            .busy_does(Spares);
        "redrill.requests" PerSecond Neither
            "what redrill asked of all servers, by probes and for views, on average"
            .busy_does(Spares);
        "redrill.memory.max" Bytes Neither "redrill's own resident memory at its highest"
            .busy_does(Spares);
    }
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_rows_have_one_name_or_count_one_finding() {
        let names: BTreeSet<&str> = CATALOGUE.iter().map(|known| known.name).collect();
        assert_eq!(names.len(), CATALOGUE.len(), "two rows have one name");
        let findings: Vec<&str> = CATALOGUE.iter().filter_map(|known| known.finding).collect();
        assert_eq!(findings.len(), findings.iter().collect::<BTreeSet<_>>().len());
    }

    #[test]
    fn what_is_missing_is_named_in_the_order_of_the_row() {
        let rpo = known("rpo").unwrap();
        let none = ScenarioFacts::default();
        assert_eq!(rpo.lacks(&none), Some(Need::Load));
        let counters = [Workload::Counter];
        let facts = ScenarioFacts { workloads: &counters, ..none };
        assert_eq!(rpo.lacks(&facts), Some(Need::Writes));
        let sets = [Workload::Set];
        let facts_of_sets = ScenarioFacts { workloads: &sets, may_fail_over: true, ..none };
        assert_eq!(rpo.lacks(&facts_of_sets), None, "lost elements of sets count");
        assert_eq!(known("counter.wrong").unwrap().lacks(&facts), None);
        let both = [Workload::Counter, Workload::Cas];
        let facts = ScenarioFacts { workloads: &both, ..none };
        assert_eq!(rpo.lacks(&facts), Some(Need::MayFailOver));
        assert_eq!(rpo.lacks(&ScenarioFacts { may_fail_over: true, ..facts }), None);
    }
}

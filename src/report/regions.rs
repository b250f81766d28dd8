//! Several regions: how long answers took within each and between them, and what each felt of the
//! groups that its clients use.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::model::event::{LinkInfo, LoadInfo, NodeInfo, RegionInfo, Role};
use crate::model::histogram::{histogram, record as count};
use crate::model::op::{Access, Action, Cause, LockOp, Op, Outcome};
use crate::model::{Nanos, NodeName};

use super::data::{Failover, Region, RegionDowntime, RegionGroup, RegionLatency};
use super::felt::{Felt, is_felt, shard_of};
use super::record::Record;
use super::spans::Span;
use super::windows::quantile_ms;

/// What the loads' operations say of regions, as they are read. Empty if there are not several.
#[derive(Debug)]
pub(super) struct Regions {
    line: Span,
    loads: Vec<LoadAnswers>,
    users: Vec<Users>,
}

/// The good answers that a load's clients got.
#[derive(Debug)]
struct LoadAnswers {
    name: String,
    /// Where the clients are.
    from: String,
    /// By group and node: the index of its region.
    places: Vec<Vec<Option<usize>>>,
    /// By group: the index of its users.
    users: Vec<usize>,
    /// By the region of the node: reads and writes.
    answers: Vec<[Histogram<u64>; 2]>,
}

/// The clients of a region that use a group.
#[derive(Debug)]
struct Users {
    region: String,
    group: String,
    /// To which they turn if no server of that one answers.
    fallback: Option<String>,
    /// Of reads and of writes.
    by_access: [OfUsers; 2],
}

#[derive(Debug, Default)]
struct OfUsers {
    operations: u64,
    errors: u64,
    felt: Felt,
}

impl Regions {
    pub fn new(record: &Record, line: Span) -> Regions {
        let regions = &record.info.regions;
        let mut all = Regions { line, loads: Vec::new(), users: Vec::new() };
        if regions.len() < 2 {
            return all;
        }
        for load in &record.info.loads {
            let Some(from) = load.region.clone() else {
                // Without one of its loads there would be holes.
                return Regions { line, loads: Vec::new(), users: Vec::new() };
            };
            let fallback = load.fallback.as_deref();
            let users = load.groups().map(|(group, _)| all.users_of(&from, (group, fallback)));
            let users = users.collect();
            let answers = regions.iter().map(|_| [histogram(), histogram()]).collect();
            let (name, places) = (load.name.clone(), places(load, regions));
            all.loads.push(LoadAnswers { name, from, places, users, answers });
        }
        all
    }

    fn users_of(&mut self, region: &str, (group, fallback): (&str, Option<&str>)) -> usize {
        let is_known = |one: &Users| {
            (&*one.region, &*one.group, one.fallback.as_deref()) == (region, group, fallback)
        };
        let known = self.users.iter().position(is_known);
        known.unwrap_or_else(|| {
            let (region, group) = (region.to_owned(), group.to_owned());
            let (fallback, by_access) = (fallback.map(str::to_owned), Default::default());
            self.users.push(Users { region, group, fallback, by_access });
            self.users.len() - 1
        })
    }

    /// Operations come in the order in which they ended.
    pub fn add(&mut self, op: &Op, record: &Record) {
        let load = self.loads.get_mut(usize::from(op.load)).filter(|_| is_felt(op));
        let Some(load) = load else { return };
        let (access, ok) = (op.action.access() as usize, op.outcome == Outcome::Ok);
        if let Some(region) = load.answered_from(op).filter(|_| ok) {
            count(&mut load.answers[region][access], op.done.since(op.intended).as_nanos() as u64);
        }
        let Some(users) = load.users.get(usize::from(op.group)) else { return };
        let users = &mut self.users[*users].by_access[access];
        if op.outcome != Outcome::Fail(Cause::Shed) {
            users.operations += 1;
            users.errors += u64::from(!ok);
        }
        if let (Some(shard), Some(good)) = (shard_of(op, record), answer_of_group(op)) {
            users.felt.want((op, good), (0, shard), self.line.from);
        }
    }

    /// The matrix of latency, and that of downtime.
    pub fn done(
        self,
        record: &Record,
        failovers: &[Failover],
    ) -> (Vec<RegionLatency>, Vec<RegionDowntime>) {
        let (end, regions) = (self.line.to, &record.info.regions);
        let latency = self.loads.iter().flat_map(|load| load.rows(regions)).collect();
        let users = self.users.into_iter();
        let downtime = users.flat_map(|users| users.rows((record, end), failovers)).collect();
        (latency, downtime)
    }
}

/// Whether it is a good answer of its group alone; `None` if nobody waits for it. Who asks for a lock
/// waits until the group grants it: that a release is answered gives nobody a lock.
fn answer_of_group(op: &Op) -> Option<bool> {
    let ok = op.outcome == Outcome::Ok;
    match op.action {
        Action::Lock(LockOp::Acquire { got, .. }) => Some(ok && got.is_some()),
        Action::Lock(
            LockOp::Wait { .. }
            | LockOp::Extend { .. }
            | LockOp::Release { .. }
            | LockOp::Abort { .. },
        ) => None,
        _ => Some(ok),
    }
}

/// By group and node: the index of its region.
fn places(load: &LoadInfo, regions: &[RegionInfo]) -> Vec<Vec<Option<usize>>> {
    let place = |node: &NodeName| regions.iter().position(|region| region.nodes.contains(node));
    load.groups().map(|(_, nodes)| nodes.iter().map(place).collect()).collect()
}

impl LoadAnswers {
    /// The index of the region of the node that answered.
    fn answered_from(&self, op: &Op) -> Option<usize> {
        *self.places.get(usize::from(op.group))?.get(usize::from(op.by?))?
    }

    fn rows(&self, regions: &[RegionInfo]) -> impl Iterator<Item = RegionLatency> {
        let of_region = move |(to, answers): (&RegionInfo, &[Histogram<u64>; 2])| {
            let row = |action: Access| {
                let spread = &answers[action as usize];
                Some(RegionLatency {
                    load: self.name.clone(),
                    from: self.from.clone(),
                    to: to.name.clone(),
                    local: self.from == to.name,
                    action,
                    answers: spread.len(),
                    p50_ms: quantile_ms(spread, 0.5)?,
                    p99_ms: quantile_ms(spread, 0.99)?,
                })
            };
            Access::ALL.into_iter().filter_map(row).collect::<Vec<_>>()
        };
        regions.iter().zip(&self.answers).flat_map(of_region)
    }
}

impl Users {
    fn rows(self, (record, end): (&Record, Nanos), failovers: &[Failover]) -> Vec<RegionDowntime> {
        let Users { region, group, fallback, by_access } = self;
        let probes: Vec<bool> = record
            .canaries
            .iter()
            .map(|canary| {
                let here = record.probed_from(canary) == Some(&*region);
                here && record.stands_for(canary, &group)
            })
            .collect();
        let is_probed = probes.contains(&true);
        let row = |(action, users): (Access, OfUsers)| {
            let OfUsers { operations, errors, felt } = users;
            let silences = felt.silences(|_| Some(&*group), (record, end), failovers);
            let worst = record.outages.worst(action, |canary| probes.get(canary) == Some(&true));
            let ms = |length: Duration| is_probed.then_some(length.as_secs_f64() * 1e3);
            RegionDowntime {
                region: region.clone(),
                group: group.clone(),
                fallback: fallback.clone(),
                action,
                operations,
                errors,
                silences,
                outage_max_ms: ms(worst.longest),
                outage_total_ms: ms(worst.total),
            }
        };
        let both = Access::ALL.into_iter().zip(by_access);
        both.filter(|(_, users)| users.operations > 0).map(row).collect()
    }
}

/// What each region has.
pub(super) fn rows(record: &Record) -> Vec<Region> {
    let row = |region: &RegionInfo| {
        let here = record.nodes.iter().filter(|node| region.nodes.contains(&node.name));
        let mut groups: Vec<RegionGroup> = Vec::new();
        for NodeInfo { name, role, .. } in here {
            let known = groups.iter().position(|group| group.name == name.group);
            let at = known.unwrap_or_else(|| {
                let (primaries, replicas, sentinels) = Default::default();
                let name = name.group.clone();
                groups.push(RegionGroup { name, primaries, replicas, sentinels });
                groups.len() - 1
            });
            let group = &mut groups[at];
            *match role {
                Role::Primary => &mut group.primaries,
                Role::Replica => &mut group.replicas,
                Role::Sentinel => &mut group.sentinels,
            } += 1;
        }
        let is_here = |load: &&LoadInfo| load.region.as_ref() == Some(&region.name);
        let loads = record.info.loads.iter().filter(is_here).map(|load| load.name.clone());
        Region { name: region.name.clone(), groups, loads: loads.collect() }
    };
    record.info.regions.iter().map(row).collect()
}

/// The indices of the steps that cut the link: each node of one region off from each of the other.
pub(super) fn cut_by(record: &Record, link: &LinkInfo) -> Vec<usize> {
    let nodes = |name: &str| -> Vec<&NodeName> {
        let region = record.info.regions.iter().find(|region| region.name == name);
        let here = |name: &&NodeName| region.is_some_and(|region| region.nodes.contains(name));
        record.nodes.iter().map(|node| &node.name).filter(here).collect()
    };
    let (from, to) = (nodes(&link.from), nodes(&link.to));
    if from.is_empty() || to.is_empty() {
        return Vec::new();
    }
    let cuts = |at: &usize| from.iter().all(|a| to.iter().all(|b| record.steps[*at].cuts(a, b)));
    (0..record.steps.len()).filter(cuts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Canary, DrillInfo, StepInfo, SyncPair};
    use crate::model::op::{Action, RegisterOp};
    use crate::model::step::StepKind;
    use crate::report::step_record::StepRecord;

    fn ms(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    fn node(group: &str) -> NodeName {
        NodeName::new(group, 0, 0)
    }

    fn load(name: &str, group: &str, region: &str) -> LoadInfo {
        let load = serde_json::json!({
            "name": name, "group": group, "region": region, "rate": 1.0, "clients": 1, "keys": 9,
            "nodes": [format!("{group}/0/0")], "text": ""
        });
        serde_json::from_value(load).unwrap()
    }

    /// `app` in `near` uses a group there and one that is far; `other` is far and uses that.
    fn record() -> Record {
        let mut app = load("app", "us", "near");
        app.more_groups = vec![("eu".to_owned(), vec![node("eu")])];
        let region = |name: &str, group: &str| RegionInfo {
            name: name.to_owned(),
            nodes: vec![node(group)],
        };
        let regions = vec![region("near", "us"), region("far", "eu")];
        let loads = vec![app, load("other", "eu", "far")];
        Record { info: DrillInfo { loads, regions, ..DrillInfo::default() }, ..Record::default() }
    }

    /// An operation of a load on one of its groups, answered by its only node.
    fn op((load, group): (u8, u8), write: bool, (intended, done): (u64, u64)) -> Op {
        let action = if write { RegisterOp::Write(1) } else { RegisterOp::Read(None) };
        let op = Op::new(1, Action::Register(action), ms(intended), ms(done));
        Op { load, group, by: Some(0), ..op }
    }

    fn lost(of: (u8, u8), write: bool, (intended, done): (u64, u64)) -> Op {
        let outcome = Outcome::Unknown(Cause::Timeout);
        Op { by: None, outcome, ..op(of, write, (intended, done)) }
    }

    fn told(record: &Record, ops: &[Op]) -> (Vec<RegionLatency>, Vec<RegionDowntime>) {
        let mut regions = Regions::new(record, Span { from: ms(0), to: ms(10_000) });
        ops.iter().for_each(|op| regions.add(op, record));
        regions.done(record, &[])
    }

    #[test]
    fn answers_are_told_by_where_the_client_is_and_where_the_node() {
        let (record, mut ops) = (record(), Vec::new());
        ops.extend((0..100).map(|n| op((0, 0), false, (n * 10, n * 10 + 1))));
        ops.extend((0..50).map(|n| op((0, 1), true, (n * 10, n * 10 + 80))));
        ops.push(op((1, 0), true, (5, 7)));
        // A node may answer that it does not take the write.
        ops.push(Op { by: Some(0), ..lost((1, 0), true, (8, 1_008)) });
        ops.push(Op { sent: ms(19), ..op((1, 0), true, (9, 20)) });
        let row = |one: &RegionLatency| {
            let of = format!("{} {} {} {}", one.load, one.from, one.to, one.action);
            (of, one.local, one.answers, one.p50_ms.round(), one.p99_ms.round())
        };
        let (rows, _) = told(&record, &ops);
        let expected = [
            ("app near near read".to_owned(), true, 100, 1.0, 1.0),
            ("app near far write".to_owned(), false, 50, 80.0, 80.0),
            // From the instant at which it was intended, and nothing of what was not answered.
            ("other far far write".to_owned(), true, 2, 2.0, 11.0),
        ];
        assert_eq!(rows.iter().map(row).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn each_region_has_a_row_for_each_group_that_it_uses() {
        let record = record();
        let ops = [
            op((0, 0), true, (100, 101)),
            op((0, 1), true, (100, 180)),
            op((1, 0), true, (100, 102)),
            lost((0, 1), true, (1_000, 2_000)),
            op((1, 0), true, (1_000, 1_002)),
            op((0, 0), true, (1_000, 1_003)),
            op((0, 1), true, (1_500, 4_000)),
            lost((0, 0), false, (8_500, 9_900)),
        ];
        let (_, rows) = told(&record, &ops);
        let row = |one: &RegionDowntime| {
            let silence = one.longest().unwrap();
            let of = format!("{} {} {}", one.region, one.group, one.action);
            (of, one.operations, one.errors, silence.duration_ms, silence.to_ms)
        };
        let expected = [
            ("near us read".to_owned(), 1, 1, 1_500.0, None),
            ("near us write".to_owned(), 2, 0, 3.0, Some(1_003.0)),
            ("near eu write".to_owned(), 3, 1, 3_000.0, Some(4_000.0)),
            ("far eu write".to_owned(), 2, 0, 2.0, Some(102.0)),
        ];
        assert_eq!(rows.iter().map(row).collect::<Vec<_>>(), expected);
        let nobody = rows.iter().all(|row| row.outage_max_ms.is_none());
        assert!(nobody, "no group was probed: {rows:?}");
    }

    /// Two loads of a region use `us`: what one of them got from `eu` ends no silence of the other.
    #[test]
    fn users_that_may_turn_to_another_group_have_a_row_of_their_own() {
        let mut record = record();
        let app = &mut record.info.loads[0];
        (app.more_groups, app.fallback) = (Vec::new(), Some("eu".to_owned()));
        app.nodes.push(node("eu"));
        record.info.loads.push(load("stays", "us", "near"));
        let ops = [
            op((0, 0), true, (100, 101)),
            op((2, 0), true, (100, 101)),
            lost((2, 0), true, (1_000, 2_000)),
            Op { by: Some(1), ..op((0, 0), true, (1_500, 1_580)) },
            op((2, 0), true, (4_000, 4_001)),
        ];
        let (latency, rows) = told(&record, &ops);
        let row = |one: &RegionDowntime| {
            (one.users_of(), one.operations, one.errors, one.longest().unwrap().duration_ms)
        };
        let expected = [("us, then eu".to_owned(), 2, 0, 80.0), ("us".to_owned(), 3, 1, 3_001.0)];
        assert_eq!(rows.iter().map(row).collect::<Vec<_>>(), expected);
        let crossed = latency.iter().find(|one| (&*one.load, &*one.to) == ("app", "far"));
        assert_eq!(crossed.unwrap().answers, 1, "who answered is in the matrix of latency");
    }

    #[test]
    fn an_outage_is_of_the_region_that_it_was_probed_from() {
        let canary = |group: &str, region: Option<&str>| Canary {
            group: group.to_owned(),
            shard: 0,
            slot: 0,
            key: String::new(),
            moves: false,
            region: region.map(str::to_owned),
        };
        let outages = |canaries: &[Canary], pairs: Vec<SyncPair>| {
            let mut record = Record { canaries: canaries.to_vec(), ..record() };
            record.lag.pairs(pairs);
            record.outages.began(1, Access::Write, ms(1_000), Cause::Timeout);
            record.outages.ended((1, Access::Write), (ms(1_000), ms(3_000)), Duration::ZERO);
            let ops = [(0, 0), (0, 1), (1, 0)].map(|of| op(of, true, (1, 2)));
            let (_, rows) = told(&record, &ops);
            rows.iter().map(|one| one.outage_max_ms).collect::<Vec<_>>()
        };
        let sides = [canary("eu", Some("near")), canary("eu", Some("far"))];
        assert_eq!(outages(&sides, vec![]), [None, Some(0.0), Some(2_000.0)]);
        // All who use `us` are near, so its canary need not say so.
        let alone = [canary("eu", Some("far")), canary("us", None)];
        assert_eq!(outages(&alone, vec![]), [Some(2_000.0), None, Some(0.0)]);
        // `eu` copies `us`: its users are those of the same data.
        let copied = [canary("us", Some("near")), canary("us", Some("far"))];
        let pair = |from: &str, to: &str| SyncPair {
            from: from.into(),
            to: to.into(),
            link_ns: 0,
            shard: None,
        };
        let pairs = vec![pair("us", "eu"), pair("eu", "us")];
        assert_eq!(outages(&copied, pairs), [Some(0.0), Some(0.0), Some(2_000.0)]);
    }

    #[test]
    fn one_region_has_no_rows_and_neither_have_records_that_do_not_tell_of_regions() {
        let ops = [op((0, 0), true, (1, 2))];
        for regions in [0, 1] {
            let mut record = record();
            record.info.regions.truncate(regions);
            assert_eq!(told(&record, &ops), (vec![], vec![]));
        }
        let mut record = record();
        record.info.loads[1].region = None;
        assert_eq!(told(&record, &ops), (vec![], vec![]));
    }

    #[test]
    fn a_link_is_cut_where_no_node_reaches_one_on_the_other_side() {
        let mut record = record();
        let replica = NodeName::new("us", 0, 1);
        record.info.regions[0].nodes.push(replica.clone());
        let info = |name: NodeName, role| NodeInfo {
            name,
            address: String::new(),
            role,
            id: String::new(),
            host: Default::default(),
        };
        record.nodes = vec![
            info(node("us"), Role::Primary),
            info(replica.clone(), Role::Replica),
            info(node("eu"), Role::Primary),
        ];
        let step = |kind, nodes: Vec<NodeName>| {
            let (group, text) = ("us".to_owned(), String::new());
            let info = StepInfo { kind, group, on_actors: false, text, planned_at: ms(0) };
            let mut step = StepRecord::new(info);
            step.inject(nodes, vec![node("eu")], ms(1_000));
            step
        };
        let both = vec![node("us"), replica];
        record.steps = vec![
            step(StepKind::Partition, vec![node("us")]),
            step(StepKind::Latency, both.clone()),
            step(StepKind::Partition, both),
        ];
        for (from, to) in [("near", "far"), ("far", "near")] {
            let link = LinkInfo { from: from.into(), to: to.into(), latency_ns: 0 };
            assert_eq!(cut_by(&record, &link), [2]);
        }
        let rows = rows(&record);
        let group = &rows[0].groups[0];
        assert_eq!((&*group.name, group.primaries, group.replicas), ("us", 1, 1));
        assert_eq!((&*rows[0].loads, rows[1].groups.len()), (&["app".to_owned()][..], 1));
    }
}

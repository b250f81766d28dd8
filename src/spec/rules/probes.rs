//! How canaries are probed, and whether answers can be there in time.
//!
//! Links may be so long that no probe over them is ever answered in time. Everything would count as
//! down then, or the drill would end before it has begun.

use std::time::Duration;

use crate::model::NodeName;
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::file::scenario::{LoadMap, ProbeMap, ScenarioFile};
use crate::spec::quantity::{PerSecond, Time};
use crate::spec::scenario::{Probe, Scenario};
use crate::spec::source::Span;
use crate::spec::topology::{Group, Topology};

pub fn probe(field: &Field<ProbeMap>) -> Probe {
    fn of<T: Clone>(map: &Field<ProbeMap>, key: fn(&ProbeMap) -> &Field<T>, usual: T) -> T {
        map.given().map_or(usual.clone(), |map| key(&map.value).or(usual))
    }
    let usual = Time::millis(10);
    let every = of(field, |map| &map.every, usual).0;
    // Who probes more often wants the requests that this takes.
    let more = (usual.0.as_secs_f64() / every.as_secs_f64()).max(1.0);
    Probe {
        every,
        deadline: of(field, |map| &map.deadline, Time::millis(100)).0,
        canaries: of(field, |map| &map.canaries, 4),
        budget: of(field, |map| &map.budget, PerSecond(2_000.0 * more)).0,
    }
}

/// The way of the probes of a group from a region. All times are there and back.
struct Way {
    region: usize,
    group: String,
    /// The region of the first primary that is farthest.
    primary: usize,
    to_primary: Duration,
    /// To the nearest node that can name the primary.
    to_guide: Duration,
}

/// One error at most: a deadline that suffices for the longest way suffices for all.
pub fn check_ways(
    scenario: &Scenario,
    file: &ScenarioFile,
    maps: &[(At<String>, LoadMap)],
    errors: &mut Diagnostics,
) {
    let late = ways(scenario).into_iter().filter(|way| !way.fits(&scenario.probe));
    let Some(way) = late.max_by_key(Way::enough) else { return };
    let Some(span) = place(&way, scenario, file, maps) else { return };
    let regions = &scenario.topology.regions;
    let (from, group) = (&regions[way.region], &way.group);
    let (deadline, patience) = (scenario.probe.deadline, scenario.probe.map_patience());
    let message = match way.to_primary >= deadline {
        true => format!(
            "no probe from `{from}` can be answered within `probe.deadline`, {}: to the primary of \
             `{group}` in `{}` and back it takes {} by the links",
            Time(deadline),
            regions[way.primary],
            Time(way.to_primary)
        ),
        false => format!(
            "probes from `{from}` would find no primary of `{group}`: with a `probe.deadline` of \
             {} a node has {} to name it, and to the nearest one and back it takes {} by the links",
            Time(deadline),
            Time(patience),
            Time(way.to_guide)
        ),
    };
    let advice = format!("set `probe: {{ deadline: {} }}`, or longer", Time(way.enough()));
    errors.add(span, message, advice);
}

/// The probes' deadline if it is given; else the load for whose clients they stand.
fn place<'f>(
    way: &Way,
    scenario: &Scenario,
    file: &'f ScenarioFile,
    maps: &'f [(At<String>, LoadMap)],
) -> Option<&'f Span> {
    if let Some(span) = file.probe.given().and_then(|probe| probe.value.deadline.span()) {
        return Some(span);
    }
    let region = scenario.topology.regions.get(way.region);
    let mut loads = scenario.loads.iter().zip(maps);
    let there = loads.find(|(load, _)| {
        scenario.uses(load, &way.group) && scenario.region_of(load).as_ref() == region
    });
    let of_load = there.map(|(_, (name, map))| map.region.span().unwrap_or(&name.span));
    of_load.or(file.topology.span()).or(file.name.span())
}

impl Way {
    fn fits(&self, probe: &Probe) -> bool {
        self.to_primary < probe.deadline && self.to_guide < probe.map_patience()
    }

    /// A deadline that suffices, with some time for the servers and for jitter.
    fn enough(&self) -> Duration {
        let to_probe = self.to_primary + Duration::from_millis(100);
        // A node has a quarter of it to name the primary, or a fixed time.
        let to_learn = match self.to_guide < Probe::LEAST_MAP_PATIENCE {
            true => Duration::ZERO,
            false => self.to_guide * 5,
        };
        let tens = to_probe.max(to_learn).as_millis().div_ceil(10);
        Duration::from_millis(tens as u64 * 10)
    }
}

fn ways(scenario: &Scenario) -> Vec<Way> {
    let topology = &scenario.topology;
    // The canaries of a copy are those of its source.
    let probed = topology.groups.iter().filter(|group| topology.source_of(&group.name).is_none());
    let of_group = |group: &Group| {
        let regions = scenario.probed_from(&group.name).into_iter().map(|region| match region {
            Some(name) => topology.regions.iter().position(|known| *known == name),
            None => (!topology.regions.is_empty()).then_some(0),
        });
        regions.flatten().filter_map(|region| way(topology, group, region)).collect::<Vec<_>>()
    };
    probed.flat_map(of_group).collect()
}

fn way(topology: &Topology, group: &Group, region: usize) -> Option<Way> {
    let trip = |to: usize| {
        let (here, there) = (Some(region), Some(to));
        topology.latency(here, there) + topology.latency(there, here)
    };
    let first = |shard| group.region_of(&NodeName::new(&group.name, shard, 0));
    let primary = (0..group.shards()).filter_map(first).max_by_key(|there| trip(*there))?;
    let same = topology.followers(&group.name);
    let guides =
        same.into_iter().flat_map(Group::guides).map(|(group, node)| group.region_of(&node));
    let to_guide = guides.flatten().map(trip).min()?;
    let (group, to_primary) = (group.name.clone(), trip(primary));
    Some(Way { region, group, primary, to_primary, to_guide })
}

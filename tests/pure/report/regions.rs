//! Two regions: who answered whom and how late, what each felt, and the map. In every format where
//! there are several regions, and in none where not.

use redrill::model::event::{Event, EventKind, LinkInfo, RegionInfo};
use redrill::model::op::{Op, Purpose};
use redrill::model::{NodeName, StepKind};
use redrill::report::{Report, html, json, markdown, text};

use super::tiny::{at, build, events, history};

/// Clients are in `us`, the second shard and its probes in `eu`, and the step cuts the link.
fn apart() -> Report {
    let mut told = events();
    let node = |shard| NodeName::new("cache", shard, 0);
    let link = |from: &str, to: &str| LinkInfo {
        from: from.to_owned(),
        to: to.to_owned(),
        latency_ns: 40_000_000,
    };
    for event in &mut told {
        match &mut event.kind {
            EventKind::Drill(info) => {
                let region = |(name, shard): (&str, u32)| RegionInfo {
                    name: name.to_owned(),
                    nodes: vec![node(shard)],
                };
                info.regions = [("us", 0), ("eu", 1)].map(region).to_vec();
                info.links = vec![link("us", "eu"), link("eu", "us")];
                info.steps[0].kind = StepKind::Partition;
                info.loads[0].region = Some("us".to_owned());
                info.loads[0].nodes = vec![node(0), node(1)];
            }
            EventKind::Canaries { canaries, .. } => canaries[1].region = Some("eu".to_owned()),
            _ => {}
        }
    }
    let began = told.iter().position(|event| matches!(event.kind, EventKind::StepBegan { .. }));
    let cut = EventKind::StepInjected { step: 0, nodes: vec![node(0)], against: vec![node(1)] };
    told.insert(began.unwrap() + 1, Event { at: at(3_000), kind: cut });
    let by = |op: &Op| (op.purpose == Purpose::Load).then_some((op.key % 2) as u16);
    let history: Vec<Op> = history().into_iter().map(|op| Op { by: by(&op), ..op }).collect();
    build(&told, &history)
}

#[test]
fn each_region_has_lanes_of_its_own_for_what_it_felt() {
    let page = html::render(&apart()).unwrap();
    let lanes = page.split("Availability of each shard over time").nth(1).unwrap();
    let lanes = lanes.split("</svg>").next().unwrap();
    let (eu, us) = lanes.split_once(">from us: slots that move<").unwrap();
    assert!(eu.contains(">from eu: writes above, reads below<"), "{eu}");
    assert!(eu.contains("no writes for eu for") && !eu.contains("for us for"), "{eu}");
    assert!(us.contains("no writes for us for") && !us.contains("for eu for"), "{us}");
    let page = html::render(&build(&events(), &history())).unwrap();
    assert!(page.contains(">canaries of each shard: writes above, reads below<"), "one region");
}

#[test]
fn who_answered_whom_is_in_every_format() {
    let r = apart();
    let rows = [
        "| app | us, local | write | 34 | 1.00 ms | 40.0 ms |",
        "| app | us → eu | write | 34 | 1.00 ms | 105 ms |",
    ];
    let page = markdown::render(&r).unwrap();
    rows.iter().for_each(|row| assert!(page.contains(row), "{row} is not in {page}"));
    let page = html::render(&r).unwrap();
    for part in ["id=\"region-latency\"", "id=\"region-downtime\"", "us → eu"] {
        assert!(page.contains(part), "`{part}` is not on the page");
    }
    let shown = text::summary(&r, 80, false);
    assert!(shown.contains("us → eu") && shown.contains("us, local"), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&json::render(&r).unwrap()).unwrap();
    let remote = &json["region_latency"][1];
    assert_eq!((&remote["to"], &remote["local"]), (&"eu".into(), &false.into()));
}

#[test]
fn outages_are_of_the_region_that_felt_them() {
    let r = apart();
    let [row] = &r.region_downtime[..] else { panic!("one: {:?}", r.region_downtime) };
    assert_eq!((&*row.region, &*row.group, row.action.word()), ("us", "cache", "write"));
    // One was never sent.
    assert_eq!((row.operations, row.errors), (69, 1));
    assert_eq!((row.outage_max_ms, row.outage_total_ms), (Some(250.0), Some(350.0)));
    assert!(row.longest().unwrap().duration_ms > 100.0, "{row:?}");
    let felt =
        |region: &str| r.outages.iter().filter(|o| o.region.as_deref() == Some(region)).count();
    assert_eq!((felt("us"), felt("eu")), (2, 2));
    let shown = text::summary(&r, 80, false).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("slot 9000 from eu"), "{shown}");
}

#[test]
fn the_map_has_both_regions_and_the_link_that_was_cut() {
    let r = apart();
    assert_eq!(r.links.iter().map(|link| &*link.cut_by).collect::<Vec<_>>(), [[0], [0]]);
    let page = html::render(&r).unwrap();
    assert_eq!(page.matches("Regions and the links between them").count(), 2, "of both sizes");
    for part in ["1  us ↔ eu: 40.0 ms", "✕ cut by step 1", "cache: 1 primary", "clients: app"] {
        assert!(page.contains(part), "`{part}` is not on the page");
    }
}

#[test]
fn where_there_are_no_regions_nothing_is_said_of_them() {
    let r = build(&events(), &history());
    assert!(r.regions.is_empty() && r.region_latency.is_empty() && r.region_downtime.is_empty());
    assert!(r.outages.iter().all(|outage| outage.region.is_none()));
    assert!(!markdown::render(&r).unwrap().contains(", local |"));
    assert!(!html::render(&r).unwrap().contains("id=\"regions\""));
}

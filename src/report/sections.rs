//! The sections of a report that are tables, in the order of all formats.

use crate::model::catalogue::{CATALOGUE, When};
use crate::model::event::PaceKept;
use crate::model::traffic::{Class, Crossing};
use crate::model::{NodeName, Unit};

use super::caches;
use super::data::{
    Figures, Instance, Job, JobPhase, Load, Quantiles, RegionDowntime, RegionLatency, RegionLink,
    Report, Resolution, SampleSecond, Shard, Silence, Step, SyncLag,
};
use super::locks;
use super::table::{Cell, Column, NOTHING, On, Section, Table, count, show};
use crate::check::HitsByMemory;

const OF_SPANS: &str = "Latency of the operations that were intended before the first step, from \
                        there to convergence, and after it.";

/// A terminal shows a table of regions if it has so few rows.
const FEW: usize = 12;

/// As they are shown `on` a page, or in a text.
pub(super) fn sections(r: &Report, on: On) -> Vec<Section> {
    let section =
        |id, title, hint, table| Section { id, title, hint, folded: false, brief: false, table };
    let mut sections = vec![
        section("steps", "Steps", "", steps(r)),
        Section { brief: true, ..section("loads", "By load", OF_SPANS, loads(r)) },
        section(
            "operations",
            "By operation",
            "Latency in the same spans. Each operation of a session counts from the instant at \
             which it was to be sent.",
            operations(r),
        ),
        section(
            "instances",
            "By instance",
            "Each application instance has its own map of slots and its own connections. It is \
             silent to a shard from the first operation without a good answer to the next good \
             one.",
            instances(r),
        ),
        Section {
            brief: true,
            ..section(
                "locks",
                "Locks",
                "From the wish for a lock to having it; operations on locks for each acquisition. A \
                 lock is held twice if one client got it while another one certainly used it \
                 afterwards. Refused are updates of an older holder that the account did not take.",
                locks::by_load(r),
            )
        },
        section(
            "lock-steps",
            "Locks under each step",
            "What was wrong from the beginning of a step to that of the next one.",
            locks::by_step(r),
        ),
        few(section(
            "region-latency",
            "Latency by region",
            "Good answers by the region of the clients and that of the node that answered, from the \
             intended instants of the operations.",
            region_latency(r),
        )),
        few(section(
            "region-downtime",
            "Downtime by region",
            "What the clients of a region felt of a group, all loads together: the longest time in \
             which none of them had a good answer from a shard. Outages are those that probes from \
             that region saw: the longest, and all of the worst canary.",
            region_downtime(r),
        )),
        section(
            "shards",
            "By shard",
            "Rates are of the shard's primary, averaged over the time line; commands count \
             probes and redrill's own questions too. Copied figures are in bytes, milliseconds \
             and percent.",
            shards(r),
        ),
        section(
            "keepers",
            "Memory of the servers",
            "What each server says of itself, from the load's beginning on: keys that it let go for \
             want of memory or because their time was over, and the longest time for which that \
             stopped it.",
            keepers(r),
        ),
        section(
            "memory",
            "Hits by memory",
            "What hits in the group would have been with so much of the memory that there was, by the \
             exact order of last use (LRU): of the reads that came to the group. 100 % are so many \
             keys as there were at most.",
            memory(r),
        ),
        section(
            "containers",
            "By container",
            "As the Docker engine counts: processor and network averaged over the time line, \
             memory at its highest.",
            containers(r),
        ),
    ];
    sections.push(section(
        "misses",
        "Why reads found no copy",
        "The largest cause first. Hits lost are what the share of hits would gain without it.",
        caches::causes(r),
    ));
    sections.push(section(
        "links",
        "Links",
        "Payload that crossed each link between regions while the load ran, by the relay's count, \
         and the same for each acknowledged write, whichever region took it.",
        links(r),
    ));
    sections.push(section(
        "lag",
        "Replication lag",
        "From the acknowledgement of a write in one group to the first read in the other that \
         shows it, measured beside the servers. Writes that were not seen count with the time \
         that they had.",
        lag(r),
    ));
    sections.push(section(
        "conflicts",
        "Conflicts",
        "One key is written in two groups at the same instant, ten times a second. From the \
         acknowledgement of the later write until all groups show the same value, for good, \
         measured beside the servers. Those that were not over count with the time that they had.",
        conflicts(r),
    ));
    sections.push(section(
        "samples",
        "Keys that differ over time",
        "Each second some keys of the loads are compared between groups. Those that differ are \
         compared again when all that had been there was carried to all groups. They count as \
         different if they still show the same, and are not judged if they were written meanwhile.",
        samples(r),
    ));
    if let Some(seen) = &r.traffic {
        let hint = "Payload that passed the relay since the drill's start, by who sent it and \
                    what the connection was for. What redrill itself asked of nodes is not among \
                    it, but its reading of the final state is, as `outside`.";
        sections.push(section("traffic", "Traffic", hint, traffic(&seen.places)));
        if on == On::Page {
            let table = traffic(&seen.nodes);
            let title = "Traffic by node";
            sections.push(Section { folded: true, ..section("nodes", title, "", table) });
        }
    }
    for section in &mut sections {
        let table = std::mem::replace(&mut section.table, Table { columns: vec![], rows: vec![] });
        section.table = table.on(on);
    }
    sections.retain(|section| !section.table.rows.is_empty());
    sections
}

fn few(section: Section) -> Section {
    Section { brief: section.table.rows.len() <= FEW, ..section }
}

/// Every measure, for those who ask for it.
pub(super) fn measures(r: &Report) -> Section {
    let columns =
        vec![Column::text("measure"), Column::figure("value"), Column::sentence("what it is")];
    let known = CATALOGUE.iter().filter(|known| r.has(known.name));
    let row = known
        .map(|known| vec![Cell::code(known.name), r.show(known.name).into(), known.about.into()]);
    let table = Table { columns, rows: row.collect() };
    Section { id: "measures", title: "All measures", hint: "", folded: true, brief: false, table }
}

/// The spans that the drill has: without steps there is only the first.
pub(super) fn spans(r: &Report) -> &'static [When] {
    if r.steps.is_empty() { &When::SPANS[..1] } else { &When::SPANS }
}

/// Latency and throughput in each span, and in the worst second.
pub(super) fn latency(r: &Report) -> Option<Table> {
    let cells = || {
        let known = CATALOGUE.iter().filter(|known| r.has(known.name));
        known.filter_map(|known| known.cell.map(|(row, when)| (row, when, known.name)))
    };
    cells().find(|(_, when, _)| *when == When::Before)?;
    let whens: Vec<When> = match spans(r) {
        [only] => vec![*only],
        spans => spans.iter().copied().chain([When::WorstSecond]).collect(),
    };
    let head = |when: &When| if whens.len() > 1 { when.name() } else { "steady" };
    let mut columns = vec![Column::text("Latency")];
    columns.extend(whens.iter().map(|when| Column::figure(head(when))));
    let mut labels: Vec<&str> = Vec::new();
    for (row, ..) in cells() {
        if !labels.contains(&row) {
            labels.push(row);
        }
    }
    let row = |label: &str| {
        let cell = |when: &When| {
            let known = cells().find(|(row, at, _)| *row == label && at == when);
            known.map_or(Cell::default(), |(.., name)| r.show(name).into())
        };
        [label.into()].into_iter().chain(whens.iter().map(cell)).collect()
    };
    Some(Table { columns, rows: labels.into_iter().map(row).collect() })
}

/// Where there is more than one load to be told apart.
fn loads(r: &Report) -> Table {
    let rows = r.loads.iter().map(|load| (load.name.clone(), &load.figures)).collect();
    figures(r, "load", rows)
}

/// Where loads do more than one thing.
fn operations(r: &Report) -> Table {
    let of = |load: &'_ Load, name: &str| format!("{} {name}", load.name);
    let each = r.loads.iter().filter(|load| load.operations.len() > 1);
    let rows = each.flat_map(|load| load.operations.iter().map(|(name, f)| (of(load, name), f)));
    figures(r, "operation", rows.collect())
}

/// A row for each of several.
fn figures(r: &Report, what: &str, rows: Vec<(String, &Figures)>) -> Table {
    let mut columns = vec![Column::text(what)];
    columns.push(Column::figure("operations"));
    columns.push(Column::figure("answered").wide());
    columns.push(Column::figure("errors"));
    let head = |quantile: &str, span: &When| Column::figure(format!("{quantile} {}", span.name()));
    columns.extend(spans(r).iter().map(|span| head("p50", span).wide()));
    columns.extend(spans(r).iter().map(|span| head("p99", span)));
    let row = |(name, f): &(String, &Figures)| {
        let counts = [f.operations, f.answered, f.errors].map(|n| Cell::count(Some(n)));
        let mut row = vec![Cell::from(&**name)];
        row.extend(counts);
        for quantile in [|q: &Quantiles| q.p50_ms, |q: &Quantiles| q.p99_ms] {
            let spans = f.spans().into_iter().take(spans(r).len());
            row.extend(spans.map(|span| Cell::figure(quantile(span), Unit::Millis, 3)));
        }
        row
    };
    let told = rows.len() > 1 && rows.iter().any(|(_, f)| f.operations > 0);
    Table { columns, rows: rows.iter().filter(|_| told).map(row).collect() }
}

/// Where a load has more than one instance: what each felt, and of which shard for longest.
fn instances(r: &Report) -> Table {
    let mut columns = vec![Column::text("instance")];
    columns.extend(["operations", "errors", "longest silence"].map(Column::figure));
    columns.push(Column::text("of shard"));
    columns.push(Column::figure("answered after the election"));
    let row = |load: &Load, (i, one): (usize, &Instance)| {
        let longest = Silence::longest(&one.silences);
        let never = longest.is_some_and(|silence| silence.to_ms.is_none());
        let shard = longest.map_or(NOTHING.to_owned(), |s| format!("{}/{}", s.group, s.shard));
        vec![
            Cell::from(format!("{}/{i}", load.name)),
            Cell::count(Some(one.operations)),
            Cell::count(Some(one.errors)),
            Cell::figure(longest.map(|silence| silence.duration_ms), Unit::Millis, 3),
            Cell::from(if never { format!("{shard}, not over") } else { shard }),
            Cell::figure(longest.and_then(|silence| silence.reconnect_ms), Unit::Millis, 3),
        ]
    };
    let several = r.loads.iter().filter(|load| load.instances.len() > 1);
    let rows = several.flat_map(|load| load.instances.iter().enumerate().map(|i| row(load, i)));
    Table { columns, rows: rows.collect() }
}

fn region_latency(r: &Report) -> Table {
    let mut columns = Vec::from(["load", "clients → node", "operation"].map(Column::text));
    columns.push(Column::figure("answers").wide());
    columns.extend(["p50", "p99"].map(Column::figure));
    let row = |one: &RegionLatency| {
        vec![
            Cell::from(&*one.load),
            Cell::from(match one.local {
                true => format!("{}, local", one.to),
                false => format!("{} → {}", one.from, one.to),
            }),
            Cell::from(one.action.word()),
            Cell::count(Some(one.answers)),
            Cell::figure(Some(one.p50_ms), Unit::Millis, 3),
            Cell::figure(Some(one.p99_ms), Unit::Millis, 3),
        ]
    };
    Table { columns, rows: r.region_latency.iter().map(row).collect() }
}

fn region_downtime(r: &Report) -> Table {
    let mut columns = Vec::from(["region", "group", "operation"].map(Column::text));
    columns.push(Column::figure("operations").wide());
    columns.extend(["errors", "longest silence"].map(Column::figure));
    columns.push(Column::figure("longest outage").wide());
    columns.push(Column::figure("all outages"));
    let row = |one: &RegionDowntime| {
        let longest = one.longest();
        let silence = Cell::figure(longest.map(|silence| silence.duration_ms), Unit::Millis, 3);
        let open = longest.is_some_and(|silence| silence.to_ms.is_none());
        let shown = if open { format!("≥ {}", silence.shown) } else { silence.shown };
        let share = one.errors as f64 / one.operations as f64 * 100.0;
        vec![
            Cell::from(&*one.region),
            Cell::from(one.users_of()),
            Cell::from(one.action.word()),
            Cell::count(Some(one.operations)),
            Cell::figure(Some(share), Unit::Percent, 3),
            Cell { shown, ..silence },
            Cell::figure(one.outage_max_ms, Unit::Millis, 3),
            Cell::figure(one.outage_total_ms, Unit::Millis, 3),
        ]
    };
    Table { columns, rows: r.region_downtime.iter().map(row).collect() }
}

fn shards(r: &Report) -> Table {
    let mut columns = vec![Column::text("shard"), Column::text("primary").only(On::Page)];
    let changes = ["slots", "keys", "memory"].into_iter().skip(usize::from(!r.has_cluster()));
    for what in changes {
        columns.extend([
            Column::figure(what).only(On::Text),
            Column::figure(format!("{what} before")).only(On::Page),
            Column::figure(format!("{what} after")).only(On::Page),
        ]);
    }
    columns.extend(["ops/s", "net in", "net out"].map(Column::figure));
    columns.push(Column::figure("CPU").only(On::Page));
    for what in ["writes", "reads"] {
        columns.extend([
            Column::figure(format!("{what} down, longest")),
            Column::figure(format!("{what} down, sum")).only(On::Page),
        ]);
    }
    // Before the load there is nothing that they could tell.
    let told = r.timeline_ms.is_some();
    Table { columns, rows: r.shards.iter().filter(|_| told).map(|s| shard(r, s)).collect() }
}

fn shard(r: &Report, s: &Shard) -> Vec<Cell> {
    let primary = s.primary_after.as_ref().map_or(NOTHING.to_owned(), NodeName::to_string);
    let name = Cell::from(format!("{}/{}", s.group, s.shard));
    let mut row = vec![Cell { shard: Some(s.shard), ..name }, primary.into()];
    let mut change = |before: Option<u64>, after: Option<u64>, unit| {
        let [before, after] = [before, after].map(|n| n.map(|n| n as f64));
        let [first, last] = [before, after].map(|n| Cell::figure(n, unit, 0));
        row.extend([Cell::change(before, after, unit), first, last]);
    };
    if r.has_cluster() {
        let slots = |n: Option<u32>| n.filter(|_| r.has_slots(&s.group)).map(u64::from);
        change(slots(s.slots_before), slots(s.slots_after), Unit::Count);
    }
    change(s.keys_before, s.keys_after, Unit::Count);
    change(s.memory_before, s.memory_after, Unit::Bytes);
    row.extend([
        Cell::figure(s.ops_per_s, Unit::Count, 1),
        Cell::figure(s.net_in_per_s, Unit::BytesPerSecond, 0),
        Cell::figure(s.net_out_per_s, Unit::BytesPerSecond, 0),
        Cell::figure(s.cpu_percent, Unit::Percent, 1),
        Cell::figure(s.downtime_write_max_ms, Unit::Millis, 3),
        Cell::figure(s.downtime_write_total_ms, Unit::Millis, 3),
        Cell::figure(s.downtime_read_max_ms, Unit::Millis, 3),
        Cell::figure(s.downtime_read_total_ms, Unit::Millis, 3),
    ]);
    row
}

fn keepers(r: &Report) -> Table {
    let mut columns = vec![Column::text("server")];
    columns.extend(["limit", "used, most", "evicted", "expired", "stood for"].map(Column::figure));
    columns.push(Column::text("by").wide());
    columns.push(Column::figure("free again"));
    let rows = r.keepers.iter().map(|one| {
        vec![
            Cell::from(one.node.to_string()),
            Cell::figure(one.limit_bytes.map(|bytes| bytes as f64), Unit::Bytes, 0),
            Cell::figure(Some(one.used_max_bytes as f64), Unit::Bytes, 0),
            Cell::count(Some(one.evicted)),
            Cell::count(Some(one.expired)),
            Cell::figure(Some(one.stall_ms), Unit::Millis, 0),
            Cell::from(one.stalled_by.as_deref().unwrap_or(NOTHING)),
            Cell::figure(one.recovered, Unit::Percent, 1),
        ]
    });
    Table { columns, rows: rows.collect() }
}

/// A column for each part of the memory that the table has.
fn memory(r: &Report) -> Table {
    let with = |load: &Load| load.by_memory.clone();
    let loads: Vec<(&str, HitsByMemory)> =
        r.loads.iter().filter_map(|load| Some((&*load.name, with(load)?))).collect();
    let mut columns = vec![Column::text("cache of"), Column::figure("keys")];
    let shares = HitsByMemory::SHARES.map(|share| Unit::Percent.show(share));
    columns.extend(shares.iter().map(Column::figure));
    let row = |(name, hits): &(&str, HitsByMemory)| {
        let shares = HitsByMemory::SHARES.map(|share| {
            let point = hits.points.iter().find(|(at, _)| *at == share);
            Cell::figure(point.map(|(_, hits)| *hits), Unit::Percent, 1)
        });
        [Cell::from(*name), Cell::count(Some(hits.keys))].into_iter().chain(shares).collect()
    };
    Table { columns, rows: loads.iter().map(row).collect() }
}

fn containers(r: &Report) -> Table {
    let mut columns = vec![Column::text("container")];
    columns.extend(["CPU", "memory, most", "net in", "net out"].map(Column::figure));
    let rows = r.containers.iter().map(|c| {
        vec![
            Cell::from(c.node.to_string()),
            Cell::figure(c.cpu_percent, Unit::Percent, 1),
            Cell::figure(Some(c.memory_max_bytes as f64), Unit::Bytes, 0),
            Cell::figure(c.net_in_per_s, Unit::BytesPerSecond, 0),
            Cell::figure(c.net_out_per_s, Unit::BytesPerSecond, 0),
        ]
    });
    Table { columns, rows: rows.collect() }
}

/// One row for each pair: from, to, the bytes of each class, connections and resets.
fn traffic(crossings: &[Crossing]) -> Table {
    let mut columns = vec![Column::text("traffic")];
    columns.extend(Class::ALL.map(|class| Column::figure(class.word())));
    columns.extend(["connections", "resets"].map(Column::figure));
    let mut pairs: Vec<(&str, &str)> =
        crossings.iter().map(|c| (c.from.as_str(), c.to.as_str())).collect();
    pairs.dedup();
    let row = |(from, to): (&str, &str)| {
        let of =
            || crossings.iter().filter(move |c| (c.from.as_str(), c.to.as_str()) == (from, to));
        let bytes = |class: Class| {
            let found = of().find(|c| c.class == class && c.bytes > 0);
            Cell::figure(found.map(|c| c.bytes as f64), Unit::Bytes, 0)
        };
        let sum = |part: fn(&Crossing) -> u64| Cell::count(Some(of().map(part).sum()));
        let mut row = vec![Cell::from(format!("{from} → {to}"))];
        row.extend(Class::ALL.map(bytes));
        row.extend([sum(|c| c.connections), sum(|c| c.resets)]);
        row
    };
    Table { columns, rows: pairs.into_iter().map(row).collect() }
}

fn links(r: &Report) -> Table {
    let mut columns = vec![Column::text("link")];
    columns.extend(["latency", "traffic", "for each write"].map(Column::figure));
    let row = |link: &RegionLink| {
        vec![
            Cell::from(format!("{} → {}", link.from, link.to)),
            Cell::from(show(Some(link.latency_ms), Unit::Millis)),
            Cell::figure(link.bytes_per_s, Unit::BytesPerSecond, 0),
            Cell::figure(link.bytes_per_write, Unit::Bytes, 0),
        ]
    };
    Table { columns, rows: r.links.iter().map(row).collect() }
}

/// A time that may only be known to be that at least.
fn time((ms, is_open): (f64, bool)) -> Cell {
    let shown = show(Some(ms), Unit::Millis);
    Cell::from(if is_open { format!("≥ {shown}") } else { shown })
}

fn lag(r: &Report) -> Table {
    let mut columns = vec![Column::text("lag")];
    columns.extend(["link", "p50", "p99", "longest", "writes", "not seen"].map(Column::figure));
    // Only redrill's own replicators tell.
    let told = r.sync.iter().any(|pair| pair.backlog_max.is_some());
    let heads = ["entries behind, most", "bytes behind, most"].map(Column::figure);
    columns.extend(heads.into_iter().filter(|_| told));
    let row = |pair: &SyncLag| {
        let link = Cell::from(show(Some(pair.link_ms), Unit::Millis));
        let mut row = vec![Cell::from(format!("{} → {}", pair.from, pair.to)), link];
        let times = [pair.p50_ms, pair.p99_ms, pair.max_ms];
        row.extend(times.map(|ms| time((ms, pair.is_open(ms)))));
        row.extend([pair.writes, pair.unseen].map(|n| Cell::count(Some(n))));
        let bytes = pair.backlog_max_bytes.map(|n| n as f64);
        let behind = [Cell::count(pair.backlog_max), Cell::figure(bytes, Unit::Bytes, 0)];
        row.extend(behind.into_iter().filter(|_| told));
        row
    };
    Table { columns, rows: r.sync.iter().map(row).collect() }
}

fn conflicts(r: &Report) -> Table {
    let mut columns = vec![Column::text("written in")];
    columns.extend(["p50", "p99", "longest", "conflicts", "not over"].map(Column::figure));
    let row = |pair: &Resolution| {
        let times = [pair.p50_ms, pair.p99_ms, pair.max_ms];
        let mut row = vec![Cell::from(pair.between.join(" and "))];
        row.extend(times.map(|ms| time((ms, pair.is_open(ms)))));
        row.extend([pair.conflicts, pair.open].map(|n| Cell::count(Some(n))));
        row
    };
    Table { columns, rows: r.resolutions.iter().map(row).collect() }
}

/// All groups together, and where there are more than two, each pair of them.
fn samples(r: &Report) -> Table {
    let mut columns = vec![Column::text("keys of")];
    columns.extend(["alike", "different", "not judged"].map(Column::figure));
    let sum = |of: &dyn Fn(&SampleSecond) -> u64| r.samples.iter().map(of).sum::<u64>();
    let row = |name: &str, counts: [u64; 3]| -> Vec<Cell> {
        [name.into()].into_iter().chain(counts.map(|n| Cell::count(Some(n)))).collect()
    };
    let (equal, different, changed) =
        (sum(&|one| one.equal), sum(&|one| one.different), sum(&|one| one.changed));
    let mut rows = vec![row("all groups", [equal, different, changed])];
    let pairs = r.pairs_sampled();
    for pair in pairs.iter().filter(|_| pairs.len() > 1) {
        let apart = sum(&|one| one.apart_of(pair));
        rows.push(row(&pair.join(" and "), [equal + different - apart, apart, changed]));
    }
    rows.retain(|_| !r.samples.is_empty());
    Table { columns, rows }
}

fn steps(r: &Report) -> Table {
    let mut columns = vec![Column::sentence("step")];
    let heads = ["began", "took", "nodes agree after", "converged after"];
    columns.extend(heads.map(Column::figure));
    columns.push(Column::sentence("moved, or done"));
    let since = |at: Option<f64>, from: Option<f64>| {
        Cell::from(show(at.zip(from).map(|(at, from)| at - from), Unit::Millis))
    };
    let row = |(i, step): (usize, &Step)| {
        let jobs = step.jobs.iter().map(|j| (job(j, step.began_ms.unwrap_or(0.0)), false));
        let error = step.error.iter().map(|error| (format!("failed: {error}"), true));
        let text = Cell::from(format!("{} {}", i + 1, step.text));
        vec![
            Cell { below: error.chain(jobs).collect(), ..text },
            Cell::from(match (step.began_ms, r.timeline_ms) {
                (Some(began), Some(line)) => format!("{:.2} s", (began - line) / 1e3),
                _ => "never".to_owned(),
            }),
            since(step.ended_ms, step.began_ms),
            since(step.view_converged_ms, step.began_ms),
            since(step.converged_ms, step.began_ms),
            Cell::from(done(step)),
        ]
    };
    Table { columns, rows: r.steps.iter().enumerate().map(row).collect() }
}

/// The result: `cache/3/0, cache/3/1 joined; 4,096 of 4,096 slots, 10,020 keys, migrate`.
fn done(step: &Step) -> String {
    let names =
        |nodes: &[NodeName]| nodes.iter().map(NodeName::to_string).collect::<Vec<_>>().join(", ");
    let told = |nodes: &[NodeName], what: &str| {
        (!nodes.is_empty()).then(|| format!("{} {what}", names(nodes)))
    };
    let parts = [
        told(&step.joined, "joined"),
        (step.moved.slots_total > 0).then(|| moved(step)),
        told(&step.left, "left"),
        (!step.nodes.is_empty()).then(|| format!("done to {}", names(&step.nodes))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().chain(step.notes.clone()).collect();
    if parts.is_empty() { NOTHING.to_owned() } else { parts.join("; ") }
}

fn moved(step: &Step) -> String {
    let bytes = step.moved.bytes.map(|bytes| format!(", {}", Unit::Bytes.show(bytes as f64)));
    let method = step.method.as_ref().map(|method| format!(", {method}"));
    let pace = step.pace.as_ref().map(|kept| format!(", {}", pace(kept)));
    format!(
        "{} of {} slots, {} keys{}{}{}",
        count(step.moved.slots),
        count(step.moved.slots_total),
        count(step.moved.keys),
        bytes.unwrap_or_default(),
        method.unwrap_or_default(),
        pace.unwrap_or_default()
    )
}

/// `pace { adds: 2ms } kept: PINGs took 1.8 ms of 2.4 ms, and 0.4 ms before`.
fn pace(kept: &PaceKept) -> String {
    let met = kept.met.map(|met| if met { " kept" } else { " not kept" });
    let ms = |value: Option<f64>| Some(Unit::Millis.show(value?));
    let heard = match (ms(kept.answers_ms), ms(kept.goal_ms), ms(kept.floor_ms)) {
        (Some(answers), Some(goal), Some(floor)) => {
            format!(": PINGs took {answers} of {goal}, and {floor} before")
        }
        (None, Some(goal), Some(floor)) => {
            format!(": PINGs may take {goal}, and took {floor} before")
        }
        _ => String::new(),
    };
    format!("pace {}{}{heard}", kept.pace, met.unwrap_or_default())
}

/// Its phases, each with the time since the step began.
fn job(job: &Job, began_ms: f64) -> String {
    let phase = |p: &JobPhase| format!("{} +{}", p.state, Unit::Millis.show(p.at_ms - began_ms));
    let phases: Vec<String> = job.phases.iter().map(phase).collect();
    format!("job {} → {}: {}", job.from, job.to, phases.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_one_row_with_its_classes_apart() {
        let crossing = |class, bytes| {
            let (from, to) = ("clients".to_owned(), "nodes".to_owned());
            Crossing { from, to, class, bytes, connections: 2, resets: 1 }
        };
        let table = traffic(&[crossing(Class::Client, 2_048), crossing(Class::Bus, 0)]);
        let row: Vec<&str> = table.rows[0].iter().map(|cell| &*cell.shown).collect();
        assert_eq!(row, ["clients → nodes", "2.0 kB", "–", "–", "–", "4", "2"]);
        assert_eq!((table.rows.len(), row.len()), (1, table.columns.len()));
    }
}

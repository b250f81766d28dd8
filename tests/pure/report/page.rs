//! The pages: whole, offline, and safe whatever names a drill has.

use std::collections::BTreeMap;

use redrill::check::HitsByMemory;
use redrill::model::{Measure, Unit};
use redrill::report::suite::Entry;
use redrill::report::{self, Moment, Report, html, junit, markdown, suite};

use super::{fixture, made};

/// Tags must close in the order in which they opened.
fn assert_balanced(page: &str) {
    let void = ["meta", "br", "!doctype"];
    let body = strip(strip(page.to_owned(), "<script", "</script>"), "<style", "</style>");
    let mut open: Vec<String> = Vec::new();
    for tag in body.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let name: String = tag.chars().take_while(|c| !c.is_whitespace() && *c != '>').collect();
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "near {tag}");
        } else if !tag.ends_with('/') && !void.contains(&name.as_str()) || tag.is_empty() {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

fn strip(mut page: String, from: &str, to: &str) -> String {
    while let Some(start) = page.find(from) {
        let end = page[start..].find(to).unwrap() + start + to.len();
        page.replace_range(start..end, "");
    }
    page
}

fn assert_offline(page: &str) {
    let page = page.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http://", "https://", "src=", "@import", "url(", "<link", "<iframe", "fetch("]
    {
        assert!(!page.contains(outside), "the page has {outside}");
    }
}

#[test]
fn the_page_is_whole_and_works_offline() {
    for plan in [fixture::reshard(), fixture::failed(), fixture::ten_shards()] {
        let page = html::render(&made(&plan)).unwrap();
        assert_offline(&page);
        assert_balanced(&page);
        for id in [
            "expectations",
            "figures",
            "timeline",
            "availability",
            "ownership",
            "topology",
            "shards",
            "steps",
            "findings",
            "measures",
            "exactness",
            "scenario",
        ] {
            assert!(page.contains(&format!("id=\"{id}\"")), "no section {id}");
        }
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
        assert!(page.len() < 400_000, "{} bytes", page.len());
    }
}

#[test]
fn the_page_of_a_killed_and_of_a_quiet_drill_leave_out_what_is_not_there() {
    let killed = html::render(&made(&fixture::killed())).unwrap();
    assert!(killed.contains("killed, or still runs") && killed.contains("id=\"timeline\""));
    assert_balanced(&killed);
    let quiet = html::render(&made(&fixture::steady())).unwrap();
    assert!(!quiet.contains("id=\"steps\"") && quiet.contains("id=\"availability\""));
    assert_balanced(&quiet);
}

#[test]
fn the_drawing_shows_the_outage_the_step_and_the_move() {
    let page = html::render(&made(&fixture::failed())).unwrap();
    assert!(page.contains("no writes for 840 ms from 4.50 s (Timeout)"));
    assert!(page.contains("step 1: reshard cache: 1820 slots from shard 0 to shard 1"));
    assert!(page.contains("converged 3.250 s after the step&#39;s start"));
    assert!(page.contains("cache/1: 1,820 slots: 0-1819"), "the strip of what moved");
}

#[test]
fn what_no_order_explains_is_drawn() {
    let page = html::render(&made(&fixture::failed())).unwrap();
    assert_eq!(page.matches("class=\"wide window\"").count(), 3, "one for each key");
    assert_eq!(page.matches("class=\"narrow window\"").count(), 3);
}

#[test]
fn on_a_phone_titles_leave_room_for_the_legend() {
    let long = fixture::Plan { seconds: 40.0, seed: 31, ..fixture::steady() };
    let page = html::render(&made(&long)).unwrap();
    let narrow: Vec<&str> = page
        .split("<svg ")
        .filter(|svg| svg.starts_with("class=\"time narrow") && svg.contains("operations a second"))
        .collect();
    assert_eq!(narrow.len(), 1);
    assert!(narrow[0].contains(">operations a second</text>"), "the title alone");
    assert!(narrow[0].contains(">each point 300 ms</text>"), "on a line of its own");
    assert!(!page.contains(">operations a second, each point"), "40 s fit a wide screen");
}

#[test]
fn a_few_of_the_many_views_are_shown_in_their_order() {
    let r = made(&fixture::reshard());
    let moments: Vec<Moment> = r.ownership.iter().map(|owned| owned.moment).collect();
    use Moment::{After, Before, During};
    assert_eq!(moments, [Before, During, During, During, During, After]);
    let given: Vec<usize> = r.ownership.iter().map(|o| 5_462 - o.shards[0].slots.len()).collect();
    assert!(given.is_sorted_by(|a, b| a < b), "more and more slots are given away: {given:?}");
    assert_eq!((given[0], given[5]), (0, 1_820));
}

/// A load whose reads missed for two reasons, of which some were late.
#[test]
fn what_a_cache_missed_is_drawn_and_told() {
    let mut r = made(&fixture::steady());
    let windows = r.series[0].at_ms.len();
    let counts = |every: usize| (0..windows).map(|at| u64::from(at % every == 0)).collect();
    r.series[0].cache = BTreeMap::from([
        ("cache.misses.cold".to_owned(), counts(2)),
        ("cache.misses.expired".to_owned(), counts(4)),
        ("cache.misses.gone".to_owned(), vec![0; windows]),
        ("origin.requests".to_owned(), counts(2)),
        ("cache.stale.late".to_owned(), counts(20)),
    ]);
    for (name, of) in [
        ("cache.misses", 60.0),
        ("cache.misses.cold", 40.0),
        ("cache.misses.expired", 20.0),
        ("cache.misses.gone", 0.0),
        ("cache.hits", 70.0),
    ] {
        r.measures.insert(name.to_owned(), Measure::new(of, Unit::Count));
    }
    let points = HitsByMemory::SHARES.map(|share| (share, share / 4.0)).to_vec();
    r.loads[0].by_memory = Some(HitsByMemory { keys: 1_234, points });
    let page = html::render(&r).unwrap();
    assert_balanced(&page);
    for shown in [
        "misses a second, by cause",
        ": cold</title>",
        ": expired</title>",
        "old versions, served later than promised",
        "hits in the group, by LRU in so much of the memory",
        "nobody had read these before",
    ] {
        assert!(page.contains(shown), "the page has no {shown}");
    }
    assert!(!page.contains(": gone</title>"), "there is no such miss");
    let text = markdown::render(&r).unwrap();
    let causes: Vec<&str> =
        text.lines().filter(|line| line.contains("copies end before")).collect();
    // A third of the misses, and of 30 % that missed.
    assert!(causes[0].contains("33.3 %") && causes[0].contains("10.0 %"), "{causes:?}");
    assert!(text.contains("1,234"), "the keys of all its memory");
    let quiet = html::render(&made(&fixture::steady())).unwrap();
    assert!(!quiet.contains("misses a second, by cause"));
}

/// A report in which every text that comes from outside tries to be markup.
fn hostile() -> Report {
    const EVIL: &str = "</script></title><script>alert(1)</script>\"'|`]]>";
    let mut r = made(&fixture::failed());
    let evil = || EVIL.to_owned();
    (r.scenario, r.summary, r.id, r.backend) = (evil(), evil(), evil(), evil());
    (r.redrill, r.started, r.yaml) = (evil(), evil(), Some(evil()));
    (r.engine.kind, r.engine.version, r.topology.name) = (evil(), evil(), evil());
    r.why.push(evil());
    r.expectations[0].text = evil();
    r.findings[0].text = evil();
    r.findings[0].examples[0].text = evil();
    (r.steps[0].text, r.steps[0].error) = (evil(), Some(evil()));
    r.warnings.push(report::Warning { at_ms: None, text: evil() });
    (r.loads[0].name, r.loads[0].text, r.series[0].load) = (evil(), evil(), evil());
    for group in &mut r.topology.groups {
        group.name = evil();
        group.shards[0].nodes[0].address = evil();
    }
    r.shards.iter_mut().for_each(|shard| shard.group = evil());
    r.outages.iter_mut().for_each(|outage| outage.group = evil());
    r.ownership.iter_mut().for_each(|owned| owned.group = evil());
    r
}

#[test]
fn names_cannot_break_out_of_any_format() {
    let r = hostile();
    let page = html::render(&r).unwrap();
    assert!(!page.contains("<script>alert"));
    assert_balanced(&page);
    let index = suite::index(&[Entry::played(r.clone())]).unwrap();
    assert!(!index.contains("<script>alert"));
    let compared = report::compare::compare(&r, &r).html().unwrap();
    assert!(!compared.contains("<script>alert"));
    let text = markdown::render(&r).unwrap();
    assert!(!text.contains("<script>alert"), "Markdown lets HTML through");
    let xml = junit::render(std::slice::from_ref(&r)).unwrap();
    let back = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    assert_eq!(back.tests, r.expectations.len() + 1);
}

#[test]
fn control_characters_reach_neither_terminal_nor_page() {
    let mut r = made(&fixture::failed());
    let evil = || "a\x1b[2Jb".to_owned();
    (r.scenario, r.summary) = (evil(), evil());
    r.why.push(evil());
    r.expectations[0].text = evil();
    r.warnings.push(report::Warning { at_ms: None, text: evil() });
    assert!(!report::text::summary(&r, 80, false).contains('\x1b'));
    assert!(!markdown::render(&r).unwrap().contains('\x1b'));
}

#[test]
fn the_index_leads_to_each_report() {
    let reports = [made(&fixture::reshard()), made(&fixture::failed())];
    let page = suite::index(&reports.clone().map(Entry::played)).unwrap();
    assert_offline(&page);
    assert_balanced(&page);
    for r in &reports {
        assert!(page.contains(&format!("href=\"{}/report.html\"", r.id)), "{}", r.id);
    }
}

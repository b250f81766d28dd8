//! Every measure is told in docs/measures.md, with what would fool it, and nothing else is.

use std::collections::BTreeMap;

use redrill::model::catalogue::CATALOGUE;

fn page() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/measures.md");
    std::fs::read_to_string(page).unwrap()
}

/// Name and unit of every row of the tables in `text`.
fn rows(text: &str) -> BTreeMap<String, String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: Vec<(String, String)> = rows
        .filter_map(|(name, rest)| Some((name.to_owned(), rest.split_once(" | ")?.0.to_owned())))
        .collect();
    let count = rows.len();
    let rows = BTreeMap::from_iter(rows);
    assert_eq!(rows.len(), count, "a measure stands there twice");
    rows
}

/// Whether the line is a paragraph that says what would fool a figure.
fn warns(line: &str) -> bool {
    let what = line.strip_prefix("*What would fool ").and_then(|rest| rest.split_once(".* "));
    what.is_some_and(|(_, what)| !what.is_empty())
}

#[test]
fn the_page_of_measures_is_the_catalogue() {
    let unit = |unit| serde_json::to_value(unit).unwrap().as_str().unwrap().to_owned();
    let known: BTreeMap<String, String> =
        CATALOGUE.iter().map(|known| (known.name.to_owned(), unit(known.unit))).collect();
    assert_eq!(rows(&page()), known);
}

/// A section with a table of measures, and each part of it that has a heading of its own.
#[test]
fn every_section_with_measures_says_what_would_fool_them() {
    let page = page();
    let mut told = 0;
    for section in page.split("\n## ").skip(1) {
        let measures = rows(section).len();
        told += measures;
        for part in section.split("\n### ").filter(|_| measures > 0) {
            let heading = part.lines().next().unwrap_or_default();
            assert!(part.lines().any(warns), "`{heading}` does not say what would fool it");
        }
    }
    assert_eq!(told, CATALOGUE.len(), "a measure stands in no section");
}

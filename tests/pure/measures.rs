//! Every measure is told in docs/measures.md, and nothing else is.

use std::collections::BTreeMap;

use redrill::model::catalogue::CATALOGUE;

/// Name and unit of every row of the page's tables.
fn rows() -> BTreeMap<String, String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/measures.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: Vec<(String, String)> = rows
        .filter_map(|(name, rest)| Some((name.to_owned(), rest.split_once(" | ")?.0.to_owned())))
        .collect();
    let count = rows.len();
    let rows = BTreeMap::from_iter(rows);
    assert_eq!(rows.len(), count, "a measure stands there twice");
    rows
}

#[test]
fn the_page_of_measures_is_the_catalogue() {
    let unit = |unit| serde_json::to_value(unit).unwrap().as_str().unwrap().to_owned();
    let known: BTreeMap<String, String> =
        CATALOGUE.iter().map(|known| (known.name.to_owned(), unit(known.unit))).collect();
    assert_eq!(rows(), known);
}

//! "Did you mean": what an unknown name was probably meant to be.

use super::synonyms;
use crate::model::catalogue::{CATALOGUE, Known};

/// The most measures that one message suggests.
const SUGGESTED: usize = 4;

/// The candidate that is most similar to `name`, if any is similar at all.
///
/// Words that only begin alike (`failover.time`, `failover.elect`) are not similar.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let is_similar = |candidate: &str, likeness: f64| {
        let begins = candidate.starts_with(&name) || name.starts_with(candidate);
        let spelt = strsim::normalized_damerau_levenshtein(&name, candidate);
        likeness >= 0.8 && (begins || spelt >= 0.65)
    };
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name, candidate), candidate))
        .filter(|(likeness, candidate)| is_similar(candidate, *likeness))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// What was meant by `name`: what people call one of `known`, or else a word spelt like it.
pub fn meant<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    synonyms::of_word(name, known).or_else(|| nearest(name, known.iter().copied()))
}

/// Advice for a mistyped name: what was probably meant, and as many of all names as fit a line.
pub fn advice(what: &str, name: &str, known: &[&str]) -> String {
    let guess =
        meant(name, known).map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    match known.len() {
        0 => format!("there are no {what}"),
        1..=60 => format!("{guess}known {what}: {}", known.join(", ")),
        _ => guess.trim_end().to_owned(),
    }
}

/// Advice for a measure that does not exist. `can_be` says whether the scenario can produce a
/// measure; those are suggested first.
pub fn measure_advice(name: &str, can_be: impl Fn(&Known) -> bool) -> String {
    let near = measures(name, can_be).into_iter().map(|name| format!("`{name}`"));
    match &near.collect::<Vec<_>>()[..] {
        [] => {
            "docs/measures.md lists all measures, `redrill show primary-kill` has examples".into()
        }
        [one] => format!("did you mean {one}?"),
        [first @ .., last] => format!("did you mean {} or {last}?", first.join(", ")),
    }
}

/// The measures that `name` may mean, the likeliest first.
fn measures(name: &str, can_be: impl Fn(&Known) -> bool) -> Vec<&'static str> {
    let name = name.to_lowercase();
    let slips =
        CATALOGUE.iter().map(|known| (strsim::damerau_levenshtein(&name, known.name), known.name));
    if let Some((slip, known)) = slips.min()
        && slip <= 1 + name.len() / 8
    {
        return vec![known];
    }
    let words: Vec<&str> =
        name.split(['.', '_', '-', ' ']).filter(|word| !word.is_empty()).collect();
    let places = CATALOGUE.iter().map(|known| (rank(known, &words), known));
    let mut found: Vec<_> = places.filter(|((hits, _), _)| *hits > 0).collect();
    let most = found.iter().map(|((hits, _), _)| *hits).max().unwrap_or(0);
    found.retain(|((hits, _), _)| *hits == most);
    if found.iter().any(|(_, known)| can_be(known)) {
        found.retain(|(_, known)| can_be(known));
    }
    found.sort_by_key(|((_, place), known)| (*place, known.name.len()));
    found.into_iter().map(|(_, known)| known.name).take(SUGGESTED).collect()
}

/// How many of `words` mean the measure or stand in its name, and its best place in the table of
/// synonyms.
fn rank(known: &Known, words: &[&str]) -> (usize, usize) {
    let (mut hits, mut best) = (0, usize::MAX);
    for word in words {
        let meant = synonyms::MEASURES.iter().find(|(synonym, _)| synonym == word);
        let place = meant.and_then(|(_, names)| names.iter().position(|name| *name == known.name));
        let stands = known.name.split(['.', '_']).any(|part| part == *word);
        hits += usize::from(stands || place.is_some());
        best = best.min(place.unwrap_or(usize::MAX));
    }
    (hits, best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_seen_and_another_word_is_not() {
        let known = ["shards", "replicas", "region"];
        assert_eq!(nearest("shrads", known), Some("shards"));
        assert_eq!(nearest("Replica", known), Some("replicas"));
        assert_eq!(nearest("zebra", known), None);
        assert_eq!(
            nearest("failover.time", ["failover.elect"]),
            None,
            "only the beginning is alike"
        );
    }

    #[test]
    fn what_others_call_a_key_or_a_step_is_known() {
        assert_eq!(meant("steps", &["name", "timeline", "settle"]), Some("timeline"));
        assert_eq!(meant("client_count", &["client", "clients"]), Some("clients"));
        assert_eq!(meant("crash", &["kill", "stop"]), Some("kill"));
        assert_eq!(meant("crash", &["shards"]), None, "a kill is nothing that is known here");
    }

    #[test]
    fn what_others_call_a_measure_leads_to_measures_that_mean_it() {
        let all = |_: &Known| true;
        for (name, first) in [
            ("lost_writes", "writes.lost"),
            ("failover.time", "failover.served"),
            ("failover_duration", "failover.served"),
            ("p99", "latency.p99.during"),
            ("latency.p99", "latency.p99.during"),
            ("errors", "errors.share"),
            ("throughput", "throughput.during"),
            ("downtime", "downtime.write.max"),
            ("loss", "writes.lost"),
            ("data_loss", "writes.lost"),
            ("lag", "sync.lag.p99"),
            ("recovery_time", "load.recovered"),
            ("error_rate", "errors.share"),
            ("hit_rate", "cache.hits"),
            ("RTO", "rto"),
            ("writes.lots", "writes.lost"),
        ] {
            assert_eq!(measures(name, all).first().copied(), Some(first), "{name}");
        }
        assert!(measures("zebra", all).is_empty());
    }

    #[test]
    fn measures_that_the_scenario_cannot_have_are_suggested_last() {
        let no_cache = |known: &Known| !known.name.starts_with("cache.");
        assert_eq!(measures("stale", no_cache).first(), Some(&"reads.stale"));
        assert!(measures("stale", no_cache).iter().all(|name| !name.starts_with("cache.")));
    }

    #[test]
    fn each_measure_that_a_synonym_leads_to_exists() {
        for (synonym, names) in synonyms::MEASURES {
            assert!(!names.is_empty(), "{synonym}");
            for name in *names {
                assert!(crate::model::catalogue::known(name).is_some(), "{synonym}: {name}");
            }
        }
    }
}

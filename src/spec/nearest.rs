//! "Did you mean": the known name that is most similar to a mistyped one.

/// The candidate that is most similar to `name`, if any is similar at all.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Advice for a mistyped name: the nearest known one, and as many of all names as fit a line.
pub fn advice(what: &str, name: &str, known: &[&str]) -> String {
    let guess = nearest(name, known.iter().copied())
        .map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    match known.len() {
        0 => format!("there are no {what}"),
        1..=60 => format!("{guess}known {what}: {}", known.join(", ")),
        _ => guess.trim_end().to_owned(),
    }
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
    }
}

//! What crossed each link between regions while the load ran, and how much that is for each write.

use crate::model::event::LinkInfo;
use crate::model::traffic::Crossing;

use super::data::{RegionLink, Traffic};
use super::spans::Span;

/// A row for each direction of each link. `writes` is how many were acknowledged in `line`, and
/// `cut_by` gives the steps that cut a link.
pub(super) fn rows(
    links: &[LinkInfo],
    traffic: Option<&Traffic>,
    (line, writes): (Span, u64),
    cut_by: impl Fn(&LinkInfo) -> Vec<usize>,
) -> Vec<RegionLink> {
    let writes_per_s = writes as f64 / line.length().as_secs_f64();
    let row = |link: &LinkInfo| {
        let bytes_per_s = traffic.and_then(|traffic| rate(traffic, link, line));
        RegionLink {
            from: link.from.clone(),
            to: link.to.clone(),
            latency_ms: link.latency_ns as f64 / 1e6,
            bytes_per_s,
            bytes_per_write: bytes_per_s.map(|b| b / writes_per_s).filter(|b| b.is_finite()),
            cut_by: cut_by(link),
        }
    };
    links.iter().map(row).collect()
}

/// Bytes a second over all whole seconds of the line; `None` if there is none.
fn rate(traffic: &Traffic, link: &LinkInfo, line: Span) -> Option<f64> {
    let [from_ms, to_ms] = [line.from, line.to].map(super::data::millis);
    let crosses = |from: &str, to: &str| {
        Crossing::region(from) == Some(&link.from) && Crossing::region(to) == Some(&link.to)
    };
    let series: Vec<&[f64]> = traffic
        .series
        .iter()
        .filter(|one| crosses(&one.from, &one.to))
        .map(|one| &*one.bytes_per_s)
        .collect();
    let (mut seconds, mut bytes) = (0.0, 0.0);
    for (at, span) in traffic.at_ms.windows(2).enumerate() {
        if span[0] < from_ms || span[1] > to_ms {
            continue;
        }
        let length = (span[1] - span[0]) / 1e3;
        seconds += length;
        bytes += series.iter().filter_map(|rates| rates.get(at + 1)).sum::<f64>() * length;
    }
    (seconds > 0.0).then(|| bytes / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Nanos;
    use crate::model::traffic::Class;
    use crate::report::data::TrafficSeries;

    fn series(from: &str, to: &str, bytes_per_s: &[f64]) -> TrafficSeries {
        let (from, to) = (from.to_owned(), to.to_owned());
        TrafficSeries { from, to, class: Class::Client, bytes_per_s: bytes_per_s.to_vec() }
    }

    #[test]
    fn a_link_has_what_crossed_it_in_that_direction_while_the_load_ran() {
        let traffic = Traffic {
            places: Vec::new(),
            nodes: Vec::new(),
            at_ms: vec![1_000.0, 2_000.0, 3_000.0, 4_000.0],
            series: vec![
                series("nodes in us", "nodes in eu", &[9e9, 1_000.0, 3_000.0, 9e9]),
                series("actors in us", "nodes in eu", &[9e9, 500.0, 500.0, 9e9]),
                series("nodes in eu", "nodes in us", &[9e9; 4]),
                series("clients in us", "nodes in us", &[9e9; 4]),
                series("outside", "nodes in eu", &[9e9; 4]),
            ],
        };
        let ms = |ms: u64| Nanos(ms * 1_000_000);
        let line = Span { from: ms(900), to: ms(3_100) };
        let link = LinkInfo { from: "us".into(), to: "eu".into(), latency_ns: 40_000_000 };
        let row = &rows(std::slice::from_ref(&link), Some(&traffic), (line, 220), |_| vec![2])[0];
        assert_eq!((row.latency_ms, row.bytes_per_s), (40.0, Some(2_500.0)));
        assert_eq!(row.cut_by, [2]);
        assert!((row.bytes_per_write.unwrap() - 25.0).abs() < 1e-9);
        let none = &rows(&[link], None, (line, 220), |_| vec![])[0];
        assert_eq!((none.bytes_per_s, none.bytes_per_write), (None, None));
    }
}

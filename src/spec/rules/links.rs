//! Regions, and the links between them.

use std::time::Duration;

use super::check_name;
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::{Diagnostic, Diagnostics};
use crate::spec::file::topology::LinkMap;
use crate::spec::nearest;
use crate::spec::network::Jitter;
use crate::spec::quantity::{Bandwidth, Time};
use crate::spec::topology::Link;

/// The names of the regions.
pub fn regions(field: &Field<Vec<At<String>>>, errors: &mut Diagnostics) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in field.given().map_or(&[][..], |at| &at.value) {
        check_name("a region", name, errors);
        if names.contains(&name.value) {
            let message = format!("the region `{}` is here twice", name.value);
            errors.add(&name.span, message, "keep one of them");
        } else {
            names.push(name.value.clone());
        }
    }
    names
}

/// The index of the region that is named.
pub fn region(name: &At<String>, regions: &[String], errors: &mut Diagnostics) -> Option<usize> {
    let found = regions.iter().position(|region| *region == name.value);
    if found.is_none() {
        let known: Vec<&str> = regions.iter().map(|r| &**r).collect();
        let message = format!("there is no region `{}`", name.value);
        let advice = match known.is_empty() {
            true => "the topology names no regions; add `regions: [...]`".to_owned(),
            false => nearest::advice("regions", &name.value, &known),
        };
        errors.add(&name.span, message, advice);
    }
    found
}

/// The links, each in one direction.
pub fn links(
    field: &Field<Vec<At<LinkMap>>>,
    regions: &[String],
    errors: &mut Diagnostics,
) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for link in field.given().map_or(&[][..], |at| &at.value) {
        let (latency, jitter) = latency(&link.value.latency, &link.value.jitter, errors);
        let limit = link.value.bandwidth.given();
        let bandwidth =
            limit.and_then(|at| bandwidth(at, "leave it out for an unlimited one", errors));
        for (from, to) in directions(link, regions, errors) {
            if links.iter().any(|known| (known.from, known.to) == (from, to)) {
                let (from, to) = (&regions[from], &regions[to]);
                let message = format!("the link from `{from}` to `{to}` is here twice");
                errors.add(&link.span, message, "keep one of them");
            } else {
                links.push(Link { from, to, latency, jitter, bandwidth });
            }
        }
    }
    links
}

/// How long a packet takes one way, and how far it may be from that.
pub fn latency(
    latency: &Field<Time>,
    jitter: &Field<Jitter>,
    errors: &mut Diagnostics,
) -> (Duration, Jitter) {
    let latency = latency.or(Time::secs(0)).0;
    let own = jitter.or(Jitter::None);
    if let (Some(at), true) = (jitter.given(), own.amount() > latency) {
        let message = "the jitter is larger than the latency";
        errors.add(&at.span, message, "a packet cannot arrive before it was sent");
    }
    (latency, own)
}

/// Bits a second, if any. `instead` says what to write for none.
pub fn bandwidth(at: &At<Bandwidth>, instead: &str, errors: &mut Diagnostics) -> Option<u64> {
    if at.value.0 == 0 {
        errors.add(&at.span, "nothing fits through a link of no bandwidth", instead);
        return None;
    }
    Some(at.value.0)
}

/// The directions of a link: two for `between`, one for `from` and `to`.
fn directions(
    link: &At<LinkMap>,
    regions: &[String],
    errors: &mut Diagnostics,
) -> Vec<(usize, usize)> {
    let LinkMap { between, from, to, .. } = &link.value;
    let (ends, both) = match (between.given(), from.given(), to.given()) {
        (Some(pair), None, None) => match &pair.value[..] {
            [a, b] => ([a, b], true),
            _ => {
                let message = format!("a link is between two regions, not {}", pair.value.len());
                errors.push(Diagnostic::new(&pair.span, message));
                return Vec::new();
            }
        },
        (None, Some(from), Some(to)) => ([from, to], false),
        _ => {
            let message = "a link needs `between`, or both `from` and `to`";
            errors.add(&link.span, message, "write it like { between: [us, eu], latency: 40ms }");
            return Vec::new();
        }
    };
    let [a, b] = ends.map(|name| region(name, regions, errors));
    match (a, b) {
        (Some(a), Some(b)) if a == b => {
            errors.push(Diagnostic::new(&ends[1].span, "a link cannot join a region with itself"));
            Vec::new()
        }
        (Some(a), Some(b)) if both => vec![(a, b), (b, a)],
        (Some(a), Some(b)) => vec![(a, b)],
        _ => Vec::new(),
    }
}

//! A front: how fast each way of moving slots is, against what clients feel of it.
//!
//! A way is ahead of another one if it is as fast or faster, and clients feel as little or less.

use std::fmt;

use serde::Serialize;

use crate::table::Side;

/// One way of moving, at one pace.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    pub name: String,
    pub ours: bool,
    pub keys_a_second: Side,
    /// The median p99 of the quarter seconds of the move, in ms.
    pub felt: Side,
    /// The same less that of the seconds just before.
    pub over_floor: Side,
}

impl Point {
    pub fn new(name: &str, ours: bool) -> Point {
        let side = || Side::new(name);
        let (keys_a_second, felt, over_floor) = (side(), side(), side());
        Point { name: name.to_owned(), ours, keys_a_second, felt, over_floor }
    }

    fn at(&self) -> (f64, f64) {
        (self.keys_a_second.median(), self.over_floor.median())
    }

    fn is_ahead_of(&self, other: &Point) -> bool {
        let ((keys, over), (others_keys, others_over)) = (self.at(), other.at());
        keys >= others_keys && over <= others_over
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Front {
    pub what: String,
    /// What else the machine had to do: the average load over a minute, before each round.
    pub machine_load: Vec<String>,
    pub points: Vec<Point>,
    /// What is over the floor while nothing moves: chance.
    pub nothing: Side,
}

impl Front {
    /// Each of the others' points, with ours that are ahead of it, and whether it is ahead of one.
    fn verdicts(&self) -> impl Iterator<Item = String> {
        let (ours, others): (Vec<&Point>, Vec<&Point>) =
            self.points.iter().partition(|point| point.ours);
        others.into_iter().map(move |other| {
            let ahead = ours.iter().filter(|one| one.is_ahead_of(other));
            let ahead: Vec<&str> = ahead.map(|one| &*one.name).collect();
            let behind = ours.iter().filter(|one| other.is_ahead_of(one));
            let behind: Vec<&str> = behind.map(|one| &*one.name).collect();
            let said = |ones: &[&str]| match ones {
                [] => "none".to_owned(),
                ones => ones.join(", "),
            };
            format!(
                "{}: ahead of it on both counts: {}; behind it on both: {}",
                other.name,
                said(&ahead),
                said(&behind)
            )
        })
    }
}

impl fmt::Display for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        writeln!(f, "load of the machine before each round: {}", self.machine_load.join(", "))?;
        let heads = ["keys/s", "clients' p99 [ms]", "over the floor [ms]"];
        writeln!(f, "{:<28} {:>24} {:>24} {:>24}", "", heads[0], heads[1], heads[2])?;
        for point in &self.points {
            let sides = [&point.keys_a_second, &point.felt, &point.over_floor];
            let [keys, felt, over] = sides.map(Side::to_string);
            writeln!(f, "{:<28} {keys:>24} {felt:>24} {over:>24}", point.name)?;
        }
        writeln!(f, "{:<28} {:>74}", "nothing moves", self.nothing.to_string())?;
        self.verdicts().try_for_each(|said| writeln!(f, "{said}"))
    }
}

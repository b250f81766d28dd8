//! What a cache could have done with ten million reads: the best choice of what to keep, and how deep
//! each read lies in the order of last use.

use std::time::Instant;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use redrill::check::{Touch, belady, distances};

use crate::table::{Better, Side, Table};

const READS: usize = 10_000_000;
const OBJECTS: u32 = 1_000_000;
/// A tenth of them fits.
const ROOM: usize = 100_000;

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let reads = reads();
    let touches: Vec<Touch> = reads.iter().map(|object| Touch::Read(*object)).collect();
    let mut seconds = Side::new("check::belady and check::distances");
    for _ in 0..runs {
        let start = Instant::now();
        let best = belady(&reads, ROOM);
        let mut hits = 0;
        distances(&touches, |_, depth| {
            hits += u64::from(depth.is_some_and(|depth| depth as usize <= ROOM));
        });
        seconds.values.push(start.elapsed().as_secs_f64());
        if hits > best || best > READS as u64 {
            return Err(format!("{hits} hits by LRU, {best} by the best choice").into());
        }
    }
    let what = "Belady and LRU over 10,000,000 reads";
    table.add(what, "s", Better::Lower, seconds, Side::bound(5.0), 1.0);
    Ok(())
}

/// A few objects are read often: the number of an object is spread evenly by its logarithm.
fn reads() -> Vec<u32> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut object = || {
        let share: f64 = rng.random();
        let rank = f64::from(OBJECTS).powf(share) as u32;
        rank.wrapping_mul(2_654_435_761) % OBJECTS
    };
    (0..READS).map(|_| object()).collect()
}

//! When the keys of one load went.

use super::key::{Life, Went};
use crate::check::checker::Checked;
use crate::check::quantile::quantile;

#[derive(Debug, Default)]
pub(super) struct Figures {
    judged: u64,
    touched: u64,
    pub(super) early: u64,
    /// On primaries, and on replicas: keys that went in time, and those of which that is known.
    in_time: [(u64, u64); 2],
    /// How long keys were still there, in nanoseconds.
    late: Vec<u64>,
    /// When they went, from their end.
    went: Vec<i64>,
    /// Between the two looks between which they went.
    between: Vec<u64>,
}

impl Figures {
    pub(super) fn add(&mut self, life: &Life, went: Went) {
        let counted = &mut self.in_time[usize::from(life.replica)];
        match went {
            Went::Touched => {
                self.touched += 1;
                return;
            }
            Went::Seen { early, late, in_time } => {
                self.early += u64::from(!early.is_zero());
                self.late.push(late.as_nanos() as u64);
                counted.0 += u64::from(in_time == Some(true));
                counted.1 += u64::from(in_time.is_some());
                // Of others it is not known well enough when they went.
                if in_time.is_some() && life.is_known_well() {
                    self.went.extend(life.went_at());
                    self.between.extend(life.between().map(|time| time.as_nanos() as u64));
                }
            }
        }
        self.judged += 1;
    }

    pub(super) fn join(&mut self, other: Figures) {
        let Figures { judged, touched, early, in_time, late, went, between } = other;
        self.judged += judged;
        self.touched += touched;
        self.early += early;
        for (own, other) in self.in_time.iter_mut().zip(in_time) {
            *own = (own.0 + other.0, own.1 + other.1);
        }
        self.late.extend(late);
        self.went.extend(went);
        self.between.extend(between);
    }

    pub(super) fn told(&mut self, told: &mut Checked) {
        self.late.sort_unstable();
        self.between.sort_unstable();
        self.went.sort_unstable();
        for (name, n) in [
            ("expiry.judged", self.judged),
            ("expiry.touched", self.touched),
            ("expiry.early", self.early),
        ] {
            told.measure(name, Some(n as f64));
        }
        let share = |(part, of): (u64, u64)| (of > 0).then(|| part as f64 / of as f64 * 100.0);
        let [primary, replica] = self.in_time;
        told.measure("expiry.accuracy", share((primary.0 + replica.0, primary.1 + replica.1)));
        told.measure("expiry.accuracy.replicas", share(replica));
        let millis = |nanos: u64| nanos as f64 / 1e6;
        told.measure("expiry.late.p99", quantile(&self.late, 0.99).map(millis));
        told.measure("expiry.late.max", quantile(&self.late, 1.0).map(millis));
        told.measure("expiry.between.p99", quantile(&self.between, 0.99).map(millis));
        let of = |share: f64| {
            let last = self.went.len().checked_sub(1)?;
            Some(self.went[(last as f64 * share).round() as usize])
        };
        let spread = of(0.99).zip(of(0.01)).map(|(late, early)| (late - early) as f64 / 1e6);
        told.measure("expiry.spread", spread);
    }
}

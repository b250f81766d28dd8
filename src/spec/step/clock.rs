//! A step that sets servers' clocks off the true time.

use super::declare::{Rule, step};
use super::shared::Context;
use crate::spec::decode::Field;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::quantity::{Shift, SignedPercent};
use crate::spec::rules::ranged;

/// In nanoseconds.
const DAY: i64 = 24 * 3600 * 1_000_000_000;

step! {
    /// Sets servers' clocks off the true time.
    Clock ClockMap "a clock step" [Target, For] {
        /// By how much it is set at once, ahead or (`-2m`) back. Default: 0s.
        default "jump" jump: Shift = Shift(0),
        /// By how much it is too fast, or (`-10%`) too slow. Default: 0%.
        default "drift" drift: SignedPercent = SignedPercent(0.0),
    }
}

impl Rule for Clock {
    type Map = ClockMap;
    const PRELOAD: bool = true;

    fn check(
        map: &ClockMap,
        context: &mut Context<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Clock> {
        let most = Shift(365 * DAY);
        let why = "a year either way is enough for any certificate, lease or time to live";
        let jump = ranged("jump", &map.jump, Shift(0), (Shift(-most.0), most), why, diagnostics);
        let range = (SignedPercent(-90.0), SignedPercent(1000.0));
        let why = "10% makes a minute last 66 s on the server's clock, -10% makes it 54 s";
        let none = SignedPercent(0.0);
        let drift = ranged("drift", &map.drift, none, range, why, diagnostics);
        let bad = matches!(map.jump, Field::Bad) || matches!(map.drift, Field::Bad);
        if jump == Shift(0) && drift == none && !bad {
            let message = "a clock step needs the key `jump` or `drift`";
            let told = Diagnostic::new(&context.step.span, message);
            diagnostics.push(told.advise("write `jump: +2m`, `jump: -30s` or `drift: 10%`"));
        }
        map.filled()
    }

    fn how(&self) -> String {
        let jump = match self.jump {
            Shift(0) => String::new(),
            jump => format!(" by {jump}"),
        };
        match self.drift {
            SignedPercent(0.0) => jump,
            drift => format!("{jump}, drifting by {drift}"),
        }
    }
}

//! A step that gives servers too little of the processor.

use std::time::Duration;

use super::declare::{Rule, step};
use super::shared::Context;
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::quantity::{Percent, Time};
use crate::spec::rules::check_range;
use crate::spec::tools::Tools;

const EITHER: &str = "write `cpu: 10%` for a share of one CPU, or `sleep: 200ms` for a server that \
                      does nothing meanwhile";

step! {
    /// Gives servers too little of the processor: a share of one CPU, or none at all for
    /// moments (DEBUG SLEEP).
    Slow SlowMap "a slow step" [Target, For] {
        /// The share of one CPU that they get.
        optional "cpu" cpu: Percent,
        /// For how long they do nothing.
        optional "sleep" sleep: Time,
        /// How often they sleep. Default: once.
        optional "every" every: Time,
    }
}

impl Rule for Slow {
    type Map = SlowMap;

    fn check(
        map: &SlowMap,
        context: &mut Context<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Slow> {
        match (&map.cpu, &map.sleep) {
            (Field::Missing, Field::Missing) => {
                let message = "a slow step needs the key `cpu` or `sleep`";
                diagnostics.push(Diagnostic::new(&context.step.span, message).advise(EITHER));
            }
            (Field::Given(cpu), Field::Missing) => {
                if let Some(every) = map.every.given() {
                    let told = Diagnostic::new(&every.span, "`every` says how often servers sleep");
                    diagnostics.push(told.advise("leave it out: `cpu` holds all the time"));
                }
                let range = (Percent(1.0), Percent(100.0));
                let why = "it is a share of one CPU";
                check_range("cpu", &cpu.value, &cpu.span, range, why, diagnostics);
            }
            (Field::Missing, Field::Given(sleep)) => check_sleep(map, sleep, context, diagnostics),
            (Field::Given(_), Field::Given(at)) => {
                let told =
                    Diagnostic::new(&at.span, "a slow step has `cpu` or `sleep`, and not both");
                diagnostics.push(told.advise(EITHER));
            }
            _ => {}
        }
        map.filled()
    }

    fn how(&self) -> String {
        match (self.cpu, self.sleep, self.every) {
            (Some(cpu), ..) => format!(", to {cpu} of a CPU"),
            (_, Some(sleep), None) => format!(", asleep for {sleep}"),
            (_, Some(sleep), Some(every)) => format!(", asleep for {sleep} of every {every}"),
            _ => String::new(),
        }
    }

    fn own_time(&self) -> Option<Duration> {
        // One sleep ends by itself.
        self.sleep.filter(|_| self.every.is_none()).map(|sleep| sleep.0)
    }

    fn tools(&self) -> Tools {
        Tools { preload: false, debug: self.sleep.is_some() }
    }
}

fn check_sleep(
    map: &SlowMap,
    sleep: &At<Time>,
    context: &Context<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let range = (Time(Duration::from_millis(1)), Time(Duration::from_secs(60)));
    let why = "for longer, write `do: pause`";
    check_range("sleep", &sleep.value, &sleep.span, range, why, diagnostics);
    match (map.every.given(), context.step.lasts.given()) {
        (Some(every), _) if every.value <= sleep.value => {
            let message = "a server cannot sleep more often than it wakes up";
            let told = Diagnostic::new(&every.span, message);
            diagnostics.push(told.advise("`every` counts from one falling asleep to the next"));
        }
        (None, Some(lasts)) => {
            let told = Diagnostic::new(&lasts.span, "one sleep ends by itself");
            let advice = "leave `for` out, or say `every` how long they sleep";
            diagnostics.push(told.advise(advice));
        }
        _ => {}
    }
    let group = &*context.group;
    if let Some(set @ ("no" | "NO")) = group.directive("enable-debug-command") {
        let message = format!("`{}` has `enable-debug-command: {set}`, so nobody may", group.name);
        let told = Diagnostic::new(&sleep.span, message);
        let advice = "take it out of the group's `config`, or write `cpu` instead";
        diagnostics.push(told.advise(advice));
    }
    let advice = "for sentinels write `cpu` instead, or `do: pause`";
    context.refuse_sentinels("do not know DEBUG SLEEP", advice, diagnostics);
}

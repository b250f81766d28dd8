//! `redrill replicate`: the reference replicator of one directed pair of groups. The drill starts
//! it as a program of its own; what it is told and tells stands in `sync/protocol.rs`.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Builder;

use crate::log::OrUnheard;
use crate::sync::protocol::{Greeting, Order, Progress, VERSION};
use crate::sync::replicator::replicate;

/// How often it tells how far it is.
const EVERY: Duration = Duration::from_millis(100);

/// Carry what is written in one group to another; see docs/topologies.md
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn main(_: Args) -> ExitCode {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    say(&Greeting { protocol: VERSION, name: "redrill replicate".to_owned(), version });
    let mut line = String::new();
    if std::io::stdin().read_line(&mut line).is_err() || line.is_empty() {
        return ExitCode::SUCCESS;
    }
    let (order, rule) = match Order::parse(&line) {
        Ok(order) => order,
        Err(why) => {
            // Not the line itself: it may have a password.
            eprintln!("this is no order: {why}");
            return ExitCode::FAILURE;
        }
    };
    let progress = Arc::new(Mutex::new(Progress::default()));
    let told = progress.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(EVERY);
            let now = told.lock().clone();
            say(&now);
        }
    });
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    std::thread::spawn(move || {
        // Nothing more comes on its input but the end.
        std::io::stdin().read_to_end(&mut Vec::new()).or_unheard();
        std::process::exit(0);
    });
    runtime.block_on(replicate(order, rule, progress));
    ExitCode::SUCCESS
}

fn say(line: &impl serde::Serialize) {
    if let Ok(text) = serde_json::to_string(line) {
        // Whoever reads this may have ended.
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}").or_unheard();
        out.flush().or_unheard();
    }
}

//! One exit code for each kind of failure, so that a script can tell them apart.
//! (A verdict's own codes are [`crate::model::Verdict::exit_code`].)

/// The command line made no sense.
pub const USAGE: u8 = 64;
/// A file that a person wrote is faulty.
pub const BAD_FILE: u8 = 65;
/// The machine lacks something: a server binary, a free port, room on the disk.
pub const ENVIRONMENT: u8 = 69;
/// A bug in redrill.
pub const BUG: u8 = 70;
/// Interrupted, after cleaning up.
pub const INTERRUPTED: u8 = 130;

/// Tells the error as clap tells its own, and gives the exit code.
pub fn fail(code: u8, error: &dyn std::fmt::Display) -> std::process::ExitCode {
    super::terminal::say(&format!("error: {error}"));
    std::process::ExitCode::from(code)
}

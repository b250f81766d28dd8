//! One exit code for each kind of failure, so that a script can tell them apart.
//! (A verdict's own codes are [`crate::model::Verdict::exit_code`].)

use std::fmt;
use std::panic::{UnwindSafe, catch_unwind};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use super::terminal;
use crate::backend::BackendError;
use crate::backend::docker::error::DockerError;
use crate::backend::registry::RegistryError;
use crate::cluster::FormError;
use crate::load::history::HistoryError;
use crate::model::printable_lines;
use crate::report::ReportError;

/// The section of `--help` about exit codes.
pub const CODES: &str = "\
Exit codes:
  0    pass
  1    an expectation does not hold, a step went wrong, or a checker found a violation
  2    unknown: redrill could not find out
  64   the command line makes no sense, or the name given to show, status or down does not exist
  65   a scenario, a topology, a profile, a run folder or a `--set` has errors or does not exist
  69   the machine lacks something: a server, an address, room on the disk, memory, open
       files; or standard output cannot be written
  70   a bug in redrill
  130  interrupted, after cleaning up";

/// The command line makes no sense, or names something that does not exist and cannot be a
/// file.
pub const USAGE: u8 = 64;
/// A file that a person wrote has errors or does not exist.
pub const BAD_FILE: u8 = 65;
/// The machine lacks something: a server binary, a free port, room on the disk.
pub const ENVIRONMENT: u8 = 69;
/// A bug in redrill.
pub const BUG: u8 = 70;
/// Interrupted, after cleaning up.
pub const INTERRUPTED: u8 = 130;

/// Prints the error in clap's form and returns the exit code.
pub fn fail(code: u8, error: &dyn fmt::Display) -> ExitCode {
    terminal::say(&printable_lines(&format!("error: {error}")));
    ExitCode::from(code)
}

/// Why a command ends without having done its work.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    pub code: u8,
    pub text: String,
}

impl Failure {
    pub fn new(code: u8, text: impl fmt::Display) -> Failure {
        Failure { code, text: text.to_string() }
    }
}

/// The exit code of a command. A failure is printed first.
pub fn of(done: Result<ExitCode, Failure>) -> ExitCode {
    done.unwrap_or_else(|failure| fail(failure.code, &failure.text))
}

macro_rules! codes {
    ($($error:ty: $code:expr;)*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                let code: fn(&$error) -> u8 = $code;
                Failure::new(code(&error), error)
            }
        }
    )*};
}
codes! {
    BackendError: |_| ENVIRONMENT;
    DockerError: |_| ENVIRONMENT;
    FormError: |error| if error.blames_topology() { BAD_FILE } else { ENVIRONMENT };
    RegistryError: |error| match error {
        RegistryError::BadName { .. } | RegistryError::Taken { .. } => USAGE,
        _ => ENVIRONMENT,
    };
    ReportError: |error| match error {
        ReportError::Write { .. }
        | ReportError::History(HistoryError::Keep { .. } | HistoryError::Write { .. }) => {
            ENVIRONMENT
        }
        ReportError::Render { .. } => BUG,
        _ => BAD_FILE,
    };
}

/// Runs `work`. A panic, which has printed its place already, becomes a separate exit code. The
/// unwinding has ended all servers.
pub fn unless_bug(work: impl FnOnce() -> ExitCode + UnwindSafe) -> ExitCode {
    catch_unwind(work).unwrap_or_else(|_| {
        fail(BUG, &"this is a bug in redrill; please report it with the lines above")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_bad_file() {
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let keep = HistoryError::Keep { path: "/tmp".into(), source: full() };
        assert_eq!(Failure::from(ReportError::History(keep)).code, ENVIRONMENT);
        let read = HistoryError::Read { path: "/tmp".into(), source: full() };
        assert_eq!(Failure::from(ReportError::History(read)).code, BAD_FILE);
    }

    #[test]
    fn a_panic_is_a_bug() {
        assert_eq!(unless_bug(|| panic!("as a test")), ExitCode::from(BUG));
        assert_eq!(unless_bug(|| ExitCode::from(USAGE)), ExitCode::from(USAGE));
    }
}

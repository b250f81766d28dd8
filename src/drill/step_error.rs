//! Why a step failed.

use crate::backend::BackendError;
use crate::cluster::members::MemberError;
use crate::cluster::moving::MoveError;
use crate::fault::FaultError;

/// For a person, and for whoever judges it.
#[derive(Debug)]
pub struct StepError {
    pub text: String,
    /// Something was not seen, or did not happen, in time. On a busy machine that may not be the
    /// servers' fault.
    pub in_time: bool,
    /// No server is to blame, but redrill, or the engine or kernel that runs the servers.
    pub own: bool,
}

impl StepError {
    /// Whatever the machine did meanwhile, this went wrong.
    pub fn certain(text: impl ToString) -> StepError {
        StepError { text: text.to_string(), in_time: false, own: false }
    }

    /// It took too long.
    pub fn in_time(text: impl ToString) -> StepError {
        StepError { text: text.to_string(), in_time: true, own: false }
    }
}

impl From<MoveError> for StepError {
    fn from(error: MoveError) -> StepError {
        StepError { in_time: error.is_of_time(), text: error.to_string(), own: false }
    }
}

impl From<MemberError> for StepError {
    fn from(error: MemberError) -> StepError {
        StepError { in_time: error.is_of_time(), text: error.to_string(), own: false }
    }
}

impl From<BackendError> for StepError {
    fn from(error: BackendError) -> StepError {
        FaultError::from(error).into()
    }
}

impl From<FaultError> for StepError {
    fn from(error: FaultError) -> StepError {
        let own = matches!(&error, FaultError::Backend(error) if error.is_own());
        StepError { in_time: error.is_of_time(), text: error.to_string(), own }
    }
}

//! How a file is to be read, and what for.

use super::capabilities::Capabilities;
use super::source::Source;

/// What a file is read for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To check it. All profiles of a scenario are checked.
    #[default]
    Check,
    /// To run it: what this version cannot run is an error too.
    Run,
    /// To run it without redrill: what redrill itself would do is an error too.
    Compose,
}

/// How a file is to be read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub purpose: Purpose,
    /// Texts of `--set`: `KEY=VALUE`. For a scenario, those whose first key is one of
    /// [`TOPOLOGY_KEYS`](super::TOPOLOGY_KEYS) change its topology.
    pub set: Vec<String>,
    /// The profile of the scenario to use.
    pub profile: Option<String>,
    /// The topology to use instead of the one that the scenario names.
    pub topology: Option<Source>,
    /// What servers can do where they are to run: what asks for more is an error.
    pub capabilities: Capabilities,
}

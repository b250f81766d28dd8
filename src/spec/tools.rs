//! What servers are started with besides their configuration.

/// What servers must be started with, so that a scenario can be played on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tools {
    /// redrill's preload library, which sets off clocks and makes disks full or slow.
    pub preload: bool,
    /// `enable-debug-command`.
    pub debug: bool,
}

impl Tools {
    pub fn is_none(self) -> bool {
        self == Tools::default()
    }

    pub fn and(self, other: Tools) -> Tools {
        Tools { preload: self.preload || other.preload, debug: self.debug || other.debug }
    }
}

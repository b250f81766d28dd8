//! What servers can do where they are to run, as data: a file that asks for more is refused at
//! its line. The backend says what it can do; this module only compares.

/// The default is a place that can do everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Keep a server within limits of CPU and memory.
    pub limits: Ability,
    /// Cut servers off from each other in the kernel.
    pub kernel_cuts: Ability,
    /// Load redrill's preload library into a server.
    pub preload: Ability,
}

pub type Ability = Result<(), Lack>;

/// Why something cannot be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The end of a sentence: `` `cpus` cannot be kept … ``, `the kernel cannot cut …`; for the
    /// preload library a sentence.
    pub why: String,
    /// What to write instead.
    pub advice: &'static str,
    /// This machine lacks something that others have: the file is right.
    pub of_machine: bool,
}

impl Default for Capabilities {
    fn default() -> Capabilities {
        Capabilities { limits: Ok(()), kernel_cuts: Ok(()), preload: Ok(()) }
    }
}

impl Capabilities {
    /// Whether this machine lacks something that others have.
    pub fn blame_machine(&self) -> bool {
        let all = [&self.limits, &self.kernel_cuts, &self.preload];
        all.into_iter().any(|ability| ability.as_ref().is_err_and(|lack| lack.of_machine))
    }
}

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

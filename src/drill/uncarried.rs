//! What has not come from one group to another one in time.

use std::fmt;

pub struct Uncarried {
    /// What is missing, and where.
    pub why: String,
    /// Whoever carries may only be late: it runs, and has brought something before.
    pub may_be_late: bool,
    /// redrill itself does not watch any more how far they are.
    pub unwatched: bool,
}

impl Uncarried {
    pub fn late(why: impl Into<String>) -> Uncarried {
        Uncarried { why: why.into(), may_be_late: true, unwatched: false }
    }

    pub fn unwatched() -> Uncarried {
        let why = "nobody watches the replicators any more";
        Uncarried { unwatched: true, ..Uncarried::late(why) }
    }
}

impl fmt::Display for Uncarried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

//! A place where an engine may be.

use std::path::Path;

const UNIX: &str = "unix://";

/// One place where an engine may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `unix:///var/run/docker.sock`
    pub host: String,
    /// Where that comes from: `DOCKER_HOST`, `the context "desktop"`, …
    pub from: String,
}

impl Endpoint {
    pub(super) fn socket(path: impl AsRef<Path>, from: &str) -> Endpoint {
        Endpoint { host: format!("{UNIX}{}", path.as_ref().display()), from: from.to_owned() }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.host.strip_prefix(UNIX).map(Path::new)
    }

    pub(super) fn is_there(&self) -> bool {
        self.path().is_none_or(Path::exists)
    }
}

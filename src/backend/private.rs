//! What only its owner may read: the folder of the nodes, in which their configuration is, and the
//! password of a drill's servers beside them.
//!
//! A sentinel writes its file anew with the usual mode. So the folders are closed too.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::model::Password;

/// The mode of a file that only its owner may read.
pub const MODE: u32 = 0o600;

/// Creates the folder, and those above it that are not there.
pub fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The folder of the nodes in a run folder.
pub fn nodes_dir(run_folder: &Path) -> PathBuf {
    run_folder.join("nodes")
}

pub fn write(path: &Path, content: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(MODE);
    options.open(path)?.write_all(content.as_bytes())
}

/// Where the password of the servers is whose files are in `directory`. It goes with them.
pub fn password_file(directory: &Path) -> PathBuf {
    // No node has this name: their names end with two numbers.
    nodes_dir(directory).join("password")
}

pub fn keep_password(directory: &Path, password: &Password) -> io::Result<()> {
    make_dir(&nodes_dir(directory))?;
    write(&password_file(directory), &format!("{}\n", password.reveal()))
}

/// `None` if servers have none, or if it is not for this user.
pub fn password(directory: &Path) -> Option<Password> {
    let text = fs::read_to_string(password_file(directory)).ok()?;
    Some(Password::new(text.trim_end()))
}

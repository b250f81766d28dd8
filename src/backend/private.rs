//! What only its owner may read: the folder of the nodes, in which their configuration is, and the
//! password of a drill's servers beside them.
//!
//! A sentinel writes its file anew with the usual mode. So the folders are closed too.

use std::io;
use std::path::{Path, PathBuf};

use crate::files::{make, read};
use crate::model::Password;

/// More than any password has.
const MOST_BYTES: u64 = 64 << 10;

/// The folder of the nodes in a run folder.
pub fn nodes_dir(run_folder: &Path) -> PathBuf {
    run_folder.join("nodes")
}

/// Where the password of the servers is whose files are in `directory`. It goes with them.
pub fn password_file(directory: &Path) -> PathBuf {
    // No node has this name: their names end with two numbers.
    nodes_dir(directory).join("password")
}

pub fn keep_password(directory: &Path, password: &Password) -> io::Result<()> {
    make::dir(&nodes_dir(directory))?;
    make::write(&password_file(directory), format!("{}\n", password.reveal()))
}

/// `None` if servers have none, or if it is not for this user.
pub fn password(directory: &Path) -> Option<Password> {
    let text = read::open_inside(&password_file(directory)).ok()?;
    let text = String::from_utf8(read::whole(text, MOST_BYTES).ok()?).ok()?;
    Some(Password::new(text.trim_end()))
}

//! A disk that is full, or slow, as the preload library lets a server see it.

use super::active::Applied;
use crate::backend::preload::Control;

/// Where both kinds of files are meant by several, all files are.
fn both(files: &mut String, others: &str, is_first: bool) {
    match is_first {
        true => *files = others.to_owned(),
        false if files != others => files.clear(),
        false => {}
    }
}

pub(super) fn add(left: &[&Applied], control: &mut Control) {
    let mut is_slow = false;
    for what in left {
        match what {
            Applied::FullDisk { files } => {
                both(&mut control.full_files, files, !control.full);
                control.full = true;
            }
            Applied::SlowDisk { fsync, write, files } => {
                both(&mut control.slow_files, files, !is_slow);
                is_slow = true;
                control.fsync = control.fsync.max(fsync.as_nanos() as u64);
                control.write = control.write.max(write.as_nanos() as u64);
            }
            _ => {}
        }
    }
}

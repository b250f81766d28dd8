//! Reading what may come from anybody, within bounds.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::model::Unit;

/// The longest line of a history, of events and of what a program answers.
pub const LINE: usize = 4_000_000;

/// Opens a file that a person named; a link is followed.
///
/// # Errors
/// It does not exist, or is no regular file: opening a pipe or a device may never end.
pub fn open(path: &Path) -> io::Result<File> {
    regular(path, OFlags::NONBLOCK)
}

/// Opens a file of a run folder or of redrill's state. A link is refused, because the folder may be
/// somebody else's, and nothing outside of it is to be read.
pub fn open_inside(path: &Path) -> io::Result<File> {
    if path.is_symlink() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a link"));
    }
    regular(path, OFlags::NONBLOCK | OFlags::NOFOLLOW)
}

fn regular(path: &Path, flags: OFlags) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?;
    let about = file.metadata()?;
    match () {
        () if about.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        () if about.is_file() => Ok(file),
        () => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    }
}

/// All of a file, of `most` bytes at most.
pub fn whole(file: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(too_large("it has", most)),
        false => Ok(bytes),
    }
}

/// The next line into `line`, with its end, and how many bytes it has; 0 at the end of the input.
///
/// # Errors
/// The line has more than `most` bytes. No more of it is read.
pub fn line(input: &mut impl BufRead, line: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    line.clear();
    let read = input.take(most as u64 + 1).read_until(b'\n', line)?;
    match read > most {
        true => Err(too_large("a line has", most as u64)),
        false => Ok(read),
    }
}

/// The error for what has more than `most` bytes.
pub fn too_large(what: &str, most: u64) -> io::Error {
    let text = format!("{what} more than {}, which is the limit", Unit::Bytes.show(most as f64));
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_is_read_up_to_the_limit_only() {
        let mut endless = io::BufReader::new(io::repeat(b'x'));
        let mut text = Vec::new();
        let refused = line(&mut endless, &mut text, 2_000).unwrap_err();
        assert_eq!(refused.to_string(), "a line has more than 2.0 kB, which is the limit");
        assert!(text.len() <= 2_001);
        let mut lines = &b"one\n\ntwo"[..];
        let mut next = || line(&mut lines, &mut text, 4).map(|n| (n, text.clone())).unwrap();
        let read = [next(), next(), next(), next()];
        let texts = read.map(|(n, text)| (n, String::from_utf8(text).unwrap()));
        let expected = [(4, "one\n"), (1, "\n"), (3, "two"), (0, "")];
        assert_eq!(texts, expected.map(|(n, text)| (n, text.to_owned())));
    }

    #[test]
    fn pipes_folders_and_links_out_of_a_folder_are_no_files() {
        let dir = tempfile::tempdir().unwrap();
        let [pipe, link] = ["pipe", "link"].map(|name| dir.path().join(name));
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        for open in [open, open_inside] {
            assert_eq!(open(&pipe).unwrap_err().to_string(), "it is not a regular file");
            assert_eq!(open(dir.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        }
        assert_eq!(open_inside(&link).unwrap_err().to_string(), "it is a link");
        assert_eq!(whole(&b"12345"[..], 5).unwrap(), b"12345");
        assert!(whole(&b"123456"[..], 5).is_err());
    }
}

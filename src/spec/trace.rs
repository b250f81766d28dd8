//! One's own accesses: a file with a key in each line, in the order in which they were asked for.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::read;

/// A larger file is not read.
const MOST: u64 = 1 << 30;
/// No key has more bytes.
const LONGEST: usize = 512;
/// And the end of a line no more of them.
const BLANKS: usize = 512;

/// Which keys are asked for, in which order. After the last one it begins anew.
#[derive(Clone, PartialEq)]
pub struct Trace {
    /// Where it was read from.
    pub file: PathBuf,
    /// Keys have their numbers in the order in which the file has them first. There is one access at
    /// least.
    pub accesses: Arc<[u32]>,
    /// How many different ones there are.
    pub keys: u64,
}

/// Why a file is no trace. It does not quote the file, which may be anybody's.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("is no file")]
    NoFile,
    #[error("has more than {MOST} bytes")]
    Large,
    #[error("has no keys")]
    Empty,
    #[error("has no key in line {0}: it is to have one, of {LONGEST} bytes at most and no blanks")]
    NoKey(usize),
}

impl Trace {
    /// Reads it.
    ///
    /// # Errors
    /// The file cannot be read, is empty, or a line is not a key.
    pub fn read(file: &Path) -> Result<Trace, TraceError> {
        // Devices and the like may have no end.
        if !std::fs::metadata(file)?.is_file() {
            return Err(TraceError::NoFile);
        }
        let opened = read::open(file)?;
        if opened.metadata()?.len() > MOST {
            return Err(TraceError::Large);
        }
        let (mut numbers, mut accesses) = (HashMap::new(), Vec::new());
        let (mut lines, mut line) = (BufReader::new(opened), Vec::new());
        for number in 1.. {
            match read::line(&mut lines, &mut line, LONGEST + BLANKS) {
                Ok(0) => break,
                Err(e) if e.kind() == io::ErrorKind::FileTooLarge => {
                    return Err(TraceError::NoKey(number));
                }
                read => drop(read?),
            }
            let key = line.trim_ascii_end();
            let is_key = (1..=LONGEST).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
            if !is_key {
                return Err(TraceError::NoKey(number));
            }
            let next = numbers.len() as u32;
            accesses.push(*numbers.entry(key.to_vec()).or_insert(next));
        }
        if accesses.is_empty() {
            return Err(TraceError::Empty);
        }
        let file = std::path::absolute(file)?;
        Ok(Trace { file, accesses: accesses.into(), keys: numbers.len() as u64 })
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({}, {} accesses)", self.file.display(), self.accesses.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Trace, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Trace::read(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_numbered_as_they_come() {
        let trace = read(b"user:7\nuser:3\r\nuser:7\n12\nuser:3").unwrap();
        assert_eq!((&*trace.accesses, trace.keys), (&[0, 1, 0, 2, 1][..], 3));
        assert!(trace.file.is_absolute());
    }

    #[test]
    fn what_is_no_trace_is_told_by_its_line() {
        let line = |n: usize| format!("has no key in line {n}: ");
        for (text, why) in [
            (&b""[..], "has no keys".to_owned()),
            (b"\n", line(1)),
            (b"a\n\nb\n", line(2)),
            (b"a\nGET b\n", line(2)),
            (b"a\nb\n\xFF\xFE\n", line(3)),
            (&[b'a'; 513], line(1)),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.starts_with(&why), "{told}");
        }
        assert!(matches!(Trace::read(Path::new("/dev/zero")), Err(TraceError::NoFile)));
        assert!(matches!(Trace::read(Path::new("/none")), Err(TraceError::Unreadable(_))));
    }
}

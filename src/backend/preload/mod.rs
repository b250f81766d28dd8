//! A small library of redrill that is loaded into servers before libc. It changes their clock,
//! and makes their disk full or slow. It is part of the binary, and only servers that need it
//! for a scenario get it.
//!
//! A file beside it controls it, the [`Control`], which it reads every 10 ms.

use crate::files::make;
use crate::log::OrLogged;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// Empty if it cannot be built for this machine.
pub const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/preload.so"));
/// The file name of the library.
pub const FILE: &str = "redrill-preload.so";
/// The environment variable that names the file with the [`Control`].
pub const CONTROL: &str = "REDRILL_CONTROL";
/// The dynamic loader's own variable.
pub const LOAD: &str = "LD_PRELOAD";
/// With this variable, the library prints [`WORD`] when its program ends.
pub const HELLO: &str = "REDRILL_PRELOAD_HELLO";
pub const WORD: &str = "redrill-preload";

/// The longest part of a path that the library can look for, in bytes.
pub const LONGEST_PATH: usize = 63;

const MAGIC: u64 = u64::from_le_bytes(*b"REDRILL1");

/// What the library does to a server. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// By how many nanoseconds its clock is ahead.
    pub jump: i64,
    /// Millionths by which its clock is too fast.
    pub drift: i64,
    /// For how many nanoseconds it has drifted.
    pub drift_age: i64,
    /// Nanoseconds that an fsync, or fdatasync, takes longer.
    pub fsync: u64,
    /// Nanoseconds that a write to a file takes longer.
    pub write: u64,
    /// Writes fail because there is no room.
    pub full: bool,
    /// It acts on files whose path contains this; on all files if it is empty.
    pub full_files: String,
    pub slow_files: String,
}

impl Control {
    /// In the form that the library reads: on the same machine, or one with the same kind of
    /// processor.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(MAGIC.to_ne_bytes());
        [self.jump, self.drift, self.drift_age].iter().for_each(|n| bytes.extend(n.to_ne_bytes()));
        let full = u64::from(self.full);
        [self.fsync, self.write, full].iter().for_each(|n| bytes.extend(n.to_ne_bytes()));
        for files in [&self.full_files, &self.slow_files] {
            let mut name = [0; LONGEST_PATH + 1];
            let length = files.len().min(LONGEST_PATH);
            name[..length].copy_from_slice(&files.as_bytes()[..length]);
            bytes.extend(name);
        }
        bytes.extend(MAGIC.to_ne_bytes());
        bytes
    }
}

/// Why no server can have the library, if that is so.
pub fn is_missing() -> Option<&'static str> {
    LIBRARY.is_empty().then_some(
        "this redrill was built without its preload library, which there is for Linux on x86_64 \
         and aarch64",
    )
}

/// Why the server at `binary` cannot load the library, if that is so. It is tried.
pub fn is_refused_by(binary: &Path) -> Option<String> {
    if let Some(why) = is_missing() {
        return Some(why.to_owned());
    }
    match version_with_library(binary) {
        Ok(said) if said.contains(WORD) => None,
        Err(e) => Some(format!("redrill's preload library cannot be tried: {e}")),
        Ok(_) => Some(format!(
            "`{}` does not load redrill's preload library: it is statically linked, or built for \
             another processor, or what runs it takes {LOAD} away",
            binary.display()
        )),
    }
}

fn version_with_library(binary: &Path) -> io::Result<String> {
    let number: u64 = rand::random();
    let folder = std::env::temp_dir().join(format!("redrill-preload-{number:016x}"));
    make::new_dir(&folder)?;
    let tried = make::write(&folder.join(FILE), LIBRARY).and_then(|()| {
        let mut command = Command::new(std::path::absolute(binary)?);
        // It has printed its version without the library before, so it ends.
        load(&mut command, &folder).env(HELLO, "1").arg("--version").stdin(Stdio::null()).output()
    });
    std::fs::remove_dir_all(&folder).or_logged("remove a trial's folder");
    Ok(String::from_utf8_lossy(&tried?.stdout).into_owned())
}

/// Whether the process has loaded the library; `None` if this process may not see it.
pub fn is_loaded_into(pid: u32) -> Option<bool> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    // A process that has ended or is just being started has none.
    (!maps.is_empty()).then(|| maps.contains(FILE))
}

/// Loads the library in `folder`. The path is relative, because the loader accepts no path with
/// a space or a colon.
pub fn load<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    command.current_dir(folder).env(LOAD, format!("./{FILE}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn who_has_not_loaded_it_is_known() {
        assert_eq!(is_loaded_into(std::process::id()), Some(false));
        assert_eq!(is_loaded_into(u32::MAX), None);
    }

    #[test]
    fn the_control_is_as_long_as_the_library_reads() {
        let control = Control { full_files: "a".repeat(99), ..Control::default() };
        let bytes = control.to_bytes();
        assert_eq!(bytes.len(), 7 * 8 + 2 * 64 + 8);
        assert_eq!((bytes[56 + 62], bytes[56 + 63]), (b'a', 0), "a name ends");
    }

    #[test]
    fn the_library_names_no_other() {
        let needed = LIBRARY.windows(7).any(|part| part == b"libc.so" || part == b"GLIBC_2");
        assert!(!needed && !LIBRARY.is_empty());
    }

    #[test]
    fn a_program_that_drops_it_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let path = folder.path().join(name);
            // Not written by this process, see tests/common.
            let made = Command::new("sh")
                .args(["-c", r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod +x "$1""#, "sh"])
                .arg(&path)
                .arg(text)
                .status();
            assert!(made.unwrap().success());
            path
        };
        assert_eq!(is_refused_by(&script("good", "exec true")), None);
        let why = is_refused_by(&script("bad", "unset LD_PRELOAD; exec true")).unwrap();
        assert!(why.contains("does not load redrill's preload library"), "{why}");
    }

    /// The difference between the time that `date` prints with this `control` and the true
    /// time.
    fn shift(control: &Control) -> f64 {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), LIBRARY).unwrap();
        fs::write(folder.path().join("control"), control.to_bytes()).unwrap();
        let mut date = Command::new("date");
        let date = load(&mut date, folder.path()).arg("+%s.%N").env(CONTROL, "control");
        let said = String::from_utf8(date.output().unwrap().stdout).unwrap();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        said.trim().parse::<f64>().unwrap() - now
    }

    #[test]
    fn clocks_jump_and_drift() {
        let near = |control: Control, wanted: f64| {
            let shift = shift(&control);
            assert!((shift - wanted).abs() < 1.0, "{shift} and not {wanted}: {control:?}");
        };
        near(Control::default(), 0.0);
        near(Control { jump: -7_000_000_000, ..Control::default() }, -7.0);
        let (age, fast) = (100_000_000_000, 100_000);
        near(Control { drift: fast, drift_age: age, ..Control::default() }, 10.0);
        near(
            Control { drift: -fast, drift_age: age, jump: 60_000_000_000, ..Control::default() },
            50.0,
        );
    }

    #[test]
    fn disks_are_full_and_slow() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), LIBRARY).unwrap();
        let control = folder.path().join("control");
        let copy = |to: &str| {
            let mut dd = Command::new("dd");
            load(&mut dd, folder.path()).env(CONTROL, &control).args(["if=/dev/zero", "count=1"]);
            let began = std::time::Instant::now();
            let out = dd.args(["conv=fsync", &format!("of={to}")]).output().unwrap();
            (String::from_utf8(out.stderr).unwrap(), began.elapsed().as_millis())
        };
        let full = Control { full: true, full_files: "here/".to_owned(), ..Control::default() };
        fs::create_dir(folder.path().join("here")).unwrap();
        fs::write(&control, full.to_bytes()).unwrap();
        assert!(copy("here/a").0.contains("No space left"), "{}", copy("here/a").0);
        assert!(!copy("a").0.contains("No space left"), "another file");
        let slow = Control { fsync: 300_000_000, write: 400_000_000, ..Control::default() };
        fs::write(&control, slow.to_bytes()).unwrap();
        assert!(copy("a").1 >= 700, "{}", copy("a").1);
        fs::write(&control, Control::default().to_bytes()).unwrap();
        let (said, took) = copy("here/a");
        assert!(!said.contains("No space left") && took < 300, "{took}: {said}");
    }
}

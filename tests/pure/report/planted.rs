//! Run folders that somebody else prepared: links, pipes, lines without end.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use redrill::report;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{fixture, folder};

const FILES: [&str; 3] = ["events.jsonl", "history.jsonl.zst", "scenario.yaml"];

/// What comes of the report of a folder in which `file` was replaced.
fn refusal(file: &str, replace: impl Fn(&Path)) -> Option<String> {
    let folder = folder(&fixture::killed());
    let path = folder.join(file);
    // What the file would be, where it is no link.
    fs::rename(&path, folder.join("moved")).unwrap();
    replace(&path);
    report::build(&folder).err().map(|e| e.to_string())
}

#[test]
fn pipes_and_links_are_no_files_of_a_run() {
    let pipe = |path: &Path| mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let link = |path: &Path| symlink(path.with_file_name("moved"), path).unwrap();
    for file in FILES {
        let (of_pipe, of_link) = (refusal(file, pipe), refusal(file, link));
        if file == "scenario.yaml" {
            // A report can do without.
            assert_eq!((of_pipe, of_link), (None, None));
        } else {
            let (of_pipe, of_link) = (of_pipe.unwrap(), of_link.unwrap());
            assert!(of_pipe.contains("not a r"), "no regular file, no run folder: {of_pipe}");
            assert!(of_link.ends_with("it is a link"), "{file}: {of_link}");
        }
    }
}

#[test]
fn a_line_without_end_is_refused_with_its_limit() {
    let endless = vec![b'x'; 20_000_000];
    let packed = zstd::encode_all(&endless[..], 1).unwrap();
    for (file, content) in [("events.jsonl", &endless), ("history.jsonl.zst", &packed)] {
        let why = refusal(file, |path| fs::write(path, content).unwrap()).unwrap();
        assert!(why.ends_with("a line has more than 4.0 MB, which is the limit"), "{why}");
    }
}

/// `redrill report FOLDER` by a shell that does `first` in its place.
fn report_after(first: &str, folder: &Path) {
    let script = format!("cd \"$1\" && {first} && exec \"$0\" report .");
    let mut shell = Command::new("sh");
    let binary = assert_cmd::cargo::cargo_bin!("redrill");
    let ran = shell.args(["-c", &script]).arg(binary).arg(folder).output().unwrap();
    assert_eq!(ran.status.code(), Some(2), "{}", String::from_utf8_lossy(&ran.stderr));
}

fn reports(folder: &Path) -> Vec<PathBuf> {
    ["report.json", "report.html", "report.md", "junit.xml"].map(|name| folder.join(name)).to_vec()
}

#[test]
fn reports_are_written_through_no_link() {
    let folder = folder(&fixture::killed());
    let victim = folder.join("victim");
    fs::write(&victim, "precious").unwrap();
    for name in reports(&folder) {
        symlink(&victim, name).unwrap();
    }
    // The shell's number is that of redrill, which it becomes.
    let plant = "for name in report.json report.html report.md junit.xml; do \
                 ln -s victim $name.$$.tmp; done";
    report_after(plant, &folder);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert!(reports(&folder).iter().all(|path| !path.is_symlink() && path.is_file()));
}

#[test]
fn nobody_else_may_write_a_report_whatever_the_umask() {
    let folder = folder(&fixture::killed());
    report_after("umask 000", &folder);
    for path in reports(&folder) {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}

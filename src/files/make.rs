//! New files and folders, with their modes, whatever the umask is.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::OFlags;
use rustix::process::{geteuid, umask};

/// The mode of a file that only its owner may read.
pub const MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;
/// Of a file's mode: others than its owner may write it.
const OTHERS_WRITE: u32 = 0o022;

/// From now on no other user may open what this process makes without a mode of its own, nor what
/// the servers that it starts make.
pub fn for_this_user_only() {
    umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Makes the folder, and those above it that do not exist.
pub fn dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(path)
}

/// Makes the folder.
///
/// # Errors
/// There is something of this name already.
pub fn new_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(DIR_MODE).create(path)
}

/// Makes the file, for reading and writing.
///
/// # Errors
/// There is something of this name already, a link included.
pub fn new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(MODE).custom_flags(no_follow()).open(path)
}

/// Makes the file in place of the one that has its name. A link is replaced, not followed.
///
/// # Errors
/// There is something else of this name, such as a device or a folder, which stays.
pub fn anew(path: &Path) -> io::Result<File> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_file() || about.is_symlink() => fs::remove_file(path)?,
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    new(path)
}

/// [`anew`], with its content.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    anew(path)?.write_all(content.as_ref())
}

/// Replaces the file at once, so that nobody reads half of it.
pub fn replace(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    replace_when(path, content.as_ref(), |_| Ok(()))
}

/// [`replace`], once the content is on the disk.
pub fn replace_durably(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    replace_when(path, content.as_ref(), File::sync_all)
}

fn replace_when(
    path: &Path,
    content: &[u8],
    is_ready: impl Fn(&File) -> io::Result<()>,
) -> io::Result<()> {
    let is_replaceable = |about: fs::Metadata| about.is_file() || about.is_symlink();
    if !fs::symlink_metadata(path).map_or(true, is_replaceable) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let draft = draft(path);
    let written = new(&draft)
        .and_then(|mut file| file.write_all(content).and_then(|()| is_ready(&file)))
        .and_then(|()| fs::rename(&draft, path));
    written.inspect_err(|_| drop(fs::remove_file(&draft)))
}

/// Makes the file with all of its content at once.
///
/// # Errors
/// There is something of this name already.
pub fn put_new(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    let draft = draft(path);
    let put = new(&draft)
        .and_then(|mut file| file.write_all(content.as_ref()))
        .and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    put
}

/// Opens the file for appending, and makes it if it does not exist. A link is refused.
pub fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(MODE).custom_flags(no_follow()).open(path)
}

/// A file in `folder` without a name: it is gone with this process.
pub fn nameless(folder: &Path) -> io::Result<File> {
    let path = draft(&folder.join("redrill"));
    let file = new(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// A name beside `path` that nobody guesses.
fn draft(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (number, guess) = (NEXT.fetch_add(1, Ordering::Relaxed), rand::random::<u64>());
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".draft-{number}-{guess:016x}"));
    name.into()
}

/// Why others than this user may have written what `about` describes. `None` if they may not.
pub fn foreign(about: &fs::Metadata) -> Option<String> {
    let (own, owner) = (geteuid().as_raw(), about.uid());
    if owner != own {
        return Some(format!("it belongs to user {owner}, and this is user {own}"));
    }
    let mode = about.mode() & 0o7777;
    (mode & OTHERS_WRITE != 0).then(|| format!("others may write it (mode {mode:o})"))
}

/// A folder of this user that stays the one that was opened, whatever becomes of its name.
#[derive(Debug)]
pub struct OwnDir(File);

impl OwnDir {
    /// # Errors
    /// There is no such folder, it is a link, or others may write in it.
    pub fn open(path: &Path) -> io::Result<OwnDir> {
        let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
        let folder = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?;
        match foreign(&folder.metadata()?) {
            None => Ok(OwnDir(folder)),
            Some(why) => Err(io::Error::new(io::ErrorKind::PermissionDenied, why)),
        }
    }

    /// A path to what is called `name` in it. It holds as long as this value.
    pub fn join(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd()).into()
    }
}

fn no_follow() -> i32 {
    OFlags::NOFOLLOW.bits() as i32
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn nothing_is_written_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let [victim, link] = ["victim", "link"].map(|name| dir.path().join(name));
        let planted = || {
            drop(fs::remove_file(&link));
            fs::write(&victim, "precious").unwrap();
            symlink(&victim, &link).unwrap();
        };
        let untouched = || assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        planted();
        assert!(new(&link).is_err() && append(&link).is_err() && put_new(&link, "x").is_err());
        untouched();
        for is_at_once in [false, true] {
            planted();
            if is_at_once { replace(&link, "new") } else { write(&link, "new") }.unwrap();
            untouched();
            assert!(!link.is_symlink() && fs::read_to_string(&link).unwrap() == "new");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "drafts are removed");
    }

    #[test]
    fn pipes_and_folders_are_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let (fifo, own) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, fifo, own, 0).unwrap();
        let folder = dir.path().join("folder");
        new_dir(&folder).unwrap();
        for path in [&pipe, &folder] {
            assert!(anew(path).is_err() && replace(path, "x").is_err());
        }
        assert!(!fs::metadata(&pipe).unwrap().is_file() && folder.is_dir());
    }

    #[test]
    fn folders_that_others_may_write_in_are_not_this_users_own() {
        let dir = tempfile::tempdir().unwrap();
        let [own, link] = ["own", "link"].map(|name| dir.path().join(name));
        super::dir(&own).unwrap();
        symlink(&own, &link).unwrap();
        assert!(OwnDir::open(&own).is_ok());
        assert!(OwnDir::open(&link).is_err());
        fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).unwrap();
        let refused = OwnDir::open(&own).unwrap_err().to_string();
        assert_eq!(refused, "others may write it (mode 777)");
    }
}

//! Files that are either old or new, never half written: what a killed run or a full disk leaves behind can be read.
//! And files that are a run's own: its folder may come from elsewhere, and a link in it may lead to a file of the
//! user's.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};
use thiserror::Error;

/// A file that could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    #[error("cannot read {}: {error}; check that it exists and that you may read it", path.display())]
    Read { path: PathBuf, error: io::Error },

    #[error("cannot write {}: {error}; check that its folder exists and that you may write there", path.display())]
    Write { path: PathBuf, error: io::Error },

    /// The disk, or the user's share of it, is full, or files may not grow any more.
    #[error("cannot write {}: {error}; {advice}", path.display())]
    DiskFull { path: PathBuf, error: io::Error, advice: &'static str },

    #[error(
        "{} is {what}; expected a file of the run's own. Put a copy of what it stands for in its place, or remove it",
        path.display()
    )]
    Foreign { path: PathBuf, what: &'static str },
}

impl FileError {
    pub(crate) fn reading(path: &Path, error: io::Error) -> Self {
        Self::Read { path: path.into(), error }
    }

    pub(crate) fn writing(path: &Path, error: io::Error) -> Self {
        let path = path.into();
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, error, advice: "free some space" }
            }
            ErrorKind::FileTooLarge => Self::DiskFull { path, error, advice: "raise the limit (`ulimit -f`)" },
            _ => Self::Write { path, error },
        }
    }
}

/// The contents of a file of a run.
///
/// # Errors
///
/// The operating system refused, or the file is a link or none that has contents.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut file = open_own(path, OpenOptions::new().read(true), false)?;
    let mut contents = vec![];
    file.read_to_end(&mut contents).map_err(|error| FileError::reading(path, error))?;
    Ok(contents)
}

/// Opens a file that is written in place, and creates it where there is none. What it holds is left as it is.
///
/// # Errors
///
/// As [`read`], or the file has other names: what is written here would change there.
pub(crate) fn open_to_write(path: &Path) -> Result<File, FileError> {
    open_own(path, OpenOptions::new().read(true).write(true).create(true).truncate(false), true)
}

/// Looks at what stands under the name, opens it without following a link or waiting for a pipe's other end, and looks
/// at what was opened.
fn open_own(path: &Path, options: &mut OpenOptions, to_write: bool) -> Result<File, FileError> {
    let failed = |error| if to_write { FileError::writing(path, error) } else { FileError::reading(path, error) };
    let own = |metadata: Metadata| match foreign(&metadata, to_write) {
        Some(what) => Err(FileError::Foreign { path: path.into(), what }),
        None => Ok(()),
    };
    if let Ok(metadata) = fs::symlink_metadata(path) {
        own(metadata)?;
    }
    let file = follow_no_link(options).open(path).map_err(failed)?;
    own(file.metadata().map_err(failed)?)?;
    Ok(file)
}

#[cfg(unix)]
fn follow_no_link(options: &mut OpenOptions) -> &mut OpenOptions {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
}

/// There the look beforehand has to do: a flag against links would also open a file that lies in the cloud without what
/// it holds.
#[cfg(not(unix))]
fn follow_no_link(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// What makes this none of a run's own files.
fn foreign(metadata: &Metadata, to_write: bool) -> Option<&'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_symlink() => Some("a link to another file"),
        () if kind.is_dir() => Some("a folder"),
        () if !kind.is_file() => Some("no file with contents, but a pipe or a device"),
        () if to_write && names(metadata) > 1 => Some("a file with another name elsewhere (a hard link)"),
        () => None,
    }
}

#[cfg(unix)]
fn names(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

/// Rust's library does not tell.
#[cfg(not(unix))]
fn names(_: &Metadata) -> u64 {
    1
}

/// Whether this is a file of a run's own, whose contents may be read.
pub(crate) fn is_own(path: &Path) -> Result<bool, FileError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => match foreign(&metadata, false) {
            Some(what) => Err(FileError::Foreign { path: path.into(), what }),
            None => Ok(true),
        },
        Err(_) => Ok(false),
    }
}

/// Whether a name still stands for the file that was opened under it.
#[cfg(unix)]
pub(super) fn stands_for(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |metadata: io::Result<Metadata>| metadata.map(|metadata| (metadata.dev(), metadata.ino())).ok();
    place(fs::symlink_metadata(path)) == place(file.metadata())
}

/// An open file cannot be removed there.
#[cfg(not(unix))]
pub(super) fn stands_for(_: &Path, _: &File) -> bool {
    true
}

/// Replaces the contents of a file, or creates it. Whatever happens meanwhile, a power failure included, `path` has
/// either its old contents or the new ones. A link under this name is replaced, not followed.
///
/// # Errors
///
/// The operating system refused, e.g. because the disk is full. The file is then as it was, and the temporary file is
/// gone.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    // In the same folder, for only there is a rename atomic.
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut temporary = temporary_in(folder)?;
        temporary.as_file_mut().write_all(bytes)?;
        // Without the sync, the rename could reach the disk before the contents do.
        temporary.as_file().sync_all()?;
        temporary.persist(path)?;
        sync(folder)
    };
    write().map_err(|error: io::Error| FileError::writing(path, error))
}

/// How the names of temporary files begin and end. What stands between cannot be foreseen, so that nobody can put a
/// link there.
const TEMPORARY: [&str; 2] = [".wgrad-", ".tmp"];

/// Made as every new file is: `tempfile` by itself lets only the user read it.
fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    let create = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
    Builder::new().prefix(TEMPORARY[0]).suffix(TEMPORARY[1]).rand_bytes(12).make_in(folder, create)
}

/// Whether a file of this name is one that [`write_atomically`] was killed at.
pub(super) fn is_temporary(name: &str) -> bool {
    name.strip_prefix(TEMPORARY[0]).is_some_and(|rest| rest.ends_with(TEMPORARY[1]))
}

/// Removes the temporary files of killed runs. To be called where no other process writes into the folder.
pub(super) fn remove_temporaries(folder: &Path) {
    // What cannot be listed or removed does no harm but for its size.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_temporary(&entry.file_name().to_string_lossy()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes a rename permanent: on Unix it is a change of the folder, which is synced like a file.
#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Other systems cannot open a folder as a file.
#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes a file, which need not exist.
///
/// # Errors
///
/// The file exists and cannot be removed.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::writing(path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn creates_and_replaces() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("last.safetensors");
        for contents in [&b"a long first text"[..], b"short", b""] {
            write_atomically(&path, contents).unwrap();
            assert_eq!(fs::read(&path).unwrap(), contents);
            assert_eq!(entries(directory.path()), ["last.safetensors"]);
        }
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let left = temporary_in(directory.path()).unwrap().keep().unwrap().1;
        assert!(is_temporary(left.file_name().unwrap().to_str().unwrap()));
        for mine in [".wgrad-notes", "notes.tmp", "last.safetensors"] {
            fs::write(directory.path().join(mine), "mine").unwrap();
        }
        remove_temporaries(directory.path());
        assert_eq!(entries(directory.path()), [".wgrad-notes", "last.safetensors", "notes.tmp"]);
    }

    /// As every new file's: others may read a model.
    #[test]
    #[cfg(unix)]
    fn a_file_has_the_permissions_of_a_new_one() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| directory.path().join(name));
        write_atomically(&one, b"").unwrap();
        fs::write(&other, "").unwrap();
        let [one, other] = [one, other].map(|path| path.metadata().unwrap().permissions().mode());
        assert_eq!(one, other);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn no_file_is_opened_through_a_link() {
        use std::os::unix::fs::symlink;
        let directory = tempfile::tempdir().unwrap();
        let [mine, link, hard, pipe] = ["mine", "link", "hard", "pipe"].map(|name| directory.path().join(name));
        fs::write(&mine, "mine").unwrap();
        symlink(&mine, &link).unwrap();
        fs::hard_link(&mine, &hard).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let folder = directory.path().to_owned();
        for (path, what, to_read) in [
            (&link, "a link to another file", false),
            (&pipe, "no file with contents, but a pipe or a device", false),
            (&folder, "a folder", false),
            (&hard, "a file with another name elsewhere (a hard link)", true),
        ] {
            let expected = format!("{} is {what}; expected a file of the run's own. ", path.display());
            let error = open_to_write(path).unwrap_err().to_string();
            assert!(error.starts_with(&expected), "{error}");
            match read(path) {
                Ok(contents) => assert!(to_read && contents == b"mine"),
                Err(error) => assert!(!to_read && error.to_string().starts_with(&expected), "{error}"),
            }
        }
        // A new file takes the link's place.
        write_atomically(&link, b"new").unwrap();
        assert_eq!((fs::read(&mine).unwrap(), fs::read(&link).unwrap()), (b"mine".to_vec(), b"new".to_vec()));
        // Nothing is emptied by being opened.
        open_to_write(&link).unwrap();
        assert_eq!(fs::read(&link).unwrap(), b"new");
    }

    #[test]
    #[cfg(unix)]
    fn a_name_that_stands_for_another_file_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("train.lock");
        let file = open_to_write(&path).unwrap();
        assert!(stands_for(&path, &file));
        fs::remove_file(&path).unwrap();
        assert!(!stands_for(&path, &file));
        open_to_write(&path).unwrap();
        assert!(!stands_for(&path, &file));
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        for (kind, advice) in [
            (ErrorKind::StorageFull, "; free some space"),
            (ErrorKind::QuotaExceeded, "; free some space"),
            (ErrorKind::FileTooLarge, "; raise the limit (`ulimit -f`)"),
        ] {
            let error = FileError::writing(Path::new("last.safetensors"), kind.into());
            assert!(matches!(error, FileError::DiskFull { .. }) && error.to_string().ends_with(advice), "{error}");
        }
    }

    #[test]
    fn a_failed_rename_removes_the_temporary_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken");
        fs::create_dir_all(path.join("by a folder")).unwrap();
        let error = write_atomically(&path, b"new").unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot write {}: ", path.display())), "{error}");
        assert_eq!(entries(directory.path()), ["taken"]);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("missing").join("config.toml");
        let error = write_atomically(&path, b"new").unwrap_err().to_string();
        assert!(error.contains("config.toml: ") && error.contains("check that its folder exists"), "{error}");
        assert!(entries(directory.path()).is_empty());
    }
}

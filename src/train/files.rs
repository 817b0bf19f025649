//! Files that are either old or new, never half written: what a killed run or a full disk leaves behind can be read.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file that could not be read or written.
#[derive(Debug, Error)]
pub enum FileError {
    #[error("cannot read {}: {error}; check that it exists and that you may read it", path.display())]
    Read { path: PathBuf, error: io::Error },

    #[error("cannot write {}: {error}; check that its folder exists and that you may write there", path.display())]
    Write { path: PathBuf, error: io::Error },

    /// The disk, or the user's share of it, is full.
    #[error("cannot write {}: {error}; free some space, then continue with --resume", path.display())]
    DiskFull { path: PathBuf, error: io::Error },
}

impl FileError {
    pub(super) fn reading(path: &Path, error: io::Error) -> Self {
        Self::Read { path: path.into(), error }
    }

    pub(super) fn writing(path: &Path, error: io::Error) -> Self {
        let path = path.into();
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path, error },
            _ => Self::Write { path, error },
        }
    }
}

/// The contents of a file.
///
/// # Errors
///
/// The operating system refused.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|error| FileError::reading(path, error))
}

/// Replaces the contents of a file, or creates it. Whatever happens meanwhile, a power failure included, `path` has
/// either its old contents or the new ones.
///
/// # Errors
///
/// The operating system refused, e.g. because the disk is full. The file is then as it was, and the temporary file
/// `path.tmp` is gone.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    // In the same folder, for only there is a rename atomic. Always the same name, so that killed runs do not pile up
    // temporary files.
    let mut temporary = OsString::from(path);
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    write_synced(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_parent(path))
        .map_err(|error| {
            // Its space is needed; and if it is not there, all the better.
            let _ = fs::remove_file(&temporary);
            FileError::writing(path, error)
        })
}

/// Without the sync, the rename could reach the disk before the contents do.
fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a rename permanent: on Unix it is a change of the folder, which is synced like a file.
#[cfg(unix)]
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Other systems cannot open a folder as a file.
#[cfg(not(unix))]
fn sync_parent(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes a file, which need not exist.
///
/// # Errors
///
/// The file exists and cannot be removed.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FileError::writing(path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
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
        }
        // What a killed run left behind is overwritten.
        fs::write(directory.path().join("last.safetensors.tmp"), "half a checkpoint").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(directory.path()), ["last.safetensors"]);
    }

    /// `/dev/full` refuses every write as a full disk does. As the temporary file it takes the whole path of the error.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_leaves_the_old_file_and_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("last.safetensors");
        write_atomically(&path, b"old").unwrap();
        std::os::unix::fs::symlink("/dev/full", directory.path().join("last.safetensors.tmp")).unwrap();
        let error = write_atomically(&path, b"new").unwrap_err();
        assert!(matches!(error, FileError::DiskFull { .. }));
        assert_eq!(
            error.to_string(),
            format!(
                "cannot write {}: No space left on device (os error 28); free some space, then continue with --resume",
                path.display()
            )
        );
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(directory.path()), ["last.safetensors"]);
    }

    #[test]
    fn a_failed_rename_removes_the_temporary_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken");
        fs::create_dir_all(path.join("by a folder")).unwrap();
        let error = write_atomically(&path, b"new").unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot write {}: ", path.display())), "{error}");
        assert_eq!(names(directory.path()), ["taken"]);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("missing").join("config.toml");
        let error = write_atomically(&path, b"new").unwrap_err().to_string();
        assert!(error.contains("config.toml: ") && error.contains("check that its folder exists"), "{error}");
        assert!(names(directory.path()).is_empty());
    }
}

//! Files that survive a crash: written beside their place, synced, renamed, and the directory synced.
//!
//! "Create new" and "replace" are two functions, so that neither can quietly become the other.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Names of unfinished files and directories begin with this; a later run removes them.
pub const UNFINISHED: &str = ".unfinished-";

/// Writes a file that must not be there yet.
pub fn create_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there already"));
    }
    replace(path, bytes)
}

/// Writes a file, or puts new content in the place of the old one in a single step.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_as(path, bytes, 0o600)
}

/// The same for a file that programs of other users read, so nothing secret: whoever reads it must never meet it without
/// the right to.
pub fn replace_for_all(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_as(path, bytes, 0o644)
}

fn replace_as(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let beside = sibling(path);
    let written = create_file(&beside).and_then(|mut file| {
        // Not at its creation: the umask would take rights away, and one that a killed run left has its own.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(e) = written.and_then(|()| fs::rename(&beside, path)) {
        let _ = fs::remove_file(&beside);
        return Err(e);
    }
    sync_parent(path)
}

/// A new file only its owner can read.
pub fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// A directory only its owner can enter, with its parents.
pub fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Gives a finished directory its final name, everything in it synced first (P3).
pub fn publish_dir(unfinished: &Path, path: &Path) -> io::Result<()> {
    sync_tree(unfinished)?;
    if path.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("'{}' is there already", path.display())));
    }
    fs::rename(unfinished, path)?;
    sync_parent(path)
}

/// Where `path` is put together before it gets its name.
#[must_use]
pub fn sibling(path: &Path) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!("{UNFINISHED}{name}"))
}

/// Copies a directory durably; the copy appears whole or not at all.
pub fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    let unfinished = sibling(to);
    copy_unfinished(from, &unfinished)?;
    publish_dir(&unfinished, to)
}

/// Copies a directory to where it has not its name yet, over what a killed run left there.
pub fn copy_unfinished(from: &Path, unfinished: &Path) -> io::Result<()> {
    remove_dir(unfinished)?;
    make_dir(unfinished)?;
    for name in crate::formats::sums::files_below(from)? {
        let target = unfinished.join(&name);
        if let Some(parent) = target.parent() {
            make_dir(parent)?;
        }
        io::copy(&mut File::open(from.join(&name))?, &mut create_file(&target)?)?;
    }
    Ok(())
}

/// Removes a directory that may not be there.
pub fn remove_dir(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Finished entries of a directory, sorted; none when it is not there.
pub fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut paths: Vec<PathBuf> = entries.map(|e| e.map(|e| e.path())).collect::<io::Result<_>>()?;
    paths.retain(|p| p.file_name().is_none_or(|n| !n.to_string_lossy().starts_with('.')));
    paths.sort();
    Ok(paths)
}

/// Removes what killed runs left behind in `dir`. Only for the holder of the lock of that directory.
pub fn sweep(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let path = entry.path();
            if entry.file_type()?.is_dir() { remove_dir(&path)? } else { fs::remove_file(&path)? }
        }
    }
    Ok(())
}

/// Makes a rename or a new name durable.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        // Of a name alone.
        Some(parent) if parent.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn sync_tree(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { sync_tree(&entry.path())? } else { File::open(entry.path())?.sync_all()? }
    }
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn create_new_never_overwrites_and_replace_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        create_new(&path, b"one").unwrap();
        assert_eq!(create_new(&path, b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }

    #[test]
    fn a_directory_is_published_whole_and_never_over_another() {
        let dir = tempfile::tempdir().unwrap();
        let (unfinished, path) = (dir.path().join(".unfinished-a"), dir.path().join("a"));
        make_dir(&unfinished).unwrap();
        fs::write(unfinished.join("f"), b"x").unwrap();
        publish_dir(&unfinished, &path).unwrap();
        assert_eq!(list(dir.path()).unwrap(), std::slice::from_ref(&path));
        make_dir(&unfinished).unwrap();
        assert!(publish_dir(&unfinished, &path).is_err());
        sweep(dir.path()).unwrap();
        assert!(!unfinished.exists() && path.exists());
    }
}

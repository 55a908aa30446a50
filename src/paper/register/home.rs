//! Where a register lives. Two copies of one store would hand the same numbers out, each knowing nothing of the other; so
//! a copy issues none until somebody says that the original is gone.

use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The place of a register: a copy, a restored backup or another machine differs in one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// Of `/etc/machine-id`, or the host's name where there is none.
    pub machine: String,
    pub path: String,
    /// Of the directory; a copy has another.
    pub inode: u64,
}

impl Home {
    /// Of the directory `paper` of a store.
    pub fn of(dir: &Path) -> std::io::Result<Home> {
        let id = std::fs::read_to_string("/etc/machine-id").map(|s| s.trim().to_owned()).unwrap_or_default();
        let path = dir.canonicalize()?;
        Ok(Home {
            machine: if id.is_empty() { crate::store::host() } else { id },
            inode: std::fs::metadata(&path)?.ino(),
            path: path.to_string_lossy().into_owned(),
        })
    }
}

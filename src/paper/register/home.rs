//! Where a register lives. Two copies of one store would hand the same numbers out, each knowing nothing of the other; so
//! a copy issues none until somebody says that the original is gone.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The place of a register: a copy, a restored backup or another machine differs in one of these.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Home {
    /// Of `/etc/machine-id`, or the host's name where there is none.
    pub machine: String,
    pub path: String,
    /// Of the directory. A copy has another, unless the original was removed before: its number is free then.
    pub inode: u64,
    /// When the directory was made; a copy was made later. Absent where the file system keeps no such time, and in the
    /// registers of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<DateTime<Utc>>,
}

impl Home {
    /// Of the directory `paper` of a store.
    pub fn of(dir: &Path) -> std::io::Result<Home> {
        let id = std::fs::read_to_string("/etc/machine-id").map(|s| s.trim().to_owned()).unwrap_or_default();
        let path = dir.canonicalize()?;
        let about = std::fs::metadata(&path)?;
        Ok(Home {
            machine: if id.is_empty() { crate::store::host() } else { id },
            inode: about.ino(),
            made: about.created().ok().map(DateTime::from),
            path: path.to_string_lossy().into_owned(),
        })
    }

    /// Whether both are one place, as far as both know.
    #[must_use]
    pub fn is(&self, other: &Home) -> bool {
        let made = self.made.zip(other.made).is_none_or(|(ours, theirs)| ours == theirs);
        made && self.inode == other.inode && self.path == other.path && self.machine == other.machine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_got_the_number_of_the_directory_it_replaced_is_another_place() {
        let dir = tempfile::tempdir().expect("made");
        let here = Home::of(dir.path()).expect("seen");
        let later = Home { made: here.made.map(|at| at + chrono::TimeDelta::milliseconds(4)), ..here.clone() };
        assert!(here.is(&here.clone()) && here.made.is_some() && !here.is(&later), "{here:?}");
        // An earlier version wrote no time.
        let earlier = Home { made: None, ..here.clone() };
        assert!(earlier.is(&here) && !earlier.is(&Home { inode: here.inode + 1, ..here.clone() }));
    }
}

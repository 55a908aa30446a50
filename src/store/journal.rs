//! `journal.jsonl`: one line per act of any tool, each with the hash of the line before, so that an edited, removed
//! or reordered line shows.

use super::{Store, lock};
use crate::error::{Cannot, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(super) const FILE: &str = "journal.jsonl";
/// `previous` of the first line.
const SEED: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One line of the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Act {
    pub at: DateTime<Utc>,
    pub program: String,
    pub host: String,
    pub by: String,
    /// What was done, in a word or two: `snapshot`, `load`, `switch standby`, `fence`.
    pub act: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// `done`, `begun`, or what went wrong.
    pub result: String,
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub detail: serde_json::Value,
    pub previous: String,
}

/// Where the chain of hashes does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub line: usize,
    pub reason: String,
}

/// The journal of one store.
#[derive(Debug, Clone)]
pub struct Journal {
    store: Store,
}

impl Journal {
    pub(super) fn new(store: Store) -> Self {
        Journal { store }
    }

    /// Appends one act to the journal and its mirror, synced before it returns.
    pub fn write(
        &self,
        by: &str,
        act: &str,
        event: Option<&str>,
        result: &str,
        detail: serde_json::Value,
    ) -> Result<()> {
        let mut line = Act {
            at: Utc::now(),
            program: lock::program(),
            host: lock::host(),
            by: by.to_owned(),
            act: act.to_owned(),
            event: event.map(str::to_owned),
            result: result.to_owned(),
            detail,
            previous: SEED.to_owned(),
        };
        let path = self.store.dir().join(FILE);
        let doing = || format!("write the journal '{}'", path.display());
        // Two tools may write at once; the chain wants them one after the other.
        let _lock = self.store.brief_lock("journal")?;
        let mut file = open(&path).cannot(doing())?;
        if let Some(last) = last_line(&mut file).cannot(doing())? {
            line.previous = hash(&last);
        }
        let mut text = serde_json::to_string(&line).cannot(doing())?;
        text.push('\n');
        append(&mut file, &text).cannot(doing())?;
        self.follow()
    }

    /// Brings the mirror's journal up to ours. The caller holds the journal's lock.
    fn follow(&self) -> Result<()> {
        let Some(mirror) = &self.store.mirror else { return Ok(()) };
        let ours = self.store.dir().join(FILE);
        mirror.write(super::mirror::SMALL, move |dir| {
            let path = dir.join(FILE);
            follow(&ours, &path).cannot(format!("write the journal's mirror '{}'", path.display()))
        })
    }

    /// Brings the mirror's journal up to ours, if it is not.
    pub(super) fn catch_up(&self) -> Result<()> {
        let _lock = self.store.brief_lock("journal")?;
        if self.store.dir().join(FILE).exists() { self.follow() } else { Ok(()) }
    }

    /// All acts, oldest first, and the first place where the chain is broken.
    pub fn read(&self) -> Result<(Vec<Act>, Option<Broken>)> {
        let path = self.store.dir().join(FILE);
        let bytes = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), None)),
            other => other.cannot(format!("read the journal '{}'", path.display()))?,
        };
        let text = String::from_utf8_lossy(&bytes);
        let (mut acts, mut broken, mut expected) = (Vec::new(), None, SEED.to_owned());
        for (number, line) in text.lines().enumerate() {
            let reason = match serde_json::from_str::<Act>(line) {
                Ok(act) => {
                    let reason = (act.previous != expected).then(|| "does not follow from the line before".to_owned());
                    acts.push(act);
                    reason
                }
                Err(e) => Some(format!("cannot be read: {e}")),
            };
            broken = broken.or(reason.map(|reason| Broken { line: number + 1, reason }));
            expected = hash(line);
        }
        if !text.is_empty() && !text.ends_with('\n') {
            broken = broken.or(Some(Broken { line: text.lines().count(), reason: "is cut off".to_owned() }));
        }
        Ok((acts, broken))
    }
}

fn hash(line: &str) -> String {
    crate::formats::hex(&Sha256::digest(line.as_bytes()))
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn append(file: &mut File, text: &str) -> std::io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    // A line cut off by a crash stays as it is, visibly broken, but does not swallow the next one.
    if end > 0 {
        file.seek(SeekFrom::Start(end - 1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Appends to the mirror's journal what ours has and it has not. When it is no beginning of ours (it was there before,
/// or one of the two was put back from a copy) only our last line is appended, and nothing that is there is touched.
fn follow(ours: &Path, theirs: &Path) -> std::io::Result<()> {
    let (mut ours, mut theirs) = (File::open(ours)?, open(theirs)?);
    // Where the file system knows such locks: a run that was given up on may still be writing.
    let _ = theirs.lock();
    if !is_beginning(&mut theirs, &mut ours)? {
        let Some(line) = last_line(&mut ours)? else { return Ok(()) };
        return match last_line(&mut theirs)? {
            Some(last) if last == line => Ok(()),
            _ => append(&mut theirs, &format!("{line}\n")),
        };
    }
    let there = theirs.seek(SeekFrom::End(0))?;
    ours.seek(SeekFrom::Start(there))?;
    if std::io::copy(&mut ours, &mut theirs)? > 0 { theirs.sync_all() } else { Ok(()) }
}

/// Whether `ours` begins with all of `theirs`, by its length and its last lines: the chain of hashes is in them.
pub(super) fn is_beginning(theirs: &mut File, ours: &mut File) -> std::io::Result<bool> {
    let (there, here) = (theirs.seek(SeekFrom::End(0))?, ours.seek(SeekFrom::End(0))?);
    if there > here {
        return Ok(false);
    }
    let from = there.saturating_sub(1 << 16);
    let mut tails = [Vec::new(), Vec::new()];
    for (file, tail) in [theirs, ours].into_iter().zip(&mut tails) {
        file.seek(SeekFrom::Start(from))?;
        file.take(there - from).read_to_end(tail)?;
    }
    Ok(tails[0] == tails[1])
}

fn last_line(file: &mut File) -> std::io::Result<Option<String>> {
    let end = file.seek(SeekFrom::End(0))?;
    // Longer than any line we write; a longer one would only be seen as broken.
    let from = end.saturating_sub(1 << 20);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    Ok(String::from_utf8_lossy(&tail).lines().last().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_mirror_follows_from_wherever_it_was_left_and_what_is_not_ours_in_it_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
        fs::write(&ours, "one\ntwo\nthree\n").unwrap();
        // Not there, left behind, cut off in a line, and up to date.
        for before in ["", "one\n", "one\ntw", "one\ntwo\nthree\n"] {
            fs::write(&theirs, before).unwrap();
            follow(&ours, &theirs).unwrap();
            assert_eq!(fs::read_to_string(&theirs).unwrap(), "one\ntwo\nthree\n", "{before:?}");
        }
        fs::write(&theirs, "another\nlonger than ours is\n").unwrap();
        for _ in 0..2 {
            follow(&ours, &theirs).unwrap();
            assert_eq!(fs::read_to_string(&theirs).unwrap(), "another\nlonger than ours is\nthree\n");
        }
    }
}

//! A file of lines, each with the hash of the line before, so that an edited, removed or reordered line shows; in the
//! store and its mirror. The journal is one, the register of slip numbers another.

use super::{Store, durable};
use crate::error::{Cannot, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// `previous` of the first line.
const SEED: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where the chain of hashes does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub line: usize,
    pub reason: String,
}

/// A line of a chain.
pub trait Link: Serialize + DeserializeOwned {
    /// The hash of the line before.
    fn previous(&mut self) -> &mut String;
}

/// More bytes than any line we write; a longer one would only be seen as broken.
const LONGEST: u64 = 1 << 20;

/// Where a chain ended when its last line was written.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    bytes: u64,
    /// Of the last line.
    sha256: String,
}

impl Head {
    /// Whether a chain still has the line that was its end once. One that goes on behind it is in order: a run may have been
    /// killed between its line and the head.
    fn is_reached_by(&self, chain: &[u8]) -> bool {
        let Some(there) = usize::try_from(self.bytes).ok().and_then(|end| chain.get(..end)) else { return false };
        let there = there.strip_suffix(b"\n").unwrap_or(there);
        let last = &there[there.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1)..];
        hash(&String::from_utf8_lossy(last)) == self.sha256
    }

    /// The same, of a file.
    fn is_end_of_a_line_in(&self, file: &mut File) -> std::io::Result<bool> {
        let from = self.bytes.saturating_sub(LONGEST);
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.take(self.bytes - from).read_to_end(&mut tail)?;
        let tail_only = Head { bytes: self.bytes - from, sha256: self.sha256.clone() };
        Ok(tail_only.is_reached_by(&tail))
    }
}

/// One chain of a store.
///
/// A last line that a crash cut off goes when the next one is written: what was not written whole was told to nobody. That a
/// whole one was cut off by somebody says the head, which is behind it.
#[derive(Debug, Clone)]
pub struct Chain {
    store: Store,
    /// Its place below the store.
    file: &'static str,
}

impl Chain {
    pub(super) fn new(store: Store, file: &'static str) -> Chain {
        Chain { store, file }
    }

    fn path(&self) -> PathBuf {
        self.store.dir().join(self.file)
    }

    /// How messages name it.
    pub(super) fn name(&self) -> &'static str {
        Path::new(self.file).file_stem().and_then(|n| n.to_str()).unwrap_or(self.file)
    }

    /// Appends one line here and in the mirror, synced before it returns.
    pub fn append(&self, mut line: impl Link) -> Result<()> {
        let path = self.path();
        let doing = || format!("write the {} '{}'", self.name(), path.display());
        // Two tools may write at once; the chain wants them one after the other.
        let _lock = self.store.brief_lock(self.name())?;
        let mut file = open(&path).cannot(doing())?;
        drop_torn(&mut file).cannot(doing())?;
        let cut_off = match self.head()? {
            Some(head) if !head.is_end_of_a_line_in(&mut file).cannot(doing())? => Some(head.sha256),
            _ => None,
        };
        // Lines that were taken off the end stay missed: what follows refers to them.
        *line.previous() = match cut_off {
            Some(missed) => missed,
            None => last_line(&mut file).cannot(doing())?.map_or_else(|| SEED.to_owned(), |last| hash(&last)),
        };
        let mut text = serde_json::to_string(&line).cannot(doing())?;
        text.push('\n');
        append(&mut file, &text).cannot(doing())?;
        self.keep_head(&mut file, text.trim_end()).cannot(doing())?;
        self.follow()
    }

    /// Makes sure of what comes after a line: a run may have been killed before it.
    pub(super) fn settle(&self) -> Result<()> {
        let doing = || format!("settle the {} '{}'", self.name(), self.path().display());
        let _lock = self.store.brief_lock(self.name())?;
        let mut file = open(&self.path()).cannot(doing())?;
        drop_torn(&mut file).cannot(doing())?;
        if let Some(head) = self.head()?
            && head.is_end_of_a_line_in(&mut file).cannot(doing())?
            && head.bytes < file.seek(SeekFrom::End(0)).cannot(doing())?
            && let Some(last) = last_line(&mut file).cannot(doing())?
        {
            self.keep_head(&mut file, &last).cannot(doing())?;
        }
        self.follow()
    }

    /// Keeps where the chain ends: without it, lines that were cut off its end would be missed by nobody.
    fn keep_head(&self, file: &mut File, last: &str) -> std::io::Result<()> {
        let head = Head { bytes: file.seek(SeekFrom::End(0))?, sha256: hash(last) };
        durable::replace(&self.head_path(), serde_json::to_string(&head)?.as_bytes())
    }

    fn head_path(&self) -> PathBuf {
        let mut path = self.path().into_os_string();
        path.push(".head");
        path.into()
    }

    /// Where the chain ended when it was last written; `None` when nothing says so, as in a store of an earlier version.
    fn head(&self) -> Result<Option<Head>> {
        let path = self.head_path();
        match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            other => {
                let bytes = other.cannot(format!("read '{}'", path.display()))?;
                // One that says nothing is as good as one that no chain reaches.
                Ok(Some(serde_json::from_slice(&bytes).unwrap_or(Head { bytes: u64::MAX, sha256: String::new() })))
            }
        }
    }

    /// Brings the mirror's copy up to ours. The caller holds the lock.
    fn follow(&self) -> Result<()> {
        let Some(mirror) = &self.store.mirror else { return Ok(()) };
        let (ours, name, file) = (self.path(), self.name(), self.file);
        mirror.write(super::mirror::SMALL, move |dir| {
            let path = dir.join(file);
            follow(&ours, &path).cannot(format!("write the {name}'s mirror '{}'", path.display()))
        })
    }

    /// Brings the mirror's copy up to ours, if it is not.
    pub(super) fn catch_up(&self) -> Result<()> {
        let _lock = self.store.brief_lock(self.name())?;
        if self.path().exists() { self.follow() } else { Ok(()) }
    }

    /// All lines, oldest first, and the first place where the chain is broken. A last line that a crash cut off is left out.
    pub fn read<L: Link>(&self) -> Result<(Vec<L>, Option<Broken>)> {
        let path = self.path();
        // Before the lines: those that are written meanwhile come after it.
        let head = self.head()?;
        let bytes = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            other => other.cannot(format!("read the {} '{}'", self.name(), path.display()))?,
        };
        let mut text = &*String::from_utf8_lossy(&bytes);
        let whole = text.is_empty() || text.ends_with('\n');
        if !whole {
            text = &text[..text.rfind('\n').map_or(0, |n| n + 1)];
        }
        let (mut lines, mut broken, mut expected) = (Vec::new(), None, SEED.to_owned());
        for (number, line) in text.lines().enumerate() {
            let reason = match serde_json::from_str::<L>(line) {
                Ok(mut link) => {
                    let reason = (*link.previous() != expected).then(|| "does not follow from the line before".into());
                    lines.push(link);
                    reason
                }
                Err(e) => Some(format!("cannot be read: {e}")),
            };
            broken = broken.or(reason.map(|reason| Broken { line: number + 1, reason }));
            expected = hash(line);
        }
        // What the last line was when it was whole, only the head can say.
        let as_it_ended = head.map(|head| head.is_reached_by(&bytes));
        if broken.is_none() && as_it_ended != Some(true) {
            broken = match (whole, as_it_ended) {
                (false, _) => Some(Broken { line: lines.len() + 1, reason: "is cut off".to_owned() }),
                (true, None) => None,
                (true, Some(_)) if lines.is_empty() => Some(Broken { line: 1, reason: "is missing".to_owned() }),
                (true, Some(_)) => {
                    let reason = "is the last one, and lines after it are missing".to_owned();
                    Some(Broken { line: lines.len(), reason })
                }
            };
        }
        Ok((lines, broken))
    }

    /// Whether a mirror lacks the end of it.
    pub(super) fn is_behind(&self, mirror: &Path) -> Result<bool> {
        let theirs = mirror.join(self.file);
        let (mut ours, mut theirs) = match (File::open(self.path()), File::open(theirs)) {
            (Err(_), _) => return Ok(false),
            (Ok(_), Err(_)) => return Ok(true),
            (Ok(ours), Ok(theirs)) => (ours, theirs),
        };
        let shorter = ours.metadata().and_then(|o| Ok(theirs.metadata()?.len() < o.len()));
        let beginning = is_beginning(&mut theirs, &mut ours);
        // One that was never a beginning of ours only ever gets our new lines.
        shorter.and_then(|s| Ok(s && beginning?)).cannot(format!("read '{}'", mirror.display()))
    }

    /// Whether a mirror has more of it than we: lines were taken away here, head and all.
    pub(super) fn is_ahead(&self, mirror: &Path) -> Result<bool> {
        let (Ok(mut ours), Ok(mut theirs)) = (File::open(self.path()), File::open(mirror.join(self.file))) else {
            return Ok(false);
        };
        let longer = ours.metadata().and_then(|o| Ok(theirs.metadata()?.len() > o.len()));
        let beginning = is_beginning(&mut ours, &mut theirs);
        longer.and_then(|l| Ok(l && beginning?)).cannot(format!("read '{}'", mirror.display()))
    }

    /// Takes over the lines that the mirror has and we have not: those of a store that was put back from an older copy.
    /// `false`: the two have nothing to do with each other.
    pub fn catch_up_with_mirror(&self) -> Result<bool> {
        let Some(mirror) = self.store.mirror() else { return Ok(true) };
        let theirs = mirror.join(self.file);
        let doing = || format!("compare the {} with its mirror '{}'", self.name(), theirs.display());
        let _lock = self.store.brief_lock(self.name())?;
        let Ok(mut theirs) = File::open(&theirs) else { return Ok(true) };
        let mut ours = open(&self.path()).cannot(doing())?;
        drop_torn(&mut ours).cannot(doing())?;
        if is_beginning(&mut theirs, &mut ours).cannot(doing())? {
            return Ok(true);
        }
        if !is_beginning(&mut ours, &mut theirs).cannot(doing())? {
            return Ok(false);
        }
        let here = ours.seek(SeekFrom::End(0)).cannot(doing())?;
        theirs.seek(SeekFrom::Start(here)).cannot(doing())?;
        std::io::copy(&mut theirs, &mut ours).and_then(|_| ours.sync_all()).cannot(doing())?;
        Ok(true)
    }
}

fn hash(line: &str) -> String {
    crate::formats::hex(&Sha256::digest(line.as_bytes()))
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Takes a last line away that has no end.
fn drop_torn(file: &mut File) -> std::io::Result<()> {
    let whole = whole_lines(file)?;
    if whole < file.seek(SeekFrom::End(0))? { file.set_len(whole) } else { Ok(()) }
}

/// How many bytes of a file are whole lines.
fn whole_lines(file: &mut File) -> std::io::Result<u64> {
    let end = file.seek(SeekFrom::End(0))?;
    let from = end.saturating_sub(LONGEST);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(end - from).read_to_end(&mut tail)?;
    Ok(from + tail.iter().rposition(|b| *b == b'\n').map_or(0, |n| n as u64 + 1))
}

fn append(file: &mut File, text: &str) -> std::io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    // In a mirror that has something else, a line that was cut off does not swallow the next one.
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
    // Whole lines only: one that a crash has cut off here will go.
    let new = whole_lines(&mut ours)?.saturating_sub(there);
    ours.seek(SeekFrom::Start(there))?;
    if std::io::copy(&mut ours.take(new), &mut theirs)? > 0 { theirs.sync_all() } else { Ok(()) }
}

/// Whether `ours` begins with all of `theirs`, by its length and its last lines: the chain of hashes is in them.
fn is_beginning(theirs: &mut File, ours: &mut File) -> std::io::Result<bool> {
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
    let from = end.saturating_sub(LONGEST);
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
    fn a_line_that_a_crash_cut_off_is_not_copied_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
        fs::write(&ours, "one\ntwo\nthr").unwrap();
        follow(&ours, &theirs).unwrap();
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "one\ntwo\n");
        drop_torn(&mut open(&ours).unwrap()).unwrap();
        assert_eq!(fs::read_to_string(&ours).unwrap(), "one\ntwo\n");
        drop_torn(&mut open(&theirs).unwrap()).unwrap();
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "one\ntwo\n");
    }

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

//! The rows of a table as of a snapshot, from the files alone, for what has to work with every server off.
//!
//! A delta has what changed since its parent, so its rows are those of the full snapshot beneath it and of every delta on
//! the way, but for those that a later delta has replaced or says are gone. Read from the newest back, each row is
//! looked at once, and only the keys of deltas are kept.

use super::list::Snapshot;
use crate::error::{Cannot, Error, Result};
use crate::formats::digest::RecordDigest;
use crate::formats::records::{Records, field};
use crate::formats::snapshot::{Delta, How, Table};
use crate::formats::tally;
use crate::store::Store;
use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Read;

/// Between the columns of a key, as the server has it where it hashes them.
const BETWEEN: u8 = 0x1f;

/// A snapshot with all that it stands on.
pub struct Standing(Vec<Snapshot>);

/// What of older snapshots does not count any more.
#[derive(Default)]
struct Replaced {
    keys: HashSet<Vec<u8>>,
    /// Of hashed keys: pages of which a later delta has every row, and their mask.
    pages: Option<(i64, HashSet<i64>)>,
}

impl Replaced {
    fn has(&self, key: &[u8]) -> bool {
        let page = |(mask, pages): &(i64, HashSet<i64>)| pages.contains(&(tally::hash(key) & mask));
        self.keys.contains(key) || self.pages.as_ref().is_some_and(page)
    }
}

impl Standing {
    /// Every file of all of them is as it was written.
    pub fn verified(store: &Store, snapshot: Snapshot) -> Result<Standing> {
        let standing = Standing::of(store, snapshot)?;
        standing.0.iter().try_for_each(Snapshot::verify_files)?;
        Ok(standing)
    }

    /// Only their manifests are looked at.
    pub fn of(store: &Store, snapshot: Snapshot) -> Result<Standing> {
        let mut all = super::ancestors(store, &snapshot)?;
        all.push(snapshot);
        all.reverse();
        Ok(Standing(all))
    }

    /// The snapshot itself.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.0[0]
    }

    /// The snapshot first, then what it stands on.
    pub fn all(&self) -> impl Iterator<Item = &Snapshot> {
        self.0.iter()
    }

    /// A table's columns, in the order of its records; `None` where it is not downloaded.
    #[must_use]
    pub fn columns(&self, table: &str) -> Option<&[String]> {
        of(self.snapshot(), table).map(|t| t.columns.as_slice())
    }

    /// The digest of all its rows, whatever snapshots they lie in.
    pub fn digest(&self, table: &str) -> Result<String> {
        for snapshot in &self.0 {
            let there = of(snapshot, table).ok_or_else(|| lacks(snapshot, table))?;
            match there.delta.as_ref().map(|d| d.how) {
                Some(How::Same) => {}
                None | Some(How::Whole) => return Ok(there.digest.clone()),
                Some(How::Changed) => break,
            }
        }
        Ok(self.rows(table, |_| None::<()>)?.1)
    }

    /// What `keep` makes of the table's records, and the digest of all of them.
    pub fn rows<T>(&self, table: &str, mut keep: impl FnMut(&[u8]) -> Option<T>) -> Result<(Vec<T>, String)> {
        let mut replaced = Replaced::default();
        let (mut digest, mut found) = (RecordDigest::of_records(), Vec::new());
        for snapshot in &self.0 {
            let there = of(snapshot, table).ok_or_else(|| lacks(snapshot, table))?;
            let changed = match &there.delta {
                Some(Delta { how: How::Same, .. }) => continue,
                Some(delta @ Delta { how: How::Changed, .. }) => Some(delta),
                _ => None,
            };
            let key = places(there);
            let (mut kept, mut keys) = (Vec::new(), Vec::new());
            each(snapshot, &there.file, |record| {
                let key = key_of(record, &key);
                if !replaced.has(&key) {
                    digest.update(record);
                    kept.extend(keep(record));
                }
                if changed.is_some() {
                    keys.push(key);
                }
            })?;
            found.push(kept);
            let Some(delta) = changed else { break };
            replaced.keys.extend(keys);
            gone(snapshot, there, delta, &mut replaced)?;
        }
        let doing = || format!("read '{table}' as of the snapshot '{}'", self.snapshot().id);
        let read = digest.finish().ok_or_else(|| Error::damaged(doing(), "it ends within a record"))?;
        let expected = of(self.snapshot(), table).map_or(0, Table::rows_there);
        if read.rows != expected {
            let reason = format!("the snapshots on the way have {} rows (expected {expected})", read.rows);
            return Err(Error::damaged(doing(), reason).hint("take a full one: his-snapshot --full."));
        }
        Ok((found.into_iter().rev().flatten().collect(), read.digest))
    }
}

fn of<'a>(snapshot: &'a Snapshot, table: &str) -> Option<&'a Table> {
    snapshot.manifest.tables.iter().find(|t| t.table.to_string() == table)
}

fn lacks(snapshot: &Snapshot, table: &str) -> Error {
    Error::failed(format!("read '{table}'"), format!("the snapshot '{}' has no such table", snapshot.id))
}

/// Where the columns of the key are in a record; nowhere where no delta can tell rows apart.
fn places(table: &Table) -> Vec<usize> {
    let key = table.census.iter().flat_map(|census| &census.key);
    key.filter_map(|name| table.columns.iter().position(|column| column == name)).collect()
}

fn key_of(record: &[u8], places: &[usize]) -> Vec<u8> {
    let mut key = Vec::new();
    for (n, place) in places.iter().enumerate() {
        if n > 0 {
            key.push(BETWEEN);
        }
        key.extend_from_slice(&text(record, *place));
    }
    key
}

/// A field as the server has it, without what CSV puts around it.
#[must_use]
pub fn text(record: &[u8], place: usize) -> Cow<'_, [u8]> {
    let written = field(record, place);
    let Some(quoted) = written.strip_prefix(b"\"").and_then(|w| w.strip_suffix(b"\"")) else {
        return Cow::Borrowed(written);
    };
    let mut plain = quoted.to_vec();
    let mut was_quote = false;
    // Inside, each quote is there twice.
    plain.retain(|byte| {
        was_quote = *byte == b'"' && !was_quote;
        *byte != b'"' || was_quote
    });
    Cow::Owned(plain)
}

fn gone(snapshot: &Snapshot, table: &Table, delta: &Delta, replaced: &mut Replaced) -> Result<()> {
    let doing = || format!("read '{}' of the snapshot '{}'", table.table, snapshot.id);
    let (Some(part), Some(census)) = (&delta.gone, &table.census) else {
        return Err(Error::damaged(doing(), "it does not say which rows are gone"));
    };
    let mut wrong = false;
    each(snapshot, &part.file, |record| {
        let value = text(record, 0);
        match census.mask {
            None => drop(replaced.keys.insert(value.into_owned())),
            Some(mask) => match std::str::from_utf8(&value).ok().and_then(|page| page.parse().ok()) {
                Some(page) => drop(replaced.pages.get_or_insert_with(|| (mask, HashSet::new())).1.insert(page)),
                None => wrong = true,
            },
        }
    })?;
    let other = replaced.pages.as_ref().is_some_and(|(mask, _)| Some(*mask) != census.mask);
    if wrong || other {
        return Err(Error::damaged(doing(), format!("'{}' is not what it should be", part.file)));
    }
    Ok(())
}

/// Calls `each` with every record of a file but its header.
fn each(snapshot: &Snapshot, file: &str, mut each: impl FnMut(&[u8])) -> Result<()> {
    let doing = || format!("read '{file}' of the snapshot '{}'", snapshot.id);
    let mut source = snapshot.file(file)?;
    let (mut piece, mut records) = (vec![0; 1 << 18], Records::default());
    loop {
        match source.read(&mut piece) {
            Ok(0) if records.complete() => return Ok(()),
            Ok(0) => return Err(Error::damaged(doing(), "it ends within a record")),
            Ok(n) => records.push(&piece[..n], &mut each),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e).cannot(doing()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_what_the_server_has_without_its_quotes() {
        let record = b"1,\"a,\"\"b\"\"\",,\"\",\"\"\"\"\"\"\n";
        let fields: Vec<_> = (0..5).map(|n| String::from_utf8_lossy(&text(record, n)).into_owned()).collect();
        assert_eq!(fields, ["1", "a,\"b\"", "", "", "\"\""]);
        assert_eq!(key_of(record, &[1, 0]), b"a,\"b\"\x1f1");
    }
}

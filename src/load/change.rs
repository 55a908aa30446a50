//! How much of a table is gone or changed since the snapshot before: what tells an encrypted or emptied source from a
//! busy day.

use crate::error::{Cannot, Result};
use crate::formats::records::Records;
use crate::formats::snapshot::Table;
use crate::profile::Profile;
use crate::snapshot::Snapshot;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::io::Read;

/// Up to so many rows every record is compared; of bigger tables every 64th, chosen by its content, so that both sides
/// choose the same and memory stays small.
const ALL_UP_TO_ROWS: u64 = 4_000_000;
const SAMPLE_MASK: u64 = 63;

/// Of the rows compared, how many of the old are not in the new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    pub compared_rows: u64,
    pub lost_rows: u64,
}

impl Change {
    /// True when more than `percent` of the rows are gone or changed.
    #[must_use]
    pub fn exceeds(self, percent: i64) -> bool {
        let percent = u64::try_from(percent).unwrap_or(0);
        u128::from(self.lost_rows) * 100 > u128::from(self.compared_rows) * u128::from(percent)
    }

    #[must_use]
    pub fn percent(self) -> f64 {
        if self.compared_rows == 0 { 0.0 } else { self.lost_rows as f64 * 100.0 / self.compared_rows as f64 }
    }
}

/// Compares one table of two snapshots.
pub fn of(profile: &Profile, before: (&Snapshot, &Table), now: (&Snapshot, &Table)) -> Result<Change> {
    let (old, new) = (before.1, now.1);
    if old.digest == new.digest && old.rows == new.rows && old.columns == new.columns {
        return Ok(Change { compared_rows: old.rows, lost_rows: 0 });
    }
    let columns = compared(profile, old, new);
    let mask = if old.rows.max(new.rows) <= ALL_UP_TO_ROWS { 0 } else { SAMPLE_MASK };
    let (old_file, new_file) = (before.0.csv(old)?, now.0.csv(new)?);
    let (old_hashes, new_hashes) = std::thread::scope(|scope| {
        let other = scope.spawn(|| hashes(new_file, new, columns.as_deref(), mask));
        let mine = hashes(old_file, old, columns.as_deref(), mask);
        let other = other
            .join()
            .unwrap_or_else(|_| Err(crate::Error::failed(format!("compare '{}'", new.table), "a thread ended")));
        (mine, other)
    });
    let (old_hashes, new_hashes) = (old_hashes?, new_hashes?);
    Ok(Change { compared_rows: old_hashes.len() as u64, lost_rows: lost(&old_hashes, &new_hashes) })
}

/// The columns to compare; `None`: whole records as they are.
///
/// Counters and columns that the profile ignores change all the time, and a new column is in every row: neither says
/// that anything is wrong.
fn compared(profile: &Profile, old: &Table, new: &Table) -> Option<Vec<String>> {
    let columns: Vec<String> = telling(profile, new).filter(|c| old.columns.contains(c)).cloned().collect();
    (columns.len() != new.columns.len() || old.columns != new.columns).then_some(columns)
}

/// The columns of a table that say something when they change: not the counters, nor what the profile ignores.
pub fn telling<'a>(profile: &'a Profile, table: &'a Table) -> impl Iterator<Item = &'a String> {
    let entry = profile.table(&table.table);
    let moving = move |c: &String| {
        entry.is_some_and(|t| t.counter.contains(c) || t.ignore.contains(c))
            || profile.number_columns(&table.table).any(|n| n == c)
    };
    table.columns.iter().filter(move |c| !moving(c))
}

/// Sorted hashes of the records.
fn hashes(source: Box<dyn Read + Send>, table: &Table, columns: Option<&[String]>, mask: u64) -> Result<Vec<u64>> {
    let doing = || format!("read '{}' of a snapshot", table.file);
    let mut found = Vec::new();
    let mut add = |hash: u64| {
        // The lowest bits choose; the sum of both sides is then over the same records.
        if hash & mask == 0 {
            found.push(hash);
        }
    };
    match columns {
        None => records(source, |record| {
            let mut hasher = DefaultHasher::new();
            hasher.write(record);
            add(hasher.finish());
        })
        .cannot(doing())?,
        Some(columns) => {
            let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 18).from_reader(source);
            let header = reader.byte_headers().cannot(doing())?.clone();
            let places: Vec<usize> =
                columns.iter().filter_map(|c| header.iter().position(|h| h == c.as_bytes())).collect();
            let mut record = csv::ByteRecord::new();
            while reader.read_byte_record(&mut record).cannot(doing())? {
                let mut hasher = DefaultHasher::new();
                for place in &places {
                    let field = record.get(*place).unwrap_or_default();
                    hasher.write_usize(field.len());
                    hasher.write(field);
                }
                add(hasher.finish());
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Calls `each` with every record but the header.
fn records(mut source: impl Read, mut each: impl FnMut(&[u8])) -> std::io::Result<()> {
    let (mut piece, mut records) = (vec![0; 1 << 18], Records::default());
    loop {
        match source.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(n) => records.push(&piece[..n], &mut each),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// How many of the sorted `old` are not in the sorted `new`, each of them counted once.
fn lost(old: &[u64], new: &[u64]) -> u64 {
    let (mut at, mut lost) = (0, 0);
    for hash in old {
        while new.get(at).is_some_and(|n| n < hash) {
            at += 1;
        }
        if new.get(at) == Some(hash) { at += 1 } else { lost += 1 }
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_gone_or_changed_are_counted_each_once() {
        assert_eq!(lost(&[1, 2, 2, 3], &[2, 3, 4]), 2);
        assert_eq!(lost(&[], &[1]), 0);
        assert_eq!(lost(&[1, 1], &[]), 2);
    }

    #[test]
    fn the_limit_itself_is_still_allowed() {
        assert!(!Change { compared_rows: 10, lost_rows: 5 }.exceeds(50));
        assert!(Change { compared_rows: 10, lost_rows: 6 }.exceeds(50));
        assert!(!Change::default().exceeds(0));
    }
}

//! The ranges of pages in which a big table is read, by as many sessions of the one snapshot as are free.

use super::leader::Own;
use super::plan::Planned;
use super::sink::Feed;
use crate::db::{Client, sql};
use crate::error::{Cannot, Result};
use minijinja::context;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Pages that are read at once: 4 MB. Rows of neighbouring ranges come to lie side by side in the file, so it stays nearly in
/// the order of the table, which indexes by time are small for.
const STEP: u64 = 512;
/// Of a table of many partitions each range has a part of all of them; each costs the server a look.
const LEAST_STEP: u64 = 16;

/// Pages from the first up to, and without, the second; the last range has no end, because what was written after the size was
/// looked at is not seen anyway.
pub type Range = (u64, Option<u64>);

/// Which pages of a table were taken, and how many of the ranges were read to their end.
#[derive(Debug)]
pub struct Ranges {
    step: u64,
    count: u64,
    taken: AtomicU64,
    read: AtomicU64,
}

impl Ranges {
    /// Of a table whose biggest part has so many pages; `None` where it is not worth it.
    pub fn of(pages: u64, parts: u64) -> Option<Ranges> {
        let step = (STEP / parts.max(1)).max(LEAST_STEP);
        let count = pages.div_ceil(step);
        (pages * parts > 2 * STEP && count > 1).then(|| Ranges {
            step,
            count,
            taken: AtomicU64::new(0),
            read: AtomicU64::new(0),
        })
    }

    pub fn take(&self) -> Option<Range> {
        let n = self.taken.fetch_add(1, Ordering::Relaxed);
        (n < self.count).then(|| (n * self.step, (n + 1 < self.count).then(|| (n + 1) * self.step)))
    }

    pub fn are_left(&self) -> bool {
        self.taken.load(Ordering::Relaxed) < self.count
    }

    /// One more was read to its end.
    pub fn done(&self) {
        self.read.fetch_add(1, Ordering::Release);
    }

    pub fn are_all_read(&self) -> bool {
        self.read.load(Ordering::Acquire) == self.count
    }
}

/// A big table that is being read. Its file is closed when the last who has this lets it go.
pub struct Shared {
    /// In the profile.
    pub place: usize,
    pub ranges: Arc<Ranges>,
    pub feed: Feed,
    /// Of every session that reads it.
    pub settings: Own,
}

impl Planned {
    /// The ranges in which it is read; `None` for a table that is read at once.
    pub fn ranges(&self, client: &mut Client) -> Result<Option<Ranges>> {
        // What a filter calls may differ from session to session.
        if self.filter.is_some() {
            return Ok(None);
        }
        let doing = || format!("look how big '{}' is", self.described.name);
        let rows = client.query(crate::sql!("snapshot/pages.sql"), &[&self.described.name.sql()]).cannot(doing())?;
        let Some(row) = rows.first() else { return Ok(None) };
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok(Ranges::of(number(row.get(0)), number(row.get(1))))
    }

    /// The COPY that sends the rows of a range.
    pub fn copy_range(&self, (from, to): Range) -> Result<String> {
        let context = context! { table => self.described.name.sql(), columns => self.columns.clone(), partitioned => self.described.partitioned, from, to };
        sql::render(crate::sql!("snapshot/range.sql"), context)
    }

    /// The COPY that sends the header.
    pub fn copy_header(&self) -> Result<String> {
        let context = context! { table => self.described.name.sql(), columns => self.columns.clone() };
        sql::render(crate::sql!("snapshot/header.sql"), context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_all_pages_once_and_the_last_has_no_end() {
        let ranges = Ranges::of(1100, 1).unwrap();
        let all: Vec<Range> = std::iter::from_fn(|| ranges.take()).collect();
        assert_eq!(all, [(0, Some(512)), (512, Some(1024)), (1024, None)]);
        assert!(!ranges.are_left() && !ranges.are_all_read());
        all.iter().for_each(|_| ranges.done());
        assert!(ranges.are_all_read());
    }

    #[test]
    fn small_tables_are_read_at_once_and_many_partitions_in_ranges_of_all() {
        assert!(Ranges::of(1024, 1).is_none());
        assert!(Ranges::of(0, 0).is_none());
        assert_eq!(Ranges::of(200, 64).unwrap().take(), Some((0, Some(16))));
    }
}

//! Which keys a table has, where they are no whole numbers: the keys are hashed, the hashes fall into pages, and each page
//! has its count and the sum of its hashes. Two of them say in which pages keys went, not which.

use super::records::{Records, field};
use crate::catalog::Table;
use crate::db::sql;
use crate::error::Result;
use minijinja::context;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

/// Keys on one page, about; and pages, at most.
const KEYS_A_PAGE: u64 = 32;
const MOST_PAGES: u64 = 1 << 20;
const HEADER: &str = "page,rows,keys\n";

/// What the hashes are masked with to give their page, for a table of so many rows.
#[must_use]
pub fn mask(rows: u64) -> i64 {
    let pages = (rows / KEYS_A_PAGE).next_power_of_two().clamp(16, MOST_PAGES);
    i64::try_from(pages - 1).unwrap_or(0)
}

/// The hash of a key as the server has it: `hashtextextended(key, 0)` under the collation "C", on a machine whose numbers
/// begin with their lowest byte.
#[must_use]
pub fn hash(key: &[u8]) -> i64 {
    let word = |part: &[u8]| part.iter().rev().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let start = 0x9e37_79b9_u32.wrapping_add(length).wrapping_add(3_923_095);
    let [mut a, mut b, mut c] = [start; 3];
    let (parts, rest) = key.as_chunks::<12>();
    for part in parts {
        a = a.wrapping_add(word(&part[..4]));
        b = b.wrapping_add(word(&part[4..8]));
        c = c.wrapping_add(word(&part[8..]));
        let step = |x: u32, y: u32, by: u32| x.wrapping_sub(y) ^ y.rotate_left(by);
        (a, c) = (step(a, c, 4), c.wrapping_add(b));
        (b, a) = (step(b, a, 6), a.wrapping_add(c));
        (c, b) = (step(c, b, 8), b.wrapping_add(a));
        (a, c) = (step(a, c, 16), c.wrapping_add(b));
        (b, a) = (step(b, a, 19), a.wrapping_add(c));
        (c, b) = (step(c, b, 4), b.wrapping_add(a));
    }
    let at = |from: usize, to: usize| word(&rest[from.min(rest.len())..to.min(rest.len())]);
    a = a.wrapping_add(at(0, 4));
    b = b.wrapping_add(at(4, 8));
    // Its lowest byte is that of the length.
    c = c.wrapping_add(at(8, 12) << 8);
    let step = |x: u32, y: u32, by: u32| (x ^ y).wrapping_sub(y.rotate_left(by));
    c = step(c, b, 14);
    a = step(a, c, 11);
    b = step(b, a, 25);
    c = step(c, b, 16);
    a = step(a, c, 4);
    b = step(b, a, 14);
    c = step(c, b, 24);
    (i64::from(b) << 32) | i64::from(c)
}

/// The same of the rows of `table`, as an SQL expression.
pub fn hash_of(table: &Table, key: &[String], alias: Option<&str>) -> Result<String> {
    let text = match key {
        [one] => table.column(one).is_some_and(|c| matches!(c.kind_of_type(), "text" | "character varying")),
        _ => false,
    };
    sql::render(crate::sql!("snapshot/key_hash.sql"), context! { key => key.to_vec(), alias, text })
}

/// Rows of a page and the sum of the hashes of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Page {
    rows: i64,
    keys: i128,
}

impl Page {
    fn minus(self, other: Page) -> Page {
        Page { rows: self.rows - other.rows, keys: self.keys - other.keys }
    }
}

/// A multitude of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    pages: BTreeMap<i64, Page>,
    /// Of rows that were written since the parent.
    written: BTreeMap<i64, Page>,
}

impl Tally {
    #[must_use]
    pub fn count(&self) -> u64 {
        self.pages.values().map(|page| u64::try_from(page.rows).unwrap_or(0)).sum()
    }

    /// Pages of which it cannot be said that all keys of `before` are still there.
    ///
    /// The rows that were not written since were there before. What is missing to the page as it was are old versions of
    /// rows: none, when all that was written is new; as many as were written and of the same keys, when they were changed.
    #[must_use]
    pub fn doubtful(&self, before: &Tally) -> Vec<i64> {
        let of = |pages: &BTreeMap<i64, Page>, page: i64| pages.get(&page).copied().unwrap_or_default();
        let clear = |page: i64| {
            let written = of(&self.written, page);
            let old_versions = of(&before.pages, page).minus(of(&self.pages, page).minus(written));
            old_versions == Page::default() || old_versions == written
        };
        let mut pages: Vec<i64> = self.pages.keys().chain(before.pages.keys()).copied().collect();
        pages.sort_unstable();
        pages.dedup();
        pages.retain(|page| !clear(*page));
        pages
    }

    /// Writes it as CSV, `page,rows,keys`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(HEADER.as_bytes())?;
        self.pages.iter().try_for_each(|(page, Page { rows, keys })| writeln!(out, "{page},{rows},{keys}"))
    }

    /// Reads what [`Tally::write`] wrote.
    pub fn read(mut from: impl Read) -> io::Result<Tally> {
        let (mut counting, mut piece) = (Counting::default(), vec![0; 1 << 16]);
        loop {
            match from.read(&mut piece) {
                Ok(0) => return counting.finish(),
                Ok(n) => counting.push(&piece[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// A tally that arrives as CSV: `page,rows,keys`, and of the server also `written_rows,written_keys`.
#[derive(Debug, Default)]
pub struct Counting {
    records: Records,
    tally: Tally,
    wrong: bool,
}

impl Counting {
    pub fn push(&mut self, piece: &[u8]) {
        let (tally, wrong) = (&mut self.tally, &mut self.wrong);
        self.records.push(piece, |record| {
            let page =
                |rows, keys| Some(Page { rows: number(field(record, rows))?, keys: number(field(record, keys))? });
            match (number(field(record, 0)), page(1, 2)) {
                (Some(at), Some(found)) if !tally.pages.contains_key(&at) => {
                    tally.pages.insert(at, found);
                    if let Some(written) = page(3, 4).filter(|p| p.rows > 0) {
                        tally.written.insert(at, written);
                    }
                }
                _ => *wrong = true,
            }
        });
    }

    pub fn finish(self) -> io::Result<Tally> {
        if self.wrong || !self.records.complete() || self.tally.pages.len() as u64 > MOST_PAGES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no tally of keys"));
        }
        Ok(self.tally)
    }
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Tally {
        Tally::read(format!("page,rows,keys,written_rows,written_keys\n{text}").as_bytes()).unwrap()
    }

    #[test]
    fn a_key_is_hashed_as_the_server_does_it() {
        // As PostgreSQL 15 answers: SELECT hashtextextended(KEY COLLATE "C", 0).
        for (key, expected) in [
            ("", -6_939_563_903_564_495_251),
            ("a", 3_591_986_179_850_072_241),
            ("abcd", -1_038_429_303_365_892_052),
            ("abcdefgh", -8_882_191_227_074_733_005),
            ("abcdefghi", -3_278_210_106_038_014_113),
            ("abcdefghijk", 3_112_909_444_737_856_467),
            ("abcdefghijkl", -7_556_637_188_122_330_412),
            ("abcdefghijklm", 8_871_624_171_452_417_744),
            ("5f2b9c1e-0d3a-4f8b-9c1d-2e3f4a5b6c7d", -7_900_580_653_364_766_635),
            ("张三\u{1f}17", -4_623_400_100_111_796_715),
        ] {
            assert_eq!(hash(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn pages_whose_keys_may_have_gone_are_doubtful_and_no_others() {
        let before = of("0,2,300,,\n1,2,7,,\n2,1,5,,\n3,3,60,,\n4,1,9,,\n5,2,30,,\n");
        let now = of(concat!(
            "0,3,350,1,50\n", // one more
            "1,2,7,1,4\n",    // one written again
            "3,2,40,,\n",     // one gone; page 2 is empty
            "4,1,11,1,11\n",  // one gone, another came
            "5,3,77,2,57\n",  // one came, one was written again
            "6,1,8,1,8\n",    // the first of its page
        ));
        assert_eq!(now.doubtful(&before), [2, 3, 4, 5]);
        assert_eq!((before.count(), now.count()), (11, 12));
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let tally = of("-5,1,-9223372036854775808,,\n7,40,170141183460469231731687303715884105727,,\n");
        let mut text = Vec::new();
        tally.write(&mut text).unwrap();
        assert_eq!(Tally::read(&text[..]).unwrap(), tally);
        for wrong in ["h\n1,2", "h\n1,x,3\n", "h\n1,2,3\n1,2,3\n"] {
            assert!(Tally::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn there_are_about_as_many_pages_as_there_is_use_for() {
        assert_eq!([mask(0), mask(1000), mask(4_000_000), mask(1 << 40)], [15, 31, 131_071, 1_048_575]);
    }
}

//! Which keys a table has: one bit a key, 64 keys a page. Two of them say exactly which keys came and which went, and of
//! numbers that were handed out one after the other millions take less room than one row's photograph.

use super::records::{Records, field};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

/// More pages are not kept: the keys lie too far apart for this way of writing them down.
const MOST_PAGES: usize = 1_000_000;
const HEADER: &str = "page,keys\n";

/// A set of whole numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    pages: BTreeMap<i64, u64>,
}

impl Census {
    /// False when there is no room for it.
    #[must_use]
    pub fn add(&mut self, key: i64) -> bool {
        *self.pages.entry(key >> 6).or_default() |= 1 << (key & 63);
        self.pages.len() <= MOST_PAGES
    }

    /// How many keys there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.pages.values().map(|bits| u64::from(bits.count_ones())).sum()
    }

    /// The keys that are not in `other`, in order.
    pub fn without<'a>(&'a self, other: &'a Census) -> impl Iterator<Item = i64> + 'a {
        self.pages.iter().flat_map(|(page, bits)| {
            let left = bits & !other.pages.get(page).copied().unwrap_or_default();
            (0..64).filter(move |bit| left >> bit & 1 == 1).map(move |bit| page << 6 | bit)
        })
    }

    /// Writes it as CSV, `page,keys`: the key divided by 64, and the bits of its 64 keys as a signed number.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(HEADER.as_bytes())?;
        self.pages.iter().try_for_each(|(page, bits)| writeln!(out, "{page},{}", bits.cast_signed()))
    }

    /// Reads what [`Census::write`] or the server wrote.
    pub fn read(mut from: impl Read) -> io::Result<Census> {
        let mut pages = Pages::default();
        let mut piece = vec![0; 1 << 16];
        loop {
            match from.read(&mut piece) {
                Ok(0) => return pages.finish(),
                Ok(n) => pages.push(&piece[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// A census that arrives as CSV, in any order of its pages.
#[derive(Debug, Default)]
pub struct Pages {
    records: Records,
    census: Census,
    wrong: bool,
}

impl Pages {
    pub fn push(&mut self, piece: &[u8]) {
        let (census, wrong) = (&mut self.census, &mut self.wrong);
        self.records.push(piece, |record| match (number(field(record, 0)), number(field(record, 1))) {
            (Some(page), Some(bits)) => *census.pages.entry(page).or_default() |= bits.cast_unsigned(),
            _ => *wrong = true,
        });
    }

    pub fn finish(self) -> io::Result<Census> {
        let too_many = self.census.pages.len() > MOST_PAGES;
        if self.wrong || too_many || !self.records.complete() {
            let what = if too_many { "it has too many pages" } else { "it is no census" };
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(self.census)
    }
}

/// Takes the census of a table from its CSV as it goes by.
#[derive(Debug)]
pub struct Taking {
    /// Place of the key among the columns.
    place: usize,
    /// `None`: the keys lie too far apart.
    census: Option<Census>,
}

impl Taking {
    #[must_use]
    pub fn of_column(place: usize) -> Taking {
        Taking { place, census: Some(Census::default()) }
    }

    pub fn record(&mut self, record: &[u8]) {
        let kept = match (&mut self.census, number(field(record, self.place))) {
            (Some(census), Some(key)) => census.add(key),
            _ => false,
        };
        if !kept {
            self.census = None;
        }
    }

    /// `None` when it could not be taken.
    #[must_use]
    pub fn finish(self) -> Option<Census> {
        self.census
    }
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &[i64]) -> Census {
        let mut census = Census::default();
        assert!(keys.iter().all(|key| census.add(*key)));
        census
    }

    #[test]
    fn what_came_and_what_went_is_told_exactly() {
        let before = of(&[i64::MIN, -65, -1, 0, 63, 64, i64::MAX]);
        let now = of(&[-1, 1, 63, 64, 65, i64::MAX]);
        assert_eq!(before.without(&now).collect::<Vec<_>>(), [i64::MIN, -65, 0]);
        assert_eq!(now.without(&before).collect::<Vec<_>>(), [1, 65]);
        assert_eq!((before.count(), now.count()), (7, 6));
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let census = of(&[-64, -1, 0, 63, 1000]);
        let mut text = Vec::new();
        census.write(&mut text).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&text),
            "page,keys\n-1,-9223372036854775807\n0,-9223372036854775807\n15,1099511627776\n"
        );
        assert_eq!(Census::read(&text[..]).unwrap(), census);
        for wrong in ["page,keys\n1", "page,keys\n1,x\n", "page,keys\n\"1\"\n"] {
            assert!(Census::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn it_is_taken_from_rows_and_given_up_when_a_key_is_no_number() {
        let mut taking = Taking::of_column(1);
        for record in ["\"a,b\",7\n", "c,8\n"] {
            taking.record(record.as_bytes());
        }
        assert_eq!(taking.finish(), Some(of(&[7, 8])));
        let mut taking = Taking::of_column(0);
        taking.record(b",7\n");
        assert_eq!(taking.finish(), None);
    }
}

//! The keys of a table as they are written down beside its rows, and what two such writings say of what went.

use crate::formats::census::Census;
use crate::formats::tally::Tally;
use std::io::{self, Read};

/// Keys or pages that are asked for one by one, at most; with more the whole table is sent.
const MOST_ASKED: usize = 100_000;

/// Which keys a table has.
#[derive(Debug)]
pub enum Keys {
    Numbers(Census),
    /// Of keys that are no whole numbers.
    Hashes(Tally),
}

/// What a delta has to say beside the rows that were written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// CSV: the keys that are gone, or the pages of which every row is sent.
    pub text: Vec<u8>,
    /// Array literals of keys and of pages whose rows are to be sent, whether they were written or not.
    pub keys: Option<String>,
    pub pages: Option<String>,
}

impl Keys {
    /// Reads what [`Keys::write`] wrote.
    pub fn read(from: impl Read, hashed: bool) -> io::Result<Keys> {
        Ok(if hashed { Keys::Hashes(Tally::read(from)?) } else { Keys::Numbers(Census::read(from)?) })
    }

    pub fn write(&self, out: &mut impl io::Write) -> io::Result<()> {
        match self {
            Keys::Numbers(census) => census.write(out),
            Keys::Hashes(tally) => tally.write(out),
        }
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Keys::Numbers(census) => census.count(),
            Keys::Hashes(tally) => tally.count(),
        }
    }

    /// What went since `before`. Rows come into the view of a filter without being written: `filtered` asks for those too.
    /// `None` when that is too much to be asked for one by one.
    #[must_use]
    pub fn gone_since(&self, before: &Keys, filtered: bool) -> Option<Gone> {
        let lines = |header: &str, numbers: &[i64]| {
            let mut text = format!("{header}\n");
            numbers.iter().for_each(|n| text += &format!("{n}\n"));
            text.into_bytes()
        };
        let array = |numbers: &[i64]| {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            (!numbers.is_empty()).then(|| format!("{{{}}}", numbers.join(",")))
        };
        match (before, self) {
            (Keys::Numbers(before), Keys::Numbers(now)) => {
                let gone: Vec<i64> = before.without(now).collect();
                let came: Vec<i64> = now.without(before).take(if filtered { MOST_ASKED + 1 } else { 0 }).collect();
                let few = came.len() <= MOST_ASKED;
                few.then(|| Gone { text: lines("key", &gone), keys: array(&came), pages: None })
            }
            (Keys::Hashes(before), Keys::Hashes(now)) => {
                let pages = now.doubtful(before);
                let few = pages.len() <= MOST_ASKED;
                few.then(|| Gone { text: lines("page", &pages), keys: None, pages: array(&pages) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(keys: &[i64]) -> Keys {
        let mut census = Census::default();
        assert!(keys.iter().all(|key| census.add(*key)));
        Keys::Numbers(census)
    }

    #[test]
    fn what_came_is_asked_for_where_a_filter_may_have_brought_it_into_view() {
        let (before, now) = (numbers(&[1, 2, 3]), numbers(&[2, 3, 70]));
        let gone = now.gone_since(&before, false).unwrap();
        assert_eq!((gone.text.as_slice(), gone.keys), (&b"key\n1\n"[..], None));
        assert_eq!(now.gone_since(&before, true).unwrap().keys.as_deref(), Some("{70}"));
    }
}

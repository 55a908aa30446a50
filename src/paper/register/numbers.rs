//! The numbers of one series: blocks that were handed out, and how each number ended.

use super::act::{Act, Content, Target};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers handed out together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub first: u64,
    pub last: u64,
    pub to: String,
    pub epoch: u64,
    /// In the print pack.
    pub packed: bool,
}

/// How a number ended; one without an end is outstanding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Keyed { hash: String, target: Target, event: Option<String> },
    Void,
    Missing,
}

/// An import that was begun, and ended by nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    pub series: String,
    pub target: Target,
    pub event: Option<String>,
    pub generation: Option<u64>,
    pub slips: Vec<Content>,
}

/// How many numbers ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Count {
    pub issued: u64,
    pub keyed: u64,
    pub void: u64,
    pub missing: u64,
    pub outstanding: u64,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.issued += other.issued;
        self.keyed += other.keyed;
        self.void += other.void;
        self.missing += other.missing;
        self.outstanding += other.outstanding;
    }
}

/// One series: a kind of slips of a site.
#[derive(Debug, Clone, Default)]
pub struct Series {
    pub blocks: Vec<Block>,
    ends: BTreeMap<u64, End>,
    called: BTreeSet<u64>,
    /// Numbers up to here are never issued.
    left_out: u64,
}

impl Series {
    pub(super) fn take(&mut self, act: &Act) {
        match act {
            Act::Issue { first, last, to, epoch, packed, .. } => {
                let (first, last, epoch, packed) = (*first, *last, *epoch, *packed);
                self.blocks.push(Block { first, last, to: to.clone(), epoch, packed });
            }
            Act::Void { first, last, .. } => self.end(*first, *last, &End::Void),
            Act::Missing { first, last, .. } => self.end(*first, *last, &End::Missing),
            Act::Reopen { first, last, .. } => {
                self.ends.retain(|n, end| !(first..=last).contains(&n) || matches!(end, End::Keyed { .. }));
            }
            Act::Keyed { target, event, slips, .. } => {
                for (number, hash) in slips {
                    let end = End::Keyed { hash: hash.clone(), target: *target, event: event.clone() };
                    self.ends.insert(*number, end);
                }
            }
            Act::Called { numbers, .. } => self.called.extend(numbers),
            Act::Home { .. } | Act::Begin { .. } | Act::End { .. } => {}
        }
    }

    /// What is keyed stays keyed.
    fn end(&mut self, first: u64, last: u64, end: &End) {
        for number in first..=last {
            if !matches!(self.ends.get(&number), Some(End::Keyed { .. })) {
                self.ends.insert(number, end.clone());
            }
        }
    }

    pub(super) fn leap(&mut self, by: u64) {
        self.left_out = self.next() - 1 + by;
    }

    /// The next number to be issued.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.blocks.last().map_or(0, |b| b.last).max(self.left_out) + 1
    }

    /// The block that a number was issued in.
    #[must_use]
    pub fn block(&self, number: u64) -> Option<&Block> {
        self.blocks.iter().find(|b| (b.first..=b.last).contains(&number))
    }

    #[must_use]
    pub fn end_of(&self, number: u64) -> Option<&End> {
        self.ends.get(&number)
    }

    #[must_use]
    pub fn was_called(&self, number: u64) -> bool {
        self.called.contains(&number)
    }

    /// Numbers that were issued and have not ended, as ranges with the window that has them. Those of a pack that nobody
    /// has touched are not out of hand; see [`Series::is_in_the_pack`].
    #[must_use]
    pub fn outstanding(&self, epoch: u64) -> Vec<(u64, u64, String)> {
        let mut ranges: Vec<(u64, u64, String)> = Vec::new();
        for block in self.blocks.iter().filter(|b| !self.is_in_the_pack(b, epoch)) {
            for number in (block.first..=block.last).filter(|n| !self.ends.contains_key(n)) {
                match ranges.last_mut() {
                    Some((_, last, to)) if *last + 1 == number && *to == block.to => *last = number,
                    _ => ranges.push((number, number, block.to.clone())),
                }
            }
        }
        ranges
    }

    /// True of a block that lies unprinted in the print pack: no event began since, and none of its numbers has ended.
    #[must_use]
    pub fn is_in_the_pack(&self, block: &Block, epoch: u64) -> bool {
        block.packed && block.epoch == epoch && self.ends.range(block.first..=block.last).next().is_none()
    }

    #[must_use]
    pub fn count(&self, block: &Block) -> Count {
        let mut count = Count { issued: block.last - block.first + 1, ..Count::default() };
        for end in self.ends.range(block.first..=block.last).map(|(_, end)| end) {
            match end {
                End::Keyed { .. } => count.keyed += 1,
                End::Void => count.void += 1,
                End::Missing => count.missing += 1,
            }
        }
        count.outstanding = count.issued - count.keyed - count.void - count.missing;
        count
    }

    /// Keyed slips, with how.
    pub fn keyed(&self) -> impl Iterator<Item = (u64, &str, Target, Option<&str>)> {
        self.ends.iter().filter_map(|(number, end)| match end {
            End::Keyed { hash, target, event } => Some((*number, hash.as_str(), *target, event.as_deref())),
            _ => None,
        })
    }
}

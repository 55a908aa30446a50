//! The proof that a drill has left no row on the live primary: no number that was handed out in it is there.

use crate::catalog::Name;
use crate::cli::Site;
use crate::error::Result;
use crate::profile::Numbers;
use crate::standby::numbers;
use std::collections::BTreeMap;

/// How far each block was used.
pub type Used = BTreeMap<Name, i64>;

/// Rows on the live primary that bear numbers of the drill: above `before`, up to `after`. The primary is read, no more.
pub fn rows_on_primary(live: &Site, before: &Used, after: &Used) -> Result<i64> {
    let mut client = live.profile.primary()?.named("his-drill").connect()?;
    let mut rows = 0;
    for (sequence, last) in after {
        let block = live.profile.numbers.iter().find_map(|n| match n {
            Numbers::Block { sequence: s, first, .. } if s == sequence => Some(*first),
            _ => None,
        });
        let Some(from) = before.get(sequence).copied().or(block.map(|first| first - 1)) else { continue };
        if *last > from {
            rows += numbers::rows_between(&mut client, sequence, from, *last)?;
        }
    }
    Ok(rows)
}

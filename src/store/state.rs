//! `state.json`: mode, event and what must never be forgotten, so that every tool can answer with both servers off.
//!
//! What is open is decided by the gate in the standby; this file is the memory beside it.

use super::Store;
use crate::error::{Cannot, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(super) const FILE: &str = "state.json";
const FORMAT: u32 = 1;

/// Where the windows work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Normal,
    Standby,
    Paper,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Mode::Normal => "normal",
            Mode::Standby => "standby",
            Mode::Paper => "paper",
        })
    }
}

/// One emergency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub id: String,
    pub epoch: u64,
    pub drill: bool,
    pub opened_at: DateTime<Utc>,
    pub reason: String,
    pub ordered_by: Option<String>,
    pub by: String,
    pub level: Option<u8>,
    /// Primary and standby both serve windows; set by `--both-live`.
    pub both_live: bool,
    /// Generation that was opened first in this event; `None` while only paper was used.
    pub generation: Option<u64>,
    pub snapshot: Option<String>,
    /// Where the standby's data ends.
    pub data_until: Option<DateTime<Utc>>,
    /// The last batch whose units are known, when the standby was given up (`--standby-lost`).
    pub lost_after_batch: Option<u64>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// How far the primary is fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FenceState {
    /// Windows may use the primary.
    #[default]
    Off,
    /// Wanted, but the primary has not answered yet; put on at first contact.
    Pending,
    On,
}

/// A move between modes that has begun and not ended; the same command resumes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    pub to: Mode,
    pub begun_at: DateTime<Utc>,
    /// The last step that is known to be done, in the words of the plan.
    pub step: String,
}

/// How far one row that numbers are kept in has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reached {
    pub last: i64,
    /// When this was first known.
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub format: u32,
    pub mode: Mode,
    /// Since when this mode.
    pub since: Option<DateTime<Utc>>,
    /// The current event, or the latest.
    pub event: Option<Event>,
    pub moving: Option<Move>,
    /// Highest epoch ever used; only grows.
    pub epoch: u64,
    /// Drills so far.
    pub drills: u64,
    /// Highest generation number ever used; only grows.
    pub generation: u64,
    pub fence: FenceState,
    /// Highest `merge_run` of the primary's ledger that this store has seen; a snapshot must not be older (P6).
    pub merge_run: u64,
    /// Highest number ever handed out of each emergency block, by sequence (P2 of numbers: once in its life).
    pub numbers: BTreeMap<String, i64>,
    /// What rows of columns that numbers are kept in have reached on a standby: by `schema.table.column`, then by the row's
    /// key as JSON.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub table_numbers: BTreeMap<String, BTreeMap<String, Reached>>,
    /// A delta did not prove itself: the next snapshot is a full one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full_wanted: bool,
}

impl Default for State {
    fn default() -> Self {
        State {
            format: FORMAT,
            mode: Mode::Normal,
            since: None,
            event: None,
            moving: None,
            epoch: 0,
            drills: 0,
            generation: 0,
            fence: FenceState::Off,
            merge_run: 0,
            numbers: BTreeMap::new(),
            table_numbers: BTreeMap::new(),
            full_wanted: false,
        }
    }
}

impl State {
    /// Reads the store's state; of store and mirror the one that has come further, so that a store put back from an
    /// old copy cannot use an epoch twice.
    pub(super) fn read(store: &Store) -> Result<State> {
        let path = store.dir().join(FILE);
        let own = super::mirror::read(&path)?.map(|bytes| parse(&bytes)).transpose();
        let own = own.map_err(|reason| store.damaged(FILE, reason))?;
        let mirrored = match &store.mirror {
            Some(mirror) => mirror.read(FILE, parse)?,
            None => None,
        };
        let further = |s: &State| (s.epoch, s.generation, s.merge_run, s.since);
        Ok(match (own, mirrored) {
            (Some(own), Some(mirrored)) => {
                let own_first = further(&own) >= further(&mirrored);
                let (mut state, other) = if own_first { (own, mirrored) } else { (mirrored, own) };
                state.saw_all_of(&other);
                state
            }
            (own, mirrored) => own.or(mirrored).unwrap_or_default(),
        })
    }

    /// Reads, changes and writes the state as one step: two tools may do so at once.
    pub fn update(store: &Store, change: impl FnOnce(&mut State)) -> Result<State> {
        let lock = store.brief_lock("state")?;
        let mut state = State::read(store)?;
        change(&mut state);
        let text = serde_json::to_string_pretty(&state).cannot("write the state")?;
        store.replace(FILE, text.as_bytes())?;
        drop(lock);
        Ok(state)
    }

    /// Remembers what the other of two copies remembers of numbers: which copy has come further does not tell that.
    fn saw_all_of(&mut self, other: &State) {
        other.numbers.iter().for_each(|(sequence, last)| self.saw_number(sequence, *last));
        for (column, rows) in &other.table_numbers {
            let known = self.table_numbers.entry(column.clone()).or_default();
            for (key, reached) in rows {
                let seen = known.entry(key.clone()).or_insert(*reached);
                if seen.last < reached.last {
                    *seen = *reached;
                }
            }
        }
    }

    /// Remembers that `sequence` has handed out numbers up to `last`; never goes back.
    pub fn saw_number(&mut self, sequence: &str, last: i64) {
        let seen = self.numbers.entry(sequence.to_owned()).or_insert(last);
        *seen = (*seen).max(last);
    }

    /// Remembers that the row `key` of `column` has come to `last`; never goes back.
    pub fn saw_table_number(&mut self, column: &str, key: &str, last: i64) {
        let rows = self.table_numbers.entry(column.to_owned()).or_default();
        if rows.get(key).is_none_or(|seen| seen.last < last) {
            rows.insert(key.to_owned(), Reached { last, at: Utc::now() });
        }
    }

    /// Forgets rows of `column`, each where it has come no further than this.
    pub fn forget_table_numbers(&mut self, column: &str, rows: &[(&String, i64)]) {
        if let Some(known) = self.table_numbers.get_mut(column) {
            for (key, last) in rows {
                if known.get(*key).is_some_and(|reached| reached.last <= *last) {
                    known.remove(*key);
                }
            }
        }
    }
}

/// The state, or what is wrong with it.
fn parse(bytes: &[u8]) -> Result<State, String> {
    let state: State = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if state.format != FORMAT {
        return Err(format!("its format is {} (expected {FORMAT})", state.format));
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_copies_the_highest_number_of_each_sequence_and_row_counts() {
        let (mut own, mut other) = (State::default(), State::default());
        own.saw_number("s.a", 5);
        own.saw_table_number("t.n", "{1}", 7);
        other.saw_number("s.a", 4);
        other.saw_number("s.b", 9);
        other.saw_table_number("t.n", "{1}", 8);
        other.saw_table_number("t.n", "{2}", 3);
        own.saw_all_of(&other);
        let rows: Vec<_> = own.table_numbers["t.n"].iter().map(|(key, reached)| (key.as_str(), reached.last)).collect();
        assert_eq!((own.numbers["s.a"], own.numbers["s.b"], rows), (5, 9, vec![("{1}", 8), ("{2}", 3)]));
    }
}

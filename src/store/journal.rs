//! `journal.jsonl`: one line per act of any tool, chained.

use super::chain::{Chain, Link};
use super::{Broken, Store, lock};
use crate::error::Result;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(super) const FILE: &str = "journal.jsonl";

/// One line of the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Act {
    pub at: DateTime<Utc>,
    pub program: String,
    pub host: String,
    pub by: String,
    /// What was done, in a word or two: `snapshot`, `load`, `switch standby`, `fence`.
    pub act: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// `done`, `begun`, or what went wrong.
    pub result: String,
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub detail: serde_json::Value,
    pub previous: String,
}

impl Link for Act {
    fn previous(&mut self) -> &mut String {
        &mut self.previous
    }
}

/// The journal of one store.
#[derive(Debug, Clone)]
pub struct Journal {
    chain: Chain,
}

impl Journal {
    pub(super) fn new(store: Store) -> Self {
        Journal { chain: Chain::new(store, FILE) }
    }

    /// Appends one act to the journal and its mirror, synced before it returns.
    pub fn write(
        &self,
        by: &str,
        act: &str,
        event: Option<&str>,
        result: &str,
        detail: serde_json::Value,
    ) -> Result<()> {
        self.chain.append(Act {
            at: Utc::now(),
            program: lock::program(),
            host: lock::host(),
            by: by.to_owned(),
            act: act.to_owned(),
            event: event.map(str::to_owned),
            result: result.to_owned(),
            detail,
            previous: String::new(),
        })
    }

    /// Appends an act that is done, unless the journal has it: for a step that a killed run has taken without saying so.
    /// `key` names the part of `detail` that tells this act from others of its name and event.
    pub fn write_once(&self, by: &str, act: &str, event: &str, key: &str, detail: serde_json::Value) -> Result<()> {
        let (acts, _) = self.read()?;
        let same = |a: &Act| {
            a.act == act && a.result == "done" && a.event.as_deref() == Some(event) && a.detail[key] == detail[key]
        };
        if acts.iter().any(same) { self.chain.settle() } else { self.write(by, act, Some(event), "done", detail) }
    }

    /// All acts, oldest first, and the first place where the chain is broken.
    pub fn read(&self) -> Result<(Vec<Act>, Option<Broken>)> {
        self.chain.read()
    }
}

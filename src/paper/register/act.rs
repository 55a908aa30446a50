//! The lines of `paper/numbers.jsonl`: what happened to numbers, oldest first. No line holds a name.

use crate::store::Link;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One line of the register.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    pub at: DateTime<Utc>,
    pub by: String,
    #[serde(flatten)]
    pub act: Act,
    pub previous: String,
}

impl Link for Line {
    fn previous(&mut self) -> &mut String {
        &mut self.previous
    }
}

/// Where slips are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    Primary,
    Standby,
    /// Nowhere: the slip is filed as paper.
    File,
}

/// Running number and hash of the content of a slip.
pub type Content = (u64, String);

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    /// The register lives in this store, on this machine; one that was copied elsewhere issues nothing.
    Home {
        home: super::home::Home,
        why: Option<String>,
    },
    /// Numbers `first` to `last` of a series were handed to a window or ward.
    Issue {
        series: String,
        first: u64,
        last: u64,
        to: String,
        /// Highest epoch when they were issued.
        epoch: u64,
        /// They lie in the print pack, and are handed out when somebody prints them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        packed: bool,
    },
    Void {
        series: String,
        first: u64,
        last: u64,
        why: String,
    },
    Missing {
        series: String,
        first: u64,
        last: u64,
        why: String,
    },
    /// Void or missing numbers that have turned up after all.
    Reopen {
        series: String,
        first: u64,
        last: u64,
        why: String,
    },
    /// Slips are about to be written: what became of them is what the target says, whatever happens to us.
    Begin {
        series: String,
        target: Target,
        event: Option<String>,
        generation: Option<u64>,
        slips: Vec<Content>,
    },
    /// Slips that the target has.
    Keyed {
        series: String,
        target: Target,
        event: Option<String>,
        slips: Vec<Content>,
    },
    /// The import that began last, of those that have not ended, has; what of it is not keyed was not written.
    End {
        series: String,
    },
    /// The patients of these slips have been called.
    Called {
        series: String,
        numbers: Vec<u64>,
    },
}

impl Act {
    /// The series that it is about; none when it is about the register itself.
    #[must_use]
    pub fn series(&self) -> Option<&str> {
        match self {
            Act::Home { .. } => None,
            Act::Issue { series, .. }
            | Act::Void { series, .. }
            | Act::Missing { series, .. }
            | Act::Reopen { series, .. }
            | Act::Begin { series, .. }
            | Act::Keyed { series, .. }
            | Act::End { series }
            | Act::Called { series, .. } => Some(series),
        }
    }
}

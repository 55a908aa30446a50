//! One line of the log: who said what, when.

use crate::plan::{Audience, Phase};
use crate::store::Link;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub at: DateTime<Utc>,
    pub by: String,
    pub host: String,
    /// `<site>-I0001`, in the order in which they began.
    pub incident: String,
    #[serde(flatten)]
    pub said: Said,
    pub previous: String,
}

impl Link for Record {
    fn previous(&mut self) -> &mut String {
        &mut self.previous
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Said {
    /// A department reports symptoms; the first one begins an incident in the phase of warning.
    Warn {
        department: String,
        text: String,
    },
    /// Nothing came of the warnings.
    Dismiss {
        why: String,
    },
    Start {
        cause: String,
        level: u8,
        why: String,
        ordered_by: Option<String>,
    },
    Level {
        level: u8,
        why: String,
        ordered_by: Option<String>,
    },
    Phase {
        phase: Phase,
    },
    Done {
        task: String,
        note: Option<String>,
    },
    Note {
        text: String,
    },
    /// A post of the call list was called.
    Call {
        role: String,
        reached: bool,
        note: Option<String>,
    },
    Notice {
        notice: String,
        to: Audience,
        text: String,
        files: Vec<String>,
        hook: Option<String>,
    },
    End {
        why: String,
        ordered_by: Option<String>,
    },
    Cause {
        text: String,
    },
    Improvement {
        text: String,
        owner: String,
        due: NaiveDate,
    },
}

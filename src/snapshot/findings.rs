//! What `check` and `take` say about a profile: which table, which line of `his.toml`, what is wrong.

use crate::profile::Table;
use serde::Serialize;

/// One thing to mend, or to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// As the profile writes it; `None` when it is about no table.
    pub table: Option<String>,
    /// Line of the profile where the table begins.
    pub line: Option<usize>,
    pub text: String,
}

impl Finding {
    pub(super) fn of(table: &Table, text: impl Into<String>) -> Finding {
        Finding { table: Some(table.name.to_string()), line: Some(table.line), text: text.into() }
    }

    pub(super) fn general(text: impl Into<String>) -> Finding {
        Finding { table: None, line: None, text: text.into() }
    }
}

/// `line 12, outpatient.charge: text`.
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}, ")?;
        }
        if let Some(table) = &self.table {
            write!(f, "{table}: ")?;
        }
        f.write_str(&self.text)
    }
}

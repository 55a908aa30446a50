//! The receipt of a script: what the primary's ledger said when it was done, between two marks, with its own SHA-256.

use crate::error::{Cannot, Error, Result};
use crate::formats::batch::{Closing, Totals};
use crate::merge::ledger::{Outcomes, Recorded};
use crate::queue;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

const FORMAT: u32 = 1;
const BEGIN: &str = "-----BEGIN HIS-MERGE RECEIPT-----";
const END: &str = "-----END HIS-MERGE RECEIPT-----";

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Receipt {
    pub format: u32,
    pub system_identifier: String,
    pub database: String,
    /// The run of the script in the ledger.
    pub run: u64,
    pub finished_at: DateTime<Utc>,
    pub events: Vec<Told>,
}

/// One event, as the ledger had it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Told {
    pub event: String,
    pub batches: Vec<Merged>,
    outcomes: Vec<Outcome>,
    money: Vec<Money>,
    pub conflicts: Vec<Open>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Merged {
    pub batch: u64,
    pub sha256: String,
    pub totals: Totals,
    pub closing: Option<Closing>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Outcome {
    #[serde(rename = "outcome")]
    status: String,
    units: u64,
    rows: u64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Money {
    table: String,
    column: String,
    outcome: String,
    sum: Decimal,
}

/// A conflict that nobody has decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    pub id: i64,
    pub unit: String,
    pub kind: String,
    pub table: Option<String>,
}

impl Receipt {
    /// Reads the receipt in `text`, whatever stands around it. The second is the receipt alone, as it is kept.
    pub fn parse(text: &str) -> Result<(Receipt, String)> {
        const DOING: &str = "use the receipt";
        let damaged = |reason: &str| {
            Error::damaged(DOING, reason)
                .hint("run the script again on the primary: it changes nothing more, and prints the same receipt.")
        };
        let lines: Vec<&str> = text.lines().map(|l| l.trim().trim_start_matches('\u{feff}')).collect();
        let begun = lines.iter().rposition(|l| *l == BEGIN).ok_or_else(|| damaged("there is none in the file"))?;
        let [told, sum, END] = lines.get(begun + 1..begun + 4).unwrap_or_default() else {
            return Err(damaged("it is not whole"));
        };
        let actual = queue::sha256(told);
        if sum.strip_prefix("sha256 ") != Some(&actual) {
            return Err(damaged(&format!("its SHA-256 is {actual} (expected {})", sum.trim_start_matches("sha256 "))));
        }
        let format: Format = serde_json::from_str(told).cannot(DOING)?;
        if format.format != FORMAT {
            return Err(damaged(&format!("its format is {} (expected {FORMAT})", format.format))
                .hint("use the version of the toolkit that wrote the script, or a newer one."));
        }
        let receipt: Receipt = serde_json::from_str(told).map_err(|e| damaged(&e.to_string()))?;
        Ok((receipt, [BEGIN, told, sum, END, ""].join("\n")))
    }

    /// What it says of an event.
    #[must_use]
    pub fn of(&self, event: &str) -> Option<&Told> {
        self.events.iter().find(|e| e.event == event)
    }
}

impl Told {
    pub fn recorded(&self) -> Vec<Recorded> {
        let recorded = |b: &Merged| Recorded {
            batch: b.batch,
            sha256: b.sha256.clone(),
            totals: b.totals.clone(),
            closing: b.closing.clone(),
        };
        self.batches.iter().map(recorded).collect()
    }

    pub fn outcomes(&self) -> Outcomes {
        Outcomes {
            counts: self.outcomes.iter().map(|o| (o.status.clone(), o.units, o.rows)).collect(),
            money: self.money.iter().map(|m| (m.table.clone(), m.column.clone(), m.outcome.clone(), m.sum)).collect(),
        }
    }
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = r#"{"format" : 1, "system_identifier" : "7", "database" : "his", "run" : 3, "finished_at" : "2026-11-23T09:45:00.123Z", "events" : []}"#;

    fn receipt(told: &str) -> String {
        format!("COPY 3\r\n\u{feff}{BEGIN}\r\n{told}\r\nsha256 {}\r\n{END}\r\n", queue::sha256(told))
    }

    #[test]
    fn a_receipt_is_found_in_whatever_psql_wrote_and_survives_the_line_ends_of_another_system() {
        let (parsed, kept) = Receipt::parse(&receipt(TOLD)).unwrap();
        assert_eq!((parsed.run, parsed.database.as_str()), (3, "his"));
        assert_eq!(Receipt::parse(&kept).unwrap().0, parsed);
    }

    #[test]
    fn a_receipt_that_was_cut_or_changed_is_damaged() {
        let whole = receipt(TOLD);
        for text in [
            whole.replace("\"run\" : 3", "\"run\" : 4"),
            whole.replace(END, ""),
            whole.replace("sha256 ", "sha256 0"),
            String::new(),
        ] {
            assert_eq!(Receipt::parse(&text).unwrap_err().exit(), crate::Exit::Damaged, "{text}");
        }
        let newer = TOLD.replace("\"format\" : 1", "\"format\" : 2");
        assert!(Receipt::parse(&receipt(&newer)).unwrap_err().to_string().contains("its format is 2 (expected 1)"));
    }
}

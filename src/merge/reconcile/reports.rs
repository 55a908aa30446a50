//! The profile's own questions about what the event brought: asked of the primary, never acted on.

use crate::cli::Site;
use crate::db::Transaction;
use crate::db::sql;
use crate::error::{Cannot, Error, Exit, Result};
use minijinja::context;
use serde_json::{Map, Value};

/// What one report says.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub name: String,
    /// Values as text, in the order of the query.
    pub rows: Vec<Map<String, Value>>,
    /// Why it could not be asked.
    pub error: Option<String>,
    /// While it has rows, or could not be asked, the event is not signed off.
    pub must_end: bool,
}

/// Runs every `[[report]]` in `tx`, which is read-only and under the HIS's own settings. One that fails is named and stops
/// nothing else.
pub fn run(tx: &mut Transaction<'_>, site: &Site) -> Result<Vec<Report>> {
    let mut reports = Vec::new();
    for entry in &site.profile.reports {
        let doing = || format!("ask the report '{}'", entry.name);
        let mut report = Report { name: entry.name.clone(), rows: Vec::new(), error: None, must_end: entry.must_end };
        let asked = std::fs::read_to_string(&entry.sql)
            .cannot(format!("read '{}'", entry.sql.display()))
            .and_then(|query| ask(tx, &query, &doing()));
        match asked {
            Ok(rows) => report.rows = rows,
            Err(e) if e.exit() == Exit::Unreachable => return Err(e),
            Err(e) => report.error = Some(e.to_string()),
        }
        reports.push(report);
    }
    Ok(reports)
}

/// One query, as a part of a statement of ours: nothing but a SELECT fits there, and a second statement does not.
fn ask(tx: &mut Transaction<'_>, query: &str, doing: &str) -> Result<Vec<Map<String, Value>>> {
    let query = query.trim_end().trim_end_matches(';');
    let text = sql::render(crate::sql!("merge/reconcile/report.sql"), context! { query })?;
    let mut inner = tx.savepoint("report").cannot(doing)?;
    let rows = inner.query(&text, &[]).cannot(doing)?;
    inner.rollback().cannot(doing)?;
    rows.iter()
        .map(|row| match row.get::<_, Option<&str>>(0) {
            None => Ok(Map::new()),
            Some(text) => serde_json::from_str(text).map_err(|e| Error::failed(doing, e)),
        })
        .collect()
}

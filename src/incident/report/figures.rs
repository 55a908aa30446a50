//! Figures of one event: from its batches what the windows did each minute, from the primary what became of it.

use crate::cli::Site;
use crate::db::Client;
use crate::error::{Cannot, Error, Exit, Result};
use crate::merge::reconcile::{self, Reconciled};
use crate::queue;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What one window did.
#[derive(Debug, Clone, Serialize)]
pub struct Window {
    pub user: String,
    pub application: String,
    pub address: String,
    pub units: i64,
    /// By table and column.
    pub money: Vec<(String, Decimal)>,
}

/// Conflicts of a kind in a table, and what became of them.
#[derive(Debug, Clone, Serialize)]
pub struct Conflicts {
    pub kind: String,
    pub table: Option<String>,
    /// `standby`, `primary` or `link`; empty: waits for a person.
    pub take: String,
    pub by_policy: bool,
    pub count: i64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Units committed on the standby by minute.
    pub per_minute: Vec<(DateTime<Utc>, u64)>,
    pub windows: Vec<Window>,
    pub conflicts: Vec<Conflicts>,
    /// What `his-merge reconcile` says; null when it cannot be asked.
    pub reconcile: Value,
    /// Name and count of each question of the profile that has rows.
    pub reports: Vec<(String, usize)>,
    /// What is not at its end.
    pub open: Vec<String>,
}

/// Reads the batches, asks the primary. A primary that does not answer leaves its part empty, and that is said.
pub fn of(site: &Site, event: &str) -> Result<Figures> {
    let mut figures = Figures { per_minute: per_minute(site, event)?, ..Figures::default() };
    match asked(site, event, &mut figures) {
        Ok(()) => {}
        Err(e) if e.exit() == Exit::Unreachable => figures.open.push(format!("the reconciliation is missing: {e}")),
        Err(e) => return Err(e),
    }
    Ok(figures)
}

/// Counts units by the minute of their commit; minutes without one are there too.
fn per_minute(site: &Site, event: &str) -> Result<Vec<(DateTime<Utc>, u64)>> {
    let (batches, broken) = queue::chain(&site.store, event)?;
    if let Some(error) = broken {
        return Err(error);
    }
    let mut counted: BTreeMap<DateTime<Utc>, u64> = BTreeMap::new();
    for batch in batches {
        let doing = || format!("read the units of '{}'", batch.dir.display());
        let mut reader = csv::Reader::from_reader(batch.units()?);
        let at = reader.headers().cannot(doing())?.iter().position(|h| h == "at");
        let at = at.ok_or_else(|| Error::damaged(doing(), "it has no column 'at'"))?;
        for record in reader.records() {
            let record = record.cannot(doing())?;
            let text = record.get(at).unwrap_or_default();
            // As the server writes it under pinned settings: `2026-11-23 01:02:03.456+00`.
            let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z") else { continue };
            let minute = time.to_utc().duration_trunc(TimeDelta::minutes(1)).unwrap_or(time.to_utc());
            *counted.entry(minute).or_default() += 1;
        }
    }
    let (Some(first), Some(last)) = (counted.keys().next().copied(), counted.keys().last().copied()) else {
        return Ok(Vec::new());
    };
    let minutes = (last - first).num_minutes();
    let minute = |n: i64| first + TimeDelta::minutes(n);
    Ok((0..=minutes).map(|n| (minute(n), counted.get(&minute(n)).copied().unwrap_or(0))).collect())
}

fn asked(site: &Site, event: &str, figures: &mut Figures) -> Result<()> {
    let mut client = site.profile.primary()?.named("his-incident").connect()?;
    if !crate::merge::ledger_is_there(&mut client)? {
        figures.open.push("nothing of it is merged yet".to_owned());
        return Ok(());
    }
    figures.windows = windows(&mut client, event)?;
    let conflicts = client.query(crate::sql!("incident/conflicts.sql"), &[&event]).cannot("count the conflicts")?;
    figures.conflicts = conflicts
        .iter()
        .map(|r| Conflicts { kind: r.get(0), table: r.get(1), take: r.get(2), by_policy: r.get(3), count: r.get(4) })
        .collect();
    let Some(found) = reconcile::run(site, Some(event), None)? else { return Ok(()) };
    figures.reconcile = slim(&found);
    figures.reports =
        found.reports.iter().filter(|r| !r.rows.is_empty()).map(|r| (r.name.clone(), r.rows.len())).collect();
    figures.open.extend(unsettled(&found));
    Ok(())
}

fn windows(client: &mut Client, event: &str) -> Result<Vec<Window>> {
    let doing = "count what each window did";
    let rows = client.query(crate::sql!("incident/windows.sql"), &[&event]).cannot(doing)?;
    let window = |r: &tokio_postgres::Row| Window {
        user: r.get(0),
        application: r.get(1),
        address: r.get(2),
        units: r.get(3),
        money: Vec::new(),
    };
    let mut found: Vec<Window> = rows.iter().map(window).collect();
    for row in client.query(crate::sql!("incident/window_money.sql"), &[&event]).cannot(doing)? {
        let of: (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        let amount = row.get::<_, &str>(4).parse().map_err(|e| Error::failed(doing, e))?;
        let window = found.iter_mut().find(|w| (w.user.as_str(), w.application.as_str(), w.address.as_str()) == of);
        window.into_iter().for_each(|w| w.money.push((row.get(3), amount)));
    }
    Ok(found)
}

/// The reconciliation without its lists of rows: a report goes to many hands.
fn slim(found: &Reconciled) -> Value {
    let whole = reconcile::json(Some(found));
    let kept = ["event", "balanced", "accounted", "closed", "units", "rows", "table", "faults", "paper", "signed"];
    let mut slim: serde_json::Map<String, Value> =
        kept.iter().map(|key| ((*key).to_owned(), whole[*key].clone())).collect();
    slim.insert("differences".to_owned(), json!(found.open().count()));
    slim.insert("accepted".to_owned(), json!(found.differences.len() - found.open().count()));
    Value::Object(slim)
}

fn unsettled(found: &Reconciled) -> Vec<String> {
    let mut open = Vec::new();
    if !found.balanced() {
        open.push("it does not balance: his-merge reconcile".to_owned());
    }
    if found.sheet.units.held > 0 {
        open.push(format!("{} units wait for a person", found.sheet.units.held));
    }
    let outstanding: u64 = found.paper.slips.iter().map(|s| s.outstanding).sum();
    if outstanding > 0 {
        open.push(format!("{outstanding} paper slips are outstanding"));
    }
    for report in found.reports.iter().filter(|r| r.must_end && !r.rows.is_empty()) {
        open.push(format!("{}: {} open", report.name, report.rows.len()));
    }
    if found.signed.len() < 2 {
        open.push("finance and IT have not both signed off".to_owned());
    }
    open
}

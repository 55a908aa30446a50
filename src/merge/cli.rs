//! The command line of `his-merge`.

use super::{Account, Counts, Merged, run, status};
use crate::cli::{self, Common, Outcome, Site};
use crate::error::{Cannot, Exit, Result};
use clap::{Parser, Subcommand};
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Merge what the windows did on the emergency standby back into the primary
#[derive(Debug, Parser)]
#[command(name = "his-merge", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    /// Batches to merge (default: all in the store that are not merged yet)
    #[arg(value_name = "BATCH-DIR")]
    batches: Vec<PathBuf>,
    /// Merge although the windows are not back yet: somebody says that the primary is sound
    #[arg(long)]
    early: bool,
    /// Say which batches would be merged, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what was captured and what became of it
    Status {
        /// What became of this receipt or other number
        #[arg(long, value_name = "N")]
        number: Option<String>,
    },
    /// List the units that wait for a person, and why
    Conflicts,
}

impl cli::Program for Cli {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// All of the program.
#[must_use]
pub fn main() -> ExitCode {
    cli::run::<Cli>(|cli| {
        let site = cli.common.site()?;
        match &cli.command {
            None if cli.dry_run => plan(&site, &cli.batches),
            None => merge(&site, &cli.batches, cli.early),
            Some(Command::Status { number: None }) => show(&site),
            Some(Command::Status { number: Some(number) }) => find_number(&site, number),
            Some(Command::Conflicts) => conflicts(&site),
        }
    })
}

fn merge(site: &Site, dirs: &[PathBuf], early: bool) -> Result<Outcome> {
    let merged = run(site, dirs, early)?;
    let Merged { event, account, new, exit } = &merged;
    let json = account_json(event.as_deref(), account, Some(*new));
    let mut text = match event {
        None => "no event, nothing to merge".to_owned(),
        Some(event) => format!("event {event}: merged {} units now, held {}\n{}", new.merged, new.held, table(account)),
    };
    if *exit != Exit::Done {
        let _ = write!(text, "\n{}", advice(account));
    }
    Ok(Outcome::new(json, text).exit(*exit))
}

fn plan(site: &Site, dirs: &[PathBuf]) -> Result<Outcome> {
    let batches = super::plan(site, dirs)?;
    let line = |b: &crate::queue::Batch| {
        let m = &b.manifest;
        format!("would merge batch {} of {}: {} units, {} rows", m.batch, m.event, m.totals.units, m.totals.rows)
    };
    let text = match batches.as_slice() {
        [] => "every batch is merged already".to_owned(),
        some => some.iter().map(line).collect::<Vec<_>>().join("\n"),
    };
    let list: Vec<Value> = batches
        .iter()
        .map(|b| json!({ "event": b.manifest.event, "batch": b.manifest.batch, "path": b.dir, "units": b.manifest.totals.units, "rows": b.manifest.totals.rows }))
        .collect();
    Ok(Outcome::new(json!({ "batches": list, "dry_run": true }), text))
}

fn show(site: &Site) -> Result<Outcome> {
    let (event, account) = match status(site)? {
        Some((event, account)) => (Some(event), account),
        None => (None, Account { balanced: true, ..Account::default() }),
    };
    let text = match &event {
        None => "no event so far".to_owned(),
        Some(event) => format!("event {event}\n{}\n{}", table(&account), advice(&account)),
    };
    Ok(Outcome::new(account_json(event.as_deref(), &account, None), text))
}

fn account_json(event: Option<&str>, account: &Account, new: Option<Counts>) -> Value {
    let mut json = json!({
        "event": event, "units": account.units, "rows": account.rows, "money": account.money,
        "balanced": account.balanced, "closed": account.closed,
    });
    if let Some(new) = new {
        json["new"] = json!({ "merged": new.merged, "held": new.held });
    }
    json
}

/// Captured = merged + held + rejected, a line for units, rows and each money column.
#[must_use]
pub fn table(account: &Account) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["", "captured", "merged", "held", "rejected", ""]);
    let verdict = |sound: bool| if sound { "balanced" } else { "NOT BALANCED" };
    for (name, c) in [("units", account.units), ("rows", account.rows)] {
        let sound = c.captured == c.merged + c.held + c.rejected;
        table.add_row([
            name.to_owned(),
            c.captured.to_string(),
            c.merged.to_string(),
            c.held.to_string(),
            c.rejected.to_string(),
            verdict(sound).to_owned(),
        ]);
    }
    for m in &account.money {
        let sound = m.captured == m.merged + m.held + m.rejected;
        table.add_row([
            format!("{} {}", m.table, m.column),
            m.captured.to_string(),
            m.merged.to_string(),
            m.held.to_string(),
            m.rejected.to_string(),
            verdict(sound).to_owned(),
        ]);
    }
    table.to_string()
}

fn advice(account: &Account) -> String {
    let mut lines = Vec::new();
    if account.units.held > 0 {
        lines.push(format!("{} units wait for a person: his-merge conflicts", account.units.held));
    }
    if !account.balanced {
        lines.push(
            "captured is not merged + held + rejected: merge the batches that are missing (his-export-queue list)"
                .to_owned(),
        );
    }
    if lines.is_empty() {
        lines.push("everything captured is merged or rejected".to_owned());
    }
    lines.join("\n")
}

fn find_number(site: &Site, number: &str) -> Result<Outcome> {
    let mut client = site.profile.primary()?.named("his-merge").connect()?;
    let rows = if super::ledger_is_there(&mut client)? {
        client.query(crate::sql!("merge/number.sql"), &[&number]).cannot(format!("look for the number '{number}'"))?
    } else {
        Vec::new()
    };
    let found: Vec<Value> = rows
        .iter()
        .map(|r| {
            json!({
                "unit": r.get::<_, &str>(0), "table": r.get::<_, &str>(1), "key": r.get::<_, &str>(2), "column": r.get::<_, &str>(3),
                "emergency": r.get::<_, Option<&str>>(4), "official": r.get::<_, Option<&str>>(5), "status": r.get::<_, &str>(6),
            })
        })
        .collect();
    let text = if found.is_empty() {
        format!("number {number}: not given by any merge")
    } else {
        let line = |f: &Value| {
            format!(
                "emergency number {} is official number {} ({} of {}, {})",
                f["emergency"], f["official"], f["column"], f["table"], f["status"]
            )
        };
        found.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    Ok(Outcome::new(json!({ "number": number, "found": found }), text))
}

fn conflicts(site: &Site) -> Result<Outcome> {
    let mut client = site.profile.primary()?.named("his-merge").connect()?;
    let rows = if super::ledger_is_there(&mut client)? {
        client.query(crate::sql!("merge/conflicts.sql"), &[&None::<String>]).cannot("list the conflicts")?
    } else {
        Vec::new()
    };
    let image = |text: Option<&str>| text.and_then(|t| serde_json::from_str::<Value>(t).ok()).unwrap_or(Value::Null);
    let mut list = Table::new();
    list.load_style(presets::NOTHING).set_header(["id", "unit", "table", "key", "kind", "reason"]);
    let mut found = Vec::new();
    for r in &rows {
        let (id, unit): (i64, &str) = (r.get(0), r.get(1));
        let (name, key, kind, reason): (Option<&str>, Option<&str>, &str, &str) =
            (r.get(2), r.get(3), r.get(4), r.get(5));
        let holds: Vec<String> = r.get(10);
        list.add_row([
            id.to_string(),
            unit.to_owned(),
            name.unwrap_or_default().to_owned(),
            key.unwrap_or_default().to_owned(),
            kind.to_owned(),
            reason.to_owned(),
        ]);
        found.push(json!({ "id": id, "unit": unit, "table": name, "key": image(key), "kind": kind, "reason": reason, "standby": image(r.get(6)), "primary": image(r.get(7)), "differ": r.get::<_, Vec<String>>(8), "holds": holds }));
    }
    let text = if found.is_empty() { "no unit waits for a person".to_owned() } else { list.to_string() };
    Ok(Outcome::new(json!({ "conflicts": found }), text))
}

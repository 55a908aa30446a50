//! The command line of `his-merge`.

use super::mask::Mask;
use super::{
    Account, Counts, Decision, Merged, Planned, Standing, Take, backfill, numbers, reconcile, run, script, show,
    sign_off, status, wipe,
};
use crate::cli::{self, Common, Outcome, Site};
use crate::error::{Cannot, Exit, Result};
use clap::{Parser, Subcommand};
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
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
    /// List the units that wait for a person, and why; with an ID, one of them in detail
    Conflicts {
        /// The conflict to show side by side
        id: Option<i64>,
        /// Show the values of the profile's personal columns too; that is written into the journal
        #[arg(long)]
        show_personal: bool,
    },
    /// Decide a conflict, and merge what that sets free
    Resolve {
        /// The conflict, as his-merge conflicts lists it
        id: i64,
        /// Whose side: standby, primary (the unit is rejected), or link=KEY (ours is the primary's row of this key, a JSON object)
        #[arg(long, value_name = "SIDE", value_parser = Take::parse)]
        take: Take,
        /// Why; goes into the ledger and the journal
        #[arg(long, value_name = "TEXT")]
        why: String,
        /// What became of the money that a rejected unit took
        #[arg(long, value_parser = ["refunded", "kept", "none"])]
        money: Option<String>,
        /// Check the decision, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Prove to the cent that everything is accounted for and that the primary holds what was merged
    Reconcile(reconcile::Args),
    /// List every gap in the emergency numbers with its cause, and prove that no number repeats
    Numbers(numbers::Args),
    /// Say for finance or for IT that an event is settled; two people sign
    SignOff(sign_off::Args),
    /// Take away what patients' rows said in events that were signed off long ago (wipe_after in the profile); the proofs stay
    Wipe(wipe::Args),
    /// Bring back what a snapshot has and a restored primary lacks
    Backfill(backfill::Args),
    /// Write the merge as one script for psql, for a primary that cannot be reached from here
    Sql(script::Args),
    /// Take note of the receipt that such a script has printed
    Receipt {
        /// What psql wrote; whatever stands around the receipt does not matter
        file: PathBuf,
    },
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
            Some(Command::Conflicts { id, show_personal }) => conflicts(&site, *id, *show_personal),
            Some(Command::Resolve { id, take, why, money, dry_run }) => {
                let decision = Decision { id: *id, take: take.clone(), why: why.clone(), money: money.clone() };
                resolve(&site, &decision, *dry_run)
            }
            Some(Command::Reconcile(args)) => reconcile::command(&site, args),
            Some(Command::Numbers(args)) => numbers::command(&site, args),
            Some(Command::SignOff(args)) => sign_off::command(&site, args),
            Some(Command::Wipe(args)) => wipe::command(&site, args),
            Some(Command::Backfill(args)) => backfill::command(&site, args),
            Some(Command::Sql(args)) => script::command(&site, args),
            Some(Command::Receipt { file }) => receipt(&site, file),
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
    let planned = super::plan(site, dirs)?;
    let mut lines: Vec<String> = Vec::new();
    for b in &planned.batches {
        let m = &b.manifest;
        lines.push(format!(
            "would merge batch {} of {}: {} units, {} rows",
            m.batch, m.event, m.totals.units, m.totals.rows
        ));
    }
    if planned.batches.is_empty() {
        lines.push("every batch is merged already".to_owned());
    } else {
        let Planned { merge, held, rejected, .. } = planned;
        lines.push(format!(
            "of these {merge} units would be merged, {held} held, {rejected} rejected by a table's policy"
        ));
    }
    let shown = |(unit, table, kind, reason): &(String, Option<String>, String, String)| {
        format!(
            "  {kind} in {}, unit {unit}{}{reason}",
            table.as_deref().unwrap_or("-"),
            if reason.is_empty() { "" } else { ": " }
        )
    };
    lines.extend(planned.conflicts.iter().map(shown));
    let list: Vec<Value> = planned
        .batches
        .iter()
        .map(|b| json!({ "event": b.manifest.event, "batch": b.manifest.batch, "path": b.dir, "units": b.manifest.totals.units, "rows": b.manifest.totals.rows }))
        .collect();
    let conflicts: Vec<Value> = planned
        .conflicts
        .iter()
        .map(|(unit, table, kind, reason)| json!({ "unit": unit, "table": table, "kind": kind, "reason": reason }))
        .collect();
    let json = json!({
        "batches": list, "units": { "merged": planned.merge, "held": planned.held, "rejected": planned.rejected },
        "conflicts": conflicts, "dry_run": true,
    });
    Ok(Outcome::new(json, lines.join("\n")))
}

fn show(site: &Site) -> Result<Outcome> {
    let Some(Standing { event, account, receipt }) = status(site)? else {
        let nothing = Account { balanced: true, ..Account::default() };
        return Ok(Outcome::new(account_json(None, &nothing, None), "no event so far"));
    };
    let mut json = account_json(Some(&event), &account, None);
    let mut text = format!("event {event}\n{}\n{}", table(&account), advice(&account));
    if let Some(receipt) = receipt {
        json["receipt"] = json!({ "run": receipt.run, "finished_at": receipt.finished_at });
        let told = site.time(receipt.finished_at);
        let _ = write!(text, "\nthe primary cannot be reached; this is by the receipt of run {}, {told}", receipt.run);
    }
    Ok(Outcome::new(json, text))
}

/// The account of the receipt's last event, as a merge gives it.
fn receipt(site: &Site, file: &Path) -> Result<Outcome> {
    let settled = script::settle(site, file)?;
    let Standing { event, account, .. } = &settled.last;
    let mut json = account_json(Some(event), account, None);
    json["receipt"] =
        json!({ "run": settled.receipt.run, "finished_at": settled.receipt.finished_at, "new": settled.new });
    json["conflicts"] = json!(settled.conflicts());
    let noted = if settled.new { "is noted" } else { "was noted before" };
    let mut text = format!(
        "the receipt of run {} {noted}; event {event}\n{}\n{}",
        settled.receipt.run,
        table(account),
        advice(account)
    );
    for c in settled.conflicts() {
        let _ =
            write!(text, "\n  conflict {}: {} in {}, unit {}", c.id, c.kind, c.table.as_deref().unwrap_or("-"), c.unit);
    }
    Ok(Outcome::new(json, text).exit(settled.exit))
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

fn conflicts(site: &Site, id: Option<i64>, show_personal: bool) -> Result<Outcome> {
    let mut client = super::conflicts::look(site)?;
    let mut mask = Mask::new(&site.profile);
    if show_personal {
        // Before anything is shown: who has seen it is known also when the screen is all that is left of it.
        let detail = json!({ "conflict": id });
        site.store.journal().write(&site.by, "show personal data", None, "done", detail)?;
    }
    if let Some(id) = id {
        let mut detail = super::conflicts::one(&mut client, id)?;
        if !show_personal {
            mask.detail(&mut detail);
        }
        let zone = site.profile.site.timezone.parse().unwrap_or(chrono_tz::Tz::UTC);
        return Ok(Outcome::new(show::detail_json(&detail), show::detail(&detail, zone)));
    }
    let mut list = super::conflicts::list(&mut client, None)?;
    if !show_personal {
        mask.conflicts(&mut list);
    }
    Ok(Outcome::new(show::list_json(&list), show::list(&list)))
}

fn resolve(site: &Site, decision: &Decision, dry_run: bool) -> Result<Outcome> {
    let done = super::resolve(site, decision, dry_run)?;
    let take = match &decision.take {
        Take::Standby => "standby".to_owned(),
        Take::Primary => "primary".to_owned(),
        Take::Link(key) => format!("link={}", Value::from(key.clone())),
    };
    let json = json!({
        "id": decision.id, "unit": done.unit, "kind": done.kind, "take": take, "status": done.status, "dry_run": dry_run,
        "event": done.event, "units": done.account.units, "balanced": done.account.balanced,
    });
    let text = if dry_run {
        format!("would take {take} for conflict {} ({}) of unit {}", decision.id, done.kind, done.unit)
    } else {
        let status = match done.status.as_str() {
            "held" => "is still held for something else: his-merge conflicts".to_owned(),
            other => format!("is {other}"),
        };
        format!(
            "conflict {} ({}): {take}; unit {} {status}\n{}",
            decision.id,
            done.kind,
            done.unit,
            table(&done.account)
        )
    };
    Ok(Outcome::new(json, text))
}

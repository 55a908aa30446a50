//! The command line of `his-snapshot`.

use super::{list, prune::size};
use crate::cli::{self, Common, Outcome, Site, in_units};
use crate::error::{Cannot, Error, Exit, Result};
use chrono::Utc;
use clap::{Args, Parser, Subcommand};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Download the HIS's tables as of one instant, checksummed, for the emergency standby
///
/// On the primary it only reads, holds no lock that a window would feel, and stops by itself when somebody's DDL waits
/// behind it.
#[derive(Debug, Parser)]
#[command(name = "his-snapshot", version)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    take: Take,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
struct Take {
    /// Download everything, no delta
    #[arg(long)]
    full: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take a snapshot (what happens without a subcommand, too)
    Take(Take),
    /// Read the profile against both servers and list everything that is wrong or worth knowing
    Check {
        /// The profile of another site of the same primary: what must be each site's own is compared (repeat for more)
        #[arg(long, value_name = "FILE")]
        beside: Vec<PathBuf>,
    },
    /// List the snapshots of the store
    List,
    /// Check every file and every table of a snapshot (default: the newest)
    Verify {
        /// The snapshot, such as 20261122T094500123Z
        id: Option<String>,
        /// Verify every snapshot of the store
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Make and verify an offline copy of a snapshot (default: the newest)
    Copy {
        /// The snapshot, such as 20261122T094500123Z
        id: Option<String>,
        /// A directory on another medium
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Bring a snapshot of another store or of a medium (default: its newest) into this one, with what it stands on
    Fetch {
        /// The snapshot, such as 20261122T094500123Z
        id: Option<String>,
        /// The directory that has it: `snapshots` of another site's store, or what `copy --to` wrote to
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove snapshots that `keep` of the profile does not want any more
    Prune {
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
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
        let before = cli.take;
        let asked = match &cli.command {
            Some(Command::Take(t)) => Take { full: before.full || t.full, dry_run: before.dry_run || t.dry_run },
            Some(_) if before.full || before.dry_run => {
                return Err(Error::usage(
                    "understand the command line",
                    "--full and --dry-run come after the subcommand",
                )
                .hint("see his-snapshot --help."));
            }
            _ => before,
        };
        let site = cli.common.site()?;
        match &cli.command {
            None | Some(Command::Take(_)) if asked.dry_run => plan(&site, asked.full),
            None | Some(Command::Take(_)) => take(&site, asked.full),
            Some(Command::Check { beside }) => check(&site, beside),
            Some(Command::List) => list_all(&site),
            Some(Command::Verify { id, all }) => verify(&site, id.as_deref(), *all),
            Some(Command::Copy { id, to, dry_run }) => copy(&site, id.as_deref(), to, *dry_run),
            Some(Command::Fetch { id, from, dry_run }) => fetch(&site, id.as_deref(), from, *dry_run),
            Some(Command::Prune { dry_run }) => prune(&site, *dry_run),
        }
    })
}

fn take(site: &Site, full: bool) -> Result<Outcome> {
    let super::Taken { path, manifest: m } = super::take(site, full)?;
    let tables: Vec<Value> = m
        .tables
        .iter()
        .map(|t| json!({ "table": t.table.to_string(), "rows": t.rows, "bytes": t.bytes, "sha256": t.sha256 }))
        .collect();
    let json = json!({
        "snapshot": m.snapshot, "path": path, "taken_at": m.taken_at, "kind": m.kind, "tables": tables,
        "rows": m.rows, "bytes": m.bytes, "seconds": m.seconds,
    });
    let mut shown = table(["table", "rows", "size"]);
    for t in &m.tables {
        shown.add_row([t.table.to_string(), t.rows.to_string(), in_units(t.bytes)]);
    }
    right(&mut shown, &[1, 2]);
    let text = format!(
        "{shown}\n\nsnapshot {}: {} tables, {} rows, {} in {:.1} s, data as of {}\n{}",
        m.snapshot,
        m.tables.len(),
        m.rows,
        in_units(m.bytes),
        m.seconds,
        site.time(m.taken_at),
        path.display(),
    );
    Ok(Outcome::new(json, text))
}

fn plan(site: &Site, full: bool) -> Result<Outcome> {
    let super::Plan { kind, parent, why, tables } = super::plan(site, full)?;
    let mut shown = table(["table", "rows (about)", "columns", "where"]);
    for t in &tables {
        shown.add_row([
            t.table.clone(),
            t.estimated_rows.to_string(),
            t.columns.len().to_string(),
            t.filter.clone().unwrap_or_default(),
        ]);
    }
    right(&mut shown, &[1, 2]);
    let what = match (&parent, &why) {
        (Some(parent), _) => format!("what changed since {parent}: a delta"),
        (None, Some(why)) => format!("everything: a full snapshot, because {why}"),
        (None, None) => "everything: a full snapshot".to_owned(),
    };
    let (count, store) = (tables.len(), site.store.snapshots());
    let text = format!("{shown}\n\nwould download {count} tables into {}, {what}", store.display());
    let json = json!({ "dry_run": true, "kind": kind, "parent": parent, "why": why, "tables": tables });
    Ok(Outcome::new(json, text))
}

fn check(site: &Site, beside: &[PathBuf]) -> Result<Outcome> {
    let checked = super::check(site, beside)?;
    let ok = checked.errors.is_empty();
    let mut lines = Vec::new();
    for (title, findings) in [("ERRORS", &checked.errors), ("WARNINGS", &checked.warnings)] {
        if !findings.is_empty() {
            lines.push(format!("{title}:"));
            lines.extend(findings.iter().map(|f| format!("  {f}")));
        }
    }
    lines.push(match (checked.errors.len(), checked.warnings.len()) {
        (0, 0) => "the profile fits both servers".to_owned(),
        (0, n) => format!("the profile fits; {n} warnings"),
        (errors, n) => format!(
            "{errors} errors, {n} warnings\nHINT: mend the errors in '{}' and check again.",
            site.profile.path.display()
        ),
    });
    let text = lines.join("\n");
    let json = json!({ "errors": checked.errors, "warnings": checked.warnings, "ok": ok });
    Ok(Outcome::new(json, text).exit(if ok { Exit::Done } else { Exit::Usage }))
}

fn list_all(site: &Site) -> Result<Outcome> {
    let listed = super::list(&site.store)?;
    let mut shown = table(["snapshot", "data as of", "age", "kind", "tables", "rows", "size", "on disk", ""]);
    let mut json_list = Vec::new();
    for l in &listed {
        let stored = size(&l.path).cannot(format!("measure '{}'", l.path.display()))?;
        match &l.found {
            Ok(snapshot) => {
                let m = &snapshot.manifest;
                let age = (Utc::now() - m.taken_at).num_seconds().max(0);
                shown.add_row([
                    l.id.clone(),
                    site.time(m.taken_at),
                    age_in_words(age),
                    m.kind.to_string(),
                    m.tables.len().to_string(),
                    m.rows.to_string(),
                    in_units(m.bytes),
                    in_units(stored),
                    String::new(),
                ]);
                json_list.push(json!({
                    "snapshot": l.id, "path": l.path, "taken_at": m.taken_at, "age_seconds": age, "kind": m.kind,
                    "tables": m.tables.len(), "rows": m.rows, "bytes": m.bytes, "stored_bytes": stored, "ok": true,
                }));
            }
            Err(e) => {
                let mut row = vec![l.id.clone()];
                row.resize(7, String::new());
                row.extend([in_units(stored), "DAMAGED".to_owned()]);
                shown.add_row(row);
                json_list.push(json!({
                    "snapshot": l.id, "path": l.path, "stored_bytes": stored, "ok": false, "reason": e.to_string(),
                }));
            }
        }
    }
    right(&mut shown, &[2, 4, 5, 6, 7]);
    let offline = super::offline_copy(&site.store)?;
    let offline_text = match &offline {
        Some(c) => {
            let age = age_in_words((Utc::now() - c.taken_at).num_seconds().max(0));
            format!("\n\noffline copy: {}, data {age} old, at {}", c.snapshot, c.path.display())
        }
        None => "\n\noffline copy: none was ever made".to_owned(),
    };
    let text = if listed.is_empty() { "no snapshots".to_owned() } else { format!("{shown}{offline_text}") };
    let offline_json = offline.map(|c| {
        json!({
            "snapshot": c.snapshot, "path": c.path, "taken_at": c.taken_at, "copied_at": c.copied_at,
            "age_seconds": (Utc::now() - c.taken_at).num_seconds().max(0),
        })
    });
    Ok(Outcome::new(json!({ "snapshots": json_list, "offline_copy": offline_json }), text))
}

fn verify(site: &Site, id: Option<&str>, all: bool) -> Result<Outcome> {
    let ids = match id {
        Some(id) => vec![id.to_owned()],
        None if all => list::ids(&site.store)?,
        None => match list::ids(&site.store)?.pop() {
            Some(newest) => vec![newest],
            // The same refusal as for everybody who wants the newest.
            None => return super::open(&site.store, None).map(|s| Outcome::new(json!({ "snapshot": s.id }), s.id)),
        },
    };
    let (mut texts, mut jsons, mut exit) = (Vec::new(), Vec::new(), Exit::Done);
    for id in ids {
        let path = list::existing(&site.store, &id)?;
        let damaged = super::damage(&path, site.store.seal())?;
        if damaged.is_empty() {
            texts.push(format!("snapshot {id}: every file and table holds"));
        } else {
            exit = Exit::Damaged;
            texts.push(format!("snapshot {id}: DAMAGED"));
            texts.extend(damaged.iter().map(|d| format!("  {}: {}", d.file, d.reason)));
        }
        jsons.push(json!({ "snapshot": id, "ok": damaged.is_empty(), "damaged": damaged }));
    }
    if exit == Exit::Damaged {
        texts.push(
            "HINT: nothing may be loaded from it; take a new snapshot, or put the offline copy in its place."
                .to_owned(),
        );
    }
    let json = match (all, jsons.pop()) {
        (false, Some(one)) => one,
        (_, last) => {
            jsons.extend(last);
            json!({ "snapshots": jsons })
        }
    };
    let text = if texts.is_empty() { "no snapshots".to_owned() } else { texts.join("\n") };
    Ok(Outcome::new(json, text).exit(exit))
}

fn copy(site: &Site, id: Option<&str>, to: &std::path::Path, dry_run: bool) -> Result<Outcome> {
    let done = super::copy(site, id, to, dry_run)?;
    let as_of = site.time(done.taken_at);
    let text = if dry_run {
        format!("would copy {} (data as of {as_of}) to {}", done.snapshot, done.path.display())
    } else {
        format!("copied and verified {} (data as of {as_of}): {}", done.snapshot, done.path.display())
    };
    let json = json!({
        "snapshot": done.snapshot, "path": done.path, "taken_at": done.taken_at,
        "copied_at": if dry_run { None } else { Some(done.copied_at) }, "verified": !dry_run, "dry_run": dry_run,
    });
    Ok(Outcome::new(json, text))
}

fn fetch(site: &Site, id: Option<&str>, from: &std::path::Path, dry_run: bool) -> Result<Outcome> {
    let super::Fetched { snapshot, brought } = super::fetch(site, from, id, dry_run)?;
    let m = &snapshot.manifest;
    let as_of = site.time(m.taken_at);
    let text = match brought.len() {
        0 => format!("{} (data as of {as_of}) is in the store already: nothing to do", snapshot.id),
        n if dry_run => format!("would fetch {} (data as of {as_of}, of site {}), {n} snapshots", snapshot.id, m.site),
        n => format!("fetched and verified {} (data as of {as_of}, of site {}), {n} snapshots", snapshot.id, m.site),
    };
    let json = json!({
        "snapshot": snapshot.id, "path": snapshot.path, "site": m.site, "taken_at": m.taken_at, "kind": m.kind,
        "fetched": brought, "verified": !dry_run, "dry_run": dry_run,
    });
    Ok(Outcome::new(json, text))
}

fn prune(site: &Site, dry_run: bool) -> Result<Outcome> {
    let pruned = super::prune(site, dry_run)?;
    let mut shown = table(["snapshot", "", "why"]);
    for r in &pruned.removed {
        let what = if dry_run { "would be removed" } else { "removed" };
        shown.add_row([r.snapshot.clone(), what.to_owned(), in_units(r.bytes)]);
    }
    for k in &pruned.kept {
        shown.add_row([k.snapshot.clone(), "kept".to_owned(), k.reason.clone()]);
    }
    let text = format!(
        "{shown}\n\n{} of {} {}, {}",
        pruned.removed.len(),
        pruned.removed.len() + pruned.kept.len(),
        if dry_run { "would be removed" } else { "removed" },
        in_units(pruned.bytes),
    );
    let json = serde_json::to_value(&pruned).cannot("tell what was removed")?;
    Ok(Outcome::new(json, text))
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

fn right(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn age_in_words(seconds: i64) -> String {
    match seconds {
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_and_ages_read_well() {
        assert_eq!([in_units(1023), in_units(1536), in_units(3 << 30)], ["1023 B", "1.5 kB", "3.0 GB"]);
        assert_eq!([age_in_words(119), age_in_words(7199), age_in_words(90_000)], ["119 s", "119 min", "25 h"]);
    }
}

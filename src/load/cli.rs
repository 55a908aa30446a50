//! The command line of `his-load-standby`.

use super::{Accept, Listed, Loaded};
use crate::cli::{self, Common, Outcome, Site};
use crate::error::{Error, Exit, Result};
use crate::snapshot::Snapshot;
use clap::{Parser, Subcommand};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::json;
use std::process::ExitCode;

/// Load a snapshot into a new standby generation, verified byte for byte, closed until his-switch opens it
#[derive(Debug, Parser)]
#[command(name = "his-load-standby", version)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    /// The snapshot, such as 20261122T094500123Z (default: the newest)
    id: Option<String>,
    /// Load although a table lost more rows than `max_shrink` of the profile allows
    #[arg(long)]
    accept_shrink: bool,
    /// Load although more rows of a table are gone or changed than `max_change` of the profile allows
    #[arg(long)]
    accept_change: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make roles, and an empty closed database under the standby's name
    Init {
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// List the generations of the standby
    List,
    /// Take the last delta back from the newest generation, or go back to the generation before it
    Rollback {
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Check that windows could log in, and that gate and capture are in place
    Check,
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
        // Said by hand: clap's own rule would also refuse the common options before a subcommand.
        if cli.command.is_some() && (cli.id.is_some() || cli.accept_shrink || cli.accept_change || cli.dry_run) {
            return Err(Error::usage(
                "understand the command line",
                "a snapshot, --accept-shrink and --accept-change go with a load, and --dry-run comes after the subcommand",
            )
            .hint("see his-load-standby --help."));
        }
        let site = cli.common.site()?;
        let accept = Accept { shrink: cli.accept_shrink, change: cli.accept_change };
        match &cli.command {
            None if cli.dry_run => plan(&site, cli.id.as_deref(), accept),
            None => super::run_accepting(&site, cli.id.as_deref(), accept).map(|l| loaded(&l)),
            Some(Command::Init { dry_run }) => init(&site, *dry_run),
            Some(Command::List) => list(&site),
            Some(Command::Rollback { dry_run }) => rollback(&site, *dry_run),
            Some(Command::Check) => check(&site),
        }
    })
}

fn loaded(done: &Loaded) -> Outcome {
    let json = json!(done);
    if !done.new {
        return Outcome::new(
            json,
            format!("snapshot {} is loaded already, as generation {}: nothing to do", done.snapshot, done.generation),
        );
    }
    let mut lines = vec![format!(
        "snapshot {} is generation {}, {} rows, verified, in {:.1} s; his-switch standby opens it",
        done.snapshot, done.generation, done.rows, done.seconds
    )];
    lines.extend(done.dangling.iter().map(|key| {
        let how = if key.left_out { "left out" } else { "not validated" };
        format!("foreign key '{}' of '{}' does not hold in the downloaded rows: {how}", key.constraint, key.table)
    }));
    if !done.left_out.is_empty() {
        lines.push(format!("not on the standby: {}", done.left_out.join(", ")));
    }
    lines.extend(done.dropped.iter().map(|database| format!("dropped the older generation '{database}'")));
    lines.extend(done.kept.iter().map(|k| format!("kept the older generation '{}': {}", k.database, k.reason)));
    Outcome::new(json, lines.join("\n"))
}

fn plan(site: &Site, id: Option<&str>, accept: Accept) -> Result<Outcome> {
    let plan = super::plan(site, id, accept)?;
    let mut steps: Vec<String> =
        plan.sweep.iter().map(|d| format!("drop '{d}', which an unfinished run left behind")).collect();
    let drops = plan.superfluous.iter().map(|d| format!("drop '{d}', when its units are settled"));
    let drops_first = plan.chain.from.is_none();
    if drops_first {
        steps.extend(drops.clone());
    }
    let number = if let Some(there) = &plan.loaded {
        there.number
    } else {
        let number = match &plan.chain.from {
            Some(generation) => generation.number,
            None => site.store.state()?.generation.max(plan.highest_seen) + 1,
        };
        let described = |s: &Snapshot| {
            let m = &s.manifest;
            format!("({} rows of {} tables, data as of {})", m.rows, m.tables.len(), site.time(m.taken_at))
        };
        let full = plan.chain.full.iter();
        steps.extend(full.map(|s| format!("load snapshot {} {} as generation {number}", s.id, described(s))));
        let deltas = plan.chain.deltas.iter();
        steps
            .extend(deltas.map(|s| format!("bring generation {number} forward to snapshot {} {}", s.id, described(s))));
        number
    };
    if !drops_first {
        steps.extend(drops);
    }
    let text = if steps.is_empty() {
        format!("snapshot {} is loaded already, as generation {number}: nothing to do", plan.id)
    } else {
        format!("would:\n  {}", steps.join("\n  "))
    };
    let json = json!({ "dry_run": true, "snapshot": plan.id, "generation": number, "rows": plan.rows, "plan": steps });
    Ok(Outcome::new(json, text))
}

fn init(site: &Site, dry_run: bool) -> Result<Outcome> {
    let made = super::init(site, dry_run)?;
    let mut lines = match (made.done.as_slice(), dry_run) {
        ([], _) => vec![format!("the standby database '{}' and its roles are there: nothing to do", made.database)],
        (done, true) => vec![format!("would:\n  {}", done.join("\n  "))],
        (done, false) => done.to_vec(),
    };
    if site.profile.window_roles.is_empty() {
        lines.push("the profile names no window_roles: the DBA makes the roles that windows log in with.".to_owned());
    }
    lines.extend(made.passwords_missing.iter().map(|role| {
        format!("the role '{role}' has no password on the standby: the DBA sets the same as on the primary (psql: \\password {role})")
    }));
    let mut json = json!(made);
    json["dry_run"] = json!(dry_run);
    Ok(Outcome::new(json, lines.join("\n")))
}

fn list(site: &Site) -> Result<Outcome> {
    let generations = super::list(site)?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "",
        "generation",
        "database",
        "snapshot",
        "data as of",
        "rows",
        "state",
    ]);
    for g in &generations {
        let Listed { generation, database, snapshot, data_until, rows, state, next, .. } = g;
        table.add_row([
            if *next { "next" } else { "" }.to_owned(),
            generation.to_string(),
            database.clone(),
            snapshot.clone().unwrap_or_else(|| "none (init)".to_owned()),
            data_until.map(|at| site.time(at)).unwrap_or_default(),
            rows.to_string(),
            (*state).to_owned(),
        ]);
    }
    if let Some(column) = table.column_mut(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let text =
        if generations.is_empty() { "no generations; run his-load-standby init".to_owned() } else { table.to_string() };
    Ok(Outcome::new(json!({ "generations": generations }), text))
}

fn rollback(site: &Site, dry_run: bool) -> Result<Outcome> {
    let done = super::rollback(site, dry_run)?;
    let (retired, next) = (&done.retired, &done.next);
    let data = next.taken_at.map(|at| site.time(at)).unwrap_or_default();
    if retired.number == next.number {
        let (from, to) =
            (retired.snapshot.as_deref().unwrap_or_default(), next.snapshot.as_deref().unwrap_or_default());
        let went = if dry_run { "would go" } else { "went" };
        let text =
            format!("generation {} {went} back from snapshot {from} to snapshot {to} (data as of {data})", next.number);
        let json = json!({ "dry_run": dry_run, "taken_back": from, "generation": next.number, "database": next.database, "snapshot": to, "data_until": next.taken_at });
        return Ok(Outcome::new(json, text));
    }
    let text = format!(
        "{} generation {} aside; his-switch standby will open generation {} (snapshot {}, data as of {data})",
        if dry_run { "would set" } else { "set" },
        retired.number,
        next.number,
        next.snapshot.as_deref().unwrap_or_default()
    );
    let json = json!({ "dry_run": dry_run, "retired": retired.number, "generation": next.number, "database": next.database, "snapshot": next.snapshot, "data_until": next.taken_at });
    Ok(Outcome::new(json, text))
}

fn check(site: &Site) -> Result<Outcome> {
    let checked = super::check(site)?;
    let lines: Vec<String> =
        checked.findings.iter().map(|f| format!("{}: {}", if f.ok { "ok" } else { "NOT OK" }, f.text)).collect();
    let text = if checked.ok {
        lines.join("\n")
    } else {
        format!("{}\nHINT: mend what is not ok, then check again.", lines.join("\n"))
    };
    let exit = if checked.ok { Exit::Done } else { Exit::NeedsPerson };
    Ok(Outcome::new(json!(checked), text).exit(exit))
}

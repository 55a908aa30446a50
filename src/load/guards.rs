//! What refuses a load (P6): an open standby, units that are in no batch, data older than the last merge, and a table
//! that lost or changed too much since the snapshot before.

use super::change::{self, Change};
use super::{Accept, primary};
use crate::cli::Site;
use crate::db::{Server, sql};
use crate::error::{Cannot, Error, Result};
use crate::formats::snapshot::{Kind, Manifest, Table};
use crate::formats::sums;
use crate::snapshot::{self, Snapshot};
use crate::standby::{self, CLOSED_DATABASE, Gate, Generation};
use minijinja::context;
use std::collections::BTreeMap;

/// Refuses while windows work on the standby, or may have when it died.
pub fn require_closed(doing: &str, all: &[Generation]) -> Result<()> {
    for generation in all {
        let (reason, hint) = match generation.gate {
            Gate::Closed => continue,
            Gate::Open => {
                ("the standby is open: windows work there", "bring the windows back first: his-switch primary.")
            }
            Gate::DiedOpen => (
                "the standby's server was restarted while it was open",
                "confirm it with his-switch standby, or bring the windows back with his-switch primary; then run this again.",
            ),
        };
        return Err(Error::refused(
            doing,
            format!("{reason} (generation {}, database '{}')", generation.number, generation.database),
        )
        .hint(hint));
    }
    Ok(())
}

/// Refuses while any generation holds units that are not safely in the store.
pub fn require_exported(doing: &str, site: &Site, standby: &Server, all: &[Generation]) -> Result<()> {
    for generation in all {
        let mut client = standby.connect_to(&generation.database)?;
        let units = standby::units(&mut client)?;
        if units.unexported > 0 {
            return Err(Error::refused(
                doing,
                format!(
                    "generation {} (database '{}') holds {} units that are in no batch yet",
                    generation.number, generation.database, units.unexported
                ),
            )
            .hint("export them first: his-export-queue."));
        }
        if units.captured > 0 {
            require_batches(doing, site, &mut client, generation)?;
        }
    }
    Ok(())
}

/// Units are marked as exported a moment before their batch gets its name; and a batch can be lost later. What the
/// primary's ledger shows does not need its batch any more.
fn require_batches(doing: &str, site: &Site, client: &mut crate::db::Client, generation: &Generation) -> Result<()> {
    let rows = client.query(crate::sql!("load/batches.sql"), &[]).cannot("read which batches were made")?;
    for row in rows {
        let (event, batch, expected): (String, i64, String) = (row.get(0), row.get(1), row.get(2));
        let dir = site.store.queue(&event).join(format!("{batch:06}"));
        let sound = sums::of_file(&dir.join(sums::FILE)).is_ok_and(|found| found == expected)
            && site.store.seal().check(&dir)?.is_empty();
        if sound || primary::has_settled(site, generation.number, &super::retire::units(client)?) == Some(true) {
            continue;
        }
        return Err(Error::refused(
            doing,
            format!(
                "batch {batch} of event '{event}', made of generation {}, is not whole in the store",
                generation.number
            ),
        )
        .hint(format!(
            "run his-export-queue, which makes a lost batch again; a damaged one move away first ('{}').",
            dir.display()
        )));
    }
    Ok(())
}

/// Refuses data from before the last merge: the standby would not know what the windows did, and would do it again.
pub fn require_newer_than_merge(doing: &str, site: &Site, ledger_run: u64) -> Result<()> {
    let known = site.store.state()?.merge_run;
    let last = primary::last_merge_run(site).map_or(known, |asked| asked.max(known));
    if ledger_run >= last {
        return Ok(());
    }
    Err(Error::refused(
        doing,
        format!("its data is older than the last merge (it knows of merge run {ledger_run}, the last is {last})"),
    )
    .hint("take a new snapshot (his-snapshot) and load that."))
}

/// What the new snapshot is compared with: the one that the newest generation was made of.
pub struct Before<'a> {
    pub generation: &'a Generation,
    /// `None`: it is no more in the store.
    pub snapshot: Option<Snapshot>,
    /// The full one that it stands on, when it is a delta: only a full one has every row.
    pub full: Option<Snapshot>,
}

impl<'a> Before<'a> {
    pub fn of(site: &Site, all: &'a [Generation]) -> Option<Before<'a>> {
        let generation =
            all.iter().filter(|g| g.verified && !g.retired && g.number != CLOSED_DATABASE).max_by_key(|g| g.number)?;
        let open = |id: &str| match snapshot::open(&site.store, Some(id)) {
            Ok(snapshot) => Some(snapshot),
            Err(e) => {
                log::info!("{e}");
                None
            }
        };
        let snapshot = generation.snapshot.as_deref().and_then(open);
        let full = snapshot.as_ref().and_then(|s| s.manifest.chain.as_ref()).and_then(|chain| open(&chain.full));
        Some(Before { generation, snapshot, full })
    }

    /// A snapshot of another server is loaded, but hardly ever what was meant.
    pub fn warn_of_another_primary(&self, site: &Site, manifest: &Manifest) {
        if let Some(system) = &self.generation.primary_system
            && *system != manifest.primary.system_identifier
        {
            site.talk.warn(format!(
                "snapshot '{}' is of another server than generation {} (system identifier {}, before {system})",
                manifest.snapshot, self.generation.number, manifest.primary.system_identifier
            ));
        }
    }

    /// The snapshot whose rows the new one's are compared with.
    fn every_row(&self) -> Option<&Snapshot> {
        let own = self.snapshot.as_ref().filter(|s| s.manifest.kind == Kind::Full);
        own.or(self.full.as_ref())
    }

    fn table(&self, table: &Table) -> Option<(&Snapshot, &Table)> {
        let snapshot = self.every_row()?;
        Some((snapshot, snapshot.manifest.tables.iter().find(|t| t.table == table.table)?))
    }

    /// Rows of each table before; from the generation itself when its snapshot is gone.
    fn rows(&self, standby: &Server, manifest: &Manifest) -> Result<BTreeMap<String, u64>> {
        if let Some(snapshot) = &self.snapshot {
            return Ok(snapshot.manifest.tables.iter().map(|t| (t.table.to_string(), t.rows_there())).collect());
        }
        let path = super::build::own_path(&manifest.primary);
        let mut client = super::work::session(standby, &self.generation.database, &path)?;
        let there = crate::catalog::Catalog::read(&mut client)?;
        let mut rows = BTreeMap::new();
        for table in manifest.tables.iter().filter(|t| there.get(&t.table).is_some()) {
            let text = sql::render(crate::sql!("load/count_rows.sql"), context! { table => table.table.sql() })?;
            let counted: i64 =
                client.query_one(&text, &[]).cannot(format!("count the rows of '{}'", table.table))?.get(0);
            rows.insert(table.table.to_string(), u64::try_from(counted).unwrap_or(0));
        }
        Ok(rows)
    }
}

/// Refuses a snapshot in which a table lost more rows than `max_shrink` percent, unless that is accepted.
pub fn require_not_shrunken(
    doing: &str,
    site: &Site,
    standby: &Server,
    before: &Before,
    manifest: &Manifest,
    accept: Accept,
) -> Result<()> {
    let limit = site.profile.limits.max_shrink;
    let rows = before.rows(standby, manifest)?;
    let mut shrunken = Vec::new();
    for table in &manifest.tables {
        let Some(old) = rows.get(&table.table.to_string()).copied() else { continue };
        let lost = Change { compared_rows: old, lost_rows: old.saturating_sub(table.rows_there()) };
        if lost.exceeds(limit) {
            shrunken.push(format!(
                "'{}' has {} rows, {:.1} % fewer than the {old} before",
                table.table,
                table.rows_there(),
                lost.percent()
            ));
        }
    }
    judge(doing, site, &shrunken, accept.shrink, &format!("max_shrink is {limit} %"), "--accept-shrink")
}

/// Refuses a snapshot in which more than `max_change` percent of a table's rows are gone or changed, unless accepted.
pub fn require_not_changed(doing: &str, site: &Site, before: &Before, now: &Snapshot, accept: Accept) -> Result<()> {
    let limit = site.profile.limits.max_change;
    if before.every_row().is_none() {
        site.talk.say(format!(
            "the snapshot of generation {} is no more in the store: only row counts are compared with it",
            before.generation.number
        ));
        return Ok(());
    }
    if accept.change {
        return Ok(());
    }
    let mut changed = Vec::new();
    for table in &now.manifest.tables {
        let Some(old) = before.table(table) else { continue };
        let change = change::of(&site.profile, old, (now, table))?;
        if change.exceeds(limit) {
            changed.push(format!(
                "of '{}' {:.1} % of the rows before are gone or changed ({} of {} compared)",
                table.table,
                change.percent(),
                change.lost_rows,
                change.compared_rows
            ));
        }
    }
    judge(doing, site, &changed, accept.change, &format!("max_change is {limit} %"), "--accept-change")
}

fn judge(doing: &str, site: &Site, found: &[String], accepted: bool, limit: &str, flag: &str) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let text = found.join("; ");
    if accepted {
        site.talk.warn(format!("accepted by {flag}: {text}"));
        return Ok(());
    }
    Err(Error::refused(doing, format!("{text} ({limit})"))
        .hint(format!("look at the primary first: is the data damaged? If it is right, load with {flag}; the generation before stays until then.")))
}

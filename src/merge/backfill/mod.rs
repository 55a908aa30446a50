//! `his-merge backfill`: brings back into a restored primary what a snapshot has and it lacks.
//!
//! The rows become units of an event of their own (`<site>-B<snapshot>`, epoch 0, so that they come before whatever else is
//! pending) and go the way of all units: staged, planned, applied in transactions with the ledger, read back. What the
//! primary has with other content, or cannot take, is held for a person. Run again, it goes on where it was.

mod compare;
mod ledger;
mod settle;
mod show;
mod tables;

pub use compare::{Compared, Forwarded};
pub use ledger::Kept;

pub(super) use settle::settle;

use compare::Beside;
use settle::{plan_all, to_settle};

use super::apply::Applying;
use super::ledger::{Account, Counts};
use super::target::{self, Target};
use super::{Primary, connect, stage};
use crate::cli::{Outcome, Site};
use crate::db::Transaction;
use crate::db::{Client, sql};
use crate::error::{Cannot, Error, Exit, Result};
use crate::formats::batch::{Money, Totals};
use crate::snapshot::{self, Snapshot};
use crate::store::{Kind, State};
use minijinja::value::Serde;
use minijinja::{Value, context};
use rust_decimal::Decimal;
use serde_json::json as object;

/// What becomes of rows that the primary has with other content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Changed {
    /// They are held for a person
    Hold,
    /// The snapshot's content is put back: for a primary that nobody has worked on since it was restored
    Snapshot,
    /// The primary's stays: for one restored to a time after the snapshot
    Primary,
}

impl Changed {
    fn name(self) -> &'static str {
        match self {
            Changed::Hold => "hold",
            Changed::Snapshot => "snapshot",
            Changed::Primary => "primary",
        }
    }
}

/// The command line of `his-merge backfill`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The snapshot, such as 20261122T094500123Z
    snapshot: String,
    /// What becomes of rows that the primary has with other content
    #[arg(long, value_enum, value_name = "WHAT", default_value = "hold")]
    changed: Changed,
    /// This server was rebuilt from a dump, and stands for the snapshot's from now on
    #[arg(long)]
    rebuilt: bool,
    /// Say what is lacking and what would be held, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// `his-merge backfill`.
pub fn command(site: &Site, args: &Args) -> Result<Outcome> {
    let options = Options { changed: args.changed, rebuilt: args.rebuilt, dry_run: args.dry_run };
    let done = run(site, &args.snapshot, options)?;
    Ok(Outcome::new(show::json(&done), show::text(&done)).exit(done.exit))
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub changed: Changed,
    /// The primary is another server than the snapshot's, and stands for it from now on.
    pub rebuilt: bool,
    pub dry_run: bool,
}

/// What a run did, or would do.
#[derive(Debug, Clone)]
pub struct Backfilled {
    pub snapshot: String,
    pub event: String,
    pub tables: Vec<Compared>,
    pub sequences: Vec<Forwarded>,
    pub ledger: Kept,
    pub account: Account,
    pub new: Counts,
    pub changed: Changed,
    pub dry_run: bool,
    pub exit: Exit,
}

/// The newest snapshot that was brought back into this primary.
pub fn newest(client: &mut Client) -> Result<Option<String>> {
    if !ledger::is_there(client)? {
        return Ok(None);
    }
    let row = client.query_one(crate::sql!("merge/backfill/newest.sql"), &[]).cannot("look for earlier backfills")?;
    Ok(row.get(0))
}

/// True when what the server of this identifier had was brought back into this primary.
pub fn stands_for(client: &mut Client, system: &str) -> Result<bool> {
    if !ledger::is_there(client)? {
        return Ok(false);
    }
    let row = client.query_one(crate::sql!("merge/backfill/stands_for.sql"), &[&system]);
    Ok(row.cannot("look for earlier backfills")?.get(0))
}

/// The event that the rows of a snapshot come back under.
#[must_use]
pub fn event_of(site: &str, snapshot: &str) -> String {
    format!("{site}-B{snapshot}")
}

const DOING: &str = "bring back what the primary lacks";

/// Brings back what the snapshot `id` has and the primary lacks; with `dry_run` only says what that is.
pub fn run(site: &Site, id: &str, options: Options) -> Result<Backfilled> {
    let _lock = if options.dry_run { None } else { Some(site.store.lock(Kind::Merge, &site.by)?) };
    let snapshot = snapshot::open(&site.store, Some(id))?;
    require_usable(site, &snapshot)?;
    let ancestors = snapshot::ancestors(&site.store, &snapshot)?;
    ancestors.iter().chain([&snapshot]).try_for_each(Snapshot::verify_files)?;
    let mut client = connect(site)?;
    let primary = super::session(&mut client)?;
    require_primary(&mut client, &primary, &snapshot, options)?;
    tables::require_there(&snapshot.manifest, &primary.catalog)?;
    let state = site.store.state()?;
    let event = event_of(&site.profile.site.code, &snapshot.id);
    let work = Work { site, primary, ancestors, snapshot, event, options };
    if options.dry_run { work.rehearse(&mut client) } else { work.carry_out(&mut client, &state) }
}

fn require_usable(site: &Site, snapshot: &Snapshot) -> Result<()> {
    let doing = || format!("bring back the snapshot '{}'", snapshot.id);
    let m = &snapshot.manifest;
    if m.site != site.profile.site.code {
        return Err(Error::refused(
            doing(),
            format!("it is of site '{}' (the profile is of '{}')", m.site, site.profile.site.code),
        )
        .hint("each site has a store of its own (check [store] dir); what a snapshot that was fetched from another site has is brought back there."));
    }
    Ok(())
}

/// Another server than the snapshot's is a mistake in the URL, unless somebody says that it was rebuilt.
fn require_primary(client: &mut Client, primary: &Primary, snapshot: &Snapshot, options: Options) -> Result<()> {
    let expected = &snapshot.manifest.primary.system_identifier;
    if *expected == primary.system || options.rebuilt || stands_for(client, expected)? {
        return Ok(());
    }
    Err(Error::refused(
        format!("bring back the snapshot '{}'", snapshot.id),
        format!(
            "this primary is another server than the snapshot's (system identifier {}, expected {expected})",
            primary.system
        ),
    )
    .hint("check [primary] url; if this server was rebuilt from a dump and takes that one's place, say --rebuilt."))
}

struct Work<'a> {
    site: &'a Site,
    primary: Primary,
    /// What the snapshot stands on, when it is a delta.
    ancestors: Vec<Snapshot>,
    snapshot: Snapshot,
    event: String,
    options: Options,
}

/// The units that are staged and planned, and how the tables compare.
struct Found {
    targets: Vec<Target>,
    tables: Vec<Compared>,
    chunks: i32,
    /// Of the units that the ledger does not have.
    new: Totals,
}

impl Work<'_> {
    /// Finds and plans everything that a real run would, and rolls it back.
    fn rehearse(&self, client: &mut Client) -> Result<Backfilled> {
        let sequences = compare::sequences(client, &self.snapshot.manifest, false)?;
        let mut tx = client.transaction().cannot(DOING)?;
        ledger::make(&mut tx)?;
        let kept = ledger::put_back(&mut tx, &self.snapshot)?;
        let found = self.find(&mut tx)?;
        let row = tx.query_one(crate::sql!("merge/planned.sql"), &[]).cannot(DOING)?;
        let planned =
            Counts { captured: found.new.units, merged: unsigned(row.get(0)), held: unsigned(row.get(1)), rejected: 0 };
        tx.rollback().cannot(DOING)?;
        let account = Account { units: planned, balanced: true, ..Account::default() };
        Ok(self.done(found.tables, sequences, kept, account, planned))
    }

    fn carry_out(&self, client: &mut Client, state: &State) -> Result<Backfilled> {
        let mut tx = client.transaction().cannot(DOING)?;
        ledger::make(&mut tx)?;
        let kept = ledger::put_back(&mut tx, &self.snapshot)?;
        tx.commit().cannot(DOING)?;
        if let Kept::PutBack(run) = kept {
            self.site.talk.say(format!("the merge ledger is put back as the snapshot has it, up to run {run}"));
        }
        // Before any row: a number that a row of the snapshot has must not be given to a window meanwhile.
        let sequences = compare::sequences(client, &self.snapshot.manifest, true)?;
        let before = super::ledger::counts(client)?;
        let tables = self.bring_back(client, state)?;
        let after = super::ledger::counts(client)?;
        let new = Counts {
            merged: after.merged.saturating_sub(before.merged),
            held: after.held.saturating_sub(before.held),
            ..Counts::default()
        };
        let account = super::account(self.site, client, &self.event)?;
        let seen = super::ledger::last_run(client)?;
        State::update(&self.site.store, |s| s.merge_run = s.merge_run.max(seen))?;
        let done = self.done(tables, sequences, kept, account, new);
        let sum = |of: fn(&Compared) -> u64| done.tables.iter().map(of).sum::<u64>();
        let detail = object!({
            "snapshot": done.snapshot, "merged": done.new.merged, "held": done.new.held, "lacking": sum(|t| t.lacking),
            "changed": sum(|t| t.changed), "only_on_primary": sum(|t| t.only_on_primary.unwrap_or(0)), "run": seen,
        });
        self.site.store.journal().write(&self.site.by, "backfill", Some(&self.event), "done", detail)?;
        Ok(done)
    }

    /// Applies what is lacking, and what decisions set free; gives how the tables compared before.
    fn bring_back(&self, client: &mut Client, state: &State) -> Result<Vec<Compared>> {
        if self.options.changed == Changed::Snapshot {
            client
                .execute(crate::sql!("merge/backfill/take_snapshot.sql"), &[&self.event, &self.site.by])
                .cannot("decide for the snapshot")?;
        }
        let mut tx = client.transaction().cannot(DOING)?;
        let found = self.find(&mut tx)?;
        tx.commit().cannot(DOING)?;
        let finished: bool = client
            .query_one(crate::sql!("merge/backfill/finished.sql"), &[&self.event])
            .cannot("look for earlier backfills")?
            .get(0);
        let behind = super::ledger::last_run(client)? < state.merge_run;
        if finished && !behind && found.new.units == 0 && !to_settle(client)?.contains(&self.event) {
            return Ok(found.tables);
        }
        let known = super::ledger::account(client, &self.event, &Totals::default(), None)?;
        let run = self.begin(client, state)?;
        let bar = self.site.talk.bar(unsigned(found.chunks.into()), "bringing rows back");
        let done = |n: i32| bar.set_position(unsigned(n.into()));
        let applying = Applying { targets: &found.targets, own: &self.primary.own, run, by: &self.site.by };
        applying.all(client, found.chunks, done)?;
        bar.finish_and_clear();
        self.end(client, run, &found.new, &known)?;
        Ok(found.tables)
    }

    /// Stages and plans what the primary lacks.
    fn find(&self, tx: &mut Transaction<'_>) -> Result<Found> {
        tx.execute(crate::sql!("merge/begin_event.sql"), &[&self.event, &0i64]).cannot(DOING)?;
        let manifest = &self.snapshot.manifest;
        let (shapes, keyless) = tables::shapes(&self.site.profile, manifest);
        let names = manifest.tables.iter().map(|t| t.table.clone());
        let overwrite = self.options.changed == Changed::Snapshot;
        let profile = tables::profile(&self.site.profile, names, overwrite);
        let targets = target::targets(&shapes, &self.primary.catalog, &profile)?;
        stage::begin(tx, &targets, &self.primary.own.search_path)?;
        tx.execute(crate::sql!("merge/stage_batch.sql"), &[&1i32, &self.event, &0i64, &1i64, &0i64]).cannot(DOING)?;
        let bar = self.site.talk.bar(manifest.bytes, "comparing with the snapshot");
        let leave_changed = self.options.changed == Changed::Primary;
        let beside =
            Beside { ancestors: &self.ancestors, snapshot: &self.snapshot, profile: &self.site.profile, leave_changed };
        let mut compared = Vec::new();
        for target in &targets {
            let Some(table) = manifest.tables.iter().find(|t| t.table == target.of) else { continue };
            compared.push(beside.table(tx, target, table)?);
            bar.inc(table.bytes);
        }
        for (no, table) in (targets.len() + 1..).zip(keyless) {
            compared.push(beside.keyless(tx, no, table)?);
            bar.inc(table.bytes);
        }
        bar.finish_and_clear();
        let each = |template: &str, target: &Target| -> Result<String> {
            sql::render(template, context! { event => self.event.clone(), ..Value::from(Serde(target)) })
        };
        for target in &targets {
            let text = each(crate::sql!("merge/backfill/drop_known.sql"), target)?;
            tx.batch_execute(&text).cannot(DOING)?;
        }
        tables::tie(tx, &targets)?;
        for target in &targets {
            let gone = tx.execute(&each(crate::sql!("merge/backfill/drop_gone.sql"), target)?, &[]).cannot(DOING)?;
            compared.iter_mut().filter(|c| c.table == target.of).for_each(|c| c.since = gone);
        }
        tables::units(tx, &targets)?;
        stage::arrange(tx, &targets, Some(&self.event))?;
        let (last, _) = stage::count(tx)?;
        let new = staged(tx)?;
        let chunks = plan_all(tx, &targets, &self.primary, last)?;
        Ok(Found { targets, tables: compared, chunks, new })
    }

    /// Begins a run whose number no run of the store or the snapshot had.
    fn begin(&self, client: &mut Client, state: &State) -> Result<i64> {
        let doing = "begin a run in the merge ledger";
        let seen = i64::try_from(state.merge_run.max(self.snapshot.manifest.ledger.run)).unwrap_or(i64::MAX - 1);
        let (by, host) = (&self.site.by, crate::store::host());
        let row = client
            .query_one(crate::sql!("merge/backfill/begin_run.sql"), &[&self.event, by, &host, &seen])
            .cannot(doing)?;
        let run: i64 = row.get(0);
        let system = &self.snapshot.manifest.primary.system_identifier;
        let changed = self.options.changed.name();
        client
            .execute(
                crate::sql!("merge/backfill/begin.sql"),
                &[&self.event, &self.snapshot.id, system, &changed, &run, by, &host],
            )
            .cannot(doing)?;
        Ok(run)
    }

    fn end(&self, client: &mut Client, run: i64, new: &Totals, known: &Account) -> Result<()> {
        let doing = "end the run in the merge ledger";
        let all = |c: &Counts| c.merged + c.held + c.rejected;
        let money = |m: &super::MoneyCounts| Money {
            table: m.table.clone(),
            column: m.column.clone(),
            sum: m.merged + m.held + m.rejected,
        };
        let mut totals =
            Totals { units: all(&known.units), rows: all(&known.rows), money: known.money.iter().map(money).collect() };
        totals.add(new);
        let (text, sha256) = (serde_json::to_string(&totals).cannot(doing)?, self.snapshot.sums_sha256()?);
        let mut tx = client.transaction().cannot(doing)?;
        tx.execute(crate::sql!("merge/backfill/record_batch.sql"), &[&self.event, &sha256, &text, &run])
            .cannot(doing)?;
        tx.execute(crate::sql!("merge/end_run.sql"), &[&run]).cannot(doing)?;
        tx.execute(crate::sql!("merge/backfill/finish.sql"), &[&self.event]).cannot(doing)?;
        tx.commit().cannot(doing)
    }

    fn done(
        &self,
        tables: Vec<Compared>,
        sequences: Vec<Forwarded>,
        ledger: Kept,
        account: Account,
        new: Counts,
    ) -> Backfilled {
        // Rows that only the primary has may be younger than the snapshot, unless nobody has worked there since.
        let left = |t: &Compared| {
            t.lacking > 0 && (t.keyless || !t.omitted.is_empty())
                || self.options.changed == Changed::Snapshot && t.only_on_primary.is_some_and(|n| n > 0)
        };
        let settled = account.balanced && account.units.held == 0 && !tables.iter().any(left);
        Backfilled {
            snapshot: self.snapshot.id.clone(),
            event: self.event.clone(),
            tables,
            sequences,
            ledger,
            account,
            new,
            changed: self.options.changed,
            dry_run: self.options.dry_run,
            exit: if settled || self.options.dry_run { Exit::Done } else { Exit::NeedsPerson },
        }
    }
}

/// What the staged units that the ledger does not have come to.
fn staged(tx: &mut Transaction<'_>) -> Result<Totals> {
    let row = tx.query_one(crate::sql!("merge/backfill/staged.sql"), &[]).cannot(DOING)?;
    let mut totals = Totals { units: unsigned(row.get(0)), rows: unsigned(row.get(1)), money: Vec::new() };
    for row in tx.query(crate::sql!("merge/backfill/staged_money.sql"), &[]).cannot(DOING)? {
        let sum: Decimal = row.get::<_, &str>(2).parse().map_err(|e| Error::failed(DOING, e))?;
        totals.money.push(Money { table: row.get(0), column: row.get(1), sum });
    }
    Ok(totals)
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

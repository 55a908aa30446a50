//! Brings a closed generation forward by a delta, in one transaction: what is gone goes, what is new or was written again
//! comes, and rows that nobody touched are compared. Nothing is there of it before all of it is (P3, P7).
//!
//! The gate is passed by switching it off inside the transaction, while the exclusive lock of the gate and the row of the
//! generation keep everybody out who would write or open. `his-switch` ends the session when it cannot wait (P16); then
//! the generation is what it was.

use super::back::{self, Kept};
use super::change::{self, Change};
use super::{Accept, PROGRAM, fill, schema, settle, work};
use crate::catalog::Name;
use crate::cli::Site;
use crate::db::Transaction;
use crate::db::{Server, sql};
use crate::error::{Cannot, Error, Result};
use crate::formats::digest::Digested;
use crate::formats::snapshot::{Census, Delta, How, Part, Table};
use crate::formats::tally;
use crate::snapshot::Snapshot;
use crate::standby::{columns, triggers};
use crate::store::State;
use minijinja::context;

/// What a delta is applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// A closed generation. What the delta replaces is kept, so that `rollback` can put it back.
    Generation,
    /// One that nobody has seen yet.
    NewGeneration,
    /// A database that has nothing of a standby in it.
    Plain,
}

/// Applies `delta` to the database, which must be what the delta's parent is.
pub fn apply(
    site: &Site,
    standby: &Server,
    database: &str,
    delta: &Snapshot,
    ground: Ground,
    accept: Accept,
) -> Result<()> {
    let doing = format!("bring '{database}' forward to snapshot '{}'", delta.id);
    let manifest = &delta.manifest;
    let path = super::build::own_path(&manifest.primary);
    let mut client = work::session(&standby.clone().named(PROGRAM), database, &path)?;
    let mut tx = client.transaction().cannot(&*doing)?;
    tx.batch_execute(crate::sql!("load/delta/session.sql")).cannot(&*doing)?;
    if ground != Ground::Plain {
        tx.batch_execute(crate::sql!("load/delta/begin.sql")).cannot(&*doing)?;
        require_parent(&mut tx, delta, &doing)?;
    }
    let mut step = Step { site, delta, tx, doing, ground, accept, kept: 0, changed: false };
    step.begin()?;
    for table in &manifest.tables {
        if let Some(what) = &table.delta {
            step.table(table, what)?;
        }
    }
    step.end()
}

/// The parent, whole, and nothing of it opened.
fn require_parent(tx: &mut Transaction, delta: &Snapshot, doing: &str) -> Result<()> {
    let row = tx.query_one(crate::sql!("load/delta/stands.sql"), &[]).cannot(doing)?;
    let (snapshot, sha256): (Option<String>, Option<String>) = (row.get(0), row.get(1));
    let (opened, gate): (Option<String>, i64) = (row.get(2), row.get(3));
    let m = &delta.manifest;
    if opened.is_some() || gate != 0 {
        return Err(
            Error::refused(doing, "it was opened meanwhile").hint("look with his-switch status; nothing was changed.")
        );
    }
    if snapshot.is_none() || (&snapshot, &sha256) != (&m.parent, &m.parent_sha256) {
        let found = snapshot.as_deref().unwrap_or("none");
        let reason = format!("it is of snapshot '{found}' (expected '{}')", m.parent.as_deref().unwrap_or("none"));
        return Err(Error::refused(doing, reason).hint("run his-load-standby again."));
    }
    Ok(())
}

/// One delta on its way into one database.
struct Step<'a> {
    site: &'a Site,
    delta: &'a Snapshot,
    tx: Transaction<'a>,
    doing: String,
    ground: Ground,
    accept: Accept,
    /// Tables kept so far.
    kept: i32,
    changed: bool,
}

impl Step<'_> {
    fn begin(&mut self) -> Result<()> {
        if self.ground == Ground::Plain {
            return Ok(());
        }
        // Of a generation that has come forward before.
        if let Some(kept) = back::kept(&mut self.tx)? {
            forget(&mut self.tx, &kept, &self.doing)?;
        }
        match self.ground {
            Ground::Generation => self.tx.batch_execute(crate::sql!("load/delta/before.sql")).cannot(&*self.doing),
            Ground::NewGeneration | Ground::Plain => Ok(()),
        }
    }

    fn run(&mut self, template: &str, context: minijinja::Value) -> Result<()> {
        self.tx.batch_execute(&sql::render(template, context)?).cannot(&*self.doing)
    }

    fn count(&mut self, template: &str, context: minijinja::Value) -> Result<u64> {
        let row = self.tx.query_one(&sql::render(template, context)?, &[]).cannot(&*self.doing)?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }

    fn table(&mut self, table: &Table, what: &Delta) -> Result<()> {
        let name = table.table.sql();
        let off = match what.how {
            How::Same => Vec::new(),
            How::Changed | How::Whole => triggers::off(&mut self.tx, &name, &self.doing)?,
        };
        self.changed |= what.how != How::Same;
        match (what.how, &table.census) {
            (How::Same, _) => {}
            // Whoever took it knew nothing of these numbers, and would put the primary's own in their place.
            (How::Changed, _) if self.site.profile.number_columns(&table.table).next().is_some() => {
                let reason = format!("'{name}' keeps numbers that the site of this snapshot does not name");
                return Err(Error::refused(&*self.doing, reason).hint(format!(
                    "name the same [[numbers]] columns in the profile of site {}, and take a full snapshot there.",
                    self.delta.manifest.site
                )));
            }
            (How::Changed, Some(census)) => self.rows(table, what, census)?,
            (How::Changed, None) => return Err(self.broken(table, "it has no key to tell its rows apart by")),
            (How::Whole, _) => self.whole(table)?,
        }
        triggers::on(&mut self.tx, off, &self.doing)?;
        if let Some(proof) = &what.proof {
            self.prove(table, proof)?;
        }
        Ok(())
    }

    /// Rows that are gone go, and the others come in the place of what they were.
    fn rows(&mut self, table: &Table, what: &Delta, census: &Census) -> Result<()> {
        let (name, key) = (table.table.sql(), &census.key);
        let gone = what.gone.as_ref().ok_or_else(|| self.broken(table, "it does not say which rows are gone"))?;
        self.stage("put", &table.table, &table.columns, &table.file, table.rows)?;
        self.stage_gone(table, gone, census)?;
        let partitioned = table.described.partitioned;
        let staged = |stage: &str| context! { table => name.clone(), partitioned, stage, key => key.clone() };
        let lost = self.count(crate::sql!("load/delta/met.sql"), staged("gone"))?;
        if census.mask.is_none() && lost != gone.rows {
            let never = format!("{} of the {} rows that are gone were never there", gone.rows - lost, gone.rows);
            return Err(self.unlike(table, &never));
        }
        let columns: Vec<String> = change::telling(&self.site.profile, table).cloned().collect();
        let written = context! { columns, ..staged("put") };
        let written = self.count(crate::sql!("load/delta/written.sql"), written)?;
        self.require_not_too_much(table, lost, lost + written)?;
        if self.ground == Ground::Generation {
            let kept = self.keep(table, key)?;
            self.run(crate::sql!("load/delta/keep_keys.sql"), context! { kept, ..staged("put") })?;
        }
        self.run(crate::sql!("load/delta/delete.sql"), staged("gone"))?;
        self.run(crate::sql!("load/delta/delete.sql"), staged("put"))?;
        self.insert(table, "put")?;
        let found = self.as_there(table, ("put", &table.digest), key)?;
        if (found.rows, &found.digest) != (table.rows, &table.digest) {
            return Err(self.unlike(table, "its new rows read back differently"));
        }
        let context = context! { filter => (), ..staged("put") };
        let there = self.count(crate::sql!("snapshot/count.sql"), context)?;
        if there != what.rows_there {
            return Err(self.unlike(table, &format!("it would have {there} rows (expected {})", what.rows_there)));
        }
        self.run(crate::sql!("load/delta/unstage.sql"), context! { stages => ["put", "gone"] })
    }

    /// All rows anew.
    fn whole(&mut self, table: &Table) -> Result<()> {
        let name = table.table.sql();
        let context = context! { table => name.clone(), partitioned => table.described.partitioned, filter => () };
        let before = self.count(crate::sql!("snapshot/count.sql"), context)?;
        self.require_not_too_much(table, before.saturating_sub(table.rows), 0)?;
        if self.ground == Ground::Generation {
            self.keep(table, &[])?;
        }
        self.run(
            crate::sql!("load/delta/delete.sql"),
            context! { table => name, partitioned => table.described.partitioned, stage => (), key => Vec::<String>::new() },
        )?;
        let doing = self.doing.clone();
        let own = &self.delta.manifest.primary;
        fill::pin(&mut self.tx, &own.timezone, &super::build::own_path(own)).cannot(&*doing)?;
        let context = context! { table => table.table.sql(), columns => table.columns.clone(), freeze => false };
        let text = sql::render(crate::sql!("load/copy_in.sql"), context)?;
        fill::copy_in(&mut self.tx, &text, &mut self.delta.csv(table)?, table.rows, &doing, |_| ())?;
        let found = fill::read_back(&mut self.tx, table, &doing)?;
        if (found.rows, &found.digest) != (table.rows, &table.digest) {
            return Err(self.unlike(table, "its rows read back differently"));
        }
        settle::table_numbers(&mut self.tx, self.site, Some(&table.table))?;
        if self.ground == Ground::Plain {
            return Ok(());
        }
        // What any generation had handed out was in the store before this one was there.
        columns::go_on_within(self.site, &mut self.tx, &table.table)
    }

    /// Rows of which nothing says that they changed must be what they are on the primary.
    fn prove(&mut self, table: &Table, proof: &Part) -> Result<()> {
        let Some(key) = table.described.row_key() else { return Ok(()) };
        let key = key.to_vec();
        self.stage("proof", &table.table, &table.columns, &proof.file, proof.rows)?;
        let found = self.as_there(table, ("proof", &proof.digest), &key)?;
        if (found.rows, &found.digest) != (proof.rows, &proof.digest) {
            return Err(self.unlike(table, "rows that nobody changed are not the same on both sides"));
        }
        self.run(crate::sql!("load/delta/unstage.sql"), context! { stages => ["proof"] })
    }

    fn stage(&mut self, stage: &str, table: &Name, columns: &[String], file: &str, rows: u64) -> Result<()> {
        let context = context! { stage, table => table.sql(), columns => columns.to_vec() };
        self.run(crate::sql!("load/delta/stage.sql"), context)?;
        self.fill(stage, columns, file, rows)
    }

    /// The keys of the rows that are gone, as `gone`: those that the delta names; or, where it names pages of hashed keys, those
    /// that are on them here and not among its rows.
    fn stage_gone(&mut self, table: &Table, gone: &Part, census: &Census) -> Result<()> {
        let (name, key) = (table.table.sql(), census.key.clone());
        let Some(mask) = census.mask else {
            let context = context! { stage => "gone", table => name, columns => key.clone() };
            self.run(crate::sql!("load/delta/stage.sql"), context)?;
            return self.fill("gone", &key, &gone.file, gone.rows);
        };
        self.run(crate::sql!("load/delta/stage_pages.sql"), context! {})?;
        self.fill("page", &["page".to_owned()], &gone.file, gone.rows)?;
        let doing = self.doing.clone();
        // The hash is of the key as text.
        fill::pin(&mut self.tx, &table.timezone, &table.search_path).cannot(&*doing)?;
        let partitioned = table.described.partitioned;
        let hash = tally::hash_of(&table.described, &key, Some("t"))?;
        let context = context! { table => name, partitioned, key, hash, mask, some => gone.rows > 0 };
        self.run(crate::sql!("load/delta/stage_gone.sql"), context)
    }

    fn fill(&mut self, stage: &str, columns: &[String], file: &str, rows: u64) -> Result<()> {
        let doing = self.doing.clone();
        // CSV written in UTC with every name qualified reads the same under the database's own settings.
        let own = &self.delta.manifest.primary;
        fill::pin(&mut self.tx, &own.timezone, &super::build::own_path(own)).cannot(&*doing)?;
        let table = format!("pg_temp.{}", sql::ident(stage));
        let text = sql::render(
            crate::sql!("load/copy_in.sql"),
            context! { table, columns => columns.to_vec(), freeze => false },
        )?;
        fill::copy_in(&mut self.tx, &text, &mut self.delta.file(file)?, rows, &doing, |_| ())?;
        self.run(crate::sql!("load/delta/prepare.sql"), context! { stage })
    }

    fn insert(&mut self, table: &Table, stage: &str) -> Result<()> {
        let from = format!("pg_temp.{}", sql::ident(stage));
        let context = context! { table => table.table.sql(), from, columns => table.columns.clone() };
        self.run(crate::sql!("load/delta/insert.sql"), context)
    }

    /// The rows of the table that are staged, as the table has them now, to be compared with the digest `like`.
    fn as_there(&mut self, table: &Table, (stage, like): (&str, &str), key: &[String]) -> Result<Digested> {
        let doing = self.doing.clone();
        fill::pin(&mut self.tx, &table.timezone, &table.search_path).cannot(&*doing)?;
        let context = context! {
            table => table.table.sql(), partitioned => table.described.partitioned,
            stage => format!("pg_temp.{}", sql::ident(stage)), columns => table.columns.clone(), key => key.to_vec()
        };
        fill::digest(&mut self.tx, &sql::render(crate::sql!("load/delta/read_back.sql"), context)?, like, &doing)
    }

    /// Keeps what is about to go for the way back; gives its number.
    fn keep(&mut self, table: &Table, key: &[String]) -> Result<i32> {
        self.kept += 1;
        let (kept, doing) = (self.kept, self.doing.clone());
        let partitioned = table.described.partitioned;
        let context = context! { kept, table => table.table.sql(), partitioned, key => key.to_vec() };
        self.run(crate::sql!("load/delta/keep.sql"), context)?;
        let name = &table.table;
        self.tx
            .execute(crate::sql!("load/delta/note_kept.sql"), &[&kept, &name.schema, &name.name, &table.columns, &key])
            .cannot(doing)?;
        Ok(kept)
    }

    /// A source that was emptied or encrypted looks like a busy day, only much more of it.
    fn require_not_too_much(&self, table: &Table, lost: u64, changed: u64) -> Result<()> {
        let before = table.rows_there() + lost;
        let limits = &self.site.profile.limits;
        let judge = |rows: u64, percent: i64, accepted: bool, what: &str, flag: &str| {
            let change = Change { compared_rows: before, lost_rows: rows };
            if !change.exceeds(percent) {
                return Ok(());
            }
            let reason = format!(
                "of '{}' {:.1} % of {before} rows are {what} (the limit is {percent} %)",
                table.table,
                change.percent()
            );
            if accepted {
                self.site.talk.warn(format!("accepted by {flag}: {reason}"));
                return Ok(());
            }
            Err(Error::refused(&*self.doing, reason).hint(format!("look at the primary first: is the data damaged? If it is right, load with {flag}; the generation stays as it is until then.")))
        };
        judge(lost, limits.max_shrink, self.accept.shrink, "gone", "--accept-shrink")?;
        judge(changed, limits.max_change, self.accept.change, "gone or changed", "--accept-change")
    }

    fn broken(&self, table: &Table, reason: &str) -> Error {
        Error::damaged(&*self.doing, format!("'{}': {reason}", table.table))
    }

    /// The proof failed: something has happened to a row that nothing speaks of. Only a full snapshot mends that.
    fn unlike(&self, table: &Table, reason: &str) -> Error {
        let site = &self.delta.manifest.site;
        if *site != self.site.profile.site.code {
            return Error::refused(&*self.doing, format!("'{}': {reason}", table.table)).hint(format!(
                "the generation stays as it was. At site {site}: his-snapshot --full; then fetch it here and load it."
            ));
        }
        if let Err(e) = State::update(&self.site.store, |s| s.full_wanted = true) {
            self.site.talk.warn(e.to_string());
        }
        Error::refused(&*self.doing, format!("'{}': {reason}", table.table))
            .hint("the generation stays as it was. The next his-snapshot takes a full one by itself; load that.")
    }

    fn end(mut self) -> Result<()> {
        let m = &self.delta.manifest;
        settle::follow(&mut self.tx, self.site, m)?;
        if self.changed {
            for failed in schema::refresh(&mut self.tx)? {
                self.site.talk.warn(format!("a materialized view stays as it was: {failed}"));
            }
        }
        if self.ground == Ground::Plain {
            return self.tx.commit().cannot(self.doing);
        }
        let number = |n: u64| i64::try_from(n).map_err(|e| Error::failed(&*self.doing, e));
        let sha256 = self.delta.sums_sha256()?;
        let (run, rows) = (number(m.ledger.run)?, number(m.rows_there())?);
        self.tx
            .execute(crate::sql!("load/delta/record.sql"), &[&m.snapshot, &sha256, &m.taken_at, &run, &rows])
            .cannot(&*self.doing)?;
        self.tx.batch_execute(crate::sql!("load/delta/end.sql")).cannot(&*self.doing)?;
        self.tx.commit().cannot(self.doing)
    }
}

/// Drops what an earlier delta had kept for its way back.
pub(super) fn forget(tx: &mut Transaction, kept: &[Kept], doing: &str) -> Result<()> {
    let numbers: Vec<i32> = kept.iter().map(|k| k.no).collect();
    let text = sql::render(crate::sql!("load/delta/forget.sql"), context! { kept => numbers })?;
    tx.batch_execute(&text).cannot(doing)
}

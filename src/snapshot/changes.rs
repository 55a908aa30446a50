//! What changed in one table since the parent: the rows that were written since, the keys that are gone, and rows that
//! prove that both sides agree.

use super::delta::Parent;
use super::keys::{Gone, Keys};
use super::sink::Written;
use super::tables::{self, Pieces, Stored};
use crate::db::sql;
use crate::error::{Cannot, Error, Result};
use crate::formats::census::Pages;
use crate::formats::snapshot::{Census, Delta, How, Part, Table};
use crate::formats::tally::{self, Counting};
use minijinja::{Value, context};

/// Each delta proves one part in so many of every table: all of it within a day, at one delta in five minutes.
const PARTS: u64 = 288;

impl Pieces<'_> {
    /// Takes the census of a table of so many rows whose key is no whole number.
    pub fn hashed_census(&mut self, rows: u64) -> Result<Option<Census>> {
        if self.planned.raised {
            return Ok(None);
        }
        let Some(key) = self.planned.key().map(<[String]>::to_vec) else { return Ok(None) };
        let mask = Some(tally::mask(rows));
        let keys = self.keys(&key, mask, None)?;
        keys.map(|keys| self.census(&keys, key, mask)).transpose()
    }

    /// Sends what changed since `parent`, or the whole table where that cannot be told.
    pub fn changes(&mut self, parent: &Parent) -> Result<Stored> {
        let name = &self.planned.described.name;
        let before = parent.table(name);
        let before = before.ok_or_else(|| Error::failed(format!("find '{name}' in the parent"), "it is not there"))?;
        let had = before.census.as_ref().filter(|_| !self.planned.raised);
        let had = had.and_then(|census| Some((census, parent.keys(census, before.rows_there())?)));
        if self.planned.filter.is_some() {
            return self.filtered(parent, had);
        }
        let rows = self.rows("data", &self.changed(parent, &[], None, &Gone::default())?, None)?;
        if rows.1.digested.rows == 0 && self.count()? == before.rows_there() {
            // Nothing was written, so nothing new is there; and what is gone would be missing in the count.
            return self.same(parent, rows, before, had);
        }
        let Some((census, had)) = had else { return self.whole(Some(rows)) };
        let Some(now) = self.keys(&census.key, census.mask, Some(parent))? else { return self.whole(Some(rows)) };
        match now.gone_since(&had, false) {
            None => self.whole(Some(rows)),
            Some(gone) if gone.pages.is_none() => self.changed_by(parent, rows, census, &now, gone),
            Some(gone) => {
                self.discard(&rows.0)?;
                let rows = self.rows("data", &self.changed(parent, &census.key, census.mask, &gone)?, None)?;
                self.changed_by(parent, rows, census, &now, gone)
            }
        }
    }

    /// Rows leave a filter's view and come into it without being written.
    fn filtered(&mut self, parent: &Parent, had: Option<(&Census, Keys)>) -> Result<Stored> {
        let Some((census, had)) = had else { return self.whole(None) };
        let Some(now) = self.keys(&census.key, census.mask, Some(parent))? else { return self.whole(None) };
        let Some(gone) = now.gone_since(&had, true) else { return self.whole(None) };
        let rows = self.rows("data", &self.changed(parent, &census.key, census.mask, &gone)?, None)?;
        self.changed_by(parent, rows, census, &now, gone)
    }

    fn changed_by(
        &mut self,
        parent: &Parent,
        rows: (String, Written),
        census: &Census,
        now: &Keys,
        gone: Gone,
    ) -> Result<Stored> {
        let gone = Some(self.text("gone", gone.text)?);
        let census = Some(self.census(now, census.key.clone(), census.mask)?);
        let proof = self.proof(parent)?;
        let delta = Delta { how: How::Changed, rows_there: now.count(), gone, proof };
        Ok(self.stored(rows, census, Some(delta)))
    }

    fn same(
        &mut self,
        parent: &Parent,
        rows: (String, Written),
        before: &Table,
        had: Option<(&Census, Keys)>,
    ) -> Result<Stored> {
        // Written again, so that a delta needs no other than its parent.
        let census = had.map(|(census, had)| self.census(&had, census.key.clone(), census.mask)).transpose()?;
        let proof = self.proof(parent)?;
        let delta = Delta { how: How::Same, rows_there: before.rows_there(), gone: None, proof };
        Ok(self.stored(rows, census, Some(delta)))
    }

    fn whole(&mut self, rows: Option<(String, Written)>) -> Result<Stored> {
        if let Some((file, _)) = rows {
            self.discard(&file)?;
        }
        let mut stored = self.all_rows()?;
        let rows_there = stored.table.rows;
        stored.table.delta = Some(Delta { how: How::Whole, rows_there, gone: None, proof: None });
        Ok(stored)
    }

    fn changed(&self, parent: &Parent, key: &[String], mask: Option<i64>, asked: &Gone) -> Result<String> {
        let this = context! {
            columns => self.planned.columns.clone(), since => parent.since(), key => key.to_vec(), mask,
            hash => tally::hash_of(&self.planned.described, key, None)?,
            keys => asked.keys.clone(), pages => asked.pages.clone(), ..self.of_table()
        };
        sql::render(crate::sql!("snapshot/changed.sql"), this)
    }

    /// What every query of the table needs.
    fn of_table(&self) -> Value {
        let p = self.planned;
        context! { table => p.described.name.sql(), partitioned => p.described.partitioned, filter => p.filter.clone() }
    }

    fn count(&mut self) -> Result<u64> {
        let text = sql::render(crate::sql!("snapshot/count.sql"), self.of_table())?;
        let doing = format!("count the rows of '{}'", self.planned.described.name);
        let counted: i64 = self.client.query_one(&text, &[]).cannot(doing)?.get(0);
        Ok(u64::try_from(counted).unwrap_or(0))
    }

    /// The keys that the table has now; `None` when they lie too far apart to be written down.
    fn keys(&mut self, key: &[String], mask: Option<i64>, parent: Option<&Parent>) -> Result<Option<Keys>> {
        let doing = format!("read the keys of '{}'", self.planned.described.name);
        self.client.batch_execute(crate::sql!("snapshot/room.sql")).cannot(&*doing)?;
        let hash = tally::hash_of(&self.planned.described, key, None)?;
        let this = context! { key => key.to_vec(), hash, mask, since => parent.map(Parent::since), ..self.of_table() };
        let template =
            if mask.is_some() { crate::sql!("snapshot/tally.sql") } else { crate::sql!("snapshot/census.sql") };
        let text = sql::render(template, this)?;
        let (mut pages, mut counting) = (Pages::default(), Counting::default());
        self.read(&text, &doing, |piece| if mask.is_some() { counting.push(piece) } else { pages.push(piece) })?;
        Ok(match mask {
            Some(_) => counting.finish().ok().map(Keys::Hashes),
            None => pages.finish().ok().map(Keys::Numbers),
        })
    }

    fn read(&mut self, statement: &str, doing: &str, mut take: impl FnMut(&[u8])) -> Result<()> {
        let mut reader = self.client.copy_out(statement).cannot(doing)?;
        while let Some(block) = reader.block().cannot(doing)? {
            take(&block);
        }
        Ok(())
    }

    /// Rows of the next part of the table, for the standby to compare with its own.
    fn proof(&mut self, parent: &Parent) -> Result<Option<Part>> {
        let p = self.planned;
        // Without a key, rows of both sides cannot be told to be the same.
        if p.raised || p.key().is_none() {
            return Ok(None);
        }
        let doing = format!("measure '{}'", p.described.name);
        let blocks: i64 =
            self.client.query_one(crate::sql!("snapshot/blocks.sql"), &[&p.described.name.sql()]).cannot(doing)?.get(0);
        let blocks = u64::try_from(blocks).unwrap_or(0);
        if blocks == 0 {
            return Ok(None);
        }
        let parts = PARTS.min(blocks);
        let part = parent.chain.place % parts;
        let (from, to) = (blocks * part / parts, blocks * (part + 1) / parts);
        let this = context! { columns => p.columns.clone(), from, to, ..self.of_table() };
        let text = sql::render(crate::sql!("snapshot/proof.sql"), this)?;
        let (file, written) = self.rows("proof", &text, None)?;
        Ok(Some(tables::part(file, written.digested)))
    }
}

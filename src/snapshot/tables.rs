//! The workers: each joins the database snapshot and copies table after table into its file.

use super::PROGRAM;
use super::delta::Parent;
use super::keys::Keys;
use super::leader::{LOCK_LIMIT, Own};
use super::plan::Planned;
use super::ranges::{Ranges, Shared};
use super::sink::{self, Feed, Sink, Written};
use super::turns::{Next, Turns};
use super::watch::Watched;
use crate::db::{Client, Server, sql};
use crate::error::{Cannot, Error, Exit, Result};
use crate::formats::digest::Digested;
use crate::formats::snapshot::{Census, Delta, Part, Table};
use crate::seal::Seal;
use indicatif::ProgressBar;
use minijinja::context;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_postgres::error::SqlState;

/// What the workers share.
pub struct Download<'a> {
    pub server: &'a Server,
    pub watched: &'a Watched,
    pub exported: &'a str,
    pub planned: &'a [Planned],
    pub own: &'a Own,
    /// What a delta is made against; `None` for a full snapshot.
    pub parent: Option<&'a Parent>,
    /// Whether the keys are written down, for a delta to stand on.
    pub census: bool,
    /// The unfinished directory.
    pub dir: PathBuf,
    pub seal: &'a Seal,
    pub compress: bool,
    pub bar: &'a ProgressBar,
}

/// A table in its files, and the hash of each file as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    pub table: Table,
    pub files: Vec<(String, String)>,
}

impl Download<'_> {
    /// Copies all tables; in the order of the profile.
    pub fn run(&self) -> Result<Vec<Stored>> {
        let turns = Turns::of(self.planned);
        let failed = Mutex::new(None);
        let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
        let mut stored: Vec<(usize, Stored)> = Vec::with_capacity(self.planned.len());
        std::thread::scope(|scope| {
            let (turns, failed) = (&turns, &failed);
            let threads: Vec<_> = (0..workers).map(|n| scope.spawn(move || self.work(n == 0, turns, failed))).collect();
            for thread in threads {
                match thread.join() {
                    Ok(done) => stored.extend(done),
                    Err(_) => fail(failed, Error::failed("download", "a worker died")),
                }
            }
        });
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        if stored.len() < self.planned.len() {
            return Err(Error::unreachable("download every table", "another session of the snapshot was lost"));
        }
        stored.sort_by_key(|(place, _)| *place);
        Ok(stored.into_iter().map(|(_, table)| table).collect())
    }

    fn work(&self, first: bool, turns: &Turns, failed: &Mutex<Option<Error>>) -> Vec<(usize, Stored)> {
        let mut done = Vec::new();
        let mut work = || {
            let mut client = self.join()?;
            while let Some(turn) = turns.next(first).filter(|_| self.watched.going_on()) {
                match &turn.next {
                    Next::Table(place) => {
                        done.push((*place, self.table(&mut client, *place, turns)?));
                        self.bar.inc(u64::try_from(self.planned[*place].estimated_rows).unwrap_or(0).max(1));
                    }
                    Next::Help(shared) => self.help(&mut client, shared)?,
                }
            }
            Ok(())
        };
        if let Err(error) = work() {
            fail(failed, error);
            self.watched.abandon();
        }
        done
    }

    fn join(&self) -> Result<Client> {
        let mut client = self.server.clone().named(PROGRAM).connect()?;
        self.watched.register(&mut client)?;
        let text = sql::render(
            crate::sql!("snapshot/join.sql"),
            context! { snapshot => self.exported, lock_timeout_ms => LOCK_LIMIT.as_millis().to_string() },
        )?;
        client.batch_execute(&text).cannot("join the database snapshot")?;
        Ok(client)
    }

    fn table(&self, client: &mut Client, place: usize, turns: &Turns) -> Result<Stored> {
        let planned = &self.planned[place];
        let ranges = planned.ranges(client)?;
        // A plain COPY of a table is not planned; everything else is.
        let queried = self.parent.is_some()
            || ranges.is_some()
            || planned.described.partitioned
            || planned.number_key().is_none();
        let settings = match (&planned.filter, queried) {
            (Some(_), _) => self.own.clone(),
            (None, true) => self.own.naming(),
            (None, false) => Own::pinned(),
        };
        client.batch_execute(&settings.session()?).cannot(doing(planned))?;
        let ranges = ranges.map(Arc::new);
        let mut pieces = Pieces { download: self, turns, client, planned, place, ranges, settings, files: Vec::new() };
        match self.parent {
            None => pieces.all_rows(),
            Some(parent) => pieces.changes(parent),
        }
    }

    /// Reads some of a table that another worker has begun.
    fn help(&self, client: &mut Client, shared: &Shared) -> Result<()> {
        let planned = &self.planned[shared.place];
        client.batch_execute(&shared.settings.session()?).cannot(doing(planned))?;
        if self.ranges(client, shared)? { Ok(()) } else { Err(gone(planned)) }
    }

    /// Reads ranges as long as any are left. False when the sink takes no more.
    fn ranges(&self, client: &mut Client, shared: &Shared) -> Result<bool> {
        let planned = &self.planned[shared.place];
        while let Some(range) = shared.ranges.take() {
            if !self.watched.going_on() {
                return Err(gone(planned));
            }
            let explain = |e: &tokio_postgres::Error| explain(e, planned, &doing(planned));
            if !copy_into(client, &planned.copy_range(range)?, &shared.feed, &explain)? {
                return Ok(false);
            }
            shared.ranges.done();
        }
        Ok(true)
    }
}

fn gone(planned: &Planned) -> Error {
    Error::unreachable(doing(planned), "another session of the snapshot was lost")
}

fn doing(planned: &Planned) -> String {
    format!("download '{}'", planned.described.name)
}

/// The files of one table, one after the other.
pub(super) struct Pieces<'a> {
    pub download: &'a Download<'a>,
    pub client: &'a mut Client,
    pub planned: &'a Planned,
    turns: &'a Turns,
    /// In the profile.
    place: usize,
    /// In which it is read, when it is big.
    ranges: Option<Arc<Ranges>>,
    settings: Own,
    files: Vec<(String, String)>,
}

impl Pieces<'_> {
    /// The whole table.
    pub fn all_rows(&mut self) -> Result<Stored> {
        let taken = self.download.census;
        let number = self.planned.number_key().filter(|_| taken);
        let mut rows = match self.ranges.clone() {
            Some(ranges) => self.rows_by_ranges("data", &ranges, number)?,
            None => self.rows("data", &self.planned.copy()?, number)?,
        };
        let census = match (number, rows.1.census.take()) {
            (Some(place), Some(census)) => {
                Some(self.census(&Keys::Numbers(census), vec![self.planned.columns[place].clone()], None)?)
            }
            _ if taken => self.hashed_census(rows.1.digested.rows)?,
            _ => None,
        };
        Ok(self.stored(rows, census, None))
    }

    /// What a COPY sends, into a new file below `folder`.
    pub fn rows(&mut self, folder: &str, statement: &str, key: Option<usize>) -> Result<(String, Written)> {
        let (file, sink) = self.sink(folder, key);
        let outcome = self.copy(statement, &sink.feed());
        self.written(file, sink, outcome)
    }

    /// The rows of all ranges; others help.
    fn rows_by_ranges(&mut self, folder: &str, ranges: &Arc<Ranges>, key: Option<usize>) -> Result<(String, Written)> {
        let (file, sink) = self.sink(folder, key);
        let outcome = self.by_ranges(ranges, &sink);
        let written = self.written(file, sink, outcome)?;
        // Each range has ended by now, or its worker has.
        if ranges.are_all_read() { Ok(written) } else { Err(gone(self.planned)) }
    }

    fn by_ranges(&mut self, ranges: &Arc<Ranges>, sink: &Sink) -> Result<bool> {
        if !self.copy(&self.planned.copy_header()?, &sink.feed())? {
            return Ok(false);
        }
        let (place, settings) = (self.place, self.settings.clone());
        let shared = Arc::new(Shared { place, ranges: Arc::clone(ranges), feed: sink.feed(), settings });
        self.turns.open(Arc::clone(&shared));
        let outcome = self.download.ranges(self.client, &shared);
        self.turns.close(&shared);
        outcome
    }

    fn copy(&mut self, statement: &str, feed: &Feed) -> Result<bool> {
        copy_into(self.client, statement, feed, &|e| explain(e, self.planned, &doing(self.planned)))
    }

    /// Closes a file whose rows were read, or not.
    fn written(&mut self, file: String, sink: Sink, outcome: Result<bool>) -> Result<(String, Written)> {
        if !matches!(outcome, Ok(true)) {
            // Now, while the session is open: closing it in the middle of a COPY would read the COPY to its end.
            self.download.watched.abandon();
        }
        let written = sink.finish();
        // A failed disk is the reason even where the COPY was given up because of it.
        let whole = outcome?;
        let doing = doing(self.planned);
        let written = written.cannot(doing.clone())?;
        if !whole {
            return Err(Error::failed(doing, "its file was closed before the table was read"));
        }
        self.files.push((file.clone(), written.sha256.clone()));
        Ok((file, written))
    }

    /// A file of our own making.
    pub fn text(&mut self, folder: &str, text: Vec<u8>) -> Result<Part> {
        let (file, sink) = self.sink(folder, None);
        // What hindered it says the end.
        let _ = sink.feed().put(text);
        let written = sink.finish().cannot(doing(self.planned))?;
        self.files.push((file.clone(), written.sha256));
        Ok(part(file, written.digested))
    }

    pub fn census(&mut self, keys: &Keys, key: Vec<String>, mask: Option<i64>) -> Result<Census> {
        let mut text = Vec::new();
        keys.write(&mut text).cannot(doing(self.planned))?;
        Ok(Census { part: self.text("census", text)?, key, mask })
    }

    /// Takes a file back that turned out not to be wanted.
    pub fn discard(&mut self, file: &str) -> Result<()> {
        self.files.retain(|(name, _)| name != file);
        std::fs::remove_file(self.download.dir.join(file)).cannot(doing(self.planned))
    }

    fn sink(&self, folder: &str, key: Option<usize>) -> (String, Sink) {
        let Download { seal, compress, dir, .. } = self.download;
        let file = sink::file_name(&self.planned.file(folder, self.place + 1), seal, *compress);
        let sink = Sink::open_taking(dir.join(&file), (*seal).clone(), *compress, key);
        (file, sink)
    }

    /// The table with its rows in this file, for the manifest.
    pub fn stored(&mut self, rows: (String, Written), census: Option<Census>, delta: Option<Delta>) -> Stored {
        let (planned, digested) = (self.planned, rows.1.digested);
        log::info!("{}: {} rows, {} bytes", planned.described.name, digested.rows, digested.bytes);
        let table = Table {
            table: planned.described.name.clone(),
            file: rows.0,
            rows: digested.rows,
            bytes: digested.bytes,
            sha256: digested.sha256,
            digest: digested.digest,
            columns: planned.columns.clone(),
            timezone: self.settings.timezone.clone(),
            search_path: self.settings.search_path.clone(),
            described: planned.described.clone(),
            census,
            delta,
        };
        Stored { table, files: std::mem::take(&mut self.files) }
    }
}

pub(super) fn part(file: String, digested: Digested) -> Part {
    Part { file, rows: digested.rows, sha256: digested.sha256, digest: digested.digest }
}

/// The first failure is the reason. What is ended because of it only sees a lost session, and may even say so first.
fn fail(failed: &Mutex<Option<Error>>, error: Error) {
    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
    let better = |first: &Error| first.exit() == Exit::Unreachable && error.exit() != Exit::Unreachable;
    if failed.as_ref().is_none_or(better) {
        *failed = Some(error);
    }
}

/// Reads what a COPY sends into a sink. False when the sink takes no more.
pub(super) fn copy_into(
    client: &mut Client,
    statement: &str,
    feed: &Feed,
    explain: &dyn Fn(&tokio_postgres::Error) -> Error,
) -> Result<bool> {
    let mut reader = client.copy_out(statement).map_err(|e| explain(&e))?;
    while let Some(block) = reader.block().map_err(|e| explain(&e))? {
        if !feed.put(block) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn explain(error: &tokio_postgres::Error, planned: &Planned, doing: &str) -> Error {
    let code = error.code().cloned();
    let (exit, reason, hint) = crate::db::reason::of(error);
    let told = Error::new(exit, doing, reason);
    match code {
        Some(SqlState::INSUFFICIENT_PRIVILEGE) if planned.described.row_security => told.hint(
            "row-level security would hide rows: give the role of [primary] url BYPASSRLS, so that it sees them all.",
        ),
        Some(SqlState::T_R_SERIALIZATION_FAILURE) => super::take::ended_by_the_log(doing),
        Some(c) if planned.filter.is_some() && (c.code().starts_with("42") || c.code().starts_with("22")) => told
            .with_exit(Exit::Usage)
            .hint("mend `where` of this [[table]]; it is evaluated as `SELECT … FROM table WHERE (…)`."),
        _ => hint.into_iter().fold(told, Error::hint),
    }
}

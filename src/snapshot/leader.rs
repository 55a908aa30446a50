//! The leading session: it keeps DDL off the tables, takes the database snapshot, holds it until everything is
//! downloaded, and reads what the database is besides its rows.

use super::PROGRAM;
use super::findings::Finding;
use super::origin;
use super::plan::{self, Planned};
use super::watch::Watched;
use crate::catalog::{Catalog, Name, Table};
use crate::db::{Client, Server, sql};
use crate::error::{Cannot, Error, Exit, Result};
use crate::formats::snapshot::{Ledger, LedgerTable, Primary, Role, Sequence, Setting};
use crate::profile::Profile;
use crate::seal::Seal;
use chrono::{DateTime, SubsecRound, Utc};
use minijinja::context;
use std::path::Path;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// Longest wait for a lock on the primary; whoever holds it is changing the table's structure.
pub const LOCK_LIMIT: Duration = Duration::from_secs(3);

/// `TimeZone` and `search_path` of a session, as SET takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    pub timezone: String,
    pub search_path: String,
}

impl Own {
    /// What values are written under where no filter is evaluated.
    #[must_use]
    pub fn pinned() -> Own {
        Own { timezone: "UTC".to_owned(), search_path: "pg_catalog".to_owned() }
    }

    /// As [`Own::pinned`], but functions find what they name without a schema: the planner may call one that an index is of.
    #[must_use]
    pub fn naming(&self) -> Own {
        Own { search_path: self.search_path.clone(), ..Own::pinned() }
    }

    /// The database's own, as a new session of a HIS client has them.
    fn of(plain: &mut Client) -> Result<Own> {
        let row = plain
            .query_one(crate::sql!("snapshot/own_settings.sql"), &[])
            .cannot("read the settings of the primary's database")?;
        Ok(Own { timezone: row.get(0), search_path: row.get(1) })
    }

    /// The statements that pin a transaction's settings, with this time zone and path.
    pub fn session(&self) -> Result<String> {
        sql::render(
            crate::sql!("snapshot/session.sql"),
            context! { timezone => self.timezone.clone(), search_path => self.search_path.clone() },
        )
    }
}

/// Plans the download outside any transaction, so that every mistake of the profile is told before a lock is taken.
pub fn plan(profile: &Profile, client: &mut Client) -> Result<Vec<Planned>> {
    plan_in(profile, &Catalog::read(client)?)
}

fn plan_in(profile: &Profile, catalog: &Catalog) -> Result<Vec<Planned>> {
    let (planned, wrong) = plan::tables(profile, catalog);
    if wrong.is_empty() { Ok(planned) } else { Err(mistaken(profile, &wrong)) }
}

fn mistaken(profile: &Profile, wrong: &[Finding]) -> Error {
    let list: Vec<String> = wrong.iter().map(|f| format!("\n  {f}")).collect();
    let count = if wrong.len() == 1 { "1 mistake".to_owned() } else { format!("{} mistakes", wrong.len()) };
    Error::usage(
        format!("download what the profile '{}' names", profile.path.display()),
        format!("{count}{}", list.concat()),
    )
    .hint("mend these lines of the profile; his-snapshot check lists everything else too.")
}

/// The held database snapshot.
pub struct Leader {
    client: Client,
    /// The name under which other sessions join it.
    pub exported: String,
    /// When the database snapshot was made; the snapshot's name.
    pub made_at: DateTime<Utc>,
    /// Everything that was committed on the primary by then is in it; earlier than `made_at` on a replica that lags.
    pub taken_at: DateTime<Utc>,
    /// How far a replica had replayed the log before the snapshot was made: all of that is in it. `None` on a primary.
    pub replayed: Option<String>,
    /// How far the server's clock is ahead of ours.
    pub clock_apart_seconds: i64,
    pub planned: Vec<Planned>,
    pub primary: Primary,
    pub ledger: Ledger,
    pub settings: Vec<Setting>,
    pub roles: Vec<Role>,
    pub own: Own,
    pub related: Vec<Table>,
}

impl Leader {
    /// Locks DDL out of the profile's tables, takes the snapshot and reads the catalog in it.
    pub fn begin(profile: &Profile, server: &Server, watched: &Watched) -> Result<Leader> {
        let mut plain = server.clone().named(PROGRAM).unset().connect()?;
        let own = Own::of(&mut plain)?;
        let mut client = server.clone().named(PROGRAM).connect()?;
        watched.register(&mut client)?;
        let planned = plan(profile, &mut client)?;
        let begin = sql::render(
            crate::sql!("snapshot/begin.sql"),
            context! { lock_timeout_ms => LOCK_LIMIT.as_millis().to_string() },
        )?;
        client.batch_execute(&begin).cannot("begin a transaction on the primary")?;
        // Locks first: a table rewritten between the snapshot and its lock would look empty.
        for table in &planned {
            lock(&mut client, &table.described.name)?;
        }
        // As exact as the snapshot's id, and rather too early than too late.
        let made_at = Utc::now().trunc_subsecs(3);
        let (taken_at, replayed) = match replica(&mut plain)? {
            Some((known, replayed)) => (known.trunc_subsecs(3).min(made_at), Some(replayed)),
            None => (made_at, None),
        };
        let row = client
            .query_one(crate::sql!("snapshot/export.sql"), &[])
            .cannot("take a database snapshot of the primary")?;
        let (exported, server_time): (String, DateTime<Utc>) = (row.get(0), row.get(1));
        let clock_apart_seconds = (server_time - Utc::now()).num_seconds();
        client.batch_execute(&Own::pinned().session()?).cannot("set up a session on the primary")?;
        // Again, now that nothing can change any more.
        let catalog = Catalog::read(&mut client)?;
        let planned = plan_in(profile, &catalog)?;
        let downloaded: Vec<&Table> = planned.iter().map(|p| &p.described).collect();
        let names: Vec<&Name> = downloaded.iter().map(|t| &t.name).collect();
        let related = origin::related(&catalog, &downloaded);
        let mut primary = primary(&mut client, &own)?;
        primary.marks = Some(origin::marks(&mut client, &names)?);
        let ledger = ledger(&mut client)?;
        let settings = settings(&mut client)?;
        let roles = roles(&mut client, profile)?;
        Ok(Leader {
            client,
            exported,
            made_at,
            taken_at,
            replayed,
            clock_apart_seconds,
            planned,
            primary,
            ledger,
            settings,
            roles,
            own,
            related,
        })
    }

    /// Copies the merge ledger of this very instant.
    pub fn ledger_tables(&mut self, dir: &Path, seal: &Seal, compress: bool) -> Result<Vec<(LedgerTable, String)>> {
        origin::ledger(&mut self.client, dir, seal, compress)
    }

    /// Reads where the sequences stand. They know no snapshot, so they are read after the rows: never behind them.
    pub fn sequences(&mut self) -> Result<Vec<Sequence>> {
        sequences(&mut self.client)
    }

    /// Lets the database snapshot go.
    pub fn finish(mut self) -> Result<()> {
        self.client.batch_execute("COMMIT").cannot("end the transaction on the primary")
    }
}

/// Up to when a replica knows what was committed, and how far it is; `None` on a primary. Asked before the snapshot, in
/// another session.
fn replica(plain: &mut Client) -> Result<Option<(DateTime<Utc>, String)>> {
    let doing = "read how far the replica has come";
    match plain.query_opt(crate::sql!("snapshot/replica.sql"), &[]).cannot(doing)? {
        None => Ok(None),
        Some(row) => match row.get::<_, Option<DateTime<Utc>>>(0) {
            Some(known) => Ok(Some((known, row.get::<_, Option<String>>(1).unwrap_or_default()))),
            None => Err(Error::refused(doing, "it cannot tell up to when it knows what was committed")
                .hint("let the replica stream from the primary (and grant our role pg_monitor), or download from the primary itself.")),
        },
    }
}

fn lock(client: &mut Client, table: &Name) -> Result<()> {
    let text = sql::render(crate::sql!("snapshot/lock_table.sql"), context! { table => table.sql() })?;
    client.batch_execute(&text).map_err(|e| {
        let held_by_ddl = e.code() == Some(&SqlState::LOCK_NOT_AVAILABLE);
        let error = Err::<(), _>(e).cannot(format!("download '{table}'")).err();
        let error = error.unwrap_or_else(|| Error::failed(format!("download '{table}'"), "it cannot be locked"));
        if held_by_ddl {
            Error::refused(
                format!("download '{table}'"),
                format!("somebody changes its structure (DDL): no lock within {} s", LOCK_LIMIT.as_secs()),
            )
            .hint("nothing was taken; run his-snapshot again when that change is done.")
        } else {
            error
        }
    })
}

fn primary(client: &mut Client, own: &Own) -> Result<Primary> {
    let row = client.query_one(crate::sql!("snapshot/primary.sql"), &[]).cannot("read what the primary is")?;
    Ok(Primary {
        system_identifier: row.get("system_identifier"),
        database: row.get("database"),
        server_version: u32::try_from(row.get::<_, i32>("server_version")).unwrap_or(0),
        encoding: row.get("encoding"),
        collate: row.get("collate"),
        ctype: row.get("ctype"),
        locale_provider: row.get("locale_provider"),
        icu_locale: row.get("icu_locale"),
        timezone: own.timezone.clone(),
        search_path: own.search_path.clone(),
        sees: row.get("sees"),
        next_xid: unsigned(row.get("next_xid")),
        marks: None,
    })
}

fn ledger(client: &mut Client) -> Result<Ledger> {
    let doing = "read the merge ledger of the primary";
    let there: bool = client.query_one(crate::sql!("snapshot/has_ledger.sql"), &[]).cannot(doing)?.get(0);
    if !there {
        return Ok(Ledger::default());
    }
    let row = client.query_one(crate::sql!("snapshot/ledger.sql"), &[]).cannot(doing)?;
    Ok(Ledger { epoch: unsigned(row.get("epoch")), run: unsigned(row.get("run")) })
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn settings(client: &mut Client) -> Result<Vec<Setting>> {
    let rows = client.query(crate::sql!("snapshot/settings.sql"), &[]).cannot("read the settings of the primary")?;
    Ok(rows.iter().map(|r| Setting { role: r.get("role"), name: r.get("name"), value: r.get("value") }).collect())
}

fn roles(client: &mut Client, profile: &Profile) -> Result<Vec<Role>> {
    let rows = client
        .query(crate::sql!("snapshot/roles.sql"), &[&profile.window_roles])
        .cannot("read the roles of the primary")?;
    let role =
        |r: &tokio_postgres::Row| Role { name: r.get("name"), login: r.get("login"), member_of: r.get("member_of") };
    Ok(rows.iter().map(role).collect())
}

fn sequences(client: &mut Client) -> Result<Vec<Sequence>> {
    let doing = "read the sequences of the primary";
    let rows = client.query(crate::sql!("snapshot/sequences.sql"), &[]).cannot(doing)?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<Name> = rows.iter().map(|r| Name { schema: r.get(0), name: r.get(1) }).collect();
    let quoted: Vec<String> = names.iter().map(Name::sql).collect();
    let text = sql::render(crate::sql!("snapshot/sequence_values.sql"), context! { sequences => quoted })?;
    let values = client.query(&text, &[]).map_err(|e| {
        let denied = e.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
        let error = Err::<(), _>(e).cannot(doing).err().unwrap_or_else(|| Error::new(Exit::Failed, doing, "unknown"));
        if denied {
            error.hint("grant the role of [primary] url SELECT on all sequences (pg_read_all_data gives it).")
        } else {
            error
        }
    })?;
    let described = names.into_iter().zip(&rows).zip(&values);
    Ok(described
        .map(|((sequence, row), value)| Sequence {
            sequence,
            last_value: value.get("last_value"),
            is_called: value.get("is_called"),
            increment: row.get(2),
        })
        .collect())
}

//! The inside of a load: from an empty database to a closed generation, nothing of it visible yet.

use super::foreign_keys::{self, Dangling};
use super::schema::{self, Schema};
use super::{database, order, settle, work};
use crate::catalog::Catalog;
use crate::cli::Site;
use crate::db::{Client, Server};
use crate::error::{Cannot, Result};
use crate::formats::snapshot::Primary;
use crate::snapshot::Snapshot;
use crate::standby;

/// What a load has to say of a generation beside its being there.
pub struct Built {
    pub dangling: Vec<Dangling>,
    pub left_out: Vec<String>,
}

/// Fills and finishes generation `number` in the database `loading`.
pub fn run(site: &Site, standby: &Server, snapshot: &Snapshot, number: u64, loading: &str) -> Result<Built> {
    let (mut built, mut client) = restore(site, standby, snapshot, loading)?;
    let manifest = &snapshot.manifest;
    let sums_sha256 = snapshot.sums_sha256()?;
    for warning in schema::take_ownership(&mut client)? {
        site.talk.warn(warning);
    }
    database::let_in(&mut client, loading, &site.profile.window_roles)?;
    standby::control(&mut client)?;
    standby::record(&mut client, number, &site.profile.site.code, Some((manifest, &sums_sha256)), true)?;
    let catalog = Catalog::read(&mut client)?;
    standby::install(&mut client, &catalog, &site.profile)?;
    // After its indexes are there and before anything of it is seen: a block that is used up refuses the load.
    standby::numbers::advance(site, &mut client, 0, Some(super::primary::PATIENCE))?;
    standby::guard(&mut client)?;
    built.left_out.extend(database::carry_settings(&mut client, loading, &manifest.settings)?);
    database::set_read_only(&mut client, loading)?;
    flush(&mut client)?;
    for what in &built.left_out {
        log::info!("not on the standby: {what}");
    }
    Ok(built)
}

/// Fills `database` as the primary was, without anything of a standby in it: for restore tests and drills, by a site whose
/// profile has no `[[numbers]]`.
pub fn primary(site: &Site, server: &Server, snapshot: &Snapshot, database: &str) -> Result<Built> {
    let (mut built, mut client) = restore(site, server, snapshot, database)?;
    database::let_in(&mut client, database, &site.profile.window_roles)?;
    built.left_out.extend(database::carry_settings(&mut client, database, &snapshot.manifest.settings)?);
    flush(&mut client)?;
    Ok(built)
}

/// Everything before was committed without waiting for the disk.
fn flush(client: &mut Client) -> Result<()> {
    client.batch_execute(crate::sql!("load/flush.sql")).cannot("flush the generation to disk")
}

/// The rows and the schema of a snapshot, in and read back.
fn restore(site: &Site, standby: &Server, snapshot: &Snapshot, loading: &str) -> Result<(Built, Client)> {
    let manifest = &snapshot.manifest;
    let say = |what: &str| site.talk.say(format!("  {what}"));

    settle::roles(site, standby, manifest)?;
    database::create(standby, loading, Some(&manifest.primary))?;
    let path = own_path(&manifest.primary);
    // Two sessions: one in which functions of the HIS are found, and one of ours, in which nothing of the HIS is.
    let mut his = work::session(standby, loading, &path)?;
    let mut client = standby.connect_to(loading)?;
    database::set_bulk(&mut client, loading)?;

    let schema = Schema::open(standby, loading, snapshot)?;
    say("schema: types, tables, views, functions");
    schema.before_data()?;
    settle::make_crash_safe(&mut his)?;
    let after = schema.after_data()?;
    say(&format!("{} rows of {} tables, in and read back; indexes and keys", manifest.rows, manifest.tables.len()));
    let early = order::run(site, standby, loading, snapshot, &after.indexes)?;
    settle::sequences(&mut client, site, manifest)?;
    say("triggers, policies");
    schema.run(early.into_iter().chain(&after.rest).collect())?;
    say("statistics");
    settle::analyze_all(standby, (loading, &path), manifest)?;
    say("foreign keys");
    let dangling = foreign_keys::add(standby, (loading, &path), &after.foreign_keys, work::workers())?;
    for key in &dangling {
        let how = if key.left_out { "is left out" } else { "is not validated; new rows are checked" };
        site.talk.warn(format!(
            "foreign key '{}' of '{}' does not hold in the downloaded rows and {how}",
            key.constraint, key.table
        ));
    }
    for comment in after.comments {
        // On a key that was left out there is nothing to comment on.
        if let Err(e) = his.batch_execute(&comment.text) {
            log::info!("a comment is left out: {}", crate::db::reason::of(&e).1);
        }
    }
    say("materialized views");
    let mut left_out = schema.left_out;
    for failed in schema::refresh(&mut his)? {
        site.talk.warn(format!("a materialized view stays empty: {failed}"));
        left_out.push(format!("rows of materialized view {failed}"));
    }
    settle::analyze_views(&mut his)?;

    Ok((Built { dangling, left_out }, client))
}

/// The search path of the primary's own functions, with the server's own names first.
#[must_use]
pub fn own_path(primary: &Primary) -> String {
    let own = primary.search_path.trim();
    if own.is_empty() { "pg_catalog".to_owned() } else { format!("pg_catalog, {own}") }
}

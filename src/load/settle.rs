//! What turns a filled database into a generation beside its schema: roles, sequences, numbers, statistics.

use super::work;
use crate::catalog::Name;
use crate::cli::Site;
use crate::db::GenericClient;
use crate::db::{Client, Server, sql};
use crate::error::{Cannot, Error, Result};
use crate::formats::snapshot::{Manifest, Sequence, Table};
use crate::profile::Numbers;
use crate::standby::roles::{self, Wanted};
use minijinja::context;
use std::collections::BTreeSet;

/// Makes the roles that the schema mentions: window roles with login, all others without.
pub fn roles(site: &Site, standby: &Server, manifest: &Manifest) -> Result<()> {
    let mut wanted: Vec<Wanted> = manifest
        .roles
        .iter()
        .map(|r| Wanted {
            name: r.name.clone(),
            login: site.profile.window_roles.contains(&r.name),
            member_of: r.member_of.clone(),
            ..Wanted::default()
        })
        .collect();
    for window in &site.profile.window_roles {
        if !wanted.iter().any(|r| r.name == *window) {
            wanted.push(Wanted { name: window.clone(), login: true, ..Wanted::default() });
        }
    }
    let mut client = standby.connect_to("postgres")?;
    let todo = roles::plan(&mut client, &wanted)?;
    roles::carry_out(&mut client, &todo)?;
    for done in todo {
        site.talk.say(format!("  role '{}': {}", done.role, done.act));
    }
    Ok(())
}

/// Puts every sequence where the primary's stood, and gives those with a block theirs.
pub fn sequences(client: &mut Client, site: &Site, manifest: &Manifest) -> Result<()> {
    let there = set_sequences(client, manifest.sequences.iter().collect())?;
    for numbers in &site.profile.numbers {
        let Numbers::Block { sequence, first, last } = numbers else { continue };
        let doing = || format!("give the sequence '{sequence}' its emergency block");
        if !there.contains(sequence) {
            return Err(Error::usage(doing(), "the schema has no such sequence")
                .hint("check [[numbers]] in the profile; his-snapshot check lists the sequences without a block."));
        }
        let context = context! { sequence => sequence.sql(), first, last };
        client.batch_execute(&sql::render(crate::sql!("load/block.sql"), context)?).cannot(doing())?;
    }
    Ok(())
}

/// Sets those of the sequences that are there, and says which are.
fn set_sequences(client: &mut impl GenericClient, wanted: Vec<&Sequence>) -> Result<BTreeSet<Name>> {
    let rows = client.query(crate::sql!("load/sequences.sql"), &[]).cannot("list the sequences of the standby")?;
    let there: BTreeSet<Name> = rows.iter().map(|r| Name { schema: r.get(0), name: r.get(1) }).collect();
    for sequence in wanted.into_iter().filter(|s| there.contains(&s.sequence)) {
        let text = sql::render(crate::sql!("load/sequence.sql"), context! { sequence => sequence.sequence.sql() })?;
        client
            .query(&text, &[&sequence.last_value, &sequence.is_called])
            .cannot(format!("set the sequence '{}'", sequence.sequence))?;
    }
    Ok(there)
}

/// Puts the sequences without a block where the primary's stood; those with one go on by themselves.
pub fn follow(client: &mut impl GenericClient, site: &Site, manifest: &Manifest) -> Result<()> {
    let blocks = |name: &Name| {
        site.profile.numbers.iter().any(|n| matches!(n, Numbers::Block { sequence, .. } if sequence == name))
    };
    let followed = manifest.sequences.iter().filter(|s| !blocks(&s.sequence));
    set_sequences(client, followed.collect()).map(drop)
}

/// Raises the numbers that the HIS keeps in tables.
pub fn table_numbers(client: &mut impl GenericClient, site: &Site, only: Option<&Name>) -> Result<()> {
    for numbers in &site.profile.numbers {
        let (table, column, jump, start) = match numbers {
            Numbers::Block { .. } => continue,
            Numbers::Jump { table, column, jump } => (table, column, Some(jump), None),
            Numbers::Start { table, column, start } => (table, column, None, Some(start)),
        };
        if only.is_some_and(|only| only != table) {
            continue;
        }
        let text =
            sql::render(crate::sql!("load/table_number.sql"), context! { table => table.sql(), column, jump, start })?;
        client.batch_execute(&text).cannot(format!("raise the numbers in '{column}' of '{table}'")).map_err(|e| {
            e.hint("a rule of the table refuses the raised numbers; choose a smaller jump (or start) in [[numbers]] of the profile.")
        })?;
    }
    Ok(())
}

/// Statistics of every table of the snapshot, the biggest first: whole ones, once all that they are kept of is there.
pub fn analyze_all(standby: &Server, place: (&str, &str), manifest: &Manifest) -> Result<()> {
    let mut tables: Vec<&Table> = manifest.tables.iter().collect();
    tables.sort_by_key(|t| std::cmp::Reverse(t.bytes));
    work::share(standby, place, &tables, work::workers(), |client, table| analyze(client, &table.table))
}

/// Statistics of a table for the planner.
fn analyze(client: &mut Client, table: &Name) -> Result<()> {
    let text = sql::render(crate::sql!("load/analyze.sql"), context! { table => table.sql() })?;
    client.batch_execute(&text).cannot(format!("gather statistics of '{table}'"))
}

/// Statistics of the materialized views, once they are filled.
pub fn analyze_views(client: &mut Client) -> Result<()> {
    let doing = "list the materialized views";
    let views = client.query(crate::sql!("load/materialized_views.sql"), &[]).cannot(doing)?;
    views.iter().try_for_each(|r| analyze(client, &Name { schema: r.get(0), name: r.get(1) }))
}

/// Tables that the HIS keeps unlogged would be empty after a crash of the standby; here they must not be.
pub fn make_crash_safe(client: &mut Client) -> Result<()> {
    let doing = "make unlogged tables survive a crash";
    for row in client.query(crate::sql!("load/unlogged.sql"), &[]).cannot(doing)? {
        let table = Name { schema: row.get(0), name: row.get(1) };
        let text = sql::render(crate::sql!("load/set_logged.sql"), context! { table => table.sql() })?;
        client.batch_execute(&text).cannot(doing)?;
    }
    Ok(())
}

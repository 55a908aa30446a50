//! `his-snapshot check`: the profile against both servers, everything at once.
//!
//! What the servers say is gathered first (`facts`, and the catalog); the rules then only look: `columns` for what
//! the profile names, `references` for what leads out of the captured tables, `numbers` for sequences and blocks,
//! `triggers` for what the HIS does by itself, `servers` for rights and settings, `reports` for files of the profile, `beside`
//! for other sites of the same primary.

mod beside;
mod columns;
mod facts;
mod numbers;
mod references;
mod reports;
mod servers;
mod triggers;

use super::{Finding, PROGRAM, plan};
use crate::catalog::{self, Catalog};
use crate::cli::Site;
use crate::error::{Cannot, Result};
use crate::profile::{self, Profile};
use facts::Facts;
use std::path::PathBuf;

/// What a check found; errors make the profile unusable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    pub errors: Vec<Finding>,
    pub warnings: Vec<Finding>,
}

impl Checked {
    fn error(&mut self, finding: Finding) {
        self.errors.push(finding);
    }

    fn warning(&mut self, finding: Finding) {
        self.warnings.push(finding);
    }
}

/// Reads the profile against primary and standby, and against the profiles of other sites that are `beside` it. The primary
/// must answer; a standby that does not is a warning.
pub fn check(site: &Site, beside: &[PathBuf]) -> Result<Checked> {
    let profile = &site.profile;
    let server = profile.primary()?.named(PROGRAM);
    let mut client = server.connect()?;
    client.batch_execute(crate::sql!("snapshot/check/begin.sql")).cannot("begin a transaction on the primary")?;
    let catalog = Catalog::read(&mut client)?;
    let facts = Facts::read(&mut client, profile)?;
    client.batch_execute("COMMIT").cannot("end a transaction on the primary")?;
    let mut checked = Checked { errors: plan::tables(profile, &catalog).1, warnings: Vec::new() };
    let tables = tables(profile, &catalog);
    columns::check(profile, &catalog, &tables, &mut checked);
    columns::amounts(&tables, &mut client, &mut checked)?;
    columns::expressions(&tables, &server, &mut checked)?;
    references::check(profile, &catalog, &tables, &mut checked);
    numbers::check(profile, &tables, &facts, &mut checked);
    triggers::check(profile, &catalog, &tables, &facts, &mut checked);
    servers::check(site, &tables, &facts, &mut checked)?;
    reports::check(profile, &mut checked);
    beside::check(profile, beside, &mut checked)?;
    // In the order of the file, what is about no table at the end.
    for findings in [&mut checked.errors, &mut checked.warnings] {
        findings.sort_by_key(|f| f.line.unwrap_or(usize::MAX));
        findings.dedup();
    }
    Ok(checked)
}

/// A table of the profile together with what the primary says of it.
struct Pair<'a> {
    entry: &'a profile::Table,
    table: &'a catalog::Table,
}

impl Pair<'_> {
    /// The columns by which rows are found again: the profile's key, else the primary key.
    fn key(&self) -> &[String] {
        if self.entry.key.is_empty() { self.table.primary_key().unwrap_or_default() } else { &self.entry.key }
    }
}

/// Those tables of the profile that are there.
fn tables<'a>(profile: &'a Profile, catalog: &'a Catalog) -> Vec<Pair<'a>> {
    profile
        .tables
        .iter()
        .filter_map(|entry| Some(Pair { entry, table: catalog.get(&entry.name)? }))
        .filter(|pair| pair.table.parent.is_none())
        .collect()
}

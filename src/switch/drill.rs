//! `his-switch drill`.

use crate::cli::{Outcome, Site};
use crate::db::Client;
use crate::error::{Cannot, Error, Result};
use std::path::PathBuf;

pub struct Exercise {
    pub workload: Option<PathBuf>,
    pub reason: Option<String>,
    pub dry_run: bool,
}

pub fn database_name(standby: &str) -> String {
    format!("{standby}_drill")
}

pub fn is_running(client: &mut Client, standby: &str) -> Result<bool> {
    let row = client
        .query_one("SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)", &[&database_name(standby)])
        .cannot("look for a drill")?;
    Ok(row.get(0))
}

pub fn run(_site: &Site, exercise: &Exercise) -> Result<Outcome> {
    let _ = (&exercise.workload, &exercise.reason, exercise.dry_run);
    Err(Error::failed("drill", "not built yet"))
}

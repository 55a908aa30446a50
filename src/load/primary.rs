//! What the primary's ledger says, asked with a bound: a primary that does not answer never stops a load.

use crate::cli::Site;
use crate::db::{self, Client};
use crate::error::{Cannot, Result};
use crate::merge;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// Longer than the fence: a load is in no hurry, but it must end.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// The highest merge run of the ledger; 0 when there never was a merge, `None` when the primary cannot be asked.
pub fn last_merge_run(site: &Site) -> Option<u64> {
    ask(site, |client| match client.query_one(crate::sql!("load/ledger_run.sql"), &[]) {
        Ok(row) => Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0)),
        Err(e) if is_missing(&e) => Ok(0),
        Err(e) => Err(e).cannot("ask the primary's ledger"),
    })
}

/// True when the ledger shows each of these units as merged, held or rejected. `None` when the primary cannot be asked, and
/// no receipt of a script that was run there stands in for it.
pub fn has_settled(site: &Site, generation: u64, xids: &[i64]) -> Option<bool> {
    let by_receipt = || match merge::script::covers(&site.store, generation, xids) {
        Ok(covered) => covered.then_some(true),
        Err(e) => {
            log::info!("{e}");
            None
        }
    };
    asked_to_settle(site, generation, xids.to_vec()).or_else(by_receipt)
}

fn asked_to_settle(site: &Site, generation: u64, xids: Vec<i64>) -> Option<bool> {
    let generation = i64::try_from(generation).unwrap_or(i64::MAX);
    let code = site.profile.site.code.clone();
    ask(site, move |client| match client.query_one(crate::sql!("load/settled.sql"), &[&generation, &xids, &code]) {
        Ok(row) => Ok(usize::try_from(row.get::<_, i64>(0)).is_ok_and(|n| n >= xids.len())),
        Err(e) if is_missing(&e) => Ok(false),
        Err(e) => Err(e).cannot("ask the primary's ledger"),
    })
}

/// The window roles, with password verifiers where the primary's role may read them. `None` when the primary cannot be asked.
pub fn window_roles(site: &Site) -> Option<Vec<WindowRole>> {
    let names = site.profile.window_roles.clone();
    ask(site, move |client| {
        let doing = "read the window roles of the primary";
        let rows = match client.query(crate::sql!("load/primary_roles.sql"), &[&names]) {
            Err(e) if e.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                client.query(crate::sql!("load/primary_roles_unread.sql"), &[&names]).cannot(doing)?
            }
            other => other.cannot(doing)?,
        };
        let role = |r: &tokio_postgres::Row| WindowRole { name: r.get(0), verifier: r.get(1), settings: r.get(2) };
        Ok(rows.iter().map(role).collect())
    })
}

/// A window role as the primary has it.
#[derive(Debug, Clone)]
pub struct WindowRole {
    pub name: String,
    /// `None`: it has no password, or we may not read it.
    pub verifier: Option<String>,
    /// `ALTER ROLE … SET`, each as name=value.
    pub settings: Vec<String>,
}

fn ask<T: Send + 'static>(site: &Site, question: impl FnOnce(&mut Client) -> Result<T> + Send + 'static) -> Option<T> {
    let primary = site.profile.primary().ok()?.named("his-load-standby");
    let answer = db::within(PATIENCE, move || {
        let mut client = primary.connect_within(primary.database(), PATIENCE / 2)?;
        question(&mut client)
    });
    match answer {
        Some(Ok(answer)) => Some(answer),
        Some(Err(e)) => {
            log::info!("{e}");
            None
        }
        None => {
            log::info!("the primary did not answer within {} s", PATIENCE.as_secs());
            None
        }
    }
}

/// There is no ledger yet.
fn is_missing(error: &tokio_postgres::Error) -> bool {
    matches!(error.code(), Some(c) if [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME].contains(c))
}

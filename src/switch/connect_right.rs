//! The right to connect to the primary's database: who has it of whom, how it is taken from the windows and given back in
//! the order in which the server lets it be given.

use super::fence::{Wanted, record, run};
use crate::db::Transaction;
use crate::error::{Cannot, Error, Result};
use minijinja::context;
use std::collections::BTreeSet;

/// `database`: nobody but superusers and ours may connect any more.
pub(super) fn take(tx: &mut Transaction<'_>, wanted: &Wanted, database: &str) -> Result<Vec<String>> {
    let doing = "take the right to connect to the primary from the windows";
    let before = grants(tx, wanted)?;
    // The owner's grants in the first pass, with what others built on them; what is left was given by those who keep
    // their own right.
    for by_owner in [true, false] {
        for (grant, _) in grants(tx, wanted)?.into_iter().filter(|(g, stays)| !stays && (g.grantor_owns == by_owner)) {
            let mut grant = grant.grant;
            if by_owner {
                grant.grantor.clear();
            }
            grant.take(tx, database)?;
        }
    }
    let ours = tx.query(crate::sql!("switch/fence_ours.sql"), &[&wanted.ours]).cannot(doing)?;
    for row in &ours {
        Grant { grantor: String::new(), grantee: Some(row.get(0)), grantable: false }.give(tx, database)?;
    }
    let left = who_can(tx, wanted)?;
    if !left.is_empty() {
        return Err(Error::refused("fence the primary", format!("the role '{}' could still connect", left.join("', '")))
            .hint("give our role of [primary] url the ownership of that database or superuser rights, or name the windows in window_roles; --both-live goes on with both sides working."));
    }
    let after: BTreeSet<Grant> = grants(tx, wanted)?.into_iter().map(|(g, _)| g.grant).collect();
    let old: BTreeSet<&Grant> = before.iter().map(|(g, _)| &g.grant).collect();
    let mut revoked = Vec::new();
    for grant in before.iter().map(|(g, _)| &g.grant).filter(|g| !after.contains(*g)) {
        record(tx, "revoked", grant.grantee.as_deref(), Some(&grant.grantor), grant.grantable)?;
        revoked.push(grant.whose());
    }
    for grant in after.iter().filter(|g| !old.contains(*g)) {
        record(tx, "granted", grant.grantee.as_deref(), Some(&grant.grantor), grant.grantable)?;
    }
    Ok(revoked)
}

/// One CONNECT as it stands in the database's rights.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Grant {
    /// Empty: as who we are.
    pub grantor: String,
    /// `None`: PUBLIC.
    pub grantee: Option<String>,
    pub grantable: bool,
}

struct Found {
    grant: Grant,
    grantor_owns: bool,
}

impl Grant {
    pub fn whose(&self) -> String {
        self.grantee.clone().unwrap_or_else(|| "PUBLIC".to_owned())
    }

    fn context(&self, database: &str) -> minijinja::Value {
        let grantor = (!self.grantor.is_empty()).then_some(self.grantor.as_str());
        context! { database, role => self.grantee.clone(), grantor, grantable => self.grantable }
    }

    pub fn give(&self, tx: &mut Transaction<'_>, database: &str) -> Result<()> {
        let doing = format!("let '{}' connect to the primary", self.whose());
        run(tx, crate::sql!("switch/fence_grant.sql"), self.context(database), &doing)
    }

    pub fn take(&self, tx: &mut Transaction<'_>, database: &str) -> Result<()> {
        let doing = format!("take the right to connect to the primary from '{}'", self.whose());
        run(tx, crate::sql!("switch/fence_revoke.sql"), self.context(database), &doing)
    }
}

/// Orders grants so that each comes after the one that gave its grantor the right.
pub(super) fn in_order(mut rest: Vec<Grant>) -> Vec<Grant> {
    let mut ordered = Vec::new();
    while !rest.is_empty() {
        let waits = |g: &Grant| rest.iter().any(|other| other != g && other.grantee.as_ref() == Some(&g.grantor));
        let (later, now): (Vec<Grant>, Vec<Grant>) = rest.iter().cloned().partition(waits);
        if now.is_empty() {
            // The server allows no circles; were there one, it would say so.
            ordered.extend(later);
            break;
        }
        ordered.extend(now);
        rest = later;
    }
    ordered
}

/// Every CONNECT of the database, and whether it stays under the fence.
fn grants(tx: &mut Transaction<'_>, wanted: &Wanted) -> Result<Vec<(Found, bool)>> {
    let rows = tx
        .query(crate::sql!("switch/fence_grants.sql"), &[&wanted.ours])
        .cannot("read who may connect to the primary")?;
    let found = |row: tokio_postgres::Row| {
        let grant = Grant { grantor: row.get(0), grantee: row.get(1), grantable: row.get(2) };
        (Found { grant, grantor_owns: row.get(3) }, row.get(4))
    };
    Ok(rows.into_iter().map(found).collect())
}

/// Roles that windows could come with.
pub(super) fn who_can(tx: &mut Transaction<'_>, wanted: &Wanted) -> Result<Vec<String>> {
    let rows = tx
        .query(crate::sql!("switch/fence_can_connect.sql"), &[&wanted.ours])
        .cannot("read who may connect to the primary")?;
    Ok(rows.iter().map(|r| r.get(0)).collect())
}

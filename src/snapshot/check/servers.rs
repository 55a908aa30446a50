//! The two servers: what our roles may do, and what would be in the way of a load.

use super::facts::Facts;
use super::{Checked, Finding, PROGRAM, Pair};
use crate::catalog::Name;
use crate::cli::Site;
use crate::db::Client;
use crate::error::{Cannot, Exit, Result};
use crate::snapshot::schema;

/// More names than this make a message that nobody reads.
const NAMED: usize = 5;

pub fn check(site: &Site, tables: &[Pair], facts: &Facts, checked: &mut Checked) -> Result<()> {
    if let Err(e) = schema::require_version(facts.server_version) {
        checked.error(Finding::general(format!("{e}; {}", e.hint_text())));
    }
    let mut client = site.profile.download()?.named(PROGRAM).connect()?;
    rights(&mut client, tables, checked)?;
    contents(tables, facts, checked);
    if facts.clock_apart_seconds.abs() > 60 {
        checked.warning(Finding::general(format!(
            "the clocks of this machine and of the primary are {} s apart",
            facts.clock_apart_seconds
        )));
    }
    for role in &facts.missing_roles {
        checked.error(Finding::general(format!("window role '{role}' is no role of the primary")));
    }
    standby(site, facts, checked)
}

fn names(list: &[Name]) -> String {
    let shown: Vec<String> = list.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if list.len() > NAMED { format!(" and {} more", list.len() - NAMED) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn rights(client: &mut Client, tables: &[Pair], checked: &mut Checked) -> Result<()> {
    let doing = "read what our role may do on the primary";
    let rows = client.query(crate::sql!("snapshot/check/denied.sql"), &[]).cannot(doing)?;
    let name = |r: &tokio_postgres::Row| Name { schema: r.get("schema"), name: r.get("name") };
    let (sequences, denied): (Vec<_>, Vec<_>) = rows.iter().partition(|r| r.get::<_, bool>("sequence"));
    for (what, rows) in [("tables", denied), ("sequences", sequences)] {
        let list: Vec<Name> = rows.into_iter().map(name).collect();
        if !list.is_empty() {
            checked.error(Finding::general(format!(
                "the role that downloads may not SELECT from {} {what} (pg_read_all_data gives it): {}",
                list.len(),
                names(&list)
            )));
        }
    }
    for row in client.query(crate::sql!("snapshot/check/filtered.sql"), &[]).cannot(doing)? {
        let hidden = name(&row);
        if let Some(pair) = tables.iter().find(|p| p.table.name == hidden) {
            let text = "row-level security hides rows of it from the role that downloads (expected BYPASSRLS)";
            checked.error(Finding::of(pair.entry, text));
        }
    }
    Ok(())
}

/// What a download does not bring along.
fn contents(tables: &[Pair], facts: &Facts, checked: &mut Checked) {
    for pair in tables {
        let references =
            pair.table.columns.iter().filter(|c| matches!(c.base_type.as_str(), "oid" | "lo" | "public.lo"));
        for column in references.filter(|c| !pair.entry.omit.contains(&c.name)) {
            if column.base_type != "oid" || facts.large_objects {
                let text = format!(
                    "'{}' is {} and may name a large object, which is not downloaded (expected bytea, or the column in 'omit')",
                    column.name, column.type_name
                );
                checked.error(Finding::of(pair.entry, text));
            }
        }
        let children: Vec<Name> =
            facts.inherited.iter().filter(|(parent, _)| *parent == pair.table.name).map(|(_, c)| c.clone()).collect();
        if !children.is_empty() {
            let text =
                format!("rows of the tables that inherit from it are not downloaded with it: {}", names(&children));
            checked.warning(Finding::of(pair.entry, text));
        }
    }
    if facts.large_objects {
        checked.warning(Finding::general("the primary has large objects; they are not downloaded"));
    }
    if !facts.materialized_views.is_empty() {
        checked.warning(Finding::general(format!(
            "materialized views are not downloaded, but filled again by the load: {}",
            facts.materialized_views.join(", ")
        )));
    }
    if facts.encoding == "SQL_ASCII" {
        checked
            .warning(Finding::general("the primary's encoding is SQL_ASCII: nobody checks that its texts are UTF-8"));
    }
}

fn standby(site: &Site, facts: &Facts, checked: &mut Checked) -> Result<()> {
    let server = site.profile.standby()?.named(PROGRAM);
    // The database `postgres`, because the standby's own need not be there before `init`.
    let mut client = match server.connect_to("postgres") {
        Ok(client) => client,
        Err(e) if e.exit() == Exit::Unreachable => {
            checked.warning(Finding::general(format!("the standby was not checked: {e}")));
            return Ok(());
        }
        Err(e) => return Err(e),
    };
    let row = client
        .query_one(crate::sql!("snapshot/check/standby.sql"), &[&facts.extensions])
        .cannot("read what the standby is like")?;
    let prepared: i32 = row.get("max_prepared_transactions");
    if prepared > 0 {
        checked.error(Finding::general(format!(
            "the standby has max_prepared_transactions = {prepared} (expected 0): a prepared transaction cannot be ended when it closes"
        )));
    }
    let version = u32::try_from(row.get::<_, i32>("server_version")).unwrap_or(0);
    if version / 10_000 < facts.server_version / 10_000 {
        checked.error(Finding::general(format!(
            "the standby is PostgreSQL {}, the primary {} (expected the same or newer)",
            version / 10_000,
            facts.server_version / 10_000
        )));
    }
    if row.get::<_, &str>("system_identifier") == facts.system_identifier {
        checked.error(Finding::general("the standby is the very server of the primary: both would fail together"));
    }
    for extension in row.get::<_, Vec<String>>("missing_extensions") {
        checked
            .error(Finding::general(format!("the extension '{extension}' is not installed on the standby's server")));
    }
    Ok(())
}

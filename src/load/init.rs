//! `init`: a standby server that the windows can already be pointed at: roles, and an empty closed database under the
//! standby's name.

use super::{PROGRAM, database, plan, primary};
use crate::cli::Site;
use crate::db::{Client, Server};
use crate::error::{Cannot, Error, Result};
use crate::standby::roles::{self, Done, Wanted};
use crate::standby::{self, CLOSED_DATABASE, Generation};
use crate::store::Kind;
use serde_json::json;

/// What `init` did, or would do.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Made {
    pub database: String,
    /// The database was made; false when it was there.
    pub created: bool,
    /// Each thing that was done; empty when there was nothing to do.
    pub done: Vec<String>,
    /// Window roles that have no password on the standby: the DBA sets them.
    pub passwords_missing: Vec<String>,
}

/// Makes what is missing; run again it finds nothing to do.
pub fn init(site: &Site, dry_run: bool) -> Result<Made> {
    let _lock = site.store.lock(Kind::Load, &site.by)?;
    let standby = site.profile.standby()?.named(PROGRAM);
    plan::require_server(&standby)?;
    let mut server = standby.connect_to("postgres")?;
    let mut done = Vec::new();

    let wanted = wanted(site);
    let todo = roles::plan(&mut server, &wanted)?;
    done.extend(todo.iter().map(|d: &Done| format!("role '{}': {}", d.role, d.act)));
    if !dry_run {
        roles::carry_out(&mut server, &todo)?;
    }

    let name = standby.database().to_owned();
    let left = if dry_run { database::unfinished(&standby)? } else { database::sweep(&standby)? };
    done.extend(left.iter().map(|l| format!("database '{l}': dropped, an unfinished run left it behind")));
    let exists = standby::databases(&standby)?.contains(&name);
    if exists {
        adopt(site, &standby, dry_run, &mut done)?;
    } else {
        done.push(format!("database '{name}': created, empty and closed"));
        if !dry_run {
            create(site, &standby)?;
        }
    }
    let logins = roles::logins(&mut server, &site.profile.window_roles)?;
    let has_password = |role: &String| {
        logins.get(role).is_some_and(|(_, password)| *password)
            || wanted.iter().any(|w| w.name == *role && w.verifier.is_some())
    };
    let passwords_missing = site.profile.window_roles.iter().filter(|r| !has_password(r)).cloned().collect();
    if !dry_run && !done.is_empty() {
        site.store.journal().write(
            &site.by,
            "init standby",
            None,
            "done",
            json!({ "database": name, "done": done }),
        )?;
    }
    Ok(Made { database: name, created: !exists, done, passwords_missing })
}

fn wanted(site: &Site) -> Vec<Wanted> {
    let primary = if site.profile.window_roles.is_empty() { Some(Vec::new()) } else { primary::window_roles(site) };
    if primary.is_none() {
        site.talk.warn("the primary cannot be asked for the passwords of the window roles");
    }
    let primary = primary.unwrap_or_default();
    let role = |name: &String| {
        let there = primary.iter().find(|r| r.name == *name);
        Wanted {
            name: name.clone(),
            login: true,
            member_of: Vec::new(),
            verifier: there.and_then(|r| r.verifier.clone()),
            settings: there.map(|r| r.settings.clone()).unwrap_or_default(),
        }
    };
    site.profile.window_roles.iter().map(role).collect()
}

/// Makes the database beside its name and gives it the name last.
fn create(site: &Site, standby: &Server) -> Result<()> {
    let loading = Generation::loading_name(standby.database(), CLOSED_DATABASE);
    database::create(standby, &loading, None)?;
    let mut client = standby.connect_to(&loading)?;
    furnish(site, &mut client)?;
    finish(site, &mut client, &loading)?;
    std::mem::drop(client);
    database::rename(standby, &loading, standby.database())
}

/// A database with the standby's name: one of ours, or an empty one that the DBA made.
fn adopt(site: &Site, standby: &Server, dry_run: bool, done: &mut Vec<String>) -> Result<()> {
    let name = standby.database();
    let mut client = standby.connect()?;
    if Generation::read(&mut client, name)?.is_none() {
        let tables: i64 = client
            .query_one(crate::sql!("load/foreign_content.sql"), &[])
            .cannot(format!("look into the standby database '{name}'"))?
            .get(0);
        if tables > 0 {
            return Err(Error::refused(format!("make the standby database '{name}'"), format!("a database of that name is there, is not of this toolkit and holds {tables} tables and views"))
                .hint("check [standby] url. If that database is not needed, rename or drop it; else choose another name for the standby."));
        }
        done.push(format!("database '{name}': was empty, made the closed database of the standby"));
        if !dry_run {
            furnish(site, &mut client)?;
        }
    }
    let closed = client
        .query(crate::sql!("load/database_settings.sql"), &[&name])
        .cannot(format!("read the settings of '{name}'"))?
        .iter()
        .any(|r| r.get::<_, &str>(0).is_empty() && r.get::<_, &str>(1) == "on");
    let generation = if dry_run { None } else { Generation::read(&mut client, name)? };
    let is_closed = generation.as_ref().is_none_or(|g| g.gate != standby::Gate::Open);
    if !closed && is_closed {
        done.push(format!("database '{name}': steers windows away (read-only by default)"));
    }
    let not_let_in = client
        .query(crate::sql!("load/cannot_connect.sql"), &[&name, &site.profile.window_roles])
        .cannot(format!("read who may connect to '{name}'"))?;
    done.extend(not_let_in.iter().map(|r| format!("role '{}': may connect to '{name}'", r.get::<_, &str>(0))));
    if !dry_run {
        if !closed && is_closed {
            database::set_read_only(&mut client, name)?;
        }
        if !not_let_in.is_empty() {
            database::let_in(&mut client, name, &site.profile.window_roles)?;
        }
    }
    Ok(())
}

/// Gate, queue and guard of an empty database, in one transaction.
fn furnish(site: &Site, client: &mut Client) -> Result<()> {
    client.batch_execute(crate::sql!("load/begin.sql")).cannot("make the closed database")?;
    standby::control(client)?;
    standby::record(client, CLOSED_DATABASE, &site.profile.site.code, None, true)?;
    standby::guard(client)?;
    client.batch_execute(crate::sql!("load/commit.sql")).cannot("make the closed database")
}

fn finish(site: &Site, client: &mut Client, database: &str) -> Result<()> {
    database::let_in(client, database, &site.profile.window_roles)?;
    database::set_read_only(client, database)
}

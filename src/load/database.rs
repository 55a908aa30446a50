//! The database of a generation as a whole: made, named, steered, dropped.

use super::PROGRAM;
use crate::db::{Client, Server, sql};
use crate::error::{Cannot, Error, Result};
use crate::formats::snapshot::{Primary, Setting};
use crate::standby::roles::{OURS, is_list, setting_name};
use minijinja::context;
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;

/// Databases left behind by killed loads and broken-off drops.
pub fn unfinished(standby: &Server) -> Result<Vec<String>> {
    let mut client = standby.connect_to("postgres")?;
    let rows = client
        .query(crate::sql!("load/unfinished_databases.sql"), &[&standby.database()])
        .cannot("look for unfinished loads on the standby")?;
    Ok(rows.iter().map(|r| r.get(0)).collect())
}

/// Ends what killed runs left at work and drops what they left behind. Only for the holder of the lock.
pub fn sweep(standby: &Server) -> Result<Vec<String>> {
    let doing = "end the sessions of an unfinished load";
    let mut client = standby.connect_to("postgres")?;
    let started = Instant::now();
    // A CREATE DATABASE that goes on by itself would be seen only after the sweep.
    while !client.query(crate::sql!("load/end_orphans.sql"), &[&PROGRAM]).cannot(doing)?.is_empty() {
        if started.elapsed() > Duration::from_secs(30) {
            return Err(Error::failed(doing, "they do not end"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let left = unfinished(standby)?;
    for database in &left {
        drop(standby, database)?;
    }
    Ok(left)
}

pub fn drop(standby: &Server, database: &str) -> Result<()> {
    let text = sql::render(crate::sql!("load/drop_database.sql"), context! { database })?;
    standby.connect_to("postgres")?.batch_execute(&text).cannot(format!("drop the standby database '{database}'"))
}

/// Makes an empty database with encoding and locale of the primary's; without `like`, as the server makes them.
pub fn create(standby: &Server, database: &str, like: Option<&Primary>) -> Result<()> {
    let text = match like {
        None => sql::render(crate::sql!("load/create_plain_database.sql"), context! { database })?,
        Some(p) => sql::render(
            crate::sql!("load/create_database.sql"),
            context! { database, encoding => p.encoding.clone(), collate => p.collate.clone(), ctype => p.ctype.clone(), provider => p.locale_provider.clone(), icu_locale => p.icu_locale.clone() },
        )?,
    };
    let doing = || format!("make the standby database '{database}'");
    let created = standby.connect_to("postgres")?.batch_execute(&text);
    match (created, like) {
        (Err(e), Some(p)) if matches!(e.code(), Some(c) if [SqlState::WRONG_OBJECT_TYPE, SqlState::INVALID_PARAMETER_VALUE, SqlState::INVALID_OBJECT_DEFINITION].contains(c)) =>
        {
            let reason = format!(
                "the standby server does not take the primary's encoding {} with collation '{}' and character type '{}' (SQLSTATE {})",
                p.encoding,
                p.collate,
                p.ctype,
                e.code().map_or("", SqlState::code)
            );
            Err(Error::failed(doing(), reason).hint(format!(
                "install that locale on the standby's machine (Debian: apt-get install locales, localedef for '{}', or locales-all), restart its server, then load again.",
                p.collate
            )))
        }
        (other, _) => other.cannot(doing()),
    }
}

/// Makes the filling fast: nothing of an unfinished database must survive a crash.
pub fn set_bulk(client: &mut Client, database: &str) -> Result<()> {
    // Shared by the index builds that run at once; more gains little.
    let memory_mb = 256;
    let text = sql::render(crate::sql!("load/bulk_settings.sql"), context! { database, memory_mb })?;
    client.batch_execute(&text).cannot(format!("set up the standby database '{database}'"))
}

/// Ends the filling: our settings go, the primary's own come. Returns what could not be carried over.
pub fn carry_settings(client: &mut Client, database: &str, settings: &[Setting]) -> Result<Vec<String>> {
    let doing = || format!("carry the settings of the primary's database over to '{database}'");
    let text = sql::render(crate::sql!("load/reset_settings.sql"), context! { database })?;
    client.batch_execute(&text).cannot(doing())?;
    let mut left_out = Vec::new();
    for setting in settings {
        let shown = match &setting.role {
            Some(role) => format!("setting {} of role {role}", setting.name),
            None => format!("setting {}", setting.name),
        };
        if OURS.contains(&setting.name.to_ascii_lowercase().as_str()) {
            left_out.push(shown);
            continue;
        }
        let name = setting_name(&setting.name);
        let text = sql::render(
            crate::sql!("load/setting.sql"),
            context! { database, role => setting.role.clone(), name, name_text => setting.name.clone(), value => setting.value.clone(), list => is_list(&setting.name) },
        )?;
        match in_one(client, &text) {
            Ok(()) => {}
            Err(e) if client.is_closed() => return Err(e).cannot(doing()),
            Err(e) => {
                log::info!("{shown}: {e}");
                left_out.push(shown);
            }
        }
    }
    Ok(left_out)
}

fn in_one(client: &mut Client, text: &str) -> std::result::Result<(), tokio_postgres::Error> {
    let mut tx = client.transaction()?;
    tx.batch_execute(text)?;
    tx.commit()
}

/// Lets window roles in.
pub fn let_in(client: &mut Client, database: &str, roles: &[String]) -> Result<()> {
    for role in roles {
        let text = sql::render(crate::sql!("load/grant_connect.sql"), context! { database, role })?;
        client.batch_execute(&text).cannot(format!("let the window role '{role}' into '{database}'"))?;
    }
    Ok(())
}

/// Steers windows away: what a client that wants to write sees of a closed standby.
pub fn set_read_only(client: &mut Client, database: &str) -> Result<()> {
    let text = sql::render(crate::sql!("load/closed.sql"), context! { database })?;
    client.batch_execute(&text).cannot(format!("make the standby database '{database}' read-only"))
}

/// Gives a finished database its name: from here on it is seen. Sessions in it (a monitor, autovacuum) are ended.
pub fn rename(standby: &Server, database: &str, name: &str) -> Result<()> {
    let doing = || format!("publish the standby database '{name}'");
    let text = sql::render(crate::sql!("load/rename_database.sql"), context! { database, name })?;
    let mut client = standby.connect_to("postgres")?;
    let started = Instant::now();
    loop {
        match client.batch_execute(&text) {
            Err(e) if e.code() == Some(&SqlState::OBJECT_IN_USE) && started.elapsed() < Duration::from_secs(30) => {
                client.query(crate::sql!("load/end_sessions.sql"), &[&database]).cannot(doing())?;
                std::thread::sleep(Duration::from_millis(50));
            }
            other => return other.cannot(doing()),
        }
    }
}

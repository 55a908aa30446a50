//! The drill's own profile: the live one, with other servers, another store, and nobody outside told.

use super::place::Place;
use crate::error::{Cannot, Error, Result};
use crate::profile::Profile;
use crate::store::{State, Store, durable};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Writes `his.toml` into the place and opens the store beside it. Emergency numbers go on after those of the live store, so
/// that what a drill writes can be told from anything else for ever.
pub fn set(live: &Profile, live_store: &Store, place: &Place) -> Result<(Profile, Store)> {
    let path = place.dir.join("his.toml");
    let doing = || format!("write the drill's profile '{}'", path.display());
    let text = std::fs::read_to_string(&live.path).cannot(doing())?;
    let mut table: Table = text.parse().map_err(|e| Error::usage(doing(), e))?;
    rewrite(&mut table, live, place)?;
    durable::replace(&path, table.to_string().as_bytes()).cannot(doing())?;
    let profile = Profile::read(&path)?;
    let store = Store::open(&profile)?;
    let of_live = live_store.state()?;
    State::update(&store, |s| {
        s.epoch = of_live.epoch;
        s.numbers = of_live.numbers;
        s.table_numbers = of_live.table_numbers;
    })?;
    Ok((profile, store))
}

/// The windows' one connection string in the drill.
#[must_use]
pub fn windows(place: &Place, live: &Profile, database: &str) -> String {
    let (standby, primary) = (&place.standby, &place.primary);
    let user = live.window_roles.first().map_or("postgres", String::as_str);
    format!(
        "host={},{} port={},{} dbname={database} user={user} target_session_attrs=read-write connect_timeout=2",
        standby.socket().display(),
        primary.socket().display(),
        standby.port(),
        primary.port()
    )
}

fn rewrite(table: &mut Table, live: &Profile, place: &Place) -> Result<()> {
    let base = live.path.parent().unwrap_or(Path::new("/")).to_path_buf();
    let (primary, standby) = (live.primary()?.database().to_owned(), live.standby()?.database().to_owned());
    let text = |text: String| Value::String(text);
    if let Some(s) = section(table, "primary") {
        s.insert("url".to_owned(), text(place.primary.url(&primary)));
        s.remove("read_url");
    }
    if let Some(s) = section(table, "standby") {
        s.insert("url".to_owned(), text(place.standby.url(&standby)));
    }
    if let Some(s) = section(table, "store") {
        s.insert("dir".to_owned(), text("store".to_owned()));
        s.remove("mirror");
    }
    if let Some(s) = section(table, "desk") {
        s.insert("url".to_owned(), text(windows(place, live, &standby)));
    }
    // Whoever is called at a real move must not be called now, and what is only of the live site is not needed.
    for name in ["endpoint", "pgbouncer", "watch", "check", "drill"] {
        table.remove(name);
    }
    if let Some(plan) = table.get_mut("plan").and_then(Value::as_table_mut) {
        plan.remove("notice_hook");
        absolute(plan, "file", &base);
    }
    if let Some(paper) = table.get_mut("paper").and_then(Value::as_table_mut) {
        absolute(paper, "templates", &base);
    }
    for list in ["report", "slip"] {
        for entry in table.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(entry) = entry.as_table_mut() {
                absolute(entry, "sql", &base);
            }
        }
    }
    Ok(())
}

fn absolute(table: &mut Table, key: &str, base: &Path) {
    if let Some(path) = table.get(key).and_then(Value::as_str).map(PathBuf::from) {
        table.insert(key.to_owned(), Value::String(base.join(path).display().to_string()));
    }
}

/// A section of the profile, made when it is not there.
fn section<'t>(table: &'t mut Table, name: &str) -> Option<&'t mut Table> {
    table.entry(name).or_insert_with(|| Value::Table(Table::new())).as_table_mut()
}

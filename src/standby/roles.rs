//! Roles on the standby server: window roles can log in, those that the schema only mentions cannot.

use crate::db::{Client, sql};
use crate::error::{Cannot, Result};
use minijinja::context;
use std::collections::BTreeMap;

/// A role that is wanted on the standby.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    pub name: String,
    /// Windows log in with it.
    pub login: bool,
    pub member_of: Vec<String>,
    /// The primary's password verifier, when it could be read.
    pub verifier: Option<String>,
    /// The primary's `ALTER ROLE … SET`, each as name=value.
    pub settings: Vec<String>,
}

/// Settings that are ours to decide on a standby: a role's own read-only default would step over the steering.
pub const OURS: [&str; 4] = ["default_transaction_read_only", "transaction_read_only", "role", "session_authorization"];

/// What was done to a role, or is to be done.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Done {
    pub role: String,
    /// "created", "login", "password", "setting X" or "member of X".
    pub act: String,
    #[serde(skip)]
    text: String,
}

/// A role as the server has it.
struct There {
    login: bool,
    password: Option<String>,
}

/// What is missing on the server of `client` for these roles.
///
/// An existing role is never taken a right from; without login stays without login unless windows need it.
pub fn plan(client: &mut Client, wanted: &[Wanted]) -> Result<Vec<Done>> {
    // The server's own roles are everywhere and cannot be made.
    let wanted: Vec<&Wanted> = wanted.iter().filter(|r| !r.name.starts_with("pg_")).collect();
    let names: Vec<&str> = wanted.iter().map(|r| r.name.as_str()).collect();
    let rows = client.query(crate::sql!("standby/roles.sql"), &[&names]).cannot("read the roles of the standby")?;
    let there: BTreeMap<String, There> =
        rows.iter().map(|r| (r.get(0), There { login: r.get(1), password: r.get(2) })).collect();
    let rows = client.query(crate::sql!("standby/memberships.sql"), &[]).cannot("read the roles of the standby")?;
    let members: Vec<(String, String)> = rows.iter().map(|r| (r.get(0), r.get(1))).collect();

    let rows = client.query(crate::sql!("standby/role_settings.sql"), &[]).cannot("read the roles of the standby")?;
    let settings: Vec<(String, String)> = rows.iter().map(|r| (r.get(0), r.get(1))).collect();

    let mut todo = Vec::new();
    for role in &wanted {
        let mut add = |act: &str, template: &str, context| -> Result<()> {
            todo.push(Done { role: role.name.clone(), act: act.to_owned(), text: sql::render(template, context)? });
            Ok(())
        };
        let name = &role.name;
        let found = there.get(name);
        match found {
            None => {
                add("created", crate::sql!("standby/create_role.sql"), context! { role => name, login => role.login })?;
            }
            Some(found) if role.login && !found.login => {
                add("login", crate::sql!("standby/role_login.sql"), context! { role => name })?;
            }
            Some(_) => {}
        }
        if let Some(verifier) = &role.verifier
            && found.and_then(|f| f.password.as_ref()) != Some(verifier)
        {
            add("password", crate::sql!("standby/role_password.sql"), context! { role => name, verifier })?;
        }
        for setting in &role.settings {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            if !OURS.contains(&key.to_ascii_lowercase().as_str())
                && !settings.iter().any(|(r, s)| r == name && s == setting)
            {
                let context =
                    context! { role => name, name => setting_name(key), name_text => key, value, list => is_list(key) };
                add(&format!("setting {key}"), crate::sql!("standby/role_setting.sql"), context)?;
            }
        }
    }
    // After all are there: one may be a member of another of them.
    for role in &wanted {
        for group in &role.member_of {
            let is_there = there.contains_key(group) || names.contains(&group.as_str()) || group.starts_with("pg_");
            if is_there && !members.iter().any(|(m, g)| *m == role.name && g == group) {
                let text = sql::render(
                    crate::sql!("standby/grant_role.sql"),
                    context! { role => group, member => role.name.clone() },
                )?;
                todo.push(Done { role: role.name.clone(), act: format!("member of {group}"), text });
            }
        }
    }
    Ok(todo)
}

/// Does what [`plan`] found missing, each in a transaction of its own.
pub fn carry_out(client: &mut Client, todo: &[Done]) -> Result<()> {
    for done in todo {
        let doing = || format!("make the role '{}' on the standby", done.role);
        let mut tx = client.transaction().cannot(doing())?;
        tx.batch_execute(&done.text).cannot(doing())?;
        tx.commit().cannot(doing())?;
    }
    Ok(())
}

/// Which of these roles can log in on the server of `client`, and which of them have a password.
pub fn logins(client: &mut Client, names: &[String]) -> Result<BTreeMap<String, (bool, bool)>> {
    let rows = client.query(crate::sql!("standby/roles.sql"), &[&names]).cannot("read the roles of the standby")?;
    Ok(rows.iter().map(|r| (r.get(0), (r.get(1), r.get::<_, Option<&str>>(2).is_some()))).collect())
}

/// The name of a setting as SQL wants it: one of an extension is dotted, and each part is a name of its own.
#[must_use]
pub fn setting_name(name: &str) -> String {
    crate::catalog::split_name(name)
        .map_or_else(|_| sql::ident(name), |parts| parts.iter().map(|p| sql::ident(p)).collect::<Vec<_>>().join("."))
}

/// True when the server keeps the setting as a list of quoted names, which cannot be given back as one text.
#[must_use]
pub fn is_list(name: &str) -> bool {
    const LISTS: [&str; 4] =
        ["search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"];
    LISTS.contains(&name.to_ascii_lowercase().as_str())
}

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
}

/// What was done to a role, or is to be done.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Done {
    pub role: String,
    /// "created", "login", "password" or "member of X".
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
                add("created", crate::sql!("standby/create_role.sql"), context! { role => name, login => role.login })?
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

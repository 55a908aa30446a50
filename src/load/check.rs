//! `check`: could the windows log in, and does everything guard that should.

use super::{PROGRAM, plan, retire};
use crate::cli::Site;
use crate::db::{Client, Server};
use crate::error::{Cannot, Exit, Result};
use crate::standby::{Gate, Generation};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    pub ok: bool,
    pub text: String,
}

/// What `check` found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Checked {
    pub ok: bool,
    pub findings: Vec<Finding>,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, ok: bool, text: impl Into<String>) {
        self.0.push(Finding { ok, text: text.into() });
    }
}

/// Looks at the server, the generations and the window roles. Changes nothing.
pub fn check(site: &Site) -> Result<Checked> {
    let standby = site.profile.standby()?.named(PROGRAM);
    let mut found = Findings::default();
    match plan::require_server(&standby) {
        Ok(()) => found.add(true, format!("{}: role and settings fit", standby.shown())),
        Err(e) if e.exit() == Exit::Refused => found.add(false, format!("{e}. {}", e.hint_text())),
        Err(e) => return Err(e),
    }
    let all = Generation::all(&standby)?;
    generations(&standby, &all, &site.profile.window_roles, &mut found)?;
    if site.profile.window_roles.is_empty() {
        found.add(true, "the profile names no window_roles: that the windows can log in is not checked");
    }
    let mut client = standby.connect_to("postgres")?;
    let rules = rules(&mut client)?;
    for role in &site.profile.window_roles {
        window_role(&standby, &mut client, role, &rules, &mut found)?;
    }
    Ok(Checked { ok: found.0.iter().all(|f| f.ok), findings: found.0 })
}

fn generations(standby: &Server, all: &[Generation], windows: &[String], found: &mut Findings) -> Result<()> {
    if !all.iter().any(|g| g.database == standby.database()) {
        found.add(false, format!("there is no standby database '{}'; run his-load-standby init", standby.database()));
    }
    match Generation::newest(all) {
        Some(g) => found.add(
            true,
            format!(
                "generation {} is the next to be opened (snapshot {})",
                g.number,
                g.snapshot.as_deref().unwrap_or_default()
            ),
        ),
        None => found.add(false, "no generation is loaded; run his-snapshot and his-load-standby"),
    }
    // What was never opened and goes before the next load is of no use to anybody, sound or not.
    let going = retire::superfluous(all, standby.database());
    let goes = |g: &&Generation| g.opened_event.is_none() && going.iter().any(|other| other.database == g.database);
    for generation in all.iter().filter(|g| !goes(g)) {
        let name = &generation.database;
        let mut client = standby.connect_to(name)?;
        let missing = unguarded(&mut client, name)?;
        if missing.is_empty() {
            found.add(true, format!("'{name}': gate, capture and guard against DDL are in place"));
        }
        for missing in missing {
            found.add(false, format!("'{name}': the {missing} is missing or not ENABLE ALWAYS; load again"));
        }
        let owners = client
            .query(crate::sql!("load/check_owners.sql"), &[&windows])
            .cannot(format!("look at the owners of '{name}'"))?;
        for owner in owners {
            let (table, role): (String, String) = (owner.get(0), owner.get(1));
            found.add(
                false,
                format!("'{name}': the window role '{role}' owns {table} or is a superuser, so it could undo the gate"),
            );
        }
        if generation.gate == Gate::Closed {
            read_only(&mut client, generation, standby.database(), found)?;
        }
    }
    Ok(())
}

/// What should guard a generation and does not.
pub(super) fn unguarded(client: &mut Client, name: &str) -> Result<Vec<String>> {
    let rows = client.query(crate::sql!("load/check_gate.sql"), &[]);
    let rows = rows.cannot(format!("look at the guards of '{name}'"))?;
    Ok(rows.iter().map(|r| r.get(0)).collect())
}

/// What a client that wants to write must see of a closed standby, or it does not step over to the primary.
fn read_only(client: &mut Client, generation: &Generation, standby: &str, found: &mut Findings) -> Result<()> {
    let name = &generation.database;
    let settings = client
        .query(crate::sql!("load/database_settings.sql"), &[name])
        .cannot(format!("read the settings of '{name}'"))?;
    let settings: Vec<(String, String)> = settings.iter().map(|r| (r.get(0), r.get(1))).collect();
    let own = settings.iter().any(|(role, value)| role.is_empty() && value == "on");
    found.add(own, format!("'{name}': {} by default while closed", if own { "read-only" } else { "NOT read-only" }));
    // Windows only ever connect to the standby's name.
    if name == standby {
        for (role, value) in settings.iter().filter(|(role, value)| !role.is_empty() && value != "on") {
            found.add(
                false,
                format!("'{name}': the role '{role}' has default_transaction_read_only = {value} of its own, so its windows would stay on the closed standby: ALTER ROLE … RESET default_transaction_read_only"),
            );
        }
    }
    Ok(())
}

/// One line of `pg_hba.conf`.
struct Rule {
    line: i32,
    local: bool,
    databases: Vec<String>,
    users: Vec<String>,
    address: String,
    method: String,
    error: String,
}

impl Rule {
    /// It may decide about this role in this database; from where is not known here.
    fn fits(&self, database: &str, role: &str, member_of: &[String]) -> bool {
        let here = |d: &String| {
            matches!(d.as_str(), "all")
                || d == database
                || (d == "sameuser" && role == database)
                || (d == "samerole" && member_of.iter().any(|g| g == database))
        };
        let him = |u: &String| {
            u == "all" || u == role || u.strip_prefix('+').is_some_and(|g| member_of.iter().any(|m| m == g))
        };
        self.databases.iter().any(here) && self.users.iter().any(him)
    }
}

/// The rules by which windows are let in: those of the network, or of the socket where the server has nothing else.
fn rules(client: &mut Client) -> Result<Vec<Rule>> {
    let rows = client.query(crate::sql!("load/check_hba.sql"), &[]).cannot("read pg_hba.conf of the standby")?;
    let sockets_only = rows.first().is_some_and(|r| r.get(7));
    let rule = |r: &tokio_postgres::Row| Rule {
        line: r.get(0),
        local: r.get::<_, &str>(1) == "local",
        databases: r.get(2),
        users: r.get(3),
        address: r.get(4),
        method: r.get(5),
        error: r.get(6),
    };
    Ok(rows.iter().map(rule).filter(|r| !r.error.is_empty() || r.local == sockets_only).collect())
}

fn window_role(standby: &Server, client: &mut Client, role: &str, rules: &[Rule], found: &mut Findings) -> Result<()> {
    let database = standby.database();
    let row = client
        .query_opt(crate::sql!("load/check_role.sql"), &[&role, &database])
        .cannot(format!("look at the window role '{role}'"))?;
    let Some(row) = row else {
        found.add(false, format!("window role '{role}': is not there; run his-load-standby init"));
        return Ok(());
    };
    let (login, superuser, expired): (bool, bool, bool) = (row.get(0), row.get(1), row.get(2));
    let (may_connect, member_of): (Option<bool>, Vec<String>) = (row.get(3), row.get(4));
    if superuser {
        found.add(false, format!("window role '{role}': is a superuser on the standby, so it could undo the gate"));
    }
    if expired {
        found.add(false, format!("window role '{role}': its password has expired (VALID UNTIL)"));
    }
    if !login {
        found.add(false, format!("window role '{role}': may not log in; run his-load-standby init"));
    }
    if may_connect == Some(false) {
        found.add(false, format!("window role '{role}': may not connect to '{database}'; run his-load-standby init"));
    }
    for broken in rules.iter().filter(|r| !r.error.is_empty()) {
        found.add(false, format!("pg_hba.conf line {}: {}", broken.line, broken.error));
    }
    let window = standby.clone().logging_in_as(role);
    if window.has_password() {
        match window.connect() {
            Ok(_) => found
                .add(true, format!("window role '{role}': logged in to '{database}' with the password of PGPASSFILE")),
            Err(e) => found.add(false, format!("window role '{role}': {e}")),
        }
        return Ok(());
    }
    match rules.iter().find(|r| r.error.is_empty() && r.fits(database, role, &member_of)) {
        None => found.add(false, format!("window role '{role}': no rule of pg_hba.conf lets it into '{database}'")),
        Some(r) if r.method == "reject" => {
            found.add(false, format!("window role '{role}': line {} of pg_hba.conf rejects it", r.line));
        }
        Some(r) if login => {
            let from = if r.local { "the socket" } else { r.address.as_str() };
            found.add(true, format!("window role '{role}': may log in by line {} of pg_hba.conf ({}, from {from}); not tried, because PGPASSFILE has no password of it", r.line, r.method));
        }
        Some(_) => {}
    }
    Ok(())
}

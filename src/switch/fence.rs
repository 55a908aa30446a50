//! The fence: while the standby is open, windows find no way into the primary. Put on and lifted exactly.

use super::connect_right::{self, Grant, in_order};
use super::ours;
use crate::db::{self, Client, Transaction};
use crate::error::{Cannot, Error, Result};
use crate::profile::{self, Profile};
use crate::store::{FenceState, Store};
use minijinja::context;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long sessions are given to go once they were told to.
const SESSIONS_GO: Duration = Duration::from_secs(3);

/// How the primary is closed to windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The window roles lose their login; other systems on the database go on.
    Roles,
    /// Every role but ours and superusers loses CONNECT.
    Database,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Roles => "roles",
            Kind::Database => "database",
        }
    }
}

/// The fence that the profile asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub kind: Kind,
    window_roles: Vec<String>,
    pub(super) ours: Vec<String>,
    event: Option<String>,
    by: String,
}

impl Wanted {
    /// `None` when the profile wants no fence.
    pub fn of(profile: &Profile, event: Option<&str>, by: &str) -> Result<Option<Wanted>> {
        let kind = match profile.fence {
            profile::Fence::None => return Ok(None),
            profile::Fence::Roles if !profile.window_roles.is_empty() => Kind::Roles,
            profile::Fence::Roles | profile::Fence::Database => Kind::Database,
        };
        Ok(Some(Wanted {
            kind,
            window_roles: profile.window_roles.clone(),
            ours: ours::roles(profile)?,
            event: event.map(str::to_owned),
            by: by.to_owned(),
        }))
    }

    /// The same fence, put on for this event, which did not have its id yet when the primary was asked.
    #[must_use]
    pub fn of_event(mut self, event: &str) -> Wanted {
        self.event = Some(event.to_owned());
        self
    }

    /// Whose sessions are ended; `None`: everybody's but ours.
    fn ended_roles(&self) -> Option<&[String]> {
        (self.kind == Kind::Roles).then_some(self.window_roles.as_slice())
    }
}

/// What the fence did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Put {
    pub kind: Kind,
    /// Roles that may not log in any more.
    pub roles: Vec<String>,
    /// Roles (or PUBLIC) whose CONNECT was taken away.
    pub revoked: Vec<String>,
    /// Sessions that were ended.
    pub sessions: Vec<Session>,
    /// It was on before.
    pub already: bool,
    /// No window could have come, and none was there.
    pub nobody: bool,
}

impl Put {
    /// In words, for the plan and the talk.
    #[must_use]
    pub fn text(&self) -> String {
        if self.nobody {
            return "nobody is left to fence there".to_owned();
        }
        let mut parts = Vec::new();
        if self.already {
            parts.push("it is on already".to_owned());
        }
        if !self.roles.is_empty() {
            parts.push(format!("no login for {}", self.roles.join(", ")));
        }
        if !self.revoked.is_empty() {
            parts.push(format!("no connection for {}", self.revoked.join(", ")));
        }
        parts.push(format!("{} sessions ended", self.sessions.len()));
        parts.join(", ")
    }
}

/// A window's session on the primary.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Session {
    pub pid: i32,
    pub user: String,
    #[serde(skip)]
    superuser: bool,
    #[serde(skip)]
    may_be_ended: bool,
    pub application: String,
    pub address: String,
}

/// What lifting the fence put back.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Lifted {
    pub was_on: bool,
    /// Roles that may log in again.
    pub roles: Vec<String>,
    /// Roles (or PUBLIC) that may connect again.
    pub granted: Vec<String>,
    /// Roles that are not there any more, so that nothing could be put back for them.
    pub gone: Vec<String>,
    /// Events of other sites for which the fence was put on too, and the roles that stay without login for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stay: Vec<String>,
}

impl Lifted {
    /// What whoever lifted the fence of a primary that other sites share must know.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let others = self.others.join(", ");
        match (self.others.is_empty(), self.stay.is_empty()) {
            (true, _) => None,
            (false, true) => Some(format!(
                "the fence is lifted for the windows of {others} too, which still work on their standby: they have no window role of their own"
            )),
            (false, false) => Some(format!("no login yet for {}: {others} goes on", self.stay.join(", "))),
        }
    }
}

/// Does all of [`put_on`] and takes it back, ending no session: what the plan says, and whether we may.
pub fn rehearse(client: &mut Client, wanted: &Wanted) -> Result<Put> {
    let mut tx = begin(client)?;
    let put = change(&mut tx, wanted)?;
    tx.rollback().cannot("try the fence on the primary")?;
    Ok(put)
}

/// Puts the fence on, also over one that is on already, and ends the windows' sessions.
///
/// What is changed is recorded in the same transaction, so that a killed run cannot leave a role without login and
/// without a record. `still_wanted` is asked under the fence's lock: whoever lifts the fence first says in the store
/// that it is not wanted, so a fence that was long in coming cannot come after its lifting. `None`: it was not.
pub fn put_on(client: &mut Client, wanted: &Wanted, still_wanted: impl Fn() -> bool) -> Result<Option<Put>> {
    let mut tx = begin(client)?;
    if !still_wanted() {
        return Ok(None);
    }
    let put = change(&mut tx, wanted)?;
    tx.commit().cannot("fence the primary")?;
    let sessions = end_sessions(client, wanted)?;
    let nobody = put.nobody && sessions.is_empty();
    Ok(Some(Put { sessions, nobody, ..put }))
}

/// What [`put_on`] asks when a fence has been waiting for the primary.
pub fn is_pending(store: &Store) -> bool {
    store.state().is_ok_and(|s| s.fence == FenceState::Pending)
}

/// Puts back exactly what the record says. Nothing on record is nothing to do.
///
/// Where events of other sites have the fence on as well, window roles that are theirs and not ours stay without login.
pub fn lift(client: &mut Client, profile: &Profile) -> Result<Lifted> {
    let doing = "lift the fence of the primary";
    let database = database(client)?;
    let there = client.query_one(crate::sql!("switch/primary_look.sql"), &[]).cannot(doing)?;
    if !there.get::<_, bool>(5) {
        return Ok(Lifted::default());
    }
    let mut tx = begin(client)?;
    let mut lifted = Lifted {
        was_on: tx.query_one(crate::sql!("switch/fence_is_on.sql"), &[]).cannot(doing)?.get(0),
        ..Lifted::default()
    };
    if there.get::<_, bool>(6) {
        let others = tx.query(crate::sql!("switch/fence_others.sql"), &[&profile.site.code]).cannot(doing)?;
        lifted.others = others.iter().map(|r| r.get(0)).collect();
    }
    let parts = tx.query(crate::sql!("switch/fence_parts.sql"), &[]).cannot(doing)?;
    let theirs = |act: &str, role: Option<&str>| {
        act == "nologin" && role.is_some_and(|r| !profile.window_roles.iter().any(|ours| ours == r))
    };
    let (mut given_back, mut taken_back) = (Vec::new(), Vec::new());
    for part in &parts {
        let (role, grantor): (Option<String>, Option<String>) = (part.get(1), part.get(2));
        if !lifted.others.is_empty() && theirs(part.get(0), role.as_deref()) {
            lifted.stay.extend(role);
            continue;
        }
        if !(part.get::<_, bool>(4) && part.get::<_, bool>(5)) {
            lifted.gone.push(role.or(grantor).unwrap_or_default());
            continue;
        }
        let grant = Grant { grantor: grantor.unwrap_or_default(), grantee: role.clone(), grantable: part.get(3) };
        match part.get::<_, &str>(0) {
            "nologin" => {
                let role = role.unwrap_or_default();
                run(&mut tx, crate::sql!("switch/fence_login.sql"), context! { role => role.clone() }, doing)?;
                lifted.roles.push(role);
            }
            // Ours were only let in because PUBLIC went; taken away after PUBLIC is back.
            "granted" => taken_back.push(grant),
            _ => given_back.push(grant),
        }
    }
    for grant in in_order(given_back) {
        grant.give(&mut tx, &database)?;
        lifted.granted.push(grant.whose());
    }
    for grant in taken_back {
        grant.take(&mut tx, &database)?;
    }
    if lifted.stay.is_empty() {
        tx.batch_execute(crate::sql!("switch/fence_forget.sql")).cannot(doing)?;
    } else {
        tx.execute(crate::sql!("switch/fence_forget_parts.sql"), &[&lifted.stay]).cannot(doing)?;
    }
    if there.get::<_, bool>(6) {
        tx.execute(crate::sql!("switch/fence_lifted.sql"), &[&profile.site.code]).cannot(doing)?;
    }
    tx.commit().cannot(doing)?;
    lifted.roles.sort();
    Ok(lifted)
}

/// Whether the fence is on, once everybody who puts it on or lifts it has ended: one whose answer was lost may still be
/// committing, and asked before that, the primary says what will be wrong in an instant.
pub fn is_on(client: &mut Client, site: &str) -> Result<bool> {
    let mut tx = begin(client)?;
    let doing = "ask whether the fence is on";
    let there = tx.query_one(crate::sql!("switch/primary_look.sql"), &[]).cannot(doing)?;
    let on = match (there.get::<_, bool>(5), there.get::<_, bool>(6)) {
        (false, _) => false,
        (true, false) => tx.query_one(crate::sql!("switch/fence_is_on.sql"), &[]).cannot(doing)?.get(0),
        (true, true) => tx.query_one(crate::sql!("switch/fence_is_ours.sql"), &[&site]).cannot(doing)?.get(0),
    };
    tx.commit().cannot(doing)?;
    Ok(on)
}

fn begin(client: &mut Client) -> Result<Transaction<'_>> {
    let doing = "fence the primary";
    let mut tx = client.transaction().cannot(doing)?;
    tx.batch_execute("SET LOCAL lock_timeout = '3s'; SET LOCAL synchronous_commit = on").cannot(doing)?;
    tx.query(crate::sql!("switch/fence_lock.sql"), &[]).cannot(doing)?;
    Ok(tx)
}

/// Everything but the ending of sessions, in the caller's transaction.
fn change(tx: &mut Transaction<'_>, wanted: &Wanted) -> Result<Put> {
    let doing = "fence the primary";
    let database = database(tx)?;
    let there = tx.query_one(crate::sql!("switch/primary_look.sql"), &[]).cannot(doing)?;
    if !(there.get::<_, bool>(5) && there.get::<_, bool>(6)) {
        tx.batch_execute(crate::sql!("switch/fence_record.sql"))
            .cannot("make the record of the fence on the primary")?;
    }
    let already = tx.query_one(crate::sql!("switch/fence_is_on.sql"), &[]).cannot(doing)?.get(0);
    let sessions = sessions(tx, wanted)?;
    let mut put = Put { kind: wanted.kind, roles: Vec::new(), revoked: Vec::new(), sessions, already, nobody: false };
    let could_come = match wanted.kind {
        Kind::Roles => {
            put.roles = take_logins(tx, wanted)?;
            !put.roles.is_empty()
        }
        Kind::Database => {
            refuse_superusers(&put.sessions)?;
            let could_come = !connect_right::who_can(tx, wanted)?.is_empty();
            put.revoked = connect_right::take(tx, wanted, &database)?;
            could_come
        }
    };
    if let Some(session) = put.sessions.iter().find(|s| !s.may_be_ended) {
        return Err(Error::refused(doing, format!("our role may not end the sessions of '{}' there", session.user))
            .hint("GRANT pg_signal_backend to the role of [primary] url, or end those sessions by hand; --both-live goes on with both sides working."));
    }
    put.nobody = !already && !could_come && put.sessions.is_empty();
    tx.execute(
        crate::sql!("switch/fence_note.sql"),
        &[&wanted.event, &wanted.kind.name(), &wanted.by, &crate::store::host()],
    )
    .cannot(doing)?;
    if let Some(event) = &wanted.event {
        tx.execute(crate::sql!("switch/fence_event.sql"), &[event]).cannot(doing)?;
    }
    Ok(put)
}

/// `roles`: the window roles may not log in any more.
fn take_logins(tx: &mut Transaction<'_>, wanted: &Wanted) -> Result<Vec<String>> {
    let doing = "take the login from the window roles on the primary";
    let rows = tx.query(crate::sql!("switch/fence_roles.sql"), &[&wanted.window_roles, &wanted.ours]).cannot(doing)?;
    let roles: Vec<String> = rows.iter().map(|r| r.get(0)).collect();
    for role in &roles {
        run(tx, crate::sql!("switch/fence_nologin.sql"), context! { role }, doing)?;
        record(tx, "nologin", Some(role), None, false)?;
    }
    Ok(roles)
}

/// A superuser connects whatever is revoked, so his session would stay, or come back.
fn refuse_superusers(sessions: &[Session]) -> Result<()> {
    let names: BTreeSet<&str> = sessions.iter().filter(|s| s.superuser).map(|s| s.user.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = names.into_iter().collect();
    Err(Error::refused(
        "fence the primary",
        format!("the superuser '{}' has a session there, and no fence keeps a superuser out", names.join("', '")),
    )
    .hint("end that session and let it stay away (or name the windows in window_roles), then run the same command again; --both-live goes on with both sides working."))
}

pub(super) fn record(
    tx: &mut Transaction<'_>,
    act: &str,
    role: Option<&str>,
    grantor: Option<&str>,
    grantable: bool,
) -> Result<()> {
    tx.execute(crate::sql!("switch/fence_part.sql"), &[&act, &role, &grantor, &grantable])
        .cannot("record what the fence changes")
        .map(drop)
}

pub(super) fn run(tx: &mut Transaction<'_>, template: &str, context: minijinja::Value, doing: &str) -> Result<()> {
    tx.batch_execute(&db::sql::render(template, context)?).cannot(doing)
}

fn database(client: &mut impl crate::db::GenericClient) -> Result<String> {
    let row = client.query_one("SELECT pg_catalog.current_database()::text", &[]).cannot("ask the primary")?;
    Ok(row.get(0))
}

fn sessions(client: &mut impl crate::db::GenericClient, wanted: &Wanted) -> Result<Vec<Session>> {
    let rows = client
        .query(crate::sql!("switch/fence_sessions.sql"), &[&wanted.ours, &wanted.ended_roles()])
        .cannot("look for windows on the primary")?;
    let session = |row: &tokio_postgres::Row| Session {
        pid: row.get(0),
        user: row.get(1),
        superuser: row.get(2),
        application: row.get(3),
        address: row.get(4),
        may_be_ended: row.get(5),
    };
    Ok(rows.iter().map(session).collect())
}

/// Ends the windows' sessions until none is there twice in a row: one that was just logging in appears late.
fn end_sessions(client: &mut Client, wanted: &Wanted) -> Result<Vec<Session>> {
    let started = Instant::now();
    let (mut ended, mut empty): (Vec<Session>, u32) = (Vec::new(), 0);
    while empty < 2 {
        let there = sessions(client, wanted)?;
        empty = if there.is_empty() { empty + 1 } else { 0 };
        for session in there {
            client
                .query(crate::sql!("switch/end_session.sql"), &[&session.pid])
                .cannot(format!("end the session of '{}' on the primary", session.user))?;
            if !ended.contains(&session) {
                ended.push(session);
            }
        }
        if started.elapsed() > SESSIONS_GO {
            // Told to go and not gone: in a system call that does not return. It gets no farther than its statement.
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(ended)
}

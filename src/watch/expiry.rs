//! What ends on a date: passwords of the roles we and the windows log in with, and the servers' certificates.

use super::{PROGRAM, Sheet, State};
use crate::cli::Site;
use crate::clock;
use crate::db::Server;
use crate::error::{Cannot, Result};
use chrono::{DateTime, TimeDelta, Utc};

pub(super) const NAMES: &[&str] = &["passwords", "certificates"];

pub(super) fn look(site: &Site, sheet: &mut Sheet) -> Result<()> {
    let servers = [site.profile.primary()?.named(PROGRAM), site.profile.standby()?.named(PROGRAM)];
    let (mut passwords, mut certificates, mut secured) = (Vec::new(), Vec::new(), 0);
    for server in &servers {
        // One that does not answer has a line of its own.
        if let Ok(found) = roles(site, server) {
            passwords.extend(found);
        }
        match server.certificate_ends() {
            Ok(None) => {}
            Ok(Some(at)) => {
                secured += 1;
                certificates.extend(judge(site, &format!("the certificate of the {}", server.side), at));
            }
            Err(e) => certificates.push((State::Warning, e.to_string())),
        }
    }
    sheet
        .add_all("passwords", &passwords, "none expires soon")
        .hint("set a new one, with a later VALID UNTIL, on both servers and in the PGPASSFILE, before that day.");
    let fine = match secured {
        0 => "no server of the profile is reached by TLS".to_owned(),
        n => format!("{n} looked at, none expires soon"),
    };
    sheet
        .add_all("certificates", &certificates, fine)
        .hint("have a new certificate made and put in place before that day; windows that verify it stop with it.");
    Ok(())
}

fn roles(site: &Site, server: &Server) -> Result<Vec<(State, String)>> {
    let mut names: Vec<String> = site.profile.window_roles.clone();
    names.push(server.user().to_owned());
    let mut client = server.connect_to("postgres")?;
    let rows = client
        .query(crate::sql!("watch/passwords.sql"), &[&names])
        .cannot(format!("ask the {} when passwords expire", server.side))?;
    let end = |row: &tokio_postgres::Row| (row.get::<_, String>(0), row.get::<_, DateTime<Utc>>(1));
    Ok(rows
        .iter()
        .map(end)
        .filter_map(|(role, at)| judge(site, &format!("the password of '{role}' on the {}", server.side), at))
        .collect())
}

/// Expired is critical, soon is a warning; in good time is nothing.
fn judge(site: &Site, what: &str, at: DateTime<Utc>) -> Option<(State, String)> {
    let now = Utc::now();
    let soon = TimeDelta::from_std(site.profile.watch.expires).unwrap_or(TimeDelta::MAX);
    if at <= now {
        Some((State::Critical, format!("{what} has expired, {} ago", clock::length(now - at))))
    } else if at - now <= soon {
        Some((State::Warning, format!("{what} expires in {}", clock::length(at - now))))
    } else {
        None
    }
}

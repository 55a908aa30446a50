//! PgBouncers that lead windows: do they lead where the windows belong, and could a move lead them elsewhere?

use super::{LIMIT, PROGRAM, Sheet, State};
use crate::bouncer::{self, Bouncer, Seen};
use crate::cli::Site;
use crate::error::Result;
use crate::switch;
use std::time::Duration;

/// A console that needs longer is asked by a move in vain.
const CONSOLE: Duration = Duration::from_secs(3);

/// A window that waits longer for its next try has called somebody.
const LOGIN_RETRY_SECONDS: f64 = 3.0;

pub(super) fn look(site: &Site, sheet: &mut Sheet) -> Result<()> {
    debug_assert!(CONSOLE < LIMIT);
    let state = site.store.state()?;
    let to = switch::belongs(state.mode);
    let bouncers = Bouncer::all(&site.profile)?;
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let look = |b| move || bouncer::look(b, PROGRAM, CONSOLE, true);
        let running: Vec<_> = bouncers.iter().map(|b| scope.spawn(look(b))).collect();
        running.into_iter().map(|t| t.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    let mut findings = Vec::new();
    for seen in &seen {
        let name = seen.file.display();
        // While a move is under way it may lead either way.
        let wrong = seen.wrong(to).filter(|_| state.moving.is_none() || seen.leads.is_err());
        for text in wrong.iter().chain(&seen.not_writable) {
            findings.push((State::Critical, format!("'{name}': {text}")));
        }
        if let Some(seconds) = seen.login_retry_seconds.filter(|s| *s > LOGIN_RETRY_SECONDS) {
            let text = format!("'{name}': windows wait server_login_retry ({seconds} s) after a move");
            findings.push((State::Warning, text));
        }
    }
    let fine = format!("windows are led to the {to}");
    sheet.add_all("pgbouncer", &findings, fine).needed().hint(
        "his-switch endpoint leads them again; what it cannot do is in [[pgbouncer]] of his.toml(5): the file, its folder, the console, admin_users, server_login_retry = 1.",
    );
    Ok(())
}

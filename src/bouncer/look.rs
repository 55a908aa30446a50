//! Where a PgBouncer leads, and whether a move could point it elsewhere. Nothing is changed.

use super::point;
use super::target::{Bouncer, Says, field};
use crate::db::{Console, Side, within};
use rustix::fs::{Access, access};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Whether our role is an administrator there is told at once; if it is not told by then, it is one.
const ADMIN_LIMIT: Duration = Duration::from_millis(500);

/// What was seen of one PgBouncer.
#[derive(Debug, Clone)]
pub struct Seen {
    pub file: PathBuf,
    /// Where its file leads, or why it cannot be read.
    pub file_says: Result<Says, String>,
    /// Where it leads, or why its console did not say.
    pub leads: Result<Says, String>,
    /// Why a move could not write its file.
    pub not_writable: Option<String>,
    /// What keeps its windows from working: paused, disabled.
    pub held_up: Option<String>,
    /// Clients that are still linked to the side where it led before.
    pub left: usize,
    /// Its `server_login_retry`: after one failed login on a server, windows wait this long also when they are led elsewhere.
    pub login_retry_seconds: Option<f64>,
}

impl Seen {
    /// Why its windows are not led to `side`, or would not be after its next start; `None` when all is well.
    #[must_use]
    pub fn wrong(&self, side: Side) -> Option<String> {
        match (&self.file_says, &self.leads) {
            (Err(reason), _) => Some(format!("its file cannot be read: {reason}")),
            (Ok(Says::Elsewhere), _) => {
                Some("its file is not as the profile has it: one of them was changed".to_owned())
            }
            (Ok(says), _) if !says.is(side) => {
                Some(format!("its file leads {} (expected to the {side})", says.shown()))
            }
            (_, Err(reason)) => Some(reason.clone()),
            (_, Ok(leads)) if !leads.is(side) => Some(format!("it leads {} (expected to the {side})", leads.shown())),
            _ => self.held_up.clone(),
        }
    }

    /// True when its file is right for `side`, it answers, and has not read that file.
    #[must_use]
    pub fn lags_behind_its_file(&self, side: Side) -> bool {
        self.file_says.as_ref().is_ok_and(|s| s.is(side)) && self.leads.as_ref().is_ok_and(|l| !l.is(side))
    }
}

/// Looks at one PgBouncer within `limit`; with `as_admin`, also whether our role may do what a move does.
#[must_use]
pub fn look(bouncer: &Bouncer, program: &'static str, limit: Duration, as_admin: bool) -> Seen {
    let reader = bouncer.clone();
    let file_says = within(limit, move || std::fs::read_to_string(&reader.file).map(|text| reader.says(&text)));
    let file_says = file_says.unwrap_or_else(|| Err(std::io::ErrorKind::TimedOut.into())).map_err(|e| e.to_string());
    let mut seen = Seen {
        file: bouncer.file.clone(),
        file_says,
        leads: Err(format!("its console does not answer within {} s", limit.as_secs_f32())),
        not_writable: not_writable(&bouncer.file),
        held_up: None,
        left: 0,
        login_retry_seconds: None,
    };
    let (asker, before) = (bouncer.clone(), seen.clone());
    if let Some(asked) = within(limit, move || ask(&asker, program, limit, before)) {
        match asked {
            Ok((found, console)) => {
                seen = found;
                if as_admin && let Some(refused) = not_admin(bouncer, console) {
                    seen.leads = Err(refused);
                }
            }
            Err(reason) => seen.leads = Err(reason),
        }
    }
    seen
}

fn ask(bouncer: &Bouncer, program: &str, limit: Duration, mut seen: Seen) -> Result<(Seen, Console), String> {
    let mut console = Console::open(&bouncer.admin, program, limit).map_err(|e| e.to_string())?;
    let rows = console.show("DATABASES").map_err(|e| e.to_string())?;
    seen.leads = Ok(bouncer.leads(&rows)?);
    for row in bouncer.ours(&rows, "name") {
        for state in ["paused", "disabled"] {
            if field(row, state) == "1" {
                seen.held_up = Some(format!("'{}' is {state} on its console", field(row, "name")));
            }
        }
    }
    seen.left = point::left(bouncer, &mut console)?;
    let config = console.show("CONFIG").map_err(|e| e.to_string())?;
    let retry = config.iter().find(|r| field(r, "key") == "server_login_retry");
    seen.login_retry_seconds = retry.and_then(|r| field(r, "value").parse().ok());
    Ok((seen, console))
}

/// WAIT_CLOSE changes nothing and is for administrators only. It waits while a client is still linked to where the file
/// led before; then it was not refused.
fn not_admin(bouncer: &Bouncer, mut console: Console) -> Option<String> {
    let name = bouncer.databases.first()?.clone();
    let asked = within(ADMIN_LIMIT, move || console.tell("WAIT_CLOSE", Some(&name)))?;
    asked.err().map(|e| format!("a move could not tell it anything: {e}; is the role of its admin URL in admin_users?"))
}

fn not_writable(file: &Path) -> Option<String> {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let error = access(folder, Access::WRITE_OK | Access::EXEC_OK).err()?;
    Some(format!("a move could not write its file: '{}': {}", folder.display(), std::io::Error::from(error)))
}

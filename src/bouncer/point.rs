//! Leading the windows of one PgBouncer to a side: first its file, durably, then what it is told on its console.

use super::PATIENCE;
use super::target::{Bouncer, Says, field};
use crate::db::{Console, Row, Side, within};
use crate::store::durable;
use std::time::{Duration, Instant};

/// Sessions on the side that the windows leave are given this long to end by themselves, as those of a fence do.
const GRACE: Duration = Duration::from_secs(1);

/// Name of our sessions on the console.
const PROGRAM: &str = "his-switch";

/// How the pointing of one PgBouncer went.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Pointed {
    /// The file was not as the profile has it, for either side: one of them was changed since. What it held is gone.
    pub overwritten: bool,
    /// All its clients were cut off, because some hung on a side that does not answer.
    pub cut: bool,
    /// A pause that was on (of a run that was killed, or of a person) was ended.
    pub resumed: bool,
    /// Clients that are still linked to the side that the windows leave.
    pub left: usize,
    /// Why it does not lead there for certain.
    pub problem: Option<String>,
}

/// Writes the file of `bouncer` for `side` and has it followed. It is said again when all is right already, because
/// nobody knows how far a killed run came.
///
/// With `cut`, the other side does not answer: clients that hang on it are cut off first, and with them, since PgBouncer
/// knows no less, all others. Their connections on the other side are dropped, so what was not committed there is
/// rolled back.
#[must_use]
pub fn point(bouncer: &Bouncer, side: Side, cut: bool) -> Pointed {
    let mut pointed = Pointed::default();
    let writer = bouncer.clone();
    // Another machine's directory may be behind it, which does not answer either.
    match within(PATIENCE, move || write(&writer, side)) {
        Some(Ok(overwritten)) => pointed.overwritten = overwritten,
        Some(Err(e)) => {
            pointed.problem = Some(format!("its file cannot be written, so it leads where it did: {e}"));
            return pointed;
        }
        None => {
            pointed.problem = Some(format!("its file could not be written within {} s", PATIENCE.as_secs()));
            return pointed;
        }
    }
    let teller = bouncer.clone();
    let told = within(PATIENCE * 2, move || tell(&teller, side, cut))
        .unwrap_or_else(|| Err(format!("its console stopped answering within {} s", PATIENCE.as_secs() * 2)));
    match told {
        Ok(told) => Pointed { overwritten: pointed.overwritten, ..told },
        Err(problem) => {
            pointed.problem = Some(format!("{problem}; its file is right, so it leads to the {side} once it reads it"));
            pointed
        }
    }
}

/// Gives the file its text; true when it held something that the profile has for no side.
fn write(bouncer: &Bouncer, side: Side) -> std::io::Result<bool> {
    let text = bouncer.text(side);
    let before = std::fs::read_to_string(&bouncer.file).ok();
    if before.as_deref() != Some(&text) {
        durable::replace_for_all(&bouncer.file, text.as_bytes())?;
    }
    Ok(before.is_some_and(|b| bouncer.says(&b) == Says::Elsewhere))
}

fn tell(bouncer: &Bouncer, side: Side, cut: bool) -> Result<Pointed, String> {
    let mut console = open(bouncer)?;
    let mut pointed = Pointed::default();
    console.tell("RELOAD", None).map_err(|e| e.to_string())?;
    // Only for those who are linked to where it led before: told again, it must not cut off who works where it leads now.
    if cut && left(bouncer, &mut console)? > 0 {
        pointed.cut = true;
        cut_off(bouncer, &mut console)?;
    }
    let rows = console.show("DATABASES").map_err(|e| e.to_string())?;
    let resumed = resume(bouncer, &mut console, &rows)?;
    pointed.resumed = resumed && !pointed.cut;
    let leads = bouncer.leads(&rows)?;
    if !leads.is(side) {
        return Err(format!(
            "it was told to RELOAD and leads {} (expected to the {side}): can it read its file, and pgbouncer.ini?",
            leads.shown()
        ));
    }
    if let Some(row) = bouncer.ours(&rows, "name").into_iter().find(|r| field(r, "disabled") == "1") {
        return Err(format!("'{0}' is disabled on its console (ENABLE {0})", field(row, "name")));
    }
    pointed.left = left(bouncer, &mut console)?;
    Ok(pointed)
}

/// Has `bouncer` read the file that it has. Whatever the file says, this is always right to do.
pub fn reload(bouncer: &Bouncer) -> Result<(), String> {
    let teller = bouncer.clone();
    within(PATIENCE, move || open(&teller)?.tell("RELOAD", None).map_err(|e| e.to_string()))
        .unwrap_or_else(|| Err("its console does not answer".to_owned()))
}

/// Waits a moment for clients that are still linked to the side which the windows leave, then cuts off those of the
/// databases that have some left. True when it came to that.
pub fn cut_left(bouncer: &Bouncer) -> Result<bool, String> {
    let teller = bouncer.clone();
    let cut = within(GRACE + PATIENCE, move || {
        let mut console = open(&teller)?;
        let began = Instant::now();
        while left(&teller, &mut console)? > 0 {
            if began.elapsed() > GRACE {
                return cut_off(&teller, &mut console).map(|()| true);
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        Ok(false)
    });
    cut.unwrap_or_else(|| Err("its console stopped answering while clients were cut off".to_owned()))
}

fn open(bouncer: &Bouncer) -> Result<Console, String> {
    Console::open(&bouncer.admin, PROGRAM, PATIENCE).map_err(|e| e.to_string())
}

/// Drops every connection of our databases, on both sides. That pauses them, so they are resumed before anything else is done.
fn cut_off(bouncer: &Bouncer, console: &mut Console) -> Result<(), String> {
    let mut paused = Ok(());
    for name in &bouncer.databases {
        match console.tell("KILL", Some(name)) {
            // One that it does not know is named later.
            Err(e) => log::info!("{e}"),
            Ok(()) => {
                if let Err(e) = console.tell("RESUME", Some(name)) {
                    paused = Err(format!("'{name}' is paused, since its clients were cut off: {e}"));
                }
            }
        }
    }
    paused
}

fn resume(bouncer: &Bouncer, console: &mut Console, rows: &[Row]) -> Result<bool, String> {
    let mut resumed = false;
    for row in bouncer.ours(rows, "name").into_iter().filter(|r| field(r, "paused") == "1") {
        console.tell("RESUME", Some(field(row, "name"))).map_err(|e| e.to_string())?;
        resumed = true;
    }
    Ok(resumed)
}

/// Connections to a server that a client holds.
fn linked(bouncer: &Bouncer, console: &mut Console) -> Result<Vec<Row>, String> {
    let rows = console.show("SERVERS").map_err(|e| e.to_string())?;
    let held = bouncer.ours(&rows, "database").into_iter().filter(|r| field(r, "state").starts_with("active"));
    Ok(held.cloned().collect())
}

/// How many of them lead where the file led before.
pub(super) fn left(bouncer: &Bouncer, console: &mut Console) -> Result<usize, String> {
    Ok(linked(bouncer, console)?.iter().filter(|r| field(r, "close_needed") == "1").count())
}

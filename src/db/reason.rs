//! What may be said of a server's error: code, constraint, table, column; never DETAIL, which quotes rows (P17).

use crate::error::Exit;
use tokio_postgres::error::{DbError, SqlState};

/// SQLSTATE of every refusal raised by the gate (`sql/standby/`).
pub const GATE: &str = "HS001";

/// Exit code, reason and hint of an error of the driver or the server.
pub fn of(error: &tokio_postgres::Error) -> (Exit, String, Option<&'static str>) {
    if let Some(db) = error.as_db_error() {
        return (exit_of(db), text_of(db), hint_of(db.code()));
    }
    let text = std::error::Error::source(error).map_or_else(|| error.to_string(), |s| format!("{error}: {s}"));
    let lost = error.is_closed() || text.contains("error communicating") || text.contains("error connecting");
    (if lost { Exit::Unreachable } else { Exit::Failed }, text, None)
}

/// True when the server is gone or going: the outcome of the running statement is unknown.
pub fn is_connection_loss(error: &tokio_postgres::Error) -> bool {
    of(error).0 == Exit::Unreachable
}

fn exit_of(db: &DbError) -> Exit {
    match db.code() {
        c if c.code().starts_with("08") || c.code().starts_with("57P") => Exit::Unreachable,
        &SqlState::TOO_MANY_CONNECTIONS => Exit::Unreachable,
        c if c.code() == GATE => Exit::Refused,
        _ => Exit::Failed,
    }
}

/// The server's own message is kept only for classes whose messages name objects, not values: a unique violation or
/// a RAISE in a trigger may quote a patient's name.
fn text_of(db: &DbError) -> String {
    let code = db.code().code();
    let names_objects_only = matches!(
        &code[..2],
        "08" | "0A" | "28" | "2B" | "3D" | "3F" | "42" | "53" | "54" | "55" | "57" | "58" | "HS" | "HD"
    );
    let mut text = if names_objects_only { db.message().to_owned() } else { class_of(code).to_owned() };
    for (label, value) in [("constraint", db.constraint()), ("table", db.table()), ("column", db.column())] {
        if let Some(value) = value {
            text.extend([", ", label, " ", value]);
        }
    }
    format!("{text} (SQLSTATE {code})")
}

fn class_of(code: &str) -> &'static str {
    match code {
        "23505" => "unique value already taken",
        "23503" => "foreign key does not hold",
        "23502" => "NULL in a column that forbids it",
        "23514" => "check constraint refuses the row",
        "23P01" => "exclusion constraint refuses the row",
        "40001" => "serialization failure",
        "40P01" => "deadlock",
        _ => match &code[..2] {
            "22" => "value does not fit its type",
            "23" => "integrity constraint does not hold",
            "25" => "invalid transaction state",
            "40" => "transaction rolled back",
            "P0" => "a function or trigger raised an error",
            _ => "the server refused",
        },
    }
}

fn hint_of(code: &SqlState) -> Option<&'static str> {
    match *code {
        SqlState::INSUFFICIENT_PRIVILEGE => {
            Some("give the role of this URL the right named above; his.toml(5) lists what each role needs.")
        }
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            Some("check user and password (PGPASSFILE, ~/.pgpass or the URL) and pg_hba.conf.")
        }
        SqlState::DISK_FULL => Some("the server's disk is full; free space there, then run the same command again."),
        _ => None,
    }
}

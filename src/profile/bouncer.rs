//! `[[pgbouncer]]`: the PgBouncers that windows connect to which cannot find the open side themselves.

use super::reader::{Mistakes, Section};
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// One `[[pgbouncer]]`, as it is written. Not shown: the URL may hold a password.
#[derive(Clone)]
pub struct Bouncer {
    /// The file that its pgbouncer.ini includes; his-switch writes it whole.
    pub file: PathBuf,
    /// The URL of its admin console.
    pub admin: String,
    /// The names that windows ask for; empty: that of the primary's database.
    pub databases: Vec<String>,
    /// Where it reaches the two sides, as far as that is not what the URLs say.
    pub primary: Place,
    pub standby: Place,
    /// Added to each line of the file: `pool_mode=transaction pool_size=40`.
    pub settings: String,
}

/// A server as PgBouncer reaches it; `None`: as the URL says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub dbname: Option<String>,
}

pub(super) fn bouncers<'t>(root: &DeTable<'t>, base: &Path, kind: &str, mistakes: &mut Mistakes<'t>) -> Vec<Bouncer> {
    let mut list: Vec<Bouncer> = Vec::new();
    for (table, offset) in super::parse::entries(root, "pgbouncer") {
        let mut s = Section::new("[[pgbouncer]]", table, offset, mistakes);
        if kind != "pgbouncer" {
            s.mistake(format!("is never used while [endpoint] kind is '{kind}' (expected kind = \"pgbouncer\")"));
        }
        let (file, admin) = (s.required("file"), s.required("admin"));
        s.label = format!("[[pgbouncer]] '{file}'");
        let file = base.join(file);
        if list.iter().any(|other| other.file == file) {
            s.bad("file", "is that of another [[pgbouncer]], which may lead somewhere else");
        }
        let databases = s.texts("databases").unwrap_or_default();
        for name in &databases {
            if !can_be_asked_for(name) {
                s.bad("databases", format!("names '{name}' ({EXPECTED_NAME})"));
            }
        }
        let (primary, standby) = (place(&mut s, "primary"), place(&mut s, "standby"));
        let settings = s.text("settings").unwrap_or_default().trim().to_owned();
        if settings.contains(['\n', '\r']) {
            s.bad("settings", "has more than one line");
        }
        for taken in ["host", "port", "dbname", "password"] {
            if settings.split_whitespace().any(|word| word.split('=').next() == Some(taken)) {
                let instead = if taken == "password" {
                    "everybody on that machine can read the file: auth_file and auth_query are for passwords"
                } else {
                    "it is written for each side: 'primary' and 'standby' are for that"
                };
                s.bad("settings", format!("sets {taken}; {instead}"));
            }
        }
        list.push(Bouncer { file, admin, databases, primary, standby, settings });
        s.done();
    }
    list
}

/// What PgBouncer can read as the key of a line; one that it cannot read would keep it from starting.
#[must_use]
pub fn can_be_asked_for(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name != "pgbouncer" && name.chars().all(plain)
}

pub const EXPECTED_NAME: &str = "expected a name that windows ask for: letters, digits, '_', '-' and '.'";

/// `host=10.0.0.5 port=5432 dbname=his`, each of which may be missing.
fn place(s: &mut Section, key: &'static str) -> Place {
    let mut place = Place::default();
    for word in s.text(key).unwrap_or_default().split_whitespace() {
        match word.split_once('=') {
            Some(("host", host)) if !host.is_empty() && !host.contains(',') => place.host = Some(host.to_owned()),
            Some(("port", port)) if port.parse::<u16>().is_ok() => place.port = port.parse().ok(),
            Some(("dbname", name)) if !name.is_empty() => place.dbname = Some(name.to_owned()),
            _ => s.bad(key, format!("has '{word}' in it (expected host=… port=… dbname=…, one host)")),
        }
    }
    place
}

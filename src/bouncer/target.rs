//! The file that a PgBouncer includes: one line for each database that windows ask for, all on one side.

use crate::db::{Row, Side};
use crate::error::{Error, Result};
use crate::profile::{self, Profile};
use std::path::{Path, PathBuf};

/// One `[[pgbouncer]]` of the profile, with what the URLs say filled in.
#[derive(Clone)]
pub struct Bouncer {
    pub file: PathBuf,
    pub(super) admin: String,
    /// The names that windows ask for.
    pub databases: Vec<String>,
    primary: Place,
    standby: Place,
    settings: String,
}

/// A side as PgBouncer reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    host: String,
    port: u16,
    dbname: String,
}

/// Where a file or a console leads the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Says {
    Primary,
    Standby,
    /// To neither, or not all databases to the same side.
    Elsewhere,
}

impl Says {
    #[must_use]
    pub fn is(self, side: Side) -> bool {
        matches!((self, side), (Says::Primary, Side::Primary) | (Says::Standby, Side::Standby))
    }

    /// For messages: "leads to the standby".
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Says::Primary => "to the primary",
            Says::Standby => "to the standby",
            Says::Elsewhere => "elsewhere",
        }
    }
}

impl Bouncer {
    /// Every PgBouncer of the profile.
    pub fn all(profile: &Profile) -> Result<Vec<Bouncer>> {
        profile.bouncers.iter().map(|b| Bouncer::of(profile, b)).collect()
    }

    fn of(profile: &Profile, written: &profile::Bouncer) -> Result<Bouncer> {
        let (primary, standby) = (profile.primary()?, profile.standby()?);
        let place = |written: &profile::Place, server: &crate::db::Server| Place {
            host: written.host.clone().unwrap_or_else(|| server.host()),
            port: written.port.unwrap_or_else(|| server.port()),
            dbname: written.dbname.clone().unwrap_or_else(|| server.database().to_owned()),
        };
        let databases = match written.databases.as_slice() {
            [] => vec![primary.database().to_owned()],
            named => named.to_vec(),
        };
        if let Some(name) = databases.iter().find(|name| !profile::can_be_asked_for(name)) {
            return Err(Error::usage(
                format!("lead windows through PgBouncer '{}'", written.file.display()),
                format!("the database is called '{name}' ({})", profile::EXPECTED_NAME),
            )
            .hint("give it a name for the windows in [[pgbouncer]]: databases = [\"his\"]."));
        }
        let bouncer = Bouncer {
            file: written.file.clone(),
            admin: written.admin.clone(),
            databases,
            primary: place(&written.primary, &primary),
            standby: place(&written.standby, &standby),
            settings: written.settings.clone(),
        };
        // It would go round the hosts of a list, and land windows on a replica, or on one that was the primary once.
        if let Some(place) = [&bouncer.primary, &bouncer.standby].into_iter().find(|p| p.host.contains(',')) {
            return Err(Error::usage(
                format!("lead windows through PgBouncer '{}'", bouncer.file.display()),
                format!("'{}' names several hosts (expected one)", place.host),
            )
            .hint("name one in [[pgbouncer]], primary = \"host=… port=…\": an address that follows the failover."));
        }
        if bouncer.primary == bouncer.standby {
            return Err(Error::usage(
                format!("lead windows through PgBouncer '{}'", bouncer.file.display()),
                "primary and standby are the same place to it",
            )
            .hint("say in [[pgbouncer]] where PgBouncer reaches each: primary = \"host=… port=…\", standby = \"host=… port=…\"."));
        }
        Ok(bouncer)
    }

    fn place(&self, side: Side) -> &Place {
        match side {
            Side::Primary => &self.primary,
            Side::Standby => &self.standby,
        }
    }

    /// The whole file for one side.
    #[must_use]
    pub fn text(&self, side: Side) -> String {
        let mut text = format!(
            "; Written by his-switch, anew at every move; what stands in it comes from [[pgbouncer]] of his.toml.\n; The windows are led to the {side}.\n[databases]\n"
        );
        for line in self.lines(side) {
            text += &line;
            text.push('\n');
        }
        text
    }

    fn lines(&self, side: Side) -> Vec<String> {
        let Place { host, port, dbname } = self.place(side);
        let line = |name: &String| {
            let fixed = format!("{name} = host={} port={port} dbname={}", value(host), value(dbname));
            format!("{fixed} {}", self.settings).trim_end().to_owned()
        };
        self.databases.iter().map(line).collect()
    }

    /// Where the text of a file leads; comments may differ.
    #[must_use]
    pub fn says(&self, text: &str) -> Says {
        let found: Vec<&str> =
            text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with([';', '#'])).collect();
        let is = |side| found.first() == Some(&"[databases]") && found[1..] == self.lines(side);
        if is(Side::Primary) {
            Says::Primary
        } else if is(Side::Standby) {
            Says::Standby
        } else {
            Says::Elsewhere
        }
    }

    /// Where a console leads, by its `SHOW DATABASES`; or the name that it does not know.
    pub fn leads(&self, rows: &[Row]) -> Result<Says, String> {
        let mut leads = None;
        for name in &self.databases {
            let row = rows.iter().find(|r| field(r, "name") == name).ok_or_else(|| {
                format!(
                    "it knows no database '{name}': its pgbouncer.ini must have the line %include {}",
                    self.file.display()
                )
            })?;
            let at = |side| {
                let place = self.place(side);
                field(row, "host") == place.host
                    && field(row, "port") == place.port.to_string()
                    && field(row, "database") == place.dbname
            };
            let this = match (at(Side::Primary), at(Side::Standby)) {
                (true, _) => Says::Primary,
                (_, true) => Says::Standby,
                _ => Says::Elsewhere,
            };
            leads = Some(if leads.is_none_or(|l| l == this) { this } else { Says::Elsewhere });
        }
        Ok(leads.unwrap_or(Says::Elsewhere))
    }

    /// Rows of `SHOW DATABASES` or `SHOW SERVERS` that are of our databases.
    pub(super) fn ours<'r>(&self, rows: &'r [Row], column: &str) -> Vec<&'r Row> {
        rows.iter().filter(|r| self.databases.iter().any(|d| d == field(r, column))).collect()
    }

    /// How messages name it.
    #[must_use]
    pub fn shown(&self) -> String {
        shown(&self.file)
    }
}

pub(super) fn shown(file: &Path) -> String {
    format!("PgBouncer '{}'", file.display())
}

pub(super) fn field<'r>(row: &'r Row, column: &str) -> &'r str {
    row.get(column).map_or("", String::as_str)
}

/// A value of a connection string.
fn value(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains([' ', '\'', '=']);
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bouncer() -> Bouncer {
        let place = |host: &str| Place { host: host.to_owned(), port: 5432, dbname: "his data".to_owned() };
        Bouncer {
            file: "/etc/pgbouncer/his.ini".into(),
            admin: String::new(),
            databases: vec!["his".to_owned(), "his-old".to_owned()],
            primary: place("10.0.0.5"),
            standby: place("10.9.0.5"),
            settings: "pool_size=40".to_owned(),
        }
    }

    #[test]
    fn each_database_has_a_line_and_values_are_quoted() {
        let text = bouncer().text(Side::Standby);
        let lines: Vec<&str> = text.lines().skip_while(|l| l.starts_with(';')).collect();
        assert_eq!(
            lines,
            [
                "[databases]",
                "his = host=10.9.0.5 port=5432 dbname='his data' pool_size=40",
                "his-old = host=10.9.0.5 port=5432 dbname='his data' pool_size=40"
            ]
        );
    }

    #[test]
    fn a_file_is_known_by_its_lines_and_one_that_was_changed_is_known_as_such() {
        let b = bouncer();
        let text = b.text(Side::Primary);
        assert_eq!(b.says(&text), Says::Primary);
        assert_eq!(b.says(&b.text(Side::Standby)), Says::Standby);
        assert_eq!(b.says(&text.replace("; The windows", "# The windows")), Says::Primary);
        for changed in [
            text.replace("pool_size=40", "pool_size=4"),
            text.replacen("10.0.0.5", "10.9.0.5", 1),
            text.clone() + "other = host=x\n",
            String::new(),
        ] {
            assert_eq!(b.says(&changed), Says::Elsewhere, "{changed}");
        }
    }

    #[test]
    fn a_console_leads_to_a_side_only_when_every_database_does() {
        let b = bouncer();
        let row = |name: &str, host: &str| -> Row {
            [("name", name), ("host", host), ("port", "5432"), ("database", "his data")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into()
        };
        let both = |one, other| b.leads(&[row("his", one), row("his-old", other), row("pgbouncer", "")]);
        assert_eq!(both("10.0.0.5", "10.0.0.5"), Ok(Says::Primary));
        assert_eq!(both("10.9.0.5", "10.9.0.5"), Ok(Says::Standby));
        assert_eq!(both("10.9.0.5", "10.0.0.5"), Ok(Says::Elsewhere));
        assert_eq!(both("10.0.0.6", "10.0.0.6"), Ok(Says::Elsewhere));
        assert!(b.leads(&[row("his", "10.0.0.5")]).unwrap_err().contains("%include /etc/pgbouncer/his.ini"));
    }
}

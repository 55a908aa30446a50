//! The admin console of a PgBouncer. It looks like a database and is none: it takes simple queries only, one statement
//! each, and refuses a session that brings settings along.

use super::connect::{take_parameter, within};
use super::pgpass;
use super::session::Client;
use super::tls::Tls;
use crate::error::{Cannot, Error, Result};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_postgres::config::Host;
use tokio_postgres::{Config, SimpleQueryMessage};

/// A session on the admin console.
pub struct Console {
    client: Client,
    /// How messages name it: host and port, no user.
    pub shown: String,
}

/// One row of an answer by column. Which columns there are depends on PgBouncer's version, and so does their order.
pub type Row = BTreeMap<String, String>;

impl Console {
    /// `url` as [`super::Server::parse`] takes it; without a database, that of the console is meant. A console that has
    /// said nothing within `limit` does not answer.
    pub fn open(url: &str, application: &str, limit: Duration) -> Result<Console> {
        let (mut config, tls, shown) = read(url)?;
        config.application_name(application).connect_timeout(limit);
        let doing = format!("open the console of PgBouncer at {shown}");
        let client = within(limit, move || tls.connect(&config))
            .ok_or_else(|| Error::unreachable(&doing, format!("no answer within {} s", limit.as_secs_f32())))?;
        Ok(Console { client: client.map_err(|e| e.restated(doing))?, shown })
    }

    /// The rows of a `SHOW`.
    pub fn show(&mut self, what: &str) -> Result<Vec<Row>> {
        let messages = self.query(&format!("SHOW {what}"))?;
        let row = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => Some(
                row.columns()
                    .iter()
                    .enumerate()
                    .map(|(n, c)| (c.name().to_owned(), row.get(n).unwrap_or_default().to_owned()))
                    .collect(),
            ),
            _ => None,
        };
        Ok(messages.iter().filter_map(row).collect())
    }

    /// `RELOAD`, or `KILL`, `RESUME`, … of a database, whose name is taken as it is.
    pub fn tell(&mut self, command: &str, database: Option<&str>) -> Result<()> {
        let name = database.map(|d| format!(" \"{}\"", d.replace('"', "\"\""))).unwrap_or_default();
        self.query(&format!("{command}{name}")).map(drop)
    }

    fn query(&mut self, text: &str) -> Result<Vec<SimpleQueryMessage>> {
        self.client.simple_query(text).cannot(format!("{text} on PgBouncer at {}", self.shown))
    }
}

fn read(url: &str) -> Result<(Config, Tls, String)> {
    let doing = "read the URL of PgBouncer's console";
    let expected = "expected postgresql://user@host:6432/pgbouncer";
    let text = match url.strip_prefix("env:") {
        Some(name) => std::env::var(name)
            .map_err(|_| Error::usage(doing, format!("the environment variable '{name}' is not set")).hint(expected))?,
        None => url.to_owned(),
    };
    let (text, mode) = take_parameter(&text, "sslmode");
    let (text, root) = take_parameter(&text, "sslrootcert");
    let mut config: Config = text.parse().map_err(|e: tokio_postgres::Error| {
        let reason = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
        Error::usage(doing, reason).hint(expected)
    })?;
    let (host, local) = match config.get_hosts() {
        [Host::Tcp(name)] => (name.clone(), matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1")),
        [Host::Unix(path)] => (path.display().to_string(), true),
        other => {
            return Err(Error::usage(doing, format!("it names {} hosts, expected 1", other.len())).hint(expected));
        }
    };
    let Some(user) = config.get_user().map(str::to_owned) else {
        return Err(Error::usage(doing, "it names no user").hint(expected));
    };
    let port = config.get_ports().first().copied().unwrap_or(6432);
    let database = config.get_dbname().unwrap_or("pgbouncer").to_owned();
    if config.get_password().is_none()
        && let Some(password) = pgpass::lookup(&host, port, &database, &user)
    {
        config.password(password);
    }
    if config.get_ports().is_empty() {
        config.port(port);
    }
    config.dbname(&database);
    Ok((config, Tls::choose(mode.as_deref(), root, local)?, format!("{host}:{port}")))
}

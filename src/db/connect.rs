//! Where a server is and how to connect: URLs of the profile, passwords, time limits.

use super::hosts::{Wants, name_of, place_of, port_of};
use super::session::Client;
use super::tls::Tls;
use super::{certificate, pgpass};
use crate::error::{Cannot, Error, Result};
use chrono::{DateTime, Utc};
use std::sync::mpsc;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// Which of the two servers; for messages and journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Primary,
    Standby,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Side::Primary => "primary",
            Side::Standby => "standby",
        })
    }
}

/// One server of the profile. Cheap to clone; holds no connection.
#[derive(Clone)]
pub struct Server {
    pub side: Side,
    pub(super) config: Config,
    application: String,
    options: &'static str,
    tls: Tls,
    pub(super) wants: Wants,
}

/// The oldest major version that is worked with: the tests pass there.
const OLDEST: u32 = 14;

/// A server that does not answer a connection attempt in this time counts as unreachable.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Settings of every session of ours: nothing of the HIS's own functions may be found by an unqualified name, a
/// generation's read-only default must not stop us, and a local lock wait must not last for ever.
const SESSION: &str = "-c search_path=pg_catalog -c jit=off -c default_transaction_read_only=off -c client_min_messages=warning -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0 -c statement_timeout=0 -c standard_conforming_strings=on -c escape_string_warning=off";

impl Server {
    /// `url` is `postgresql://…`, a libpq keyword string, or `env:NAME` of a variable that holds one.
    pub fn parse(side: Side, url: &str) -> Result<Server> {
        let doing = || format!("read the URL of the {side}");
        let text = match url.strip_prefix("env:") {
            Some(name) => std::env::var(name).map_err(|_| {
                Error::usage(doing(), format!("the environment variable '{name}' is not set"))
                    .hint(format!("export {name}='postgresql://user@host/database', or write the URL into his.toml."))
            })?,
            None => url.to_owned(),
        };
        let (text, mode) = take_parameter(&text, "sslmode");
        let (text, root) = take_parameter(&text, "sslrootcert");
        let (text, attributes) = take_parameter(&text, "target_session_attrs");
        // In milliseconds, as every program of PostgreSQL reads it; the driver would take them for seconds.
        let (text, unanswered) = take_parameter(&text, "tcp_user_timeout");
        let mut config: Config = text.parse().map_err(|e: tokio_postgres::Error| {
            let reason = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
            Error::usage(doing(), reason).hint("expected postgresql://user@host:port/database?sslmode=verify-full")
        })?;
        if let Some(millis) = unanswered {
            let limit = millis.parse().map(Duration::from_millis).map_err(|_| {
                Error::usage(doing(), format!("tcp_user_timeout is '{millis}'"))
                    .hint("expected a number of milliseconds.")
            })?;
            config.tcp_user_timeout(limit);
        }
        let hosts = config.get_hosts().len();
        if hosts == 0 || (hosts > 1 && side == Side::Standby) {
            return Err(Error::usage(doing(), format!("it names {hosts} hosts, expected 1")).hint(
                "the standby is one server; the string with several hosts is for the windows, or for a primary that fails over.",
            ));
        }
        let wants = Wants::of(attributes.as_deref(), hosts > 1).ok_or_else(|| {
            let reason = format!("target_session_attrs is '{}'", attributes.as_deref().unwrap_or_default());
            Error::usage(doing(), reason)
                .hint("expected read-write, primary, standby, read-only, prefer-standby or any.")
        })?;
        if config.get_dbname().is_none() {
            return Err(
                Error::usage(doing(), "it names no database").hint("expected postgresql://user@host:port/database")
            );
        }
        if config.get_user().is_none() {
            return Err(Error::usage(doing(), "it names no user").hint("expected postgresql://user@host:port/database"));
        }
        let local = config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
            Host::Unix(_) => true,
        });
        let tls = Tls::choose(mode.as_deref(), root, local)?;
        Ok(Server { side, config, application: "his".to_owned(), options: SESSION, tls, wants })
    }

    /// The same server, its sessions named `program` in `pg_stat_activity`.
    #[must_use]
    pub fn named(mut self, program: &str) -> Server {
        program.clone_into(&mut self.application);
        self
    }

    /// The same server, its sessions without settings of ours: as the HIS's own clients find it.
    #[must_use]
    pub fn unset(mut self) -> Server {
        self.options = "";
        self
    }

    /// The same server for another role, whose password only the password file can give.
    #[must_use]
    pub fn logging_in_as(mut self, role: &str) -> Server {
        let mut config = Config::new();
        for host in self.config.get_hosts() {
            match host {
                Host::Tcp(name) => config.host(name),
                Host::Unix(path) => config.host_path(path),
            };
        }
        for address in self.config.get_hostaddrs() {
            config.hostaddr(*address);
        }
        for port in self.config.get_ports() {
            config.port(*port);
        }
        config.dbname(self.database()).user(role);
        self.config = config;
        self
    }

    /// True when the URL or the password file has a password for this role.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
            || pgpass::lookup(&self.host(), self.port(), self.database(), self.user()).is_some()
    }

    #[must_use]
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_default()
    }

    #[must_use]
    pub fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// Host name, or directory of the Unix socket; of several with commas between.
    #[must_use]
    pub fn host(&self) -> String {
        self.config.get_hosts().iter().map(name_of).collect::<Vec<_>>().join(",")
    }

    /// The port, of several hosts the first one's.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.config.get_ports().first().copied().unwrap_or(5432)
    }

    /// Where it is: `db2:5432`, of several hosts with commas between.
    #[must_use]
    pub fn place(&self) -> String {
        self.hosts().iter().map(place_of).collect::<Vec<_>>().join(",")
    }

    /// The same at one place.
    pub(super) fn at(&self, config: Config) -> Server {
        Server { config, wants: Wants::Any, ..self.clone() }
    }

    /// Who logs in, and into which database.
    pub(super) fn config_without_place(&self) -> Config {
        let mut config = Config::new();
        config.dbname(self.database()).user(self.user());
        // What else the URL says of every session.
        config.channel_binding(self.config.get_channel_binding()).ssl_negotiation(self.config.get_ssl_negotiation());
        if let Some(limit) = self.config.get_tcp_user_timeout() {
            config.tcp_user_timeout(*limit);
        }
        if let Some(interval) = self.config.get_keepalives_interval() {
            config.keepalives_interval(interval);
        }
        if let Some(retries) = self.config.get_keepalives_retries() {
            config.keepalives_retries(retries);
        }
        if let Some(password) = self.config.get_password() {
            config.password(password);
        }
        config
    }

    /// How messages name it: `standby 'his' at db2:5432`. No user, no password.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} '{}' at {}", self.side, self.database(), self.place())
    }

    /// A session in the profile's database.
    pub fn connect(&self) -> Result<Client> {
        self.connect_to(self.database())
    }

    /// A session in another database of the same server (`postgres` for what concerns all databases).
    pub fn connect_to(&self, database: &str) -> Result<Client> {
        self.connect_within(database, CONNECT_LIMIT)
    }

    /// As [`Server::connect_to`], but a server that has not answered within `limit` is unreachable: a frozen server
    /// accepts the connection and then never says a word, which no setting of the driver bounds.
    pub fn connect_within(&self, database: &str, limit: Duration) -> Result<Client> {
        self.reach(database, limit).map(|(client, _)| client)
    }

    /// A session on one host, and whether that is a replica; not asked where it makes no difference.
    pub(super) fn open(&self, mut config: Config, database: &str, limit: Duration) -> Result<(Client, bool)> {
        config.dbname(database).application_name(&self.application).options(self.options);
        config.connect_timeout(limit).keepalives(true).keepalives_idle(Duration::from_secs(10));
        if config.get_password().is_none()
            && let Some(host) = config.get_hosts().first().map(name_of)
            && let Some(password) = pgpass::lookup(&host, port_of(&config), database, self.user())
        {
            config.password(password);
        }
        let mut client = self.tls.connect(&config).map_err(too_old)?;
        let replica = self.wants != Wants::Any
            && client.query_one("SELECT pg_catalog.pg_is_in_recovery()", &[]).cannot("ask a host what it is")?.get(0);
        Ok((client, replica))
    }

    /// True when a session in `database` can be had now and answers a query.
    #[must_use]
    pub fn answers(&self, database: &str) -> bool {
        let server = self.clone();
        let database = database.to_owned();
        let limit = Duration::from_secs(2);
        within(limit, move || {
            server.connect_within(&database, limit).is_ok_and(|mut c| c.simple_query("SELECT").is_ok())
        })
        .unwrap_or(false)
    }

    /// When the certificate that this server shows expires, of several hosts the first to expire; `None` when it is reached
    /// without TLS.
    pub fn certificate_ends(&self) -> Result<Option<DateTime<Utc>>> {
        let mut first = None;
        for host in self.hosts() {
            let name = host.get_hosts().first().map(name_of).unwrap_or_default();
            let ends = certificate::ends(&self.tls, &name, port_of(&host), Duration::from_secs(3));
            let doing = || format!("look at the certificate of the {} at {}", self.side, place_of(&host));
            let ends = ends.map_err(|reason| Error::unreachable(doing(), reason))?;
            first = first.into_iter().chain(ends).min();
        }
        Ok(first)
    }

    /// Variables under which `pg_dump` and its kind reach `database` of this server; the password goes this way, not by argument.
    #[must_use]
    pub fn libpq_environment(&self, database: &str) -> Vec<(String, String)> {
        let mut env = vec![
            ("PGHOST".to_owned(), self.host()),
            ("PGPORT".to_owned(), self.hosts().iter().map(|c| port_of(c).to_string()).collect::<Vec<_>>().join(",")),
            ("PGUSER".to_owned(), self.user().to_owned()),
            ("PGDATABASE".to_owned(), database.to_owned()),
            ("PGAPPNAME".to_owned(), self.application.clone()),
            ("PGCONNECT_TIMEOUT".to_owned(), CONNECT_LIMIT.as_secs().to_string()),
            ("PGSSLMODE".to_owned(), self.tls.libpq().0.to_owned()),
            ("PGOPTIONS".to_owned(), "-c default_transaction_read_only=off".to_owned()),
        ];
        // Of one host it was asked already, and libpq before 14 knows only some of the words.
        if self.config.get_hosts().len() > 1 {
            env.push(("PGTARGETSESSIONATTRS".to_owned(), self.wants.libpq().to_owned()));
        }
        env.extend(self.tls.libpq().1.map(|root| ("PGSSLROOTCERT".to_owned(), root.to_owned())));
        let password = self
            .config
            .get_password()
            .map(|p| String::from_utf8_lossy(p).into_owned())
            // Of several hosts each may have its own; libpq reads the same file.
            .or_else(|| pgpass::lookup(&self.host(), self.port(), database, self.user()));
        env.extend(password.map(|p| ("PGPASSWORD".to_owned(), p)));
        env
    }
}

/// PostgreSQL 13 and older do not know a setting of our sessions, and much else that is needed.
fn too_old(error: Error) -> Error {
    if !error.reason().contains("\"idle_session_timeout\"") {
        return error;
    }
    Error::refused(
        "open a session",
        format!("the server is older than PostgreSQL {OLDEST} (it does not know idle_session_timeout)"),
    )
    .hint(format!(
        "PostgreSQL {OLDEST} and newer are worked with; upgrade that server, or point the URL at another one."
    ))
}

/// Runs `work` in a thread of its own and waits at most `limit` for it. `None`: no answer; the thread is left behind,
/// because nothing can end a call into a server that has stopped answering.
pub fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(work()));
    receive.recv_timeout(limit).ok()
}

/// Splits a libpq parameter off that the driver does not know in all its values.
pub(super) fn take_parameter(text: &str, name: &str) -> (String, Option<String>) {
    let label = format!("{name}=");
    let Some(start) = text.find(&label) else {
        return (text.to_owned(), None);
    };
    let end = text[start..].find(['&', ' ']).map_or(text.len(), |n| start + n);
    let value = text[start + label.len()..end].to_owned();
    let mut rest = text.to_owned();
    rest.replace_range(start..end, "");
    let rest = rest.replace("?&", "?").replace("&&", "&");
    (rest.trim_end_matches(['?', '&', ' ']).to_owned(), Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    #[test]
    fn what_a_url_says_of_every_session_holds_for_each_of_its_hosts() {
        let url = "postgresql://u@a,b/d?tcp_user_timeout=5000&keepalives_interval=3&keepalives_retries=2&channel_binding=require";
        for host in Server::parse(Side::Primary, url).expect("a URL").each() {
            let config = &host.config;
            assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(5)));
            assert_eq!(config.get_keepalives_interval(), Some(Duration::from_secs(3)));
            assert_eq!(config.get_keepalives_retries(), Some(2));
            assert_eq!(config.get_channel_binding(), tokio_postgres::config::ChannelBinding::Require);
        }
    }

    #[test]
    fn a_parameter_is_taken_out_wherever_it_stands() {
        let taken = |text| take_parameter(text, "sslmode");
        assert_eq!(
            taken("postgresql://u@h/d?sslmode=verify-full"),
            ("postgresql://u@h/d".into(), Some("verify-full".into()))
        );
        assert_eq!(
            taken("postgresql://u@h/d?sslmode=disable&port=1"),
            ("postgresql://u@h/d?port=1".into(), Some("disable".into()))
        );
        assert_eq!(taken("host=h dbname=d"), ("host=h dbname=d".into(), None));
    }

    #[test]
    fn a_url_with_two_hosts_is_of_a_primary_that_fails_over_and_of_no_standby() {
        let error = Server::parse(Side::Standby, "postgresql://u@a,b/d").err().expect("two hosts");
        assert_eq!(error.exit(), Exit::Usage);
        let server = |text: &str| Server::parse(Side::Primary, text).expect("a URL");
        let two = server("postgresql://u@a:5432,b:5433/d?target_session_attrs=read-write&sslmode=disable");
        assert_eq!((two.shown().as_str(), two.wants), ("primary 'd' at a:5432,b:5433", Wants::Primary));
        assert_eq!(server("host=a,b port=5,6 user=u dbname=d").place(), "a:5,b:6");
        assert_eq!(server("postgresql://u@a,b/d").wants, Wants::Primary);
        assert_eq!(server("postgresql://u@a/d?target_session_attrs=prefer-standby").wants, Wants::ReplicaFirst);
        let error = Server::parse(Side::Primary, "postgresql://u@a/d?target_session_attrs=x").err().expect("x");
        assert_eq!(error.exit(), Exit::Usage);
    }

    #[test]
    fn a_mode_that_does_not_verify_the_server_is_refused() {
        let error = Server::parse(Side::Primary, "postgresql://u@a/d?sslmode=require").err().expect("require");
        assert_eq!(error.exit(), Exit::Usage);
    }
}

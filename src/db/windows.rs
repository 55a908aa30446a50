//! The windows' own connection string: several hosts, and the first of them that takes writes. While the standby is closed
//! it is read-only and stepped over; once it is open every new connection lands on it (design, section 7).

use super::connect::within;
use super::pgpass;
use super::session::Client;
use super::tls::Tls;
use crate::error::{Error, Result};
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, TargetSessionAttrs};

/// Where a window finds its database.
#[derive(Clone)]
pub struct Windows {
    /// One for each host, in the order of the string.
    hosts: Vec<(String, Config, Tls)>,
}

/// A host that says nothing in this time is passed over. A server that was frozen accepts the connection and is then
/// silent, which no setting of the driver bounds.
const HOST_LIMIT: Duration = Duration::from_millis(2500);

const SESSION: &str = "-c search_path=pg_catalog -c jit=off -c client_min_messages=warning -c lock_timeout=10000";

impl Windows {
    /// `url` as [`super::Server::parse`] takes it, with one or more hosts.
    pub fn parse(url: &str) -> Result<Windows> {
        let doing = "read the URL of the windows";
        let text = match url.strip_prefix("env:") {
            Some(name) => std::env::var(name).map_err(|_| {
                Error::usage(doing, format!("the environment variable '{name}' is not set")).hint(format!(
                    "export {name}='host=standby,primary port=5432,5432 dbname=his user=his_app target_session_attrs=read-write'."
                ))
            })?,
            None => url.to_owned(),
        };
        let (text, mode) = super::connect::take_parameter(&text, "sslmode");
        let (text, root) = super::connect::take_parameter(&text, "sslrootcert");
        let config: Config = text.parse().map_err(|e: tokio_postgres::Error| {
            let reason = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
            Error::usage(doing, reason).hint("expected host=standby,primary port=5432,5432 dbname=his user=his_app")
        })?;
        if config.get_user().is_none() || config.get_dbname().is_none() || config.get_hosts().is_empty() {
            return Err(Error::usage(doing, "it lacks a host, a user or a database")
                .hint("expected host=standby,primary port=5432,5432 dbname=his user=his_app"));
        }
        let ports = config.get_ports();
        let mut hosts = Vec::new();
        for (n, host) in config.get_hosts().iter().enumerate() {
            let port = ports.get(n).or_else(|| ports.first()).copied().unwrap_or(5432);
            let mut one = Config::new();
            let (name, local) = match host {
                Host::Tcp(name) => {
                    one.host(name);
                    (name.clone(), matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"))
                }
                Host::Unix(path) => {
                    one.host_path(path);
                    (path.display().to_string(), true)
                }
            };
            let (user, database) = (config.get_user().unwrap_or_default(), config.get_dbname().unwrap_or_default());
            one.port(port).user(user).dbname(database).options(SESSION);
            one.connect_timeout(HOST_LIMIT).keepalives(true).keepalives_idle(Duration::from_secs(5));
            one.target_session_attrs(TargetSessionAttrs::ReadWrite);
            match config.get_password() {
                Some(password) => {
                    one.password(password);
                }
                None => {
                    if let Some(password) = pgpass::lookup(&name, port, database, user) {
                        one.password(password);
                    }
                }
            }
            hosts.push((format!("{name}:{port}"), one, Tls::choose(mode.as_deref(), root.clone(), local)?));
        }
        Ok(Windows { hosts })
    }

    /// A session on the first host that takes writes, under the name `application`.
    pub fn connect(&self, application: &str) -> Result<Client> {
        let mut reasons = Vec::new();
        for (name, config, tls) in &self.hosts {
            let (mut config, tls) = (config.clone(), tls.clone());
            config.application_name(application);
            match within(HOST_LIMIT, move || tls.connect(&config)) {
                Some(Ok(client)) => return Ok(client),
                Some(Err(e)) => reasons.push(format!("{name}: {}", e.reason())),
                None => reasons.push(format!("{name}: no answer")),
            }
        }
        Err(Error::unreachable("find a database that takes writes", reasons.join("; ")))
    }
}

//! A URL with several hosts: which of them is meant, and which it is now.

use super::connect::{CONNECT_LIMIT, Server};
use super::session::Client;
use crate::error::{Error, Exit, Result};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// Which of several hosts is meant: `target_session_attrs` of the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    Any,
    /// The one that takes writes.
    Primary,
    /// One in recovery.
    Replica,
    /// One in recovery, else any.
    ReplicaFirst,
}

impl Wants {
    /// Several hosts without a word are those of a primary that fails over.
    pub fn of(text: Option<&str>, several: bool) -> Option<Wants> {
        match text {
            None if several => Some(Wants::Primary),
            None | Some("any") => Some(Wants::Any),
            Some("read-write" | "primary") => Some(Wants::Primary),
            Some("read-only" | "standby") => Some(Wants::Replica),
            Some("prefer-standby") => Some(Wants::ReplicaFirst),
            Some(_) => None,
        }
    }

    /// As libpq's programs take it.
    pub fn libpq(self) -> &'static str {
        match self {
            Wants::Any => "any",
            Wants::Primary => "read-write",
            Wants::Replica => "standby",
            Wants::ReplicaFirst => "prefer-standby",
        }
    }
}

/// How long a host that has not answered yet is waited for once another one that fits has: two that both take writes are
/// not to be told apart by who was faster.
const OTHERS: Duration = Duration::from_millis(300);

impl Server {
    /// Each host by itself, in the order of the URL.
    pub(super) fn hosts(&self) -> Vec<Config> {
        let all = self.config.get_hosts().iter().enumerate();
        let one = |(n, host): (usize, &Host)| {
            let mut config = self.config_without_place();
            match host {
                Host::Tcp(name) => config.host(name),
                Host::Unix(path) => config.host_path(path),
            };
            let ports = self.config.get_ports();
            config.port(ports.get(n).or(ports.first()).copied().unwrap_or(5432));
            if let Some(address) = self.config.get_hostaddrs().get(n) {
                config.hostaddr(*address);
            }
            config
        };
        all.map(one).collect()
    }

    /// Each host as a server by itself.
    #[must_use]
    pub fn each(&self) -> Vec<Server> {
        self.hosts().into_iter().map(|config| self.at(config)).collect()
    }

    /// The same server, of several hosts the one that fits now and no other: for sessions that must all be of one server.
    pub fn pinned(&self) -> Result<Server> {
        let hosts = self.hosts();
        if hosts.len() == 1 && self.wants == Wants::Any {
            return Ok(self.clone());
        }
        let (_, at) = self.reach(self.database(), CONNECT_LIMIT)?;
        Ok(self.at(hosts[at].clone()))
    }

    /// A session, and on which of the hosts.
    ///
    /// All are asked at once: a frozen host must not use up the time in which another could answer. Two that both take
    /// writes are a split that nobody here can mend, and are refused.
    pub(super) fn reach(&self, database: &str, limit: Duration) -> Result<(Client, usize)> {
        let doing = || format!("connect to the {} '{database}' at {}", self.side, self.place());
        let hosts = self.hosts();
        let (send, receive) = mpsc::channel();
        for (n, host) in hosts.iter().enumerate() {
            let (send, host, server, database) = (send.clone(), host.clone(), self.clone(), database.to_owned());
            std::thread::spawn(move || {
                // Whoever asked may have found another host meanwhile.
                let _ = send.send((n, server.open(host, &database, limit)));
            });
        }
        drop(send);
        let started = Instant::now();
        let mut fits: Vec<(Client, usize)> = Vec::new();
        let mut second: Vec<(Client, usize)> = Vec::new();
        let mut refused: Vec<(usize, Error)> = Vec::new();
        let mut patience = limit;
        while fits.len() + second.len() + refused.len() < hosts.len() {
            let Ok((n, answer)) = receive.recv_timeout(patience.saturating_sub(started.elapsed())) else { break };
            match answer {
                Ok((client, replica)) => match (self.wants, replica) {
                    (Wants::Any, _) | (Wants::Primary, false) | (Wants::Replica | Wants::ReplicaFirst, true) => {
                        fits.push((client, n));
                        patience = patience.min(started.elapsed() + OTHERS);
                    }
                    (Wants::ReplicaFirst, false) => second.push((client, n)),
                    (_, replica) => refused.push((n, Error::unreachable(doing(), unfit(replica)))),
                },
                Err(e) => refused.push((n, e)),
            }
        }
        if self.wants == Wants::Primary && fits.len() > 1 {
            let names: Vec<String> = fits.iter().map(|(_, n)| place_of(&hosts[*n])).collect();
            return Err(Error::refused(doing(), format!("{} both take writes", names.join(" and "))).hint(
                "two primaries have gone apart: stop the one that is not the primary any more before anything else is done.",
            ));
        }
        fits.extend(second);
        // Which host fitted first is chance; the order of the URL is not.
        if let Some(best) = (0..fits.len()).min_by_key(|i| fits[*i].1) {
            return Ok(fits.swap_remove(best));
        }
        let error = none_of(&hosts, refused, limit).restated(doing());
        // A version that we do not work with does not become one by trying again.
        let exit = if error.exit() == Exit::Refused { Exit::Refused } else { Exit::Unreachable };
        Err(error.with_exit(exit))
    }
}

pub(super) fn name_of(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}

pub(super) fn port_of(host: &Config) -> u16 {
    host.get_ports().first().copied().unwrap_or(5432)
}

pub(super) fn place_of(host: &Config) -> String {
    format!("{}:{}", host.get_hosts().first().map(name_of).unwrap_or_default(), port_of(host))
}

fn unfit(replica: bool) -> &'static str {
    if replica { "it is a replica in recovery, which takes no writes" } else { "it is no replica" }
}

/// Why none of the hosts will do. One that turns us away is named last, where it is looked for: it is there.
fn none_of(hosts: &[Config], mut refused: Vec<(usize, Error)>, limit: Duration) -> Error {
    let silent = || Error::unreachable("connect", format!("no answer within {} s", limit.as_secs_f32()));
    for n in 0..hosts.len() {
        if !refused.iter().any(|(of, _)| *of == n) {
            refused.push((n, silent()));
        }
    }
    if let [_] = hosts {
        return refused.pop().map_or_else(silent, |(_, e)| e);
    }
    let turns_away = |e: &Error| {
        let text = e.reason();
        text.rsplit_once("(SQLSTATE ")
            .is_some_and(|(_, state)| !["57P", "08", "3D000"].iter().any(|s| state.starts_with(s)))
    };
    refused.sort_by_key(|(n, e)| (turns_away(e), *n));
    let reasons: Vec<String> =
        refused.iter().map(|(n, e)| format!("{}: {}", place_of(&hosts[*n]), e.reason())).collect();
    let reason = Error::unreachable("connect", reasons.join("; "));
    match refused.pop() {
        Some((_, last)) if !last.hint_text().is_empty() => reason.hint(last.hint_text().to_owned()),
        _ => reason,
    }
}

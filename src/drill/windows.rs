//! Simulated windows: each acts again and again in a fresh session of a real client, knowing one connection string for life.
//!
//! A client that is in the middle of an act when its server freezes waits for an answer without end, as a window's own
//! program does: then people close and reopen it, and so does the drill.

use crate::db::programs;
use crate::error::Result;
use chrono::{DateTime, Utc};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One act that a window saw committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    pub at: DateTime<Utc>,
    /// Of the server that did it.
    pub port: u16,
}

/// Windows at work; they stop when this is dropped.
pub struct Windows {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Committed>>>,
    threads: Vec<JoinHandle<()>>,
    clients: Arc<Clients>,
}

/// The client program that each window has open now, by a handle that cannot come to mean another process.
struct Clients(Mutex<Vec<Option<OwnedFd>>>);

impl Clients {
    fn set(&self, window: usize, client: Option<OwnedFd>) {
        if let Some(slot) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(window) {
            *slot = client;
        }
    }

    fn close(&self) {
        for client in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten() {
            // One that has ended by itself need not be closed.
            let _ = pidfd_send_signal(client, Signal::KILL);
        }
    }
}

impl Windows {
    /// Opens `count` windows that run the files of `workload` in turn.
    pub fn open(string: &str, workload: &[PathBuf], count: usize) -> Result<Windows> {
        let psql = programs::find("psql")?;
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let clients = Arc::new(Clients(Mutex::new((0..count).map(|_| None).collect())));
        let threads = (0..count)
            .filter(|_| !workload.is_empty())
            .map(|window| {
                let (psql, string, workload) = (psql.clone(), string.to_owned(), workload.to_vec());
                let (stop, seen, clients) = (Arc::clone(&stop), Arc::clone(&seen), Arc::clone(&clients));
                std::thread::spawn(move || {
                    let mut turn = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let file = &workload[(window + turn) % workload.len()];
                        turn += 1;
                        match act(&psql, &string, file, window, turn, &clients) {
                            Some(port) => {
                                let done = Committed { at: Utc::now(), port };
                                seen.lock().unwrap_or_else(PoisonError::into_inner).push(done);
                            }
                            None => std::thread::sleep(Duration::from_millis(200)),
                        }
                    }
                })
            })
            .collect();
        Ok(Windows { stop, seen, threads, clients })
    }

    /// Closes every client program where it is; each window opens a new one. What it was about is asked of nobody.
    pub fn reopen(&self) {
        self.clients.close();
    }

    /// What was committed so far.
    pub fn seen(&self) -> Vec<Committed> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for an act on the server with this port after a moment; `None` when none came within `limit`, or nobody works.
    pub fn wait_for(&self, port: u16, after: DateTime<Utc>, limit: Duration) -> Option<Committed> {
        let began = Instant::now();
        while !self.threads.is_empty() && began.elapsed() < limit {
            if let Some(found) = self.seen().into_iter().find(|c| c.port == port && c.at > after) {
                return Some(found);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// Lets each finish what it is doing.
    pub fn close(mut self) -> Vec<Committed> {
        self.stop.store(true, Ordering::Relaxed);
        self.join();
        self.seen()
    }

    fn join(&mut self) {
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Windows {
    /// A drill that broke off leaves its servers as they are, and a frozen one would never let a client finish.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.close();
        self.join();
    }
}

/// One act; the port of the server that committed it.
fn act(psql: &Path, string: &str, file: &Path, window: usize, turn: usize, clients: &Clients) -> Option<u16> {
    let seed = window * 1_000_003 + turn;
    let client = Command::new(psql)
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", string])
        .args(["-v", &format!("client_id={window}"), "-v", &format!("random_seed={seed}")])
        .args(["-c", "SELECT current_setting('port')", "-f"])
        .arg(file)
        .env("PGAPPNAME", format!("drill window {window}"))
        .env("PGOPTIONS", "-c client_min_messages=error")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let process = i32::try_from(client.id()).ok().and_then(Pid::from_raw);
    clients.set(window, process.and_then(|p| pidfd_open(p, PidfdFlags::empty()).ok()));
    let output = client.wait_with_output();
    clients.set(window, None);
    let output = output.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let idle = text.lines().skip(1).any(|line| line.trim() == "none");
    if output.status.success() && !idle { text.lines().next()?.trim().parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::sync::mpsc;

    #[test]
    fn windows_that_wait_for_a_silent_server_are_closed_with_the_drill_that_broke_off() {
        // Connections are taken by the kernel, and nobody ever answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        let string = format!("host=127.0.0.1 port={port} user=nobody dbname=none sslmode=disable");
        let windows = Windows::open(&string, &[PathBuf::from("/dev/null")], 2).unwrap();
        let both = || windows.clients.0.lock().unwrap().iter().flatten().count() == 2;
        while !both() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let (done, wait) = mpsc::channel();
        std::thread::spawn(move || {
            drop(windows);
            done.send(()).unwrap();
        });
        wait.recv_timeout(Duration::from_secs(30)).expect("nobody waits for a client that waits for ever");
    }
}

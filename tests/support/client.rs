//! Windows: clients that work all day with one connection string, each a real `psql`, and a log of every attempt.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::session::Session;
use super::wait_until;

/// The one connection string of the windows, on sockets: the standby, and the primary when it is closed.
pub fn standby_first(standby: &Cluster, primary: &Cluster, role: &str, db: &str) -> String {
    let place = |cluster: &Cluster| (cluster.socket_dir().to_string_lossy().into_owned(), cluster.port());
    multi_host(&[place(standby), place(primary)], role, db)
}

/// The same for any hosts and ports, proxies for example.
pub fn multi_host(hosts: &[(String, u16)], role: &str, db: &str) -> String {
    let names: Vec<&str> = hosts.iter().map(|(host, _)| host.as_str()).collect();
    let ports: Vec<String> = hosts.iter().map(|(_, port)| port.to_string()).collect();
    format!(
        "host={} port={} user={role} dbname={db} target_session_attrs=read-write connect_timeout=2 application_name=window",
        names.join(","),
        ports.join(",")
    )
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server confirmed the commit.
    Committed,
    /// Nothing was committed.
    Failed,
    /// The connection broke between the work and the answer to the commit: it may be there or not.
    Unknown,
    /// No answer within the limit; the client gave up and does not know.
    Stuck,
}

/// One transaction that a window tried.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The window, from 0; `:client` in the SQL.
    pub client: usize,
    /// The window's transactions are counted from 0; `:turn` in the SQL.
    pub turn: u64,
    /// Which of the window's connections it was, from 0.
    pub session: u64,
    /// Both since the windows opened.
    pub began: Duration,
    pub ended: Duration,
    pub outcome: Outcome,
    /// The port of the server that did the work, so the kind of the cluster.
    pub port: Option<u16>,
    /// The lines that the SQL printed.
    pub output: Vec<String>,
    pub stderr: String,
}

/// Windows that are about to open.
#[derive(Clone, Debug)]
pub struct Windows {
    conninfo: String,
    sql: String,
    clients: usize,
    persistent: bool,
    wrap: bool,
    pause: Duration,
    limit: Duration,
}

impl Windows {
    /// Ten windows that each run this SQL as one transaction again and again, each time in a `psql` of its own. The SQL
    /// may use `:client` and `:turn`, and needs no BEGIN and COMMIT.
    pub fn new(conninfo: &str, sql: &str) -> Self {
        let (conninfo, sql) = (conninfo.to_owned(), sql.trim_end().trim_end_matches(';').to_owned());
        let (pause, limit) = (Duration::from_millis(20), Duration::from_secs(20));
        Self { conninfo, sql, clients: 10, persistent: false, wrap: true, pause, limit }
    }

    /// So many windows.
    pub fn clients(mut self, clients: usize) -> Self {
        self.clients = clients;
        self
    }

    /// Each window keeps one `psql` open, and starts another only when its connection breaks.
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    /// The SQL is a script with its own BEGIN and COMMIT (or single statements); it is left at the first error.
    pub fn script(mut self) -> Self {
        self.wrap = false;
        self
    }

    /// The time between two transactions of a window.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// How long a window waits for an answer before it gives up.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Opens the windows: they work until they are closed.
    pub fn open(self) -> OpenWindows {
        let shared = Arc::new(Shared { began: Instant::now(), log: Mutex::default(), closing: AtomicBool::new(false) });
        let clients = self.clients;
        let window = |client| {
            let (plan, shared) = (self.clone(), Arc::clone(&shared));
            thread::spawn(move || plan.work(client, &shared))
        };
        let threads = (0..clients).map(window).collect();
        OpenWindows { shared, clients, threads }
    }

    fn work(&self, client: usize, shared: &Shared) {
        let mut session: Option<Session> = None;
        let mut sessions = 0;
        for turn in 0.. {
            if shared.closing.load(Ordering::Relaxed) {
                break;
            }
            let began = shared.began.elapsed();
            let mut open = session.take().unwrap_or_else(|| {
                sessions += 1;
                Session::open(&self.conninfo, client, self.wrap)
            });
            let answer = open.transact(&self.script_of(turn), !self.persistent, self.limit);
            if answer.goes_on {
                session = Some(open);
            }
            let attempt = Attempt {
                client,
                turn,
                session: sessions - 1,
                began,
                ended: shared.began.elapsed(),
                outcome: answer.outcome,
                port: answer.port,
                output: answer.output,
                stderr: answer.stderr,
            };
            shared.log().push(attempt);
            thread::sleep(self.pause);
        }
    }

    /// The work, then the side on which it was done (in the same transaction), and a mark when the commit is answered.
    fn script_of(&self, turn: u64) -> String {
        let side = "SELECT '@side ' || pg_catalog.current_setting('port')";
        let sql = &self.sql;
        if self.wrap {
            format!("\\set turn {turn}\nBEGIN;\n{sql};\n{side};\nCOMMIT;\n\\echo @done :ERROR\n")
        } else {
            format!("\\set turn {turn}\n{side};\n{sql};\n\\echo @done :ERROR\n")
        }
    }
}

/// Windows at work; when dropped, they are closed.
#[derive(Debug)]
pub struct OpenWindows {
    shared: Arc<Shared>,
    clients: usize,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    log: Mutex<Vec<Attempt>>,
    closing: AtomicBool,
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Vec<Attempt>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenWindows {
    /// The time since they opened, on the clock of `Attempt`.
    pub fn elapsed(&self) -> Duration {
        self.shared.began.elapsed()
    }

    /// The attempts that have ended up to now, in the order in which they ended.
    pub fn log(&self) -> Vec<Attempt> {
        self.shared.log().clone()
    }

    /// How many commits a server has confirmed up to now.
    pub fn committed_on(&self, cluster: &Cluster) -> usize {
        self.count(cluster, 0)
    }

    /// Waits until a server has confirmed this many commits more.
    pub fn wait_for_commits(&self, cluster: &Cluster, commits: usize) {
        let from = self.shared.log().len();
        let what = format!("{commits} commits of windows on the {}", cluster.kind().name());
        wait_until(&what, Duration::from_secs(60), || self.count(cluster, from) >= commits);
    }

    /// Waits until each window has begun a transaction after this call and committed it on this server.
    pub fn wait_for_every_client(&self, cluster: &Cluster) {
        let now = self.elapsed();
        let what = format!("every window commits on the {}", cluster.kind().name());
        wait_until(&what, Duration::from_secs(60), || {
            let log = self.shared.log();
            let there = |client| log.iter().any(|a| a.client == client && a.began >= now && a.is_commit_on(cluster));
            (0..self.clients).all(there)
        });
    }

    /// Lets every window end the transaction it is in, and gives the whole log.
    pub fn close(mut self) -> Vec<Attempt> {
        self.end();
        std::mem::take(&mut *self.shared.log())
    }

    fn count(&self, cluster: &Cluster, from: usize) -> usize {
        self.shared.log()[from..].iter().filter(|attempt| attempt.is_commit_on(cluster)).count()
    }

    fn end(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                eprintln!("a window panicked");
            }
        }
    }
}

impl Drop for OpenWindows {
    fn drop(&mut self) {
        self.end();
    }
}

impl Attempt {
    /// Whether it was committed on this server for certain.
    pub fn is_commit_on(&self, cluster: &Cluster) -> bool {
        self.outcome == Outcome::Committed && self.port == Some(cluster.port())
    }
}

//! A real PgBouncer in front of a primary and a standby, on a Unix socket in a place of its own, as a hospital has one
//! for windows that cannot find the open side themselves.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use his_emergency::db::Client;
use rustix::process::{Pid, Signal, kill_process};

use super::place::Place;
use super::sql::{text_rows, url};
use super::workplace::{DB, Workplace};
use super::{server, wait_until};

/// That of the sample.
const PORT: u16 = 6432;
/// The role of `admin` in the profile.
const CONSOLE: &str = "his_console";
const PATIENCE: Duration = Duration::from_secs(20);

/// A PgBouncer; when dropped, it is killed.
#[derive(Debug)]
pub struct PgBouncer {
    child: Mutex<Option<Child>>,
    place: Place, // the last field: removed when the process is gone
}

impl PgBouncer {
    /// One for the two servers of this workplace, set up as the sample says: the profile names it from now on, with these
    /// `[[table]]` and `[[numbers]]`, and it leads where the windows belong. `pool_mode` is `session` or `transaction`.
    pub fn start(work: &mut Workplace, tables: &str, pool_mode: &str) -> Self {
        Self::start_with(work, tables, &[("pool_mode", pool_mode)])
    }

    /// The same with settings of pgbouncer.ini.
    pub fn start_with(work: &mut Workplace, tables: &str, settings: &[(&str, &str)]) -> Self {
        let bouncer = Self::without(settings);
        let tables = bouncer.profile() + tables;
        work.edit(|profile| {
            profile.set("endpoint", "kind", "\"pgbouncer\"").tables(&tables);
        });
        // Its file is not there yet, and it does not start without.
        work.run("his-switch", &["endpoint", "-q"]).expect(3);
        bouncer.start_again();
        bouncer
    }

    /// Set up, named by no profile, and not started.
    pub fn without(settings: &[(&str, &str)]) -> Self {
        let place = Place::new("bouncer");
        let bouncer = Self { child: Mutex::new(None), place };
        fs::create_dir(bouncer.socket_dir()).expect("the place is new");
        server::hand_over(&bouncer.socket_dir());
        let users = bouncer.place.path().join("users.txt");
        fs::write(&users, format!("\"postgres\" \"\"\n\"his_app\" \"\"\n\"{CONSOLE}\" \"\"\n")).expect("written");
        let (sockets, users) = (bouncer.socket_dir().display().to_string(), users.display().to_string());
        let ours = [
            ("listen_addr", ""),
            ("unix_socket_dir", &sockets),
            ("auth_type", "trust"),
            ("auth_file", &users),
            ("admin_users", CONSOLE),
        ];
        // Of two lines with the same key the later one counts.
        let lines: String = ours.iter().chain(settings).map(|(k, v)| [k, " = ", v, "\n"].concat()).collect();
        // What hospitals copy is what is tried here.
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/pgbouncer/pgbouncer.ini");
        let sample = fs::read_to_string(sample).expect("the sample");
        let (sample, _) = sample.split_once("%include ").expect("it includes the file of his-switch");
        let text = format!("{sample}\n{lines}%include {}\n", bouncer.file().display());
        fs::write(bouncer.place.path().join("pgbouncer.ini"), text).expect("written");
        bouncer
    }

    /// What a profile says of it.
    pub fn profile(&self) -> String {
        format!("[[pgbouncer]]\nfile = \"{}\"\nadmin = \"{}\"\n", self.file().display(), self.admin())
    }

    /// The URL of its admin console.
    pub fn admin(&self) -> String {
        url(&self.socket_dir().to_string_lossy(), PORT, CONSOLE, "pgbouncer")
    }

    /// The file that his-switch writes.
    pub fn file(&self) -> PathBuf {
        self.place.path().join("his-target.ini")
    }

    /// The connection string of a role; `his_app` for windows.
    pub fn string(&self, role: &str) -> String {
        let socket_dir = self.socket_dir();
        format!("host={} port={PORT} user={role} dbname={DB} connect_timeout=10", socket_dir.display())
    }

    /// A window that keeps its session.
    pub fn window(&self) -> Client {
        Client::plain(&self.string("his_app")).unwrap_or_else(|e| panic!("{e:?}\n{}", self.log()))
    }

    /// Starts it, and waits until its console answers.
    pub fn start_again(&self) {
        assert!(!self.running(), "it runs");
        let log = File::options().create(true).append(true).open(self.log_file()).expect("the log can be written");
        // Where Debian has it; ordinary users have no such folder on PATH.
        let debian = "/usr/sbin/pgbouncer";
        let program = if fs::exists(debian).unwrap_or(false) { debian } else { "pgbouncer" };
        let mut command = server::as_servers_user(program.as_ref());
        command.process_group(0);
        command.arg(self.place.path().join("pgbouncer.ini")).current_dir(self.place.path());
        command.stdout(log.try_clone().expect("a file can be opened twice")).stderr(log);
        *self.child() = Some(server::spawn(command).expect("setpriv (util-linux) can be started"));
        wait_until("PgBouncer answers", PATIENCE, || {
            assert!(self.running(), "PgBouncer did not start (`make deps` installs it)\n{}", self.log());
            Client::plain(&self.admin()).is_ok()
        });
    }

    /// Kills it.
    pub fn stop(&self) {
        self.signal(Signal::KILL);
        wait_until("PgBouncer ends", PATIENCE, || !self.running());
        *self.child() = None;
    }

    /// Stops it where it is: it keeps its connections and answers nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after `freeze`.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// A command of its console; gives the rows as text, columns joined by `|`.
    pub fn tell(&self, command: &str) -> Vec<String> {
        let mut console = Client::plain(&self.admin()).expect("its console answers");
        text_rows(&console.simple_query(command).unwrap_or_else(|e| panic!("{command}: {e:?}")))
    }

    /// The port of the server that it leads windows to, so the kind of the cluster.
    pub fn leads_to(&self) -> u16 {
        let rows = self.tell("SHOW DATABASES");
        let row = rows.iter().find(|r| r.starts_with(&format!("{DB}|"))).unwrap_or_else(|| panic!("{rows:?}"));
        row.split('|').nth(2).and_then(|port| port.parse().ok()).expect("a port")
    }

    /// What it has written to its log up to now.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn running(&self) -> bool {
        self.child().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, signal: Signal) {
        let process = self.child().as_ref().map(Pid::from_child).expect("it was started");
        kill_process(process, signal).expect("it runs");
    }

    fn socket_dir(&self) -> PathBuf {
        self.place.path().join("s")
    }

    fn log_file(&self) -> PathBuf {
        self.place.path().join("log")
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child().take() {
            // SIGKILL ends a frozen one too.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

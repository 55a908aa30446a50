//! What the windows feel: how soon each works again after the command, and what capture costs them.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use his_emergency::db::Client;
use tokio_postgres::SimpleQueryMessage;

use crate::figures::{Compared, Run};
use crate::ground::{Ground, LIMIT, samples};
use crate::support::Program;
use crate::support::bouncer::PgBouncer;
use crate::support::client::standby_first;
use crate::support::server::bin;
use crate::support::workplace::DB;

const WINDOW: &str = "his_app";
const WINDOWS: usize = 200;
/// Between two attempts of a window that has lost its database, and between two acts of one that works.
const RETRY: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_secs(1);
/// A window that is not back by then is not coming.
const LOST: Duration = Duration::from_secs(60);

/// With the connection string that tries the standby first: the first commit of each window beside one second, and its first
/// registration beside what it takes without any switch, when the windows are cut off from a server that stays.
pub fn switch(ground: &Ground, runs: usize) -> [Compared; 2] {
    of_switches(ground, runs, &standby_first(&ground.standby, &ground.primary, WINDOW, DB))
}

/// Through a PgBouncer that every move leads, in session pooling.
pub fn switch_by_pgbouncer(ground: &Ground, runs: usize) -> [Compared; 2] {
    let bouncer =
        PgBouncer::without(&[("pool_mode", "session"), ("default_pool_size", "220"), ("max_client_conn", "400")]);
    let profile = ground.work.config();
    let text = fs::read_to_string(&profile).expect("a profile");
    let endpoint = format!("{text}\n[endpoint]\nkind = \"pgbouncer\"\n{}", bouncer.profile());
    fs::write(&profile, endpoint).expect("written");
    // Its file is not there yet, and it does not start without.
    ground.work.run("his-switch", &["endpoint", "-q"]).expect(3);
    bouncer.start_again();
    let compared = of_switches(ground, runs, &bouncer.string(WINDOW));
    fs::write(&profile, text).expect("written");
    compared
}

/// From the command to the first commit and the first registration of each window; the primary is killed before. The 99th of a
/// hundred windows counts.
fn of_switches(ground: &Ground, runs: usize, url: &str) -> [Compared; 2] {
    let mut compared = [Compared::default(), Compared::default()];
    for turn in 0..=runs {
        ground.work.run("his-snapshot", &["--full", "-q"]).expect(0);
        let load = ground.work.program("his-load-standby", &["-q", "--accept-shrink", "--accept-change"]);
        load.limit(LIMIT).run().expect(0);
        ground.settle();
        let cut_off = waits(&ground.primary.url_as(WINDOW, DB), ground.primary.port(), || {
            let all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'his_app'";
            let began = Instant::now();
            ground.primary.rows(DB, all);
            began
        });
        let switched = waits(url, ground.standby.port(), || {
            ground.primary.stop_immediate();
            let began = Instant::now();
            ground.work.run("his-switch", &["standby", "--reason", "bench", "--accept-stale"]).expect(0);
            began
        });
        if turn > 0 {
            let run = |seconds| Run { seconds, memory_kib: 0 };
            compared[0].ours.push(run(of(&switched.committed, 99)));
            compared[0].theirs.push(run(1.0));
            compared[0].notes = vec![format!(
                "first commit of a window: {}; without a switch: {}",
                shown(&switched.committed),
                shown(&cut_off.committed)
            )];
            compared[1].ours.push(run(of(&switched.registered, 99)));
            compared[1].theirs.push(run(of(&cut_off.registered, 99)));
            compared[1].notes = vec![format!(
                "first registration of a window: {}; without a switch: {}",
                shown(&switched.registered),
                shown(&cut_off.registered)
            )];
        }
        ground.primary.start_again();
        // What the windows had done on the primary since the snapshot may hold some of it.
        let back = ground.work.run("his-switch", &["primary"]);
        assert!(matches!(back.code, 0 | 3), "{}", back.shown());
    }
    compared
}

/// How long each window waited, the shortest first.
struct Waits {
    committed: Vec<Duration>,
    registered: Vec<Duration>,
}

fn of(waits: &[Duration], percent: usize) -> f64 {
    waits[(waits.len() * percent).div_ceil(100) - 1].as_secs_f64()
}

fn shown(waits: &[Duration]) -> String {
    format!("p50 {:.2} s, p99 {:.2} s, all {WINDOWS} after {:.2} s", of(waits, 50), of(waits, 99), of(waits, 100))
}

/// What 200 windows feel that are at work, lose their sessions in `cut` (which gives when it began), and then find the server at
/// `port`. A window signs on, which is its first commit, and registers a patient a second.
fn waits(url: &str, port: u16, cut: impl FnOnce() -> Instant) -> Waits {
    let began = Instant::now();
    let stop = AtomicBool::new(false);
    let at_work = AtomicUsize::new(0);
    let windows: Vec<Window> = (0..WINDOWS).map(|n| Window::new(n, began)).collect();
    let mut commanded = began;
    std::thread::scope(|scope| {
        for window in &windows {
            let (stop, at_work) = (&stop, &at_work);
            scope.spawn(move || window.work(url, port, stop, at_work));
        }
        while at_work.load(Ordering::Relaxed) < WINDOWS {
            std::thread::sleep(Duration::from_millis(50));
        }
        windows.iter().for_each(|window| window.cut.store(true, Ordering::Relaxed));
        commanded = cut();
        let limit = Instant::now() + LOST;
        while windows.iter().any(|w| w.registered.load(Ordering::Relaxed) == 0) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(20));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let since =
        |at: &AtomicU64| (began + Duration::from_micros(at.load(Ordering::Relaxed))).checked_duration_since(commanded);
    let sorted = |at: fn(&Window) -> &AtomicU64| {
        let mut waits: Vec<Duration> = windows.iter().map(|w| since(at(w)).unwrap_or(LOST)).collect();
        waits.sort_unstable();
        waits
    };
    Waits { committed: sorted(|w| &w.committed), registered: sorted(|w| &w.registered) }
}

/// A window, and when it first worked again, in microseconds since all began; 0: not yet.
struct Window {
    number: usize,
    began: Instant,
    /// Its session is about to be ended.
    cut: AtomicBool,
    committed: AtomicU64,
    registered: AtomicU64,
}

impl Window {
    fn new(number: usize, began: Instant) -> Window {
        Window {
            number,
            began,
            cut: AtomicBool::new(false),
            committed: AtomicU64::new(0),
            registered: AtomicU64::new(0),
        }
    }

    fn work(&self, url: &str, port: u16, stop: &AtomicBool, at_work: &AtomicUsize) {
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            let after = self.cut.load(Ordering::Relaxed);
            let Some(mut client) = Client::plain(url).ok() else {
                std::thread::sleep(RETRY);
                continue;
            };
            let sign_on = format!(
                "INSERT INTO base.login_log (staff_id, terminal) VALUES (outpatient.window_cashier({0}), 'W{0}')",
                self.number
            );
            let Some(there) = committed(&mut client, &sign_on) else {
                std::thread::sleep(RETRY);
                continue;
            };
            let counts = after && there == port.to_string();
            if counts {
                self.now(&self.committed);
            }
            let mut first = true;
            while !stop.load(Ordering::Relaxed) {
                turn += 1;
                let act =
                    format!("SELECT outpatient.window_register({}, {})", self.number, self.number + turn * WINDOWS);
                if committed(&mut client, &act).is_none() {
                    break;
                }
                if std::mem::take(&mut first) && !after {
                    at_work.fetch_add(1, Ordering::Relaxed);
                }
                if counts {
                    self.now(&self.registered);
                }
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn now(&self, at: &AtomicU64) {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let _ = at.compare_exchange(0, micros, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Does an act, and says at which port it was done. Simple queries, which any pool hands through.
fn committed(client: &mut Client, act: &str) -> Option<String> {
    client.batch_execute(act).ok()?;
    let messages = client.simple_query("SELECT pg_catalog.current_setting('port')").ok()?;
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}

/// Seconds of one act of a window on the open standby, with capture and without.
pub fn capture(ground: &Ground, runs: usize) -> Compared {
    ground.work.run("his-snapshot", &["--full", "-q"]).expect(0);
    let load = ground.work.program("his-load-standby", &["-q", "--accept-shrink", "--accept-change"]);
    load.limit(LIMIT).run().expect(0);
    ground.work.run("his-switch", &["standby", "--reason", "bench", "--accept-stale"]).expect(0);
    let mut compared = Compared::default();
    for turn in 0..=runs {
        let ours = act_of_windows(ground);
        capturing(ground, false);
        let theirs = act_of_windows(ground);
        capturing(ground, true);
        if turn > 0 {
            compared.ours.push(Run { seconds: ours, memory_kib: 0 });
            compared.theirs.push(Run { seconds: theirs, memory_kib: 0 });
            compared.notes = vec![format!("{:.0} acts a second with, {:.0} without", 1.0 / ours, 1.0 / theirs)];
        }
    }
    compared
}

fn act_of_windows(ground: &Ground) -> f64 {
    let script = |name: &str| samples().join("window").join(name).display().to_string();
    let url = ground.standby.url(DB);
    let bench = Program::at(&bin("pgbench"))
        .args(["-n", "-M", "prepared", "-c", "8", "-j", "2", "-T", "10"])
        .args(["-f".to_owned(), script("register.sql") + "@6", "-f".to_owned(), script("charge_order.sql") + "@2"])
        .args(["-f".to_owned(), script("doctor_order.sql") + "@2", url]);
    let ran = bench.limit(LIMIT).run().expect(0);
    let tps = ran.stdout.lines().find_map(|l| l.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
    1.0 / tps.unwrap_or_else(|| panic!("pgbench said no tps: {}", ran.stdout))
}

fn capturing(ground: &Ground, on: bool) {
    let all = if on { "ENABLE ALWAYS" } else { "DISABLE" };
    let mut script = "BEGIN READ WRITE; ALTER EVENT TRIGGER his_emergency_ddl DISABLE;\n".to_owned();
    let triggers = "SELECT format('%I.%I', n.nspname, c.relname), quote_ident(t.tgname) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT t.tgisinternal AND t.tgname LIKE '!his\\_emergency\\_%' AND t.tgname NOT LIKE '%gate%'";
    let found = ground.standby.rows(DB, triggers);
    assert!(!found.is_empty(), "no capture triggers on the open standby");
    for line in found {
        let (table, trigger) = line.split_once('|').expect("two columns");
        script += &format!("ALTER TABLE {table} {all} TRIGGER {trigger};\n");
    }
    script += "ALTER EVENT TRIGGER his_emergency_ddl ENABLE ALWAYS; COMMIT;\n";
    let file = ground.fresh("capturing.sql");
    fs::write(&file, script).expect("written");
    Program::psql(&ground.standby.url(DB)).args([std::path::Path::new("-f"), &file]).limit(LIMIT).run().expect(0);
}

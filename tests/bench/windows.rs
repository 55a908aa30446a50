//! What the windows feel: how soon each works again after the command, and what capture costs them.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

/// With the connection string that tries the standby first.
pub fn switch(ground: &Ground, runs: usize) -> Compared {
    of_switches(ground, runs, &standby_first(&ground.standby, &ground.primary, WINDOW, DB))
}

/// Through a PgBouncer that every move leads, in session pooling.
pub fn switch_by_pgbouncer(ground: &Ground, runs: usize) -> Compared {
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

/// From the command to the first commit of each window; the primary is killed before. The 99th of a hundred windows counts.
fn of_switches(ground: &Ground, runs: usize, url: &str) -> Compared {
    let mut compared = Compared::default();
    for turn in 0..=runs {
        ground.work.run("his-snapshot", &["--full", "-q"]).expect(0);
        let load = ground.work.program("his-load-standby", &["-q", "--accept-shrink", "--accept-change"]);
        load.limit(LIMIT).run().expect(0);
        ground.settle();
        let mut waits = waits(ground, url);
        waits.sort_unstable();
        if turn > 0 {
            let of = |percent: usize| waits[(waits.len() * percent).div_ceil(100) - 1].as_secs_f64();
            compared.ours.push(Run { seconds: of(99), memory_kib: 0 });
            compared.theirs.push(Run { seconds: 1.0, memory_kib: 0 });
            compared.notes =
                vec![format!("p50 {:.2} s, p99 {:.2} s, all {WINDOWS} after {:.2} s", of(50), of(99), of(100))];
        }
        ground.primary.start_again();
        // What the windows had done on the primary since the snapshot may hold some of it.
        let back = ground.work.run("his-switch", &["primary"]);
        assert!(matches!(back.code, 0 | 3), "{}", back.shown());
    }
    compared
}

fn waits(ground: &Ground, url: &str) -> Vec<Duration> {
    let began = Instant::now();
    let (stop, at_work) = (AtomicBool::new(false), AtomicU64::new(0));
    let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    let first: Vec<AtomicU64> = (0..WINDOWS).map(|_| AtomicU64::new(0)).collect();
    let standby = ground.standby.port().to_string();
    let mut commanded = Duration::ZERO;
    std::thread::scope(|scope| {
        for (n, first) in first.iter().enumerate() {
            let (stop, at_work, standby) = (&stop, &at_work, &standby);
            scope.spawn(move || {
                let mut client: Option<Client> = None;
                let (mut working, mut turn) = (false, 0);
                while !stop.load(Ordering::Relaxed) {
                    turn += 1;
                    let act = format!("SELECT outpatient.window_register({n}, {})", n + turn * WINDOWS);
                    // Simple queries, which any pool hands through.
                    let done = match &mut client {
                        Some(client) => client
                            .batch_execute(&act)
                            .and_then(|()| client.simple_query("SELECT pg_catalog.current_setting('port')")),
                        none => {
                            *none = Client::plain(url).ok();
                            if none.is_none() {
                                std::thread::sleep(RETRY);
                            }
                            continue;
                        }
                    };
                    let port = done.as_ref().ok().and_then(|messages| {
                        messages.iter().find_map(|m| match m {
                            SimpleQueryMessage::Row(row) => row.get(0),
                            _ => None,
                        })
                    });
                    if done.is_err() {
                        client = None;
                        std::thread::sleep(RETRY);
                        continue;
                    }
                    if port == Some(standby) && first.load(Ordering::Relaxed) == 0 {
                        first.store(micros(began.elapsed()), Ordering::Relaxed);
                    }
                    if !std::mem::replace(&mut working, true) {
                        at_work.fetch_add(1, Ordering::Relaxed);
                    }
                    std::thread::sleep(PAUSE);
                }
            });
        }
        while at_work.load(Ordering::Relaxed) < WINDOWS as u64 {
            std::thread::sleep(Duration::from_millis(50));
        }
        ground.primary.stop_immediate();
        commanded = began.elapsed();
        ground.work.run("his-switch", &["standby", "--reason", "bench", "--accept-stale"]).expect(0);
        let all_back = || first.iter().all(|f| f.load(Ordering::Relaxed) > 0);
        while !all_back() && began.elapsed() < commanded + Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(20));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let since = |f: &AtomicU64| Duration::from_micros(f.load(Ordering::Relaxed)).checked_sub(commanded);
    first.iter().map(|f| since(f).filter(|d| !d.is_zero()).unwrap_or(Duration::from_secs(60))).collect()
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

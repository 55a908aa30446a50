//! One day of an outpatient department, lived by a window of every driver at once: what each of them saw.
//!
//! All drivers go through the same day, so that two servers and two emergencies serve them all. Who is to land where is
//! judged here, the same for all; what a driver says when something breaks is kept, and judged by the driver's own test.

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use super::department::Department;
use super::window::Window;
use super::{DRIVERS, Driver};
use crate::support::wait_until;
use crate::support::workplace::DB;

/// What the windows saw, by driver; why there is nothing of a driver that is not here.
pub struct Day {
    pub seen: BTreeMap<&'static str, Result<Vec<String>, String>>,
}

/// The day, lived once for all tests.
#[track_caller]
pub fn day() -> &'static Day {
    static DAY: LazyLock<Result<Day, String>> = LazyLock::new(|| {
        catch_unwind(live).map_err(|why| why.downcast_ref::<String>().cloned().unwrap_or_else(|| "it panicked".into()))
    });
    DAY.as_ref().unwrap_or_else(|why| panic!("the day came to no good end: {why}"))
}

struct Stage {
    department: Department,
    windows: Vec<(&'static Driver, Window)>,
    /// A second window of each driver, which waits for a server that stands still.
    stuck: Vec<(&'static Driver, Window)>,
    seen: BTreeMap<&'static str, Vec<String>>,
    /// Who was told that their charge is committed.
    committed: Vec<String>,
}

fn live() -> Day {
    let department = Department::new();
    let (mut ready, mut missing) = (Vec::new(), BTreeMap::new());
    for driver in DRIVERS {
        match (driver.prepare)(&department) {
            Ok(command) => ready.push((driver, command)),
            Err(why) => drop(missing.insert(driver.name, Err(why))),
        }
    }
    let mut stage =
        Stage { department, windows: Vec::new(), stuck: Vec::new(), seen: BTreeMap::new(), committed: Vec::new() };
    for (driver, command) in &ready {
        let (window, versions) = Window::start(driver.name, command());
        stage.seen.insert(driver.name, vec![versions]);
        stage.windows.push((driver, window));
    }
    for (driver, command) in &ready {
        stage.stuck.push((driver, Window::start(driver.name, command()).0));
    }
    stage.morning();
    stage.primary_dies();
    stage.standby_works();
    stage.windows_come_back();
    stage.standby_fails_on_a_normal_day();
    stage.primary_stands_still();
    stage.standby_opens_while_the_primary_answers();
    stage.everything_is_there_once();
    let seen = stage.seen.into_iter().map(|(driver, lines)| (driver, Ok(lines))).chain(missing).collect();
    Day { seen }
}

impl Stage {
    fn morning(&mut self) {
        self.head("The standby is closed.");
        self.lands("once a1", "primary");
        self.lands("pool a2", "primary");
        self.all("typed");
        self.all("typed-own");
        for name in ["dies", "idles"] {
            self.is_on(&format!("keep {name}"), "primary");
        }
    }

    fn primary_dies(&mut self) {
        self.head("The primary dies in the middle of a transaction.");
        self.all("put dies b1");
        self.department.primary.stop_immediate();
        self.fails("commit dies");
        self.all("state dies");
        self.fails("ask idles");
        self.head("The primary is down and the standby is closed.");
        self.fails("once b2");
        self.head("The standby opens.");
        self.department.open();
        self.lands("once b3", "standby");
        // The pool may not have noticed yet that its connection is gone.
        pools_rest();
        self.all("pool b4");
        self.lands("pool b5", "standby");
        self.all("typed");
        self.all("typed-own");
    }

    fn standby_works(&mut self) {
        self.head("The primary is back, and the standby is open.");
        self.department.primary.start_again();
        self.lands("once c1", "standby");
        self.lands("pool c2", "standby");
        self.head("The open standby dies, and the primary is fenced.");
        wait_until("the guard fences the primary", Duration::from_secs(60), || self.department.fenced());
        self.department.standby.stop_immediate();
        self.fails("once c3");
        self.head("The standby is back, and nobody has confirmed it.");
        self.department.standby.start_again();
        self.fails("once c4");
        self.head("It is confirmed.");
        self.department.open();
        self.lands("once c5", "standby");
        pools_rest();
        self.all("pool c6");
        self.lands("pool c7", "standby");
        for name in ["works", "pauses", "idles"] {
            self.is_on(&format!("keep {name}"), "standby");
        }
        self.all("put works c8");
        self.all("put pauses c9");
    }

    fn windows_come_back(&mut self) {
        self.head("The standby closes in the middle of a statement, and of a transaction.");
        self.tell_all("wait works");
        thread::scope(|scope| {
            let switching = scope.spawn(|| self.department.come_back());
            let answers: Vec<String> = self.windows.iter_mut().map(|(_, window)| window.answer("wait works")).collect();
            switching.join().expect("the switch comes to its end");
            answers
        })
        .into_iter()
        .enumerate()
        .for_each(|(i, answer)| {
            let answer = self.note(i, "wait works", &answer);
            assert!(answer.starts_with("failed "), "{answer}");
        });
        self.all("state works");
        self.fails("ask works");
        self.fails("commit pauses");
        self.fails("ask idles");
        self.all("state idles");
        self.head("The windows are back on the primary.");
        self.lands("once d1", "primary");
        pools_rest();
        self.all("pool d2");
        self.lands("pool d3", "primary");
        self.rows(&["b1", "c8", "c9"]);
    }

    fn standby_fails_on_a_normal_day(&mut self) {
        self.head("The standby is closed and stands still.");
        self.department.standby.freeze();
        self.lands("once e1", "primary");
        self.department.standby.thaw();
        self.head("The standby is closed, and its server is stopped.");
        self.department.standby.stop_fast();
        self.lands("once e2", "primary");
        self.department.standby.start_again();
        self.lands("once e3", "primary");
        self.department.load();
        self.lands("once e4", "primary");
    }

    fn primary_stands_still(&mut self) {
        self.head("The primary stands still in the middle of a transaction.");
        std::mem::swap(&mut self.windows, &mut self.stuck);
        self.is_on("keep stuck", "primary");
        self.all("put stuck f1");
        self.department.primary.freeze();
        self.tell_all("commit stuck");
        std::mem::swap(&mut self.windows, &mut self.stuck);
        self.head("The standby opens meanwhile, for the second time.");
        self.department.open();
        self.lands("once f2", "standby");
        self.all("typed");
        self.all("typed-own");
        self.head("What waits for the primary that stands still.");
        for i in 0..self.stuck.len() {
            let (driver, window) = &mut self.stuck[i];
            if driver.gives_up {
                let answer = window.answer("commit stuck");
                self.note(i, "commit stuck", &answer);
            } else {
                assert_eq!(window.answered(), None, "{} gives up by itself", driver.name);
                self.note(i, "commit stuck", "(no answer)");
            }
        }
        self.department.primary.power_off();
        self.head("Its power goes.");
        for i in 0..self.stuck.len() {
            let (driver, window) = &mut self.stuck[i];
            if !driver.gives_up {
                let answer = window.answer("commit stuck");
                let answer = self.note(i, "commit stuck", &answer);
                assert!(answer.starts_with("failed "), "{answer}");
            }
        }
        // Pools have waited with it; one that has a limit of its own could have been asked before.
        pools_rest();
        self.all("pool f3");
        self.lands("pool f4", "standby");
        self.head("The primary is back, and then the windows.");
        self.department.primary.start_again();
        self.lands("once f5", "standby");
        self.department.come_back();
        self.lands("once f6", "primary");
        self.rows(&["f1"]);
    }

    fn standby_opens_while_the_primary_answers(&mut self) {
        self.head("The primary answers, and the standby opens in the middle of a transaction.");
        self.department.load();
        for name in ["works", "idles"] {
            self.is_on(&format!("keep {name}"), "primary");
        }
        // A pool that does not look may still hold one of the standby.
        self.all("pool g0");
        self.lands("pool g1", "primary");
        self.all("put works g2");
        self.department.open();
        self.fails("commit works");
        self.fails("ask idles");
        self.lands("once g3", "standby");
        pools_rest();
        self.all("pool g4");
        self.lands("pool g5", "standby");
        self.department.come_back();
        self.lands("once g6", "primary");
        self.rows(&["g2"]);
    }

    /// Whoever was told that it is committed finds it on the primary, once; nobody finds half a transaction.
    fn everything_is_there_once(&self) {
        let found = self.department.primary.rows(DB, "SELECT who FROM op.charge WHERE who LIKE '%/%' ORDER BY 1");
        let mut told = self.committed.clone();
        told.sort();
        let not_found: Vec<&String> = told.iter().filter(|who| !found.contains(who)).collect();
        assert!(not_found.is_empty(), "committed, and not there: {not_found:?}");
        let unasked: Vec<&String> = found.iter().filter(|who| !told.contains(who)).collect();
        assert!(unasked.is_empty(), "there, and nobody was told so: {unasked:?}");
        assert_eq!(found.len(), told.len(), "something is there twice: {found:?}");
    }

    fn head(&mut self, text: &str) {
        self.seen.values_mut().for_each(|lines| lines.push(format!("\n# {text}")));
    }

    fn tell_all(&mut self, line: &str) {
        let (verb, label) = line.rsplit_once(' ').unwrap_or((line, ""));
        for (driver, window) in &mut self.windows {
            // What is written says who wrote it.
            let signs = ["once", "pool"].contains(&verb) || verb.starts_with("put ");
            if verb != "pool" || driver.has_pool {
                window.tell(&if signs { format!("{verb} {}/{label}", driver.slug) } else { line.to_owned() });
            }
        }
    }

    /// Tells every window the same, all at once; gives the answers.
    fn all(&mut self, line: &str) -> Vec<String> {
        self.tell_all(line);
        let mut answers = Vec::new();
        for i in 0..self.windows.len() {
            let (driver, window) = &mut self.windows[i];
            if line.starts_with("pool ") && !driver.has_pool {
                continue;
            }
            let (slug, answer) = (driver.slug, window.answer(line));
            let answer = self.note(i, line, &answer);
            if answer.starts_with("committed on ") {
                self.committed.push(format!("{slug}/{}", line.rsplit(' ').next().unwrap_or_default()));
            }
            answers.push(answer);
        }
        answers
    }

    #[track_caller]
    fn lands(&mut self, line: &str, side: &str) {
        self.each(line, &format!("committed on {side}"));
    }

    #[track_caller]
    fn is_on(&mut self, line: &str, side: &str) {
        self.each(line, &format!("on {side}"));
    }

    #[track_caller]
    fn each(&mut self, line: &str, expected: &str) {
        let answers = self.all(line);
        assert!(answers.iter().all(|a| a == expected), "{line}: expected '{expected}': {answers:#?}\n{:#?}", self.seen);
    }

    #[track_caller]
    fn fails(&mut self, line: &str) {
        let answers = self.all(line);
        assert!(answers.iter().all(|a| a.starts_with("failed ")), "{line}: {answers:#?}\n{:#?}", self.seen);
    }

    /// Writes an answer down as it is on any machine: sides by their names.
    fn note(&mut self, window: usize, line: &str, answer: &str) -> String {
        let department = &self.department;
        let (primary, standby) = (department.primary.port().to_string(), department.standby.port().to_string());
        let answer = answer.replace(&primary, "primary").replace(&standby, "standby");
        let answer = answer.replace(&department.address, "ADDRESS");
        // Where in our own function an error was raised is nothing that a program goes by.
        let shown = answer.find(" / CONTEXT:").or_else(|| answer.find(" / Where:"));
        let answer = shown.map_or_else(|| answer.clone(), |end| format!("{}\"", &answer[..end]));
        let seen = self.seen.get_mut(self.windows[window].1.driver).expect("every window has its lines");
        seen.push(format!("{line}: {answer}"));
        answer
    }

    /// How many of the two charges of each of these transactions are on the primary, by driver.
    fn rows(&mut self, labels: &[&str]) {
        for label in labels {
            for (driver, _) in &self.windows {
                let sql = format!("SELECT count(*) FROM op.charge WHERE who = '{}/{label}'", driver.slug);
                let rows = self.department.primary.value(DB, &sql);
                assert!(["0", "2"].contains(&rows.as_str()), "{} has half of {label}: {rows}", driver.name);
                let seen = self.seen.get_mut(driver.name).expect("every window has its lines");
                seen.push(format!("charges of {label} on the primary: {rows}"));
            }
        }
    }
}

/// HikariCP looks at a connection only when nobody used it in the last half second; whether that is so here must not depend on
/// how fast the machine is.
fn pools_rest() {
    std::thread::sleep(std::time::Duration::from_millis(700));
}

//! The full screen, driven through a pseudo-terminal as a cashier drives it.

use super::Hospital;
use crate::support::workplace::DB;
use crate::support::{Program, wait_until};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::fs;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A terminal with his-desk in it.
struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    child: Box<dyn Child + Send + Sync>,
    /// Key presses beyond the data itself.
    pressed: usize,
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).expect("a size")
}

impl Terminal {
    fn open(h: &Hospital, window: &str) -> Terminal {
        let pair = native_pty_system().openpty(size(24, 80)).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(Program::path("his-desk"));
        command.env_clear();
        command.args(["--window", window]);
        command.env("HIS_CONFIG", h.work.config());
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.cwd(h.work.path());
        let child = pair.slave.spawn_command(command).expect("his-desk starts");
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(24), cells(80), 0)));
        let mut output = pair.master.try_clone_reader().expect("a reader");
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n) = output.read(&mut buffer) {
                if n == 0 {
                    break;
                }
                shown.lock().expect("sound").process(&buffer[..n]);
            }
        });
        let keys = pair.master.take_writer().expect("a writer");
        Terminal { master: pair.master, keys, screen, child, pressed: 0 }
    }

    fn text(&self) -> String {
        let screen = self.screen.lock().expect("sound");
        let rows = screen.screen().rows(0, screen.screen().size().1.get());
        rows.map(|r| r.trim_end().to_owned() + "\n").collect()
    }

    /// Waits until this is on the screen.
    #[track_caller]
    fn sees(&self, words: &str) {
        let here = std::panic::Location::caller();
        let began = std::time::Instant::now();
        while !self.text().contains(words) {
            assert!(began.elapsed() < Duration::from_secs(40), "{here}: no '{words}' on\n{}", self.text());
            std::thread::sleep(Duration::from_millis(15));
        }
        // Until the line has answered and the screen is still.
        let mut before = String::new();
        while before != self.text() || self.text().contains("请稍候") || self.text().contains("one moment") {
            before = self.text();
            std::thread::sleep(Duration::from_millis(80));
            assert!(began.elapsed() < Duration::from_secs(40), "{here}: not still\n{}", self.text());
        }
    }

    /// Data: what a scanner or the cashier's fingers put in.
    fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).and_then(|()| self.keys.flush()).expect("typed");
        std::thread::sleep(Duration::from_millis(80));
    }

    fn press(&mut self, key: &str) {
        self.pressed += 1;
        let bytes = match key {
            "Enter" => "\r",
            "Tab" => "\t",
            "Esc" => "\u{1b}",
            "Down" => "\u{1b}[B",
            "F2" => "\u{1b}OQ",
            "F3" => "\u{1b}OR",
            "F4" => "\u{1b}OS",
            "F5" => "\u{1b}[15~",
            "F6" => "\u{1b}[17~",
            "F7" => "\u{1b}[18~",
            "F8" => "\u{1b}[19~",
            "F9" => "\u{1b}[20~",
            "F10" => "\u{1b}[21~",
            "F11" => "\u{1b}[23~",
            other => panic!("no key {other}"),
        };
        self.types(bytes);
    }

    /// Fills the fields of a form, an Enter after each.
    fn fills(&mut self, texts: &[&str]) {
        for text in texts {
            self.types(text);
            self.press("Enter");
        }
    }

    fn log_in(&mut self, staff: &str) {
        self.sees("F10");
        self.fills(&[staff, &format!("demo-{staff}")]);
    }

    fn resize(&self, rows: u16, cols: u16) {
        self.screen.lock().expect("sound").screen_mut().set_size(cells(rows), cells(cols));
        self.master.resize(size(rows, cols)).expect("resized");
        std::thread::sleep(Duration::from_millis(150));
    }

    /// Compares the screen with its golden file; with `HIS_WRITE_SCREENS` it is written. Times of the day are `hh:mm`.
    #[track_caller]
    fn is(&self, name: &str) {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/desk/screens/{name}.txt"));
        let text = timeless(&self.text());
        if std::env::var_os("HIS_WRITE_SCREENS").is_some() {
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(&file, &text).expect("written");
            let page = super::picture::page(self.screen.lock().expect("sound").screen());
            let pages = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screens");
            fs::create_dir_all(&pages).expect("a folder");
            fs::write(pages.join(format!("{}.html", name.replace('/', "-"))), page).expect("written");
        }
        let golden = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert!(text == golden, "{name} is now\n{text}\nand was\n{golden}");
    }
}

/// What the clock says is another thing each day; it is as wide as it was.
fn timeless(text: &str) -> String {
    let mut out: Vec<char> = text.chars().collect();
    for at in 0..out.len().saturating_sub(4) {
        let digit = |n: usize| out.get(at + n).is_some_and(char::is_ascii_digit);
        if digit(0) && digit(1) && out[at + 2] == ':' && digit(3) && digit(4) {
            for (n, c) in "hh:mm".chars().enumerate() {
                out[at + n] = c;
            }
        }
    }
    out.into_iter().collect()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A patient with a prescription that nobody has paid: telephone 10099990001.
const WAITING: &str = "
UPDATE outpatient.patient SET phone = '10099990001', name = '王小明', settlement_category_id = 1 WHERE id = (SELECT patient_id FROM outpatient.doctor_order WHERE charge_status = 0 AND kind = 'drug' ORDER BY id LIMIT 1);";

#[test]
fn a_cashier_registers_a_new_patient_and_charges_a_prescription_and_two_items_in_under_forty_keys() {
    let mut h = Hospital::new(400, 60, WAITING);
    let printed = h.work.path().join("printed");
    h.work.set("desk", "print", &format!("\"cat >> '{}'\"", printed.display()));
    h.work.set("desk", "paper", "\"form\"");
    h.to_standby();
    let mut t = Terminal::open(&h, "W01");
    t.sees("口令");
    t.is("zh/login");
    t.fills(&["S02001", "wrong"]);
    t.sees("口令不对");
    t.types("\u{15}"); // Ctrl-U
    t.fills(&["demo-S02001"]);
    t.sees("故障前最后票号");
    t.is("zh/open-shift");
    t.fills(&["1000001"]);
    t.sees("请按功能键");
    t.is("zh/home");

    t.pressed = 0;
    t.press("F2");
    t.sees("查找患者");
    t.fills(&["10012349999"]);
    t.sees("新患者建档");
    t.is("zh/new-patient");
    t.fills(&["李新", "LX", "2", "1990-05-01", "", "", ""]);
    t.sees("筛选");
    t.is("zh/doctors");
    t.types("普通");
    t.press("Enter");
    t.sees("应收");
    t.is("zh/pay-registration");
    t.fills(&["100"]);
    t.sees("就诊序号");
    t.is("zh/registered");

    t.press("F2");
    t.press("Esc");
    t.press("F3");
    t.sees("查找患者");
    t.fills(&["10099990001"]);
    t.sees("[x]");
    for code in ["LA003", "EX026"] {
        t.types(code);
        t.press("Enter");
        t.sees("数量");
        t.fills(&["1"]);
        t.sees(code);
    }
    t.is("zh/bill");
    t.press("Enter");
    t.sees("应收");
    t.press("Tab");
    t.press("Tab");
    t.press("Tab");
    t.sees("交易号");
    t.is("zh/pay-by-number");
    t.fills(&["wx-1"]);
    t.sees("实收");
    t.is("zh/charged");
    assert!(t.pressed < 40, "{} keys", t.pressed);
    wait_until("three vouchers are printed", Duration::from_secs(20), || {
        fs::read_to_string(&printed).unwrap_or_default().matches("应急收费凭证").count() == 3
    });
    assert_eq!(h.standby.value(DB, "SELECT count(*), count(printed_at) FROM desk.voucher"), "3|3");

    t.press("F9");
    t.sees("实点现金");
    t.is("zh/shift");
    t.fills(&["1.00"]);
    t.sees("长短款");
    t.press("F10");
    wait_until("it ends", Duration::from_secs(10), || t.child.try_wait().is_ok_and(|e| e.is_some_and(|e| e.success())));
    h.to_primary(0);
}

#[test]
fn the_screen_says_that_the_line_is_lost_keeps_what_was_typed_and_follows_the_windows_size() {
    let mut h = Hospital::new(300, 40, WAITING);
    h.work.set("site", "language", "\"en\"");
    h.to_standby();
    let mut t = Terminal::open(&h, "W02");
    t.log_in("S02002");
    t.sees("Last receipt before");
    t.fills(&["2000001"]);
    t.sees("Press a function key");
    t.is("en/home");
    t.press("F3");
    t.sees("Patient");
    t.fills(&["10099990001"]);
    t.sees("[x]");
    t.is("en/bill");
    t.press("Enter");
    t.sees("Due");
    t.types("500");
    // The standby hangs while the charge is asked for; then it is killed, and comes back.
    h.standby.execute("postgres", "CHECKPOINT");
    h.standby.stop_immediate();
    t.press("Enter");
    t.sees_now("the line is lost");
    assert!(t.text().contains("500"), "{}", t.text());
    t.resize(30, 100);
    t.sees_now("the line is lost");
    t.resize(24, 80);
    h.standby.start_again();
    h.work.run("his-switch", &["standby", "--reason", "restarted", "--ordered-by", "test"]).expect(0);
    t.sees("change");
    assert_eq!(h.standby.value(DB, "SELECT count(*) FROM desk.request WHERE act = 'charge'"), "1");
    t.is("en/charged");
}

#[test]
fn a_drill_has_its_own_colour_and_word_and_a_roll_that_is_nearly_used_up_is_said() {
    // What a standby says of itself in a drill; and three forms are left.
    let drill = "CREATE SCHEMA his_emergency;
        CREATE FUNCTION his_emergency.standing() RETURNS jsonb LANGUAGE sql AS $$ SELECT '{\"event\": \"D-0001\", \"data_until\": \"2026-03-02T02:00:00Z\", \"drill\": true}'::jsonb $$;
        GRANT USAGE ON SCHEMA his_emergency TO his_app;
        UPDATE outpatient.receipt_segment SET end_no = current_no + 3 WHERE cashier_id = 2001 AND status = 0;";
    let h = Hospital::new(200, 20, drill);
    let mut t = Terminal::open(&h, "W01");
    t.log_in("S02001");
    t.sees("故障前最后票号");
    t.fills(&["1"]);
    t.sees("请按功能键");
    let text = t.text();
    assert!(text.contains("【演练 D-0001】") && !text.contains("应急"), "{text}");
    assert!(text.contains("票据剩 3 不足!"), "{text}");
    let screen = t.screen.lock().expect("sound");
    let banner = screen.screen().cell(0, 1).expect("a cell");
    assert_eq!((banner.bgcolor(), banner.fgcolor()), (vt100::Color::Idx(3), vt100::Color::Idx(0)));
}

impl Terminal {
    /// As `sees`, while the line is being sought and the screen is not still.
    #[track_caller]
    fn sees_now(&self, words: &str) {
        let here = std::panic::Location::caller();
        wait_until(&format!("{here}: '{words}' on the screen"), Duration::from_secs(30), || {
            self.text().contains(words)
        });
    }
}

//! A pseudo-terminal with his-desk in it, its keys, and what is on its screen.

use super::Hospital;
use crate::support::{Program, wait_until};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::fs;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A terminal with his-desk in it.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    pub keys: Box<dyn Write + Send>,
    pub screen: Arc<Mutex<vt100::Parser>>,
    pub child: Box<dyn Child + Send + Sync>,
    /// Key presses beyond the data itself.
    pub pressed: usize,
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).expect("a size")
}

impl Terminal {
    pub fn open(h: &Hospital, window: &str) -> Terminal {
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

    pub fn text(&self) -> String {
        let screen = self.screen.lock().expect("sound");
        let rows = screen.screen().rows(0, screen.screen().size().1.get());
        rows.map(|r| r.trim_end().to_owned() + "\n").collect()
    }

    /// Waits until this is on the screen.
    #[track_caller]
    pub fn sees(&self, words: &str) {
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
    pub fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).and_then(|()| self.keys.flush()).expect("typed");
        std::thread::sleep(Duration::from_millis(80));
    }

    pub fn press(&mut self, key: &str) {
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
            "F12" => "\u{1b}[24~",
            other => panic!("no key {other}"),
        };
        self.types(bytes);
    }

    /// Fills the fields of a form, an Enter after each.
    pub fn fills(&mut self, texts: &[&str]) {
        for text in texts {
            self.types(text);
            self.press("Enter");
        }
    }

    pub fn log_in(&mut self, staff: &str) {
        self.sees("F10");
        self.fills(&[staff, &format!("demo-{staff}")]);
    }

    pub fn resize(&self, rows: u16, cols: u16) {
        self.screen.lock().expect("sound").screen_mut().set_size(cells(rows), cells(cols));
        self.master.resize(size(rows, cols)).expect("resized");
        std::thread::sleep(Duration::from_millis(150));
    }

    /// Compares the screen with its golden file; with `HIS_WRITE_SCREENS` it is written. Times of the day are `hh:mm`.
    #[track_caller]
    pub fn is(&self, name: &str) {
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

impl Terminal {
    /// As `sees`, while the line is being sought and the screen is not still.
    #[track_caller]
    pub fn sees_now(&self, words: &str) {
        let here = std::panic::Location::caller();
        wait_until(&format!("{here}: '{words}' on the screen"), Duration::from_secs(30), || {
            self.text().contains(words)
        });
    }
}

//! Talk goes to standard error: what is being done, plans, progress. Results never go this way.

use super::{Color, Common};
use crate::clock;
use chrono::Utc;
use chrono_tz::Tz;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

/// Where a step tells what it is doing.
#[derive(Debug, Clone)]
pub struct Talk {
    quiet: bool,
    bars: bool,
}

impl Talk {
    pub(super) fn new(common: &Common) -> Talk {
        Talk { quiet: common.quiet, bars: !common.quiet && std::io::stderr().is_terminal() }
    }

    /// Says nothing; for steps that run inside another.
    #[must_use]
    pub fn silent() -> Talk {
        Talk { quiet: true, bars: false }
    }

    /// One line about what is being done.
    pub fn say(&self, line: impl AsRef<str>) {
        if !self.quiet {
            eprintln!("{}", line.as_ref());
        }
    }

    /// Something a person should know although the step goes on; also said with `--quiet`.
    pub fn warn(&self, line: impl AsRef<str>) {
        eprintln!("WARNING: {}", line.as_ref());
    }

    /// A progress bar over `total`, only on a terminal.
    #[must_use]
    pub fn bar(&self, total: u64, what: &str) -> ProgressBar {
        if !self.bars {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(total);
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// The zone of the site, once the profile is read.
static ZONE: OnceLock<Tz> = OnceLock::new();

/// From now on lines of the log bear the time of this zone.
pub(super) fn tell_times_in(zone: Tz) {
    let _ = ZONE.set(zone);
}

pub(super) fn init_log(common: &Common) {
    let level = match common.verbose {
        0 => log::LevelFilter::Warn,
        1 => log::LevelFilter::Info,
        2 => log::LevelFilter::Debug,
        _ => log::LevelFilter::Trace,
    };
    let style = match common.color {
        Color::Never => env_logger::WriteStyle::Never,
        Color::Always => env_logger::WriteStyle::Always,
        Color::Auto if std::env::var_os("NO_COLOR").is_some() => env_logger::WriteStyle::Never,
        Color::Auto => env_logger::WriteStyle::Auto,
    };
    // The driver logs whole statements at debug level; they may hold rows.
    let _ = env_logger::Builder::new()
        .filter_level(level)
        .filter_module("tokio_postgres", log::LevelFilter::Off)
        .filter_module("postgres", log::LevelFilter::Off)
        .write_style(style)
        .format(|line, record| {
            let (level, time) = (record.level(), clock::full(ZONE.get().copied().unwrap_or(Tz::UTC), Utc::now()));
            let style = line.default_level_style(level);
            writeln!(line, "[{time} {style}{level:<5}{style:#}] {}", record.args())
        })
        .try_init();
}

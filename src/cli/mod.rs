//! What all programs share on the command line: common options, output, exit.

mod talk;

pub use talk::Talk;

use crate::clock;
use crate::error::{Error, Exit, Result};
use crate::profile::Profile;
use crate::store::Store;
use chrono::{DateTime, Utc};
use clap::{ArgAction, Args, ColorChoice, CommandFactory, FromArgMatches, ValueEnum};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// When to colour what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// Options that every program takes, before or after the subcommand.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The profile; else $HIS_CONFIG, ./his.toml, /etc/his/his.toml
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print exactly one JSON object on standard output, also for errors
    #[arg(long, global = true)]
    pub json: bool,
    /// Who does this, for the journal (default: the login name)
    #[arg(long, global = true, value_name = "NAME")]
    pub by: Option<String>,
    /// Say only what went wrong
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more (repeat for more still)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// When to use colour (`NO_COLOR` is honoured)
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: Color,
}

impl Common {
    /// The name that goes into the journal.
    #[must_use]
    pub fn by(&self) -> String {
        let login =
            || ["SUDO_USER", "LOGNAME", "USER"].iter().find_map(|v| std::env::var(v).ok().filter(|n| !n.is_empty()));
        self.by.clone().or_else(login).unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
    }

    /// Profile, store and name: what nearly every step begins with.
    pub fn site(&self) -> Result<Site> {
        self.site_with(Store::open)
    }

    /// The same for the program that goes first (P16): no mirror of the store holds it up.
    pub fn site_in_emergency(&self) -> Result<Site> {
        self.site_with(Store::open_in_emergency)
    }

    fn site_with(&self, open: fn(&Profile) -> Result<Store>) -> Result<Site> {
        let profile = Profile::find(self.config.as_deref())?;
        talk::tell_times_in(clock::zone(&profile.site));
        let store = open(&profile)?;
        Ok(Site { profile, store, by: self.by(), talk: Talk::new(self) })
    }
}

/// A hospital's profile and store, who acts, and where to talk: the first argument of every step.
pub struct Site {
    pub profile: Profile,
    pub store: Store,
    pub by: String,
    pub talk: Talk,
}

impl Site {
    /// A time as people here read it.
    #[must_use]
    pub fn time(&self, at: DateTime<Utc>) -> String {
        clock::full(clock::zone(&self.profile.site), at)
    }
}

/// How a step ended: its JSON, its text for people, and the exit code.
#[derive(Debug)]
pub struct Outcome {
    pub json: Value,
    pub text: String,
    pub exit: Exit,
}

impl Outcome {
    #[must_use]
    pub fn new(json: Value, text: impl Into<String>) -> Self {
        Outcome { json, text: text.into(), exit: Exit::Done }
    }

    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

/// A program's command line: it has the common options in it.
pub trait Program: CommandFactory + FromArgMatches {
    fn common(&self) -> &Common;
}

/// Parses the command line, runs the step, prints its outcome and turns it into the exit code. All of a program's `main`.
pub fn run<P: Program>(step: impl FnOnce(&P) -> Result<Outcome>) -> ExitCode {
    let name = P::command().get_name().to_owned();
    let wants_json = std::env::args_os().any(|a| a == "--json");
    let parsed =
        P::command().color(ColorChoice::Auto).try_get_matches().and_then(|mut m| P::from_arg_matches_mut(&mut m));
    let program = match parsed {
        Ok(program) => program,
        Err(e) if !e.use_stderr() => {
            let _ = e.print();
            return ExitCode::SUCCESS;
        }
        Err(e) => {
            if wants_json {
                let text = e.to_string();
                let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
                return report(
                    &name,
                    &Error::usage("understand the command line", line).hint(format!("see {name} --help.")),
                    true,
                );
            }
            let _ = e.print();
            eprintln!("HINT: see {name} --help.");
            return ExitCode::from(Exit::Usage.code());
        }
    };
    let common = program.common().clone();
    talk::init_log(&common);
    match step(&program) {
        Ok(outcome) => {
            let text = if common.json { format!("{}\n", outcome.json) } else { outcome.text };
            let mut out = std::io::stdout().lock();
            let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            // A closed pipe is the reader's business; anything else means that the result was not delivered.
            match write!(out, "{text}{newline}").and_then(|()| out.flush()) {
                Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
                    report(&name, &Error::failed("print the result", e), false)
                }
                _ => ExitCode::from(outcome.exit.code()),
            }
        }
        Err(error) => report(&name, &error, common.json),
    }
}

/// Bytes in the largest unit that keeps a figure before the point.
#[must_use]
pub fn in_units(bytes: u64) -> String {
    let units = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")];
    match units.into_iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", bytes as f64 / size as f64),
        None => format!("{bytes} B"),
    }
}

/// The one printer of errors.
fn report(name: &str, error: &Error, json: bool) -> ExitCode {
    if json {
        println!("{}", json!({ "error": error.to_string(), "hint": error.hint_text(), "exit": error.exit().code() }));
    }
    eprintln!("{name}: {error}\nHINT: {}", error.hint_text());
    ExitCode::from(error.exit().code())
}

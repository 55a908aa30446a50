//! The command line of `his-watch`.

use super::show::{self, nagios, prometheus};
use crate::cli::{self, Common, Outcome};
use crate::error::Exit;
use clap::{CommandFactory, Parser};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// If the HIS died now, could we run, and if not, why?
#[derive(Debug, Parser)]
#[command(name = "his-watch", version)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    /// Answer as a Nagios plugin: one line, performance data, 0, 1, 2 or 3
    #[arg(long, conflicts_with = "json")]
    nagios: bool,
    /// Also write the figures as metrics for the node exporter's textfile collector
    #[arg(long, value_name = "FILE")]
    prometheus: Option<PathBuf>,
}

impl cli::Program for Cli {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// All of the program.
#[must_use]
pub fn main() -> ExitCode {
    // A plugin that was called wrongly knows nothing; the 2 of our own programs would be an alarm.
    if std::env::args_os().any(|a| a == "--nagios")
        && let Err(e) = Cli::command().try_get_matches()
        && e.use_stderr()
    {
        let line = e.to_string().lines().next().unwrap_or_default().to_owned();
        println!("HIS UNKNOWN - {}", line.replace('|', "/"));
        return ExitCode::from(Exit::NeedsPerson.code());
    }
    cli::run::<Cli>(|cli| {
        let looked = look(cli);
        match looked {
            Err(e) if cli.nagios => {
                let (line, exit) = nagios::unknown(&e);
                Ok(Outcome::new(json!(null), line).exit(exit))
            }
            other => other,
        }
    })
}

fn look(cli: &Cli) -> crate::Result<Outcome> {
    let site = cli.common.site_in_emergency()?;
    let seen = super::look(&site)?;
    if let Some(file) = &cli.prometheus {
        prometheus::write(&seen, file)?;
    }
    if cli.nagios {
        let (line, exit) = nagios::line(&seen);
        return Ok(Outcome::new(json!(null), line).exit(exit));
    }
    let text = show::text(&site, &seen);
    Ok(Outcome::new(show::json(&seen), text).exit(seen.verdict.readiness.exit()))
}

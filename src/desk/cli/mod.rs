//! The command line of `his-desk`: each act of a window as a subcommand. Without one, the full screen.

mod arguments;
mod asked;

use super::act::Act;
use super::line::{Cashier, Line};
use super::{script, show, voucher};
use crate::cli::{self, Common, Outcome};
use crate::db::Windows;
use crate::error::{Cannot, Error, Exit, Result};
use crate::profile::Profile;
use arguments::Command;
use asked::asked;
use clap::{Args, Parser};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use uuid::Uuid;

/// A window of its own: register, charge and print when the HIS client cannot
#[derive(Debug, Parser)]
#[command(name = "his-desk", version)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Who works at which window.
#[derive(Debug, Clone, Args)]
struct Place {
    /// Staff number of the cashier
    #[arg(long, global = true, env = "HIS_DESK_STAFF", value_name = "NUMBER")]
    staff: Option<String>,
    /// The window, such as W03
    #[arg(long, global = true, env = "HIS_DESK_WINDOW", value_name = "NAME")]
    window: Option<String>,
    /// A file with the cashier's secret (or `HIS_DESK_SECRET`)
    #[arg(long, global = true, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The id of an earlier request that is asked again, so that it is done once
    #[arg(long, global = true, value_name = "UUID")]
    request: Option<Uuid>,
}

impl cli::Program for Cli {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// All of the program.
#[must_use]
pub fn main() -> ExitCode {
    cli::run::<Cli>(|cli| {
        let profile = Profile::find(cli.common.config.as_deref())?;
        let windows = Windows::parse(&profile.desk.url)?;
        let mut line = Line::new(windows, profile.desk.patience, profile.site.language == "en");
        let Some(command) = &cli.command else {
            return super::screen::run(&profile, line, cli.place.staff.as_deref(), cli.place.window.as_deref());
        };
        line.log_in(cashier(&cli.place)?)?;
        run(&profile, &mut line, cli, command)
    })
}

fn run(profile: &Profile, line: &mut Line, cli: &Cli, command: &Command) -> Result<Outcome> {
    match command {
        Command::Standing => {
            let mut login = line.login.clone();
            login.remove("session");
            let login = Value::Object(login);
            Ok(Outcome::new(login.clone(), show::answer(profile, Act::Login, &login)))
        }
        Command::Print { charge, to, paper } => voucher::print(profile, line, *charge, to.as_deref(), *paper),
        Command::Script { file } => script::run(line, file.as_deref()),
        other => {
            let (act, mut ask) = asked(other)?;
            if let (Some(id), true) = (cli.place.request, act.changes()) {
                ask.insert("request".to_owned(), json!(id.to_string()));
            }
            let answer = line.ask(act, &Value::Object(ask))?;
            let text = show::answer(profile, act, &answer);
            Ok(Outcome::new(answer, text))
        }
    }
}

/// Who is to be logged in; every part may come from the environment, and the secret from nowhere else but a file.
fn cashier(place: &Place) -> Result<Cashier> {
    let missing = |what: &str, hint: &str| Error::usage("log in", format!("{what} is missing")).hint(hint);
    let staff_no = place.staff.clone().ok_or_else(|| missing("--staff", "give --staff or HIS_DESK_STAFF."))?;
    let window = place.window.clone().ok_or_else(|| missing("--window", "give --window or HIS_DESK_WINDOW."))?;
    let secret = secret(place.secret_file.as_deref(), "HIS_DESK_SECRET")?;
    Ok(Cashier { staff_no, secret, window })
}

fn secret(file: Option<&std::path::Path>, variable: &str) -> Result<String> {
    if let Some(file) = file {
        let text = std::fs::read_to_string(file)
            .cannot(format!("read the secret in '{}'", file.display()))
            .map_err(|e| e.with_exit(Exit::Usage))?;
        return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    std::env::var(variable).map_err(|_| {
        Error::usage("log in", format!("there is no secret ({variable} is not set)"))
            .hint(format!("set {variable}, or name a file of mode 0600 that holds it; a secret is never an argument."))
    })
}

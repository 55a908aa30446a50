//! The command line of `his-drill`.

use super::record::{self, Drill, Finding, Participant};
use super::run::{self, Wanted};
use super::scenario::Scenario;
use crate::cli::{self, Common, Outcome, Site};
use crate::clock;
use crate::error::Result;
use chrono::{NaiveDate, Utc};
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use std::fmt::Write;
use std::process::ExitCode;

/// A timed exercise of the whole chain on private servers, next to the live ones and without touching them
#[derive(Debug, Parser)]
#[command(name = "his-drill", version, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hold a whole drill by script; may run from cron
    Run(Exercise),
    /// Set the stage for a drill at the pace of people: private servers, a profile, a closed standby
    Begin(Exercise),
    /// Let the scenario happen, in a drill at the pace of people
    Strike,
    /// Mend what the scenario broke, in a drill at the pace of people
    Mend,
    /// End a drill at the pace of people: measure, judge, clear away
    End,
    /// All drills with their scores, and how they went over the years
    History,
    /// One drill in full
    Show {
        /// Which (default: the latest)
        drill: Option<String>,
    },
    /// Write down what a drill has shown, with who mends it by when
    Finding {
        /// What was found
        text: String,
        /// Which drill (default: the latest)
        #[arg(long, value_name = "DRILL")]
        drill: Option<String>,
        /// Who mends it
        #[arg(long, value_name = "NAME")]
        owner: String,
        /// By when
        #[arg(long, value_name = "DATE")]
        due: NaiveDate,
    },
}

#[derive(Debug, Args)]
struct Exercise {
    /// What goes wrong
    #[arg(long, value_enum, default_value = "primary-down")]
    scenario: Scenario,
    /// What is to be practised
    #[arg(long, value_name = "TEXT", default_value = "")]
    goal: String,
    /// Somebody who takes part; may be given more than once
    #[arg(long, value_name = "NAME")]
    present: Vec<String>,
    /// Somebody who should have, and does not; may be given more than once
    #[arg(long, value_name = "NAME")]
    absent: Vec<String>,
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
        let site = cli.common.site()?;
        match &cli.command {
            Command::Run(exercise) => run::scripted(&site, &wanted(exercise)).map(|d| held(&site, &d)),
            Command::Begin(exercise) => run::begin(&site, &wanted(exercise)).map(|d| begun(&d)),
            Command::Strike => run::strike(&site, false).map(|d| struck(&d, "it happens now")),
            Command::Mend => {
                run::strike(&site, true).map(|d| struck(&d, "mended; his-switch primary brings the windows back"))
            }
            Command::End => run::end(&site).map(|d| held(&site, &d)),
            Command::History => history(&site),
            Command::Show { drill } => {
                record::find(&site, drill.as_deref()).map(|d| Outcome::new(json!(d), text(&site, &d)))
            }
            Command::Finding { text, drill, owner, due } => finding(&site, drill.as_deref(), text, owner, *due),
        }
    })
}

fn wanted(exercise: &Exercise) -> Wanted {
    let people = |names: &[String], present| {
        names.iter().map(move |n| Participant { name: n.clone(), present }).collect::<Vec<_>>()
    };
    let participants = [people(&exercise.present, true), people(&exercise.absent, false)].concat();
    Wanted { scenario: exercise.scenario, goal: exercise.goal.clone(), participants }
}

fn held(site: &Site, drill: &Drill) -> Outcome {
    Outcome::new(json!(drill), text(site, drill)).exit(run::exit(drill))
}

fn begun(drill: &Drill) -> Outcome {
    let config = drill.place.as_ref().map(|p| p.join("his.toml").display().to_string()).unwrap_or_default();
    let text = format!(
        "drill {} is ready. In every shell that takes part:\n\n  export HIS_CONFIG={config}\n\nThen: his-drill strike, the runbook of the scenario '{}', his-drill mend, his-switch primary, his-drill end.",
        drill.drill,
        drill.scenario.name()
    );
    let mut json = json!(drill);
    json["config"] = json!(config);
    Outcome::new(json, text)
}

fn struck(drill: &Drill, what: &str) -> Outcome {
    let text = format!("drill {}, {}: {what}", drill.drill, drill.scenario.name());
    Outcome::new(json!({ "drill": drill.drill, "scenario": drill.scenario, "done": what }), text)
}

fn text(site: &Site, drill: &Drill) -> String {
    let mut page = String::new();
    let score = drill.score.map_or_else(|| "is on".to_owned(), |s| format!("score {s} of 100"));
    let _ = writeln!(page, "drill {}, {}: {score}", drill.drill, drill.scenario.name());
    let _ = writeln!(page, "held {} by {}, {:.0} s", site.time(drill.began), drill.by, drill.measured.seconds);
    if !drill.goal.is_empty() {
        let _ = writeln!(page, "goal: {}", drill.goal);
    }
    if let Some(why) = &drill.broke_off {
        let _ = writeln!(page, "BROKE OFF: {why}");
    }
    for c in &drill.criteria {
        let mark = if c.passed { "ok    " } else { "FAILED" };
        let _ = writeln!(page, "  {mark}  {:<32} {} ({})", c.name, c.found, c.expected);
    }
    for p in &drill.participants {
        let _ = writeln!(page, "  {}  {}", if p.present { "present" } else { "ABSENT " }, p.name);
    }
    for f in &drill.findings {
        let _ = writeln!(page, "  finding: {} ({}, by {})", f.text, f.owner, f.due);
    }
    page
}

fn history(site: &Site) -> Result<Outcome> {
    let all = record::history(site)?;
    let now = Utc::now();
    let mut lines = Vec::new();
    let mut before = None;
    for drill in &all {
        let trend = match (before, drill.score) {
            (Some(b), Some(s)) if s > b => "better",
            (Some(b), Some(s)) if s < b => "worse",
            (Some(_), Some(_)) => "same",
            _ => "",
        };
        before = drill.score.or(before);
        let seconds = |s: Option<f64>| s.map_or_else(|| "-".to_owned(), |s| format!("{s:.1} s"));
        let open = drill.findings.len();
        lines.push(format!(
            "{:<8} {}  {:<13} score {:>3} {trend:<6}  switch {:>7}, return {:>7}, lost {}, {open} findings",
            drill.drill,
            clock::time_of_day(&site.profile.site, drill.began, now),
            drill.scenario.name(),
            drill.score.map_or_else(|| "-".to_owned(), |s| s.to_string()),
            seconds(drill.measured.switch_seconds),
            seconds(drill.measured.return_seconds),
            drill.measured.lost,
        ));
    }
    let text = if lines.is_empty() { "there was never a drill".to_owned() } else { lines.join("\n") };
    Ok(Outcome::new(json!({ "drills": all }), text))
}

fn finding(site: &Site, drill: Option<&str>, text: &str, owner: &str, due: NaiveDate) -> Result<Outcome> {
    let mut drill = record::find(site, drill)?;
    drill.findings.push(Finding {
        text: text.to_owned(),
        owner: owner.to_owned(),
        due,
        by: site.by.clone(),
        at: Utc::now(),
    });
    drill.write(site)?;
    let detail = json!({ "drill": drill.drill, "text": text, "owner": owner, "due": due });
    site.store.journal().write(&site.by, "drill finding", None, "done", detail)?;
    Ok(Outcome::new(json!(drill), self::text(site, &drill)))
}

//! The command line of `his-incident`.

use super::log::{self, Incident};
use super::notice;
use super::record::Said;
use super::show::{self, Seen};
use super::{lists, report, sheets, supply};
use crate::cli::{self, Common, Outcome, Site};
use crate::clock;
use crate::error::{Cannot, Error, Exit, Result};
use crate::plan::{Phase, Plan};
use crate::store::{Mode, durable};
use chrono::{NaiveDate, Utc};
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The command post: warnings, levels, tasks, calls, notices, the log and the report of an emergency; needs no server
#[derive(Debug, Parser)]
#[command(name = "his-incident", version, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A department reports symptoms, before anything is declared
    Warn {
        /// What is seen
        text: String,
        /// Who reports it
        #[arg(long, value_name = "NAME")]
        department: String,
    },
    /// Nothing came of the warnings
    Dismiss {
        /// Why; goes into the log
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Declare the emergency and start the plan
    Start {
        /// A cause of the plan, such as server, network or fire
        #[arg(long, value_name = "CAUSE")]
        cause: String,
        /// How bad it is; 1 is the highest (default: the lowest of the plan)
        #[arg(long, value_name = "1-4")]
        level: Option<u8>,
        /// What is known; goes into the log and the report
        #[arg(long, value_name = "TEXT", default_value = "")]
        why: String,
        /// Who ordered it
        #[arg(long, value_name = "NAME")]
        ordered_by: Option<String>,
    },
    /// Raise or lower the level
    Level {
        /// The new level; 1 is the highest
        #[arg(value_name = "1-4")]
        level: u8,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
        /// Who ordered it
        #[arg(long, value_name = "NAME")]
        ordered_by: Option<String>,
    },
    /// Say that a phase has begun, where no move of his-switch says it
    Phase {
        /// Which
        #[arg(value_enum)]
        phase: Phase,
    },
    /// List the tasks of the plan as they stand, or say that one is done
    Task {
        #[command(subcommand)]
        command: Option<Task>,
    },
    /// Write something into the log
    Note {
        /// What happened
        text: String,
    },
    /// Fill a notice, print it, write it for posting, hand it to the hook; without a name: list them
    Notice {
        /// A notice of the plan
        name: Option<String>,
        /// A value for the text; may be given more than once
        #[arg(long, value_name = "NAME=TEXT", value_parser = pair)]
        set: Vec<(String, String)>,
        /// Where the page is written (default: in the store)
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Whom to call, in which order, and who was reached
    CallList(Calls),
    /// What must lie ready, and what was counted
    Supplies {
        /// What was counted; may be given more than once
        #[arg(long, value_name = "SUPPLY=COUNT", value_parser = count)]
        counted: Vec<(String, u32)>,
    },
    /// How it stands, and what comes next
    Status {
        /// All incidents, a line each
        #[arg(long)]
        all: bool,
    },
    /// End the plan
    End {
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
        /// Who ordered it
        #[arg(long, value_name = "NAME")]
        ordered_by: Option<String>,
    },
    /// Write down a cause or an improvement for the report
    Review(Review),
    /// Write the report: one page for a browser and paper, and Markdown
    Report {
        /// Which incident (default: the latest)
        incident: Option<String>,
        /// Where it is written
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Read the plan and show its levels; with --cards, write a card (A5) for each post
    Plan {
        /// The file to write
        #[arg(long, value_name = "FILE")]
        cards: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Say that a task is done
    Done {
        /// The task
        task: String,
        /// What is worth knowing about it
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Calls {
    /// Only this level (default: that of the incident, else all)
    #[arg(long, value_name = "1-4")]
    level: Option<u8>,
    /// Write it as a page
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// This post was reached
    #[arg(long, value_name = "ROLE", conflicts_with = "not_reached")]
    reached: Option<String>,
    /// This post was called in vain
    #[arg(long, value_name = "ROLE")]
    not_reached: Option<String>,
    /// What is worth knowing about the call
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

#[derive(Debug, Args)]
struct Review {
    /// Which incident (default: the latest)
    incident: Option<String>,
    /// What was the cause
    #[arg(long, value_name = "TEXT", required_unless_present = "improvement")]
    cause: Option<String>,
    /// What will be done better
    #[arg(long, value_name = "TEXT", requires_all = ["owner", "due"], conflicts_with = "cause")]
    improvement: Option<String>,
    /// Who does it
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// By when
    #[arg(long, value_name = "DATE")]
    due: Option<NaiveDate>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=TEXT")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn count(text: &str) -> Result<(String, u32), String> {
    let (name, value) = text.split_once('=').ok_or("expected SUPPLY=COUNT")?;
    Ok((name.to_owned(), value.parse().map_err(|_| format!("'{value}' is no count"))?))
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
        let site = cli.common.site_in_emergency()?;
        let plan = Plan::of(&site)?;
        let done = run(&site, &plan, &cli.command)?;
        Ok(unmirrored(&site, done))
    })
}

/// A mirror that could not be written holds nobody up, and is said.
fn unmirrored(site: &Site, mut done: Outcome) -> Outcome {
    if let Some((mirror, reason)) = site.store.mirror_trouble() {
        site.talk.warn(format!("the mirror '{}' could not be written ({reason})", mirror.display()));
        done.exit = done.exit.worse(Exit::NeedsPerson);
    }
    done
}

fn run(site: &Site, plan: &Plan, command: &Command) -> Result<Outcome> {
    let say = |doing: &'static str, said: Said| log::say(site, |all| Ok((Some(log::declared(all, doing)?), said)));
    match command {
        Command::Warn { text, department } => {
            let said = Said::Warn { department: department.clone(), text: text.clone() };
            let warned = log::say(site, |all| Ok((log::running(all, "warn").ok(), said)))?;
            told(site, plan, warned)
        }
        Command::Dismiss { why } => {
            let said = Said::Dismiss { why: why.clone() };
            let dismissed = log::say(site, |all| {
                let id = log::running(all, "dismiss a warning")?;
                if log::declared(all, "").is_ok() {
                    return Err(Error::refused("dismiss a warning", format!("{id} was declared"))
                        .hint("his-incident end --why TEXT ends it."));
                }
                Ok((Some(id), said))
            })?;
            told(site, plan, dismissed)
        }
        Command::Start { cause, level, why, ordered_by } => start(site, plan, cause, *level, why, ordered_by.clone()),
        Command::Level { level, why, ordered_by } => {
            log::require_level(plan, *level, "change the level")?;
            let said = Said::Level { level: *level, why: why.clone(), ordered_by: ordered_by.clone() };
            told(site, plan, say("change the level", said)?)
        }
        Command::Phase { phase } => told(site, plan, say("begin a phase", Said::Phase { phase: *phase })?),
        Command::Task { command: Some(Task::Done { task, note }) } => task_done(site, plan, task, note.clone()),
        Command::Task { command: None } => lists::tasks(site, plan),
        Command::Note { text } => {
            let said = Said::Note { text: text.clone() };
            let noted = log::say(site, |all| Ok((Some(log::running(all, "write a note")?), said)))?;
            told(site, plan, noted)
        }
        Command::Notice { name: Some(name), set, to } => send(site, plan, name, set, to.as_deref()),
        Command::Notice { name: None, .. } => Ok(lists::notices(site, plan)),
        Command::CallList(calls) => call_list(site, plan, calls),
        Command::Supplies { counted } => supplies(site, plan, counted),
        Command::Status { all: true } => lists::list(site, plan),
        Command::Status { all: false } => match log::all(site)?.pop() {
            Some(incident) => told(site, plan, incident),
            None => lists::quiet_times(site),
        },
        Command::End { why, ordered_by } => end(site, plan, why, ordered_by.clone()),
        Command::Review(review) => reviewed(site, plan, review),
        Command::Report { incident, to } => {
            let incident = log::last(site, incident.as_deref())?;
            report::write(site, plan, incident, to)
        }
        Command::Plan { cards } => lists::plan(site, plan, cards.as_deref()),
    }
}

/// How the incident stands after what was said.
fn told(site: &Site, plan: &Plan, incident: Incident) -> Result<Outcome> {
    let seen = Seen::of(site, plan, incident, &log::all(site)?)?;
    Ok(Outcome::new(show::json(plan, &seen), show::text(site, plan, &seen)))
}

fn start(
    site: &Site,
    plan: &Plan,
    cause: &str,
    level: Option<u8>,
    why: &str,
    ordered_by: Option<String>,
) -> Result<Outcome> {
    let doing = "start the plan";
    if plan.cause(cause).is_none() {
        let known: Vec<&str> = plan.cause.iter().map(|c| c.id.as_str()).collect();
        return Err(Error::usage(doing, format!("the plan has no cause '{cause}'"))
            .hint(format!("it has: {}.", known.join(", "))));
    }
    let lowest = plan.level.last().map_or(1, |l| l.level);
    let level = level.unwrap_or(lowest);
    log::require_level(plan, level, doing)?;
    let said = Said::Start { cause: cause.to_owned(), level, why: why.to_owned(), ordered_by };
    let incident = log::say(site, |all| {
        let id = log::running(all, doing).ok();
        if let Some(on) = id.as_ref().filter(|_| log::declared(all, doing).is_ok()) {
            return Err(Error::refused(doing, format!("{on} is on already")).hint(
                "his-incident level changes its level, his-incident note adds to it; one emergency has one log.",
            ));
        }
        Ok((id, said))
    })?;
    told(site, plan, incident)
}

fn task_done(site: &Site, plan: &Plan, task: &str, note: Option<String>) -> Result<Outcome> {
    let doing = format!("say that the task '{task}' is done");
    let Some(of_plan) = plan.task.iter().find(|t| t.id == task) else {
        return Err(
            Error::usage(doing, "the plan has no such task").hint("his-incident task lists those of the incident.")
        );
    };
    let mut already = None;
    let incident = log::say(site, |all| {
        let id = log::declared(all, &doing)?;
        if let Some(before) = all.iter().find(|i| i.id == id).and_then(|i| i.done(task)) {
            already = Some(before.clone());
            return Err(Error::refused(doing.clone(), "it is done"));
        }
        Ok((Some(id), Said::Done { task: task.to_owned(), note }))
    });
    let language = &site.profile.site.language;
    match (incident, already) {
        (_, Some(before)) => {
            let text = format!("{task} was done at {} by {} already", site.time(before.at), before.by);
            Ok(Outcome::new(json!({ "task": task, "done": before.at, "by": before.by, "new": false }), text))
        }
        (incident, None) => {
            let incident = incident?;
            let now = incident.records.last().map_or_else(Utc::now, |r| r.at);
            let seen = Seen::of(site, plan, incident, &log::all(site)?)?;
            let late = seen.tasks.iter().find(|t| t.task.id == task).and_then(|t| t.late(now));
            let how = late.map(|l| format!(", {} late", clock::length(l))).unwrap_or_default();
            let text = format!("{task}: {}{how}; {} tasks open", of_plan.text.of(language), seen.open().len());
            let late = late.map(|l| l.num_seconds());
            Ok(Outcome::new(
                json!({ "task": task, "done": now, "by": site.by, "new": true, "late_seconds": late }),
                text,
            ))
        }
    }
}

fn send(site: &Site, plan: &Plan, name: &str, set: &[(String, String)], to: Option<&Path>) -> Result<Outcome> {
    let found = notice::find(plan, name)?;
    let all = log::all(site)?;
    let id = log::running(&all, &format!("write the notice '{name}'"))?;
    let incident = log::last(site, Some(&id))?;
    let folder = to.map_or_else(|| notice::folder(site, &incident), Path::to_path_buf);
    let folder = std::path::absolute(&folder).cannot(format!("use '{}'", folder.display()))?;
    let written = notice::write(site, plan, &incident, found, set, &folder)?;
    let files: Vec<String> = written.files.iter().map(|f| f.display().to_string()).collect();
    let said = Said::Notice {
        notice: name.to_owned(),
        to: found.to,
        text: written.text.clone(),
        files: files.clone(),
        hook: written.hook.clone(),
    };
    log::say(site, |_| Ok((Some(id.clone()), said)))?;
    let mut text = format!("{}\n\n{}\n\n{}", written.title, written.text, files.join("\n"));
    let mut exit = Exit::Done;
    if let Some(problem) = &written.hook {
        site.talk.warn(format!("the notice is written, and the hook {problem}: tell them another way"));
        text.push_str("\nNOT handed over by the hook");
        exit = Exit::NeedsPerson;
    }
    let json = json!({
        "incident": id, "notice": name, "to": found.to, "title": written.title, "text": written.text, "files": files,
        "handed_over": written.handed_over, "hook_error": written.hook,
    });
    Ok(Outcome::new(json, text).exit(exit))
}

fn call_list(site: &Site, plan: &Plan, calls: &Calls) -> Result<Outcome> {
    let role = calls.reached.as_ref().or(calls.not_reached.as_ref());
    if let Some(role) = role {
        if plan.role(role).is_none() {
            return Err(Error::usage("note a call", format!("the plan has no role '{role}'"))
                .hint("his-incident call-list shows them."));
        }
        let said = Said::Call { role: role.clone(), reached: calls.reached.is_some(), note: calls.note.clone() };
        log::say(site, |all| Ok((Some(log::running(all, "note a call")?), said)))?;
    }
    let on = log::current(site)?;
    let level = calls.level.or_else(|| on.as_ref().and_then(Incident::level));
    if let Some(level) = level {
        log::require_level(plan, level, "show the call list")?;
    }
    if let Some(file) = &calls.to {
        durable::replace(file, sheets::calls(site, plan, level)?.as_bytes())
            .cannot(format!("write '{}'", file.display()))?;
    }
    let language = site.profile.site.language.as_str();
    let (mut lines, mut list) = (Vec::new(), Vec::new());
    for of in plan.level.iter().filter(|l| level.is_none_or(|n| n == l.level)) {
        lines.push(format!("{} ({})", of.name.of(language), of.criteria.of(language)));
        for role in of.calls.iter().filter_map(|r| plan.role(r)) {
            let reached = on.as_ref().and_then(|i| i.reached(&role.id));
            let mark = match reached {
                Some(true) => "reached",
                Some(false) => "NOT REACHED",
                None => "",
            };
            let people: Vec<String> = role.person.iter().map(|p| format!("{} {}", p.name, p.phone)).collect();
            lines.push(format!("  {:<18} {mark:<12} {}: {}", role.id, role.name.of(language), people.join(", ")));
            list.push(json!({ "level": of.level, "role": role.id, "reached": reached, "people": role.person }));
        }
    }
    for contact in &plan.contact {
        lines.push(format!("  {} {} {}", contact.name.of(language), contact.person, contact.phone));
    }
    Ok(Outcome::new(json!({ "calls": list, "contacts": plan.contact }), lines.join("\n")))
}

fn supplies(site: &Site, plan: &Plan, counted: &[(String, u32)]) -> Result<Outcome> {
    if let Some((unknown, _)) = counted.iter().find(|(id, _)| !plan.supply.iter().any(|s| s.id == *id)) {
        return Err(Error::usage("note what was counted", format!("the plan has no supply '{unknown}'"))
            .hint("his-incident supplies lists them."));
    }
    supply::note(site, counted)?;
    supply::outcome(site, plan)
}

fn end(site: &Site, plan: &Plan, why: &str, ordered_by: Option<String>) -> Result<Outcome> {
    let doing = "end the plan";
    let state = site.store.state()?;
    if state.mode != Mode::Normal {
        return Err(Error::refused(doing, format!("the windows are still in mode '{}' (expected normal)", state.mode))
            .hint("his-switch primary brings them back; recovery ends with that, and with a reconciliation."));
    }
    let said = Said::End { why: why.to_owned(), ordered_by };
    let ended = log::say(site, |all| Ok((Some(log::declared(all, doing)?), said)))?;
    let seen = Seen::of(site, plan, ended, &log::all(site)?)?;
    let open = seen.open().iter().filter(|t| t.task.phase != Phase::Summary).count();
    let exit = if open > 0 { Exit::NeedsPerson } else { Exit::Done };
    if open > 0 {
        site.talk.warn(format!("ended with {open} tasks that nobody has said are done; the report names them"));
    }
    Ok(Outcome::new(show::json(plan, &seen), show::text(site, plan, &seen)).exit(exit))
}

fn reviewed(site: &Site, plan: &Plan, review: &Review) -> Result<Outcome> {
    let incident = log::last(site, review.incident.as_deref())?;
    let said = match (&review.cause, &review.improvement, &review.owner, review.due) {
        (Some(text), ..) => Said::Cause { text: text.clone() },
        (None, Some(text), Some(owner), Some(due)) => {
            Said::Improvement { text: text.clone(), owner: owner.clone(), due }
        }
        _ => {
            return Err(Error::usage("write down a review", "neither --cause nor --improvement is given")
                .hint("--cause TEXT, or --improvement TEXT --owner NAME --due DATE."));
        }
    };
    let written = log::say(site, |_| Ok((Some(incident.id.clone()), said)))?;
    told(site, plan, written)
}

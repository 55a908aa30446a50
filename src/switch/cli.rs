//! The command line of `his-switch`.

use super::drill::{self, Exercise};
use super::to_primary::{self, Returning};
use super::to_standby::{self, Opening};
use super::{by_hand, endpoint, status, to_paper, unmirrored};
use crate::cli::{self, Common, Outcome, Site};
use crate::error::Result;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Move the windows between primary, standby and paper
#[derive(Debug, Parser)]
#[command(name = "his-switch", version)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What may be said of an event when it begins.
#[derive(Debug, Args)]
struct Declared {
    /// Why; goes into the journal and the report
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who ordered it
    #[arg(long, value_name = "NAME")]
    ordered_by: Option<String>,
    /// How bad it is; 1 is the highest
    #[arg(long, value_name = "1-4", value_parser = clap::value_parser!(u8).range(1..=4))]
    level: Option<u8>,
    /// Some windows are cut off and both sides really work: do not fence the primary
    #[arg(long)]
    both_live: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// A standby that is given up.
#[derive(Debug, Args)]
struct GivenUp {
    /// The open standby is lost: what was not exported is unknown
    #[arg(long, requires = "why")]
    standby_lost: bool,
    /// Why it is given up; goes into the journal
    #[arg(long, value_name = "TEXT", requires = "standby_lost")]
    why: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show how everything stands, and what to do next
    Status,
    /// Open the standby for the windows; confirm one that died open
    Standby {
        #[command(flatten)]
        declared: Declared,
        /// Open data older than `max_age`, or reopen what an earlier event wrote
        #[arg(long)]
        accept_stale: bool,
        /// Maintenance: fence the primary, take and load a last snapshot, then open; no gap
        #[arg(long, conflicts_with_all = ["accept_stale", "both_live"])]
        planned: bool,
    },
    /// Move the windows to paper
    Paper {
        #[command(flatten)]
        declared: Declared,
        #[command(flatten)]
        given_up: GivenUp,
    },
    /// Bring the windows back to the primary, after everything they did
    Primary {
        /// Lift the fence at once; what is not merged stays to be merged
        #[arg(long)]
        merge_later: bool,
        #[command(flatten)]
        given_up: GivenUp,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Keep the windows out of the primary
    Fence {
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Wait until the primary answers, as long as a fence is waiting for it
        #[arg(long, hide = true)]
        when_it_answers: bool,
    },
    /// Let the windows into the primary again
    Unfence {
        /// Also while windows work on the standby: both sides really work
        #[arg(long)]
        both_live: bool,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Lead the PgBouncers where the windows belong now, as a move does
    Endpoint {
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Exercise the same motions on a generation and numbers of its own
    Drill {
        /// SQL that psql runs on the open drill generation
        #[arg(long, value_name = "FILE")]
        workload: Option<PathBuf>,
        /// Why; goes into the journal
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
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
        match &cli.command {
            Command::Status => status::run(&site),
            Command::Fence { when_it_answers: true, .. } => by_hand::when_it_answers(&site),
            other => unmirrored::told(&site, moved(&site, other)),
        }
    })
}

fn moved(site: &Site, command: &Command) -> Result<Outcome> {
    match command {
        Command::Standby { declared, accept_stale, planned } => {
            to_standby::run(site, &Opening { accept_stale: *accept_stale, planned: *planned, ..opening(declared) })
        }
        Command::Paper { declared, given_up } => to_paper::run(site, &opening(declared), given_up.why.as_deref()),
        Command::Primary { merge_later, given_up, dry_run } => {
            let given_up = given_up.why.clone();
            to_primary::run(site, &Returning { merge_later: *merge_later, given_up, dry_run: *dry_run })
        }
        Command::Fence { dry_run, .. } => by_hand::fence(site, *dry_run),
        Command::Unfence { both_live, dry_run } => by_hand::unfence(site, *both_live, *dry_run),
        Command::Endpoint { dry_run } => endpoint::again(site, *dry_run),
        Command::Drill { workload, reason, dry_run } => {
            let (workload, reason) = (workload.clone(), reason.clone());
            drill::run(site, &Exercise { workload, reason, dry_run: *dry_run })
        }
        Command::Status => status::run(site),
    }
}

fn opening(declared: &Declared) -> Opening {
    Opening {
        reason: declared.reason.clone(),
        ordered_by: declared.ordered_by.clone(),
        level: declared.level,
        both_live: declared.both_live,
        dry_run: declared.dry_run,
        ..Opening::default()
    }
}

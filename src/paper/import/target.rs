//! Where slips go: into the primary, or into the standby while it is open; and what became of an import that was broken off.

use super::write;
use crate::cli::Site;
use crate::db::Client;
use crate::error::{Cannot, Error, Exit, Result};
use crate::paper::Number;
use crate::paper::register::{Act, Interrupted, Register, Target};
use crate::profile::Slip;
use crate::standby::Generation;
use crate::store::Mode;
use std::collections::BTreeSet;

pub const PROGRAM: &str = "his-import-paper";

/// Where slips are written now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub target: Target,
    pub event: Option<String>,
    pub generation: Option<u64>,
}

impl Place {
    /// Of slips of this kind, in the mode that the windows are in.
    pub fn now(site: &Site, slip: &Slip) -> Result<Place> {
        let state = site.store.state()?;
        let event = state.event.as_ref().filter(|e| !e.drill).map(|e| e.id.clone());
        if slip.sql.is_none() {
            return Ok(Place { target: Target::File, event, generation: None });
        }
        let doing = "import paper slips";
        if let Some(moving) = &state.moving {
            return Err(Error::refused(doing, format!("the windows are being moved to mode '{}'", moving.to))
                .hint("finish that move first: run the same his-switch command again; his-switch status says which."));
        }
        match state.mode {
            Mode::Normal => Ok(Place { target: Target::Primary, event, generation: None }),
            Mode::Standby => {
                let standby = site.profile.standby()?.named(PROGRAM);
                let generation = Generation::current(&standby)?.map(|g| g.number);
                Ok(Place { target: Target::Standby, event, generation })
            }
            Mode::Paper => Err(Error::refused(doing, "the windows are in mode 'paper' (expected normal or standby)")
                .hint("slips are keyed when a database is back: his-switch standby or his-switch primary first; his-import-paper check looks at a file before.")),
        }
    }

    /// A session there, as the HIS's own clients have it; `None` for slips that are filed.
    pub fn connect(&self, site: &Site) -> Result<Option<Client>> {
        let server = match self.target {
            Target::Primary => site.profile.primary()?,
            Target::Standby => site.profile.standby()?,
            Target::File => return Ok(None),
        };
        let mut client = server.named(PROGRAM).unset().connect()?;
        client.batch_execute(crate::sql!("paper/session.sql")).cannot("prepare the session that writes slips")?;
        Ok(Some(client))
    }

    /// Makes the tables for slips on the primary; a generation of the standby was loaded with them.
    pub fn prepare(&self, client: &mut Client) -> Result<()> {
        let doing = "prepare the database for paper slips";
        if self.target == Target::Primary {
            return client.batch_execute(crate::sql!("paper/tables.sql")).cannot(doing);
        }
        if client.query_one(crate::sql!("paper/there.sql"), &[]).cannot(doing)?.get(0) {
            return Ok(());
        }
        Err(Error::refused(doing, "this generation of the standby was loaded by an older version of the toolkit")
            .hint("key the slips into the primary when the windows are back there."))
    }
}

/// Asks the databases what became of imports that were broken off, and writes it into the register. Slips of which that
/// cannot be known now, because their database does not answer, are given back: nobody may write them meanwhile.
pub fn settle(site: &Site, register: &mut Register) -> Result<BTreeSet<Number>> {
    while let Some(open) = register.interrupted.last().cloned() {
        match settle_one(site, register, &open) {
            Err(e) if e.exit() == Exit::Unreachable => {
                site.talk.warn(format!("{e}; its slips wait until that database answers"));
                break;
            }
            settled => settled?,
        }
    }
    let number = |open: &Interrupted, running| Number { series: open.series.clone(), running };
    Ok(register.interrupted.iter().flat_map(|o| o.slips.iter().map(|(n, _)| number(o, *n))).collect())
}

fn settle_one(site: &Site, register: &mut Register, open: &Interrupted) -> Result<()> {
    let numbers: Vec<Number> =
        open.slips.iter().map(|(running, _)| Number { series: open.series.clone(), running: *running }).collect();
    let doing = "find out what became of the import that was broken off";
    let told = |e: Error| e.restated(doing);
    let found = match open.target {
        // What is filed is written nowhere but into the register.
        Target::File => Vec::new(),
        Target::Primary => {
            let mut client = site.profile.primary()?.named(PROGRAM).connect().map_err(told)?;
            write::known(&mut client, &numbers)?
        }
        Target::Standby => {
            let standby = site.profile.standby()?.named(PROGRAM);
            let all = Generation::all(&standby).map_err(told)?;
            let generation = all.iter().find(|g| Some(g.number) == open.generation).ok_or_else(|| {
                let number = open.generation.unwrap_or_default();
                Error::refused(doing, format!("generation {number} of the standby, which it wrote to, is not there"))
                    .hint("look on the primary for the slips of that file (his_emergency.slip, and the HIS itself) before anything of it is imported.")
            })?;
            write::known(&mut standby.connect_to(&generation.database)?, &numbers)?
        }
    };
    let slips = numbers
        .iter()
        .filter_map(|n| found.iter().find(|k| k.slip_no == n.to_string()).map(|k| (n.running, k.hash.clone())))
        .collect::<Vec<_>>();
    site.talk.say(format!("an import was broken off: of its {} slips the database has {}", numbers.len(), slips.len()));
    note(register, open, slips)?;
    register.write(&Act::End { series: open.series.clone() })
}

fn note(register: &mut Register, open: &Interrupted, slips: Vec<(u64, String)>) -> Result<()> {
    if slips.is_empty() {
        return Ok(());
    }
    register.write(&Act::Keyed { series: open.series.clone(), target: open.target, event: open.event.clone(), slips })
}

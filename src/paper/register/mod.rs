//! The register of slip numbers, in the store and its mirror: what was handed out to whom, and how each number ended (P11).
//!
//! It needs no database. A number is in the register, synced, before anybody is told of it, so none is issued twice after
//! a crash; a register that was copied elsewhere, or put back from a backup, issues none until somebody answers for it.

mod act;
mod home;
mod numbers;

pub use act::{Act, Content, Line, Target};
pub use numbers::{Block, Count, End, Interrupted, Series};

use super::number::Number;
use crate::cli::Site;
use crate::error::{Cannot, Error, Result};
use crate::store::Chain;
use chrono::Utc;
use home::Home;
use std::collections::BTreeMap;

/// Numbers left out when a register begins anew in another place: what the lost one may have handed out meanwhile.
const LEAP: u64 = 10_000;

/// What the register of a store says. Changes are written before they count.
#[derive(Debug)]
pub struct Register {
    chain: Chain,
    by: String,
    home: Option<Home>,
    here: Home,
    series: BTreeMap<String, Series>,
    /// Imports that began and did not end, the last one last.
    pub interrupted: Vec<Interrupted>,
}

impl Register {
    /// Reads the register. A line that does not follow from the one before is damage; lines that only the mirror has are
    /// taken over when `site` may write (an older store was put back).
    pub fn read(site: &Site) -> Result<Register> {
        let chain = site.store.register();
        if !chain.catch_up_with_mirror()? {
            return Err(site
                .store
                .damaged("paper/numbers.jsonl", "it and its mirror say different things")
                .hint("find out which of the two is right before any number is issued, and move the other away."));
        }
        let (lines, broken) = chain.read::<Line>()?;
        if let Some(broken) = broken {
            let reason = format!("line {} {}", broken.line, broken.reason);
            return Err(site.store.damaged("paper/numbers.jsonl", reason));
        }
        let dir = site.store.dir().join("paper");
        let here = Home::of(&dir).cannot(format!("look at '{}'", dir.display()))?;
        let mut register =
            Register { chain, by: site.by.clone(), home: None, here, series: BTreeMap::new(), interrupted: Vec::new() };
        for line in lines {
            register.take(&line.act);
        }
        Ok(register)
    }

    fn take(&mut self, act: &Act) {
        match act {
            // Where one was before, numbers may have been issued there that are not known here.
            Act::Home { home, .. } => {
                // Where it was before, numbers may have been issued that are not known here.
                let leap = self.home.replace(home.clone()).map_or(0, |_| LEAP);
                self.series.values_mut().for_each(|s| s.leap(leap));
            }
            Act::Begin { series, target, event, generation, slips } => {
                let (target, event, generation) = (*target, event.clone(), *generation);
                let (series, slips) = (series.clone(), slips.clone());
                self.interrupted.push(Interrupted { series, target, event, generation, slips });
            }
            Act::End { .. } => drop(self.interrupted.pop()),
            _ => {}
        }
        if let Some(series) = act.series() {
            self.series.entry(series.to_owned()).or_default().take(act);
        }
    }

    /// Writes one line, and then counts it.
    pub fn write(&mut self, act: &Act) -> Result<()> {
        self.chain.append(Line { at: Utc::now(), by: self.by.clone(), act: act.clone(), previous: String::new() })?;
        self.take(act);
        Ok(())
    }

    /// What is known of a series; empty when nothing of it was ever issued.
    #[must_use]
    pub fn series(&self, series: &str) -> Series {
        self.series.get(series).cloned().unwrap_or_default()
    }

    /// Every series that has numbers.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Series)> {
        self.series.iter().map(|(name, series)| (name.as_str(), series))
    }

    /// Refuses where the register is not at home: another store may be issuing the same numbers.
    fn at_home(&mut self, moved: Option<&str>) -> Result<()> {
        let Some(home) = &self.home else { return self.write(&Act::Home { home: self.here.clone(), why: None }) };
        if home.is(&self.here) {
            return Ok(());
        }
        if moved.is_none() {
            let reason = if home.machine == self.here.machine && home.path == self.here.path {
                "its directory was put back from a copy, and numbers issued since may be missing in it".to_owned()
            } else {
                format!("it is a copy of the register in '{}' (expected '{}')", home.path, self.here.path)
            };
            return Err(Error::refused("issue numbers", reason).hint(
                "issue them where that register is. If it is gone for good: numbers issue --moved WHY, which leaves out 10000 numbers of each series.",
            ));
        }
        self.write(&Act::Home { home: self.here.clone(), why: moved.map(str::to_owned) })
    }

    /// Hands out the next `count` numbers of a series; they are in the register and its mirror when this returns.
    pub fn issue(&mut self, wanted: &Wanted<'_>, moved: Option<&str>) -> Result<Vec<Number>> {
        self.at_home(moved)?;
        let first = self.series(wanted.series).next();
        let last = first + wanted.count.max(1) - 1;
        self.write(&Act::Issue {
            series: wanted.series.to_owned(),
            first,
            last,
            to: wanted.to.to_owned(),
            epoch: wanted.epoch,
            packed: wanted.packed,
        })?;
        Ok((first..=last).map(|running| Number { series: wanted.series.to_owned(), running }).collect())
    }
}

/// Numbers that somebody asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub series: &'a str,
    pub count: u64,
    /// A window or ward.
    pub to: &'a str,
    pub epoch: u64,
    pub packed: bool,
}

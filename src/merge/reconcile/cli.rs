//! `his-merge reconcile` on the command line.

use super::words::Words;
use super::{Accept, finance, show};
use crate::cli::{Outcome, Site};
use crate::error::{Exit, Result};
use crate::merge::mask::Mask;
use std::path::PathBuf;

/// Arguments of `reconcile`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The event (default: the current or latest)
    event: Option<String>,
    /// Write the same for finance: CSV that Excel opens
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Record that a difference is lawful (may be repeated)
    #[arg(long, value_name = "ID", requires = "why")]
    accept: Vec<i64>,
    /// Why; goes into the ledger and the journal
    #[arg(long, value_name = "TEXT", requires = "accept")]
    why: Option<String>,
}

/// Reconciles, and says it in every form that is asked for.
pub fn command(site: &Site, args: &Args) -> Result<Outcome> {
    let accept = (!args.accept.is_empty())
        .then(|| Accept { ids: args.accept.clone(), why: args.why.clone().unwrap_or_default() });
    let mut found = super::run(site, args.event.as_deref(), accept.as_ref())?;
    if let Some(found) = &mut found {
        Mask::new(&site.profile).differences(&mut found.differences);
    }
    let words = Words::of(&site.profile.site);
    let (mut json, mut text) = (show::json(found.as_ref()), show::text(found.as_ref(), words));
    if let (Some(path), Some(found)) = (&args.csv, &found) {
        let path = finance::write(path, found, words)?;
        text.push_str(&format!("\nfor finance: {}", path.display()));
        json["csv"] = serde_json::json!(path);
    }
    let exit = found.as_ref().map_or(Exit::Done, super::Reconciled::exit);
    Ok(Outcome::new(json, text).exit(exit))
}

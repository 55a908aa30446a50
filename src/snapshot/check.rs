//! `his-snapshot check`: the profile against both servers, everything at once.

use super::{Finding, PROGRAM, plan};
use crate::catalog::Catalog;
use crate::cli::Site;
use crate::error::Result;

/// What a check found; errors make the profile unusable.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    pub errors: Vec<Finding>,
    pub warnings: Vec<Finding>,
}

/// Reads the profile against primary and standby.
pub fn check(site: &Site) -> Result<Checked> {
    let mut client = site.profile.download()?.named(PROGRAM).connect()?;
    let catalog = Catalog::read(&mut client)?;
    let (_, errors) = plan::tables(&site.profile, &catalog);
    Ok(Checked { errors, warnings: Vec::new() })
}

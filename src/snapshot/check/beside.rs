//! Profiles of other sites of the same primary, set beside this one: what must be each site's own.

use super::Checked;
use crate::error::Result;
use crate::profile::Profile;
use crate::snapshot::Finding;
use std::path::PathBuf;

/// Reads the other profiles, and compares each with all others.
pub fn check(profile: &Profile, beside: &[PathBuf], checked: &mut Checked) -> Result<()> {
    let others = beside.iter().map(|path| Profile::read(path)).collect::<Result<Vec<Profile>>>()?;
    let all: Vec<&Profile> = std::iter::once(profile).chain(&others).collect();
    for (n, one) in all.iter().enumerate() {
        for other in &all[n + 1..] {
            pair(one, other, checked);
        }
    }
    Ok(())
}

fn pair(one: &Profile, other: &Profile, checked: &mut Checked) {
    let both = format!("'{}' and '{}'", one.path.display(), other.path.display());
    let mut error = |text: String| checked.error(Finding::general(format!("{both}: {text}")));
    if one.site.code == other.site.code {
        error(format!("both are site '{}'; events and slips of the two could not be told apart", one.site.code));
    }
    if one.store.dir == other.store.dir {
        error(format!("both have the store '{}'", one.store.dir.display()));
    }
    if let (Ok(one), Ok(other)) = (one.standby(), other.standby())
        && (one.place(), one.database()) == (other.place(), other.database())
    {
        error(format!("both have the standby '{}' at {}", one.database(), one.place()));
    }
    for a in one.blocks() {
        for b in other.blocks().filter(|b| b.sequence == a.sequence && a.first <= b.last && b.first <= a.last) {
            error(format!(
                "the blocks {}..{} and {}..{} of '{}' meet: both would hand out the same numbers",
                a.first, a.last, b.first, b.last, a.sequence
            ));
        }
    }
    if let Some(role) = one.window_roles.iter().find(|role| other.window_roles.contains(role)) {
        checked.warning(Finding::general(format!(
            "{both}: both have the window role '{role}'; the fence of one closes the primary to both, and lifting it opens it to both"
        )));
    }
}

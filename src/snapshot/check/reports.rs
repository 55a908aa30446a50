//! Reports of the profile that nobody could ask.

use super::{Checked, Finding};
use crate::profile::Profile;

pub fn check(profile: &Profile, checked: &mut Checked) {
    for report in profile.reports.iter().filter(|r| !r.sql.is_file()) {
        let text = format!(
            "[[report]] '{}': there is no file '{}'; his-merge reconcile would name it and end in 3",
            report.name,
            report.sql.display()
        );
        checked.warning(Finding { line: Some(report.line), ..Finding::general(text) });
    }
}

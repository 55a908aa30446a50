//! The slips that were refused, in the layout of the file they came from, with the reasons: to be corrected and imported
//! again.

use super::Sheet;
use crate::error::{Cannot, Result};
use crate::formats::cell::guarded;
use crate::paper::import::Rejected;
use crate::store::durable;
use std::collections::BTreeMap;
use std::path::Path;

/// Writes all rows of each slip in `rejects`, in the file's order; a spreadsheet opens it as it is.
pub fn write(path: &Path, sheet: &Sheet, rejects: &[Rejected], language: &str) -> Result<()> {
    let doing = || format!("write '{}'", path.display());
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for reject in rejects {
        let field = if reject.field.is_empty() { String::new() } else { format!("{}: ", reject.field) };
        reasons.entry(&reject.slip_no).or_default().push(format!("{field}{}", reject.reason));
    }
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(b"\xef\xbb\xbf".to_vec());
    let has_reason =
        sheet.header.last().is_some_and(|h| super::header::REASON.contains(&h.trim().to_lowercase().as_str()));
    let width = sheet.header.len() - usize::from(has_reason);
    let reason = if language == "en" { "Reason" } else { "原因" };
    let header = sheet.header[..width].iter().map(|h| guarded(h)).chain([reason.to_owned()]);
    writer.write_record(header).cannot(doing())?;
    for group in &sheet.groups {
        let Some(why) = reasons.get(group.slip_no.as_str()) else { continue };
        for (no, row) in group.rows.iter().enumerate() {
            let why = if no == 0 { why.join("; ") } else { String::new() };
            let cells = (0..width).map(|at| row.get(at).map(|c| guarded(c)).unwrap_or_default());
            writer.write_record(cells.chain([why])).cannot(doing())?;
        }
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error).cannot(doing())?;
    durable::replace(path, &bytes).cannot(doing())
}

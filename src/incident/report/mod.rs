//! The report of an incident (总结): one self-contained page for a browser and paper, and the same as Markdown, in both
//! languages. [`facts`] gathers, [`figures`] asks the primary, [`chart`] draws, [`page`] writes.
//!
//! Its money is what `his-merge reconcile` says, by the same call. No row of the HIS is read for it: only counts, sums and
//! what people typed into the log.

mod chart;
mod facts;
mod figures;
mod page;

use super::log::Incident;
use crate::cli::{Outcome, Site};
use crate::error::{Cannot, Exit, Result};
use crate::plan::Plan;
use crate::store::durable;
use facts::Facts;
use serde_json::json;
use std::path::Path;

/// Gathers everything and writes the four files into `to`.
pub fn write(site: &Site, plan: &Plan, incident: Incident, to: &Path) -> Result<Outcome> {
    let facts = Facts::gather(site, plan, incident)?;
    let to = std::path::absolute(to).cannot(format!("use '{}'", to.display()))?;
    durable::make_dir(&to).cannot(format!("make '{}'", to.display()))?;
    let mut files = Vec::new();
    for (language, suffix) in [("zh-CN", "zh"), ("en", "en")] {
        for (extension, text) in
            [("html", page::html(site, plan, &facts, language)?), ("md", page::markdown(site, plan, &facts, language)?)]
        {
            let path = to.join(format!("{}.{suffix}.{extension}", facts.incident.id));
            durable::replace(&path, text.as_bytes()).cannot(format!("write '{}'", path.display()))?;
            files.push(path.display().to_string());
        }
    }
    let open = facts.open();
    let exit = if open.is_empty() { Exit::Done } else { Exit::NeedsPerson };
    let mut text = files.join("\n");
    for line in &open {
        text.push_str(&format!("\nNOTE: {line}"));
    }
    Ok(Outcome::new(json!({ "incident": facts.incident.id, "files": files, "facts": facts, "open": open }), text)
        .exit(exit))
}

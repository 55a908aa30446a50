//! A mirror that could not be written holds no move up (P16); the move says so, and ends in 3.

use crate::cli::{Outcome, Site};
use crate::error::{Exit, Result};
use serde_json::{Value, json};

/// Passes on how a move ended, with what could not be mirrored: on standard error, in the journal and in the result.
pub fn told(site: &Site, done: Result<Outcome>) -> Result<Outcome> {
    let Some((mirror, reason)) = site.store.mirror_trouble() else { return done };
    let text =
        format!("the mirror '{}' could not be written ({reason}); state stands only in the store", mirror.display());
    site.talk.warn(format!("{text}. Mend the mirror; his-export-queue then brings it up to date"));
    let changed = done.as_ref().map_or(true, |o| o.json["dry_run"] != true);
    if changed {
        let event = site.store.state().ok().and_then(|s| s.event).map(|e| e.id);
        let detail = json!({ "mirror": mirror, "reason": reason });
        if let Err(e) = site.store.journal().write(&site.by, "mirror", event.as_deref(), "not written", detail) {
            site.talk.warn(e.to_string());
        }
    }
    done.map(|outcome| if changed { with_warning(outcome, &text) } else { outcome })
}

fn with_warning(mut outcome: Outcome, text: &str) -> Outcome {
    if let Some(json) = outcome.json.as_object_mut()
        && let Value::Array(warnings) = json.entry("warnings").or_insert_with(|| json!([]))
    {
        warnings.push(json!(text));
    }
    outcome.text = format!("{}\nNOTE: {text}", outcome.text.trim_end());
    outcome.exit = outcome.exit.worse(Exit::NeedsPerson);
    outcome
}

//! Supplies: what the plan wants to lie ready, and what somebody counted. Counts are acts of the journal, because they are
//! made in quiet times.

use crate::cli::{Outcome, Site};
use crate::clock;
use crate::error::Result;
use crate::plan::Plan;
use crate::store::Act;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ACT: &str = "count supplies";

/// What lay there when it was last counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub count: u32,
    pub at: DateTime<Utc>,
}

pub(super) fn note(site: &Site, counted: &[(String, u32)]) -> Result<()> {
    if counted.is_empty() {
        return Ok(());
    }
    let detail: BTreeMap<&str, u32> = counted.iter().map(|(supply, count)| (supply.as_str(), *count)).collect();
    site.store.journal().write(&site.by, ACT, None, "done", json!(detail))
}

/// The last count of each supply, by the acts of the journal.
#[must_use]
pub fn counted(acts: &[Act]) -> BTreeMap<String, Counted> {
    let mut found = BTreeMap::new();
    for act in acts.iter().filter(|a| a.act == ACT) {
        for (supply, count) in act.detail.as_object().into_iter().flatten() {
            let count = count.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
            found.insert(supply.clone(), Counted { count, at: act.at });
        }
    }
    found
}

pub(super) fn outcome(site: &Site, plan: &Plan) -> Result<Outcome> {
    let language = &site.profile.site.language;
    let counted = counted(&site.store.journal().read()?.0);
    let (now, mut lines, mut list): (_, Vec<String>, Vec<Value>) = (Utc::now(), Vec::new(), Vec::new());
    for supply in &plan.supply {
        let found = counted.get(&supply.id);
        let state = match found {
            None => "never counted".to_owned(),
            Some(c) if c.count < supply.least => format!("TOO FEW: {}", c.count),
            Some(c) => format!("{} counted {}", c.count, clock::time_of_day(&site.profile.site, c.at, now)),
        };
        let fetches = plan.role(&supply.fetches).map_or("", |r| r.name.of(language));
        lines.push(format!(
            "{:<18} at least {:>4} {}  {state:<32} {}: {} ({fetches})",
            supply.id,
            supply.least,
            supply.unit.of(language),
            supply.name.of(language),
            supply.place.of(language)
        ));
        list.push(json!({
            "supply": supply.id, "kind": supply.kind, "least": supply.least, "count": found.map(|c| c.count),
            "counted_at": found.map(|c| c.at), "enough": found.map(|c| c.count >= supply.least),
        }));
    }
    Ok(Outcome::new(json!({ "supplies": list }), lines.join("\n")))
}

//! What the HIS does by itself when a captured row changes, and what `triggers` makes of it.

use super::facts::Facts;
use super::{Checked, Finding, Pair};
use crate::catalog::{Catalog, Trigger};
use crate::profile::{Profile, Triggers};
use std::collections::BTreeSet;

pub fn check(profile: &Profile, catalog: &Catalog, tables: &[Pair], facts: &Facts, checked: &mut Checked) {
    for pair in tables.iter().filter(|p| p.entry.capture) {
        let refire = pair.entry.triggers == Triggers::Refire;
        // A trigger of a partitioned table is there once more on each partition.
        let parts = catalog.iter().filter(|t| catalog.root(t).name == pair.table.name);
        let mut seen = BTreeSet::new();
        for trigger in parts.flat_map(|t| &t.triggers).filter(|t| t.enabled) {
            if seen.insert(&trigger.name) {
                one(pair, trigger, refire, checked);
            }
        }
        if refire {
            for (child, key) in catalog.references_to(&pair.table.name).filter(|(_, key)| key.cascades()) {
                let text = format!(
                    "'triggers = refire' cannot be used: '{}' of '{}' cascades from it, and what a cascade wrote cannot be told from what a window wrote (expected replay)",
                    key.name, child.name
                );
                checked.error(Finding::of(pair.entry, text));
            }
        }
        for (_, rule) in facts.rules.iter().filter(|(table, _)| *table == pair.table.name) {
            let text = format!("the rule '{rule}' rewrites what is written to it: the rewritten changes are uploaded");
            checked.warning(Finding::of(pair.entry, text));
        }
    }
    instead_of(profile, tables, facts, checked);
}

fn one(pair: &Pair, trigger: &Trigger, refire: bool, checked: &mut Checked) {
    let level = if trigger.row { "row" } else { "statement" };
    let what = format!(
        "trigger '{}' ({} {} for each {level}: {})",
        trigger.name, trigger.timing, trigger.events, trigger.function
    );
    if refire && trigger.timing == "before" && trigger.row && trigger.may_return_null {
        let text = format!(
            "'triggers = refire' cannot be used: {what} may return NULL, and then what it wrote elsewhere cannot be told from what a window wrote (expected replay)"
        );
        checked.error(Finding::of(pair.entry, text));
        return;
    }
    let means = if refire {
        "refire: what it wrote on the standby is left out, and the primary's fires again at the merge"
    } else {
        "replay: what it wrote on the standby is uploaded, and the primary's stays silent at the merge"
    };
    checked.warning(Finding::of(pair.entry, format!("{what} — {means}")));
}

/// What is written through a view comes from its trigger; which of its tables that writes is not known.
fn instead_of(profile: &Profile, tables: &[Pair], facts: &Facts, checked: &mut Checked) {
    for t in &facts.instead_of {
        let Some(pair) = tables.iter().find(|p| p.table.name == t.table && p.entry.capture) else { continue };
        let through = format!("the view '{}' is written through the INSTEAD OF trigger '{}'", t.view, t.trigger);
        if profile.captured().any(|e| e.name == t.table && e.triggers == Triggers::Refire) {
            let text = format!("'triggers = refire' cannot be used: {through} (expected replay)");
            checked.error(Finding::of(pair.entry, text));
        } else {
            checked.warning(Finding::of(pair.entry, format!("{through}: what it wrote on the standby is uploaded")));
        }
    }
}

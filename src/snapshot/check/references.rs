//! What leads out of the captured tables: foreign keys, cascades, parents.

use super::{Checked, Finding, Pair};
use crate::catalog::{Catalog, ForeignKey, Name};
use crate::profile::Profile;

pub fn check(profile: &Profile, catalog: &Catalog, tables: &[Pair], checked: &mut Checked) {
    for pair in tables {
        for (_, key) in keys(catalog, pair) {
            let target = root(catalog, &key.to());
            if profile.table(&target).is_none() {
                let text = format!("its foreign key '{}' references '{target}', which is not in the profile", key.name);
                if pair.entry.capture {
                    checked.error(Finding::of(pair.entry, format!("{text}: the standby would refuse its rows")));
                } else {
                    checked.warning(Finding::of(pair.entry, format!("{text}: it will not hold on the standby")));
                }
            }
        }
    }
    for pair in tables.iter().filter(|p| p.entry.capture) {
        cascades(profile, catalog, pair, checked);
        guards(catalog, pair, checked);
        parent(catalog, pair, checked);
    }
}

/// Foreign keys of the table, also those that only a partition has.
fn keys<'a>(catalog: &'a Catalog, pair: &Pair) -> Vec<(&'a Name, &'a ForeignKey)> {
    let parts = catalog.iter().filter(|t| catalog.root(t).name == pair.table.name);
    parts.flat_map(|t| t.foreign_keys.iter().map(move |k| (&t.name, k))).collect()
}

fn root(catalog: &Catalog, name: &Name) -> Name {
    catalog.get(name).map_or_else(|| name.clone(), |t| catalog.root(t).name.clone())
}

/// A cascade writes rows that no capture sees when its target is not captured.
fn cascades(profile: &Profile, catalog: &Catalog, pair: &Pair, checked: &mut Checked) {
    for (child, key) in catalog.references_to(&pair.table.name).filter(|(_, key)| key.cascades()) {
        let child = root(catalog, &child.name);
        let entry = profile.table(&child);
        if entry.is_some_and(|t| t.capture) {
            continue;
        }
        let what = [("delete", &key.on_delete), ("update", &key.on_update)]
            .into_iter()
            .filter(|(_, action)| !action.is_empty())
            .map(|(event, action)| format!("ON {} {}", event.to_uppercase(), action.to_uppercase()))
            .collect::<Vec<_>>()
            .join(" ");
        let text = format!(
            "the foreign key '{}' of '{child}' cascades from it ({what}) into a table that is not captured",
            key.name
        );
        if entry.is_some_and(|t| t.scratch) {
            checked.warning(Finding::of(pair.entry, text));
        } else {
            checked.error(Finding::of(pair.entry, text));
        }
    }
}

/// `guard = { column = [parent's columns] }` goes through a foreign key.
fn guards(catalog: &Catalog, pair: &Pair, checked: &mut Checked) {
    for (column, watched) in &pair.entry.guard {
        let through = keys(catalog, pair).into_iter().find(|(_, key)| key.columns.contains(column));
        let Some(parent) = through.and_then(|(_, key)| catalog.get(&key.to())) else {
            if pair.table.column(column).is_some() {
                let text = format!("'guard' names '{column}', which is in no foreign key of it");
                checked.error(Finding::of(pair.entry, text));
            }
            continue;
        };
        for name in watched.iter().filter(|name| parent.column(name).is_none()) {
            let text = format!("'guard' of '{column}' names '{name}', which is no column of '{}'", parent.name);
            checked.error(Finding::of(pair.entry, text));
        }
    }
}

fn parent(catalog: &Catalog, pair: &Pair, checked: &mut Checked) {
    if let Some(parent) = &pair.entry.part_of
        && *parent != pair.table.name
        && !keys(catalog, pair).iter().any(|(_, key)| root(catalog, &key.to()) == *parent)
    {
        let text = format!("'part_of' names '{parent}', to which it has no foreign key");
        checked.error(Finding::of(pair.entry, text));
    }
}

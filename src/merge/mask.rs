//! Values of `personal` columns are not shown: a sign stands for each, the same for the same value of one answer, so that a
//! person sees what differs without seeing what it is.

use super::conflicts::{Change, Conflict, Detail};
use super::reconcile::Difference;
use crate::profile::Profile;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Masks what belongs to one answer.
pub struct Mask<'a> {
    profile: &'a Profile,
    seen: BTreeMap<String, usize>,
}

impl<'a> Mask<'a> {
    #[must_use]
    pub fn new(profile: &'a Profile) -> Mask<'a> {
        Mask { profile, seen: BTreeMap::new() }
    }

    pub fn conflicts(&mut self, conflicts: &mut [Conflict]) {
        conflicts.iter_mut().for_each(|c| self.conflict(c));
    }

    pub fn detail(&mut self, detail: &mut Detail) {
        self.conflict(&mut detail.conflict);
        for change in &mut detail.changes {
            self.change(change);
        }
    }

    pub fn differences(&mut self, differences: &mut [Difference]) {
        for d in differences {
            let personal = self.of(Some(&d.table));
            self.value(&mut d.key, &personal);
            if personal.contains(&d.column) {
                for text in [&mut d.expected, &mut d.found].into_iter().flatten() {
                    *text = self.sign(text);
                }
            }
        }
    }

    fn conflict(&mut self, c: &mut Conflict) {
        let personal = self.of(c.table.as_deref());
        self.value(&mut c.key, &personal);
        for image in ["old", "new"] {
            if let Some(row) = c.standby.get_mut(image) {
                self.value(row, &personal);
            }
        }
        // Of a parent it is another table's row, and which table is not said.
        let theirs = if c.kind == "parent" { self.of(None) } else { personal };
        self.value(&mut c.primary, &theirs);
    }

    fn change(&mut self, change: &mut Change) {
        let personal = self.of(Some(&change.table));
        for image in [&mut change.old, &mut change.new] {
            self.row(image, &personal);
        }
    }

    /// The personal columns of a table, or of all of them.
    fn of(&self, table: Option<&str>) -> BTreeSet<String> {
        let tables = self.profile.tables.iter().filter(|t| table.is_none_or(|name| t.name.to_string() == name));
        tables.flat_map(|t| t.personal.iter().cloned()).collect()
    }

    fn value(&mut self, row: &mut Value, personal: &BTreeSet<String>) {
        if let Value::Object(row) = row {
            self.row(row, personal);
        }
    }

    fn row(&mut self, row: &mut Map<String, Value>, personal: &BTreeSet<String>) {
        for (_, value) in row.iter_mut().filter(|(column, value)| personal.contains(*column) && !value.is_null()) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            *value = Value::from(self.sign(&text));
        }
    }

    fn sign(&mut self, text: &str) -> String {
        let next = self.seen.len() + 1;
        format!("***{}", self.seen.entry(text.to_owned()).or_insert(next))
    }
}

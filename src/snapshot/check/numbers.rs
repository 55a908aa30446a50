//! Numbers that primary and standby might both hand out.

use super::facts::{Facts, Sequence};
use super::{Checked, Finding, Pair};
use crate::catalog::Name;
use crate::profile::{Numbers, Profile};

pub fn check(profile: &Profile, tables: &[Pair], facts: &Facts, checked: &mut Checked) {
    let mut blocks = Vec::new();
    for numbers in &profile.numbers {
        if let Numbers::Block { sequence, first, last } = numbers {
            block(sequence, *first, *last, facts, checked);
            blocks.push(sequence);
        }
    }
    for pair in tables.iter().filter(|p| p.entry.capture) {
        for (name, _) in drawn_by(facts, &pair.table.name) {
            if !blocks.contains(&name) {
                let text = format!(
                    "its sequence '{name}' has no [[numbers]] block: after the snapshot the primary goes on handing out the numbers that the standby would"
                );
                checked.warning(Finding::of(pair.entry, text));
            }
        }
        filled_by_hand(profile, pair, facts, checked);
    }
}

/// Sequences that a column of the table draws from.
fn drawn_by<'a>(facts: &'a Facts, table: &'a Name) -> impl Iterator<Item = (&'a Name, &'a Sequence)> {
    facts.sequences.iter().filter(move |(_, s)| s.users.iter().any(|u| u.table == *table))
}

fn block(name: &Name, first: i64, last: i64, facts: &Facts, checked: &mut Checked) {
    let mut error = |text: String| checked.errors.push(Finding::general(format!("[[numbers]] '{name}': {text}")));
    let Some(sequence) = facts.sequences.get(name) else {
        error("the primary has no such sequence".to_owned());
        return;
    };
    if sequence.increment != 1 {
        error(format!(
            "its INCREMENT is {} (expected 1): the HIS takes numbers in pools that begin below what the sequence says",
            sequence.increment
        ));
    }
    if last > sequence.type_max {
        error(format!("its block ends at {last}, its type at {}", sequence.type_max));
    }
    for user in sequence.users.iter().filter(|u| last > u.max && sequence.type_max > u.max) {
        error(format!("its block ends at {last}, the type of '{}.{}' at {}", user.table, user.column, user.max));
    }
    if let Some(reached) = sequence.last.filter(|reached| *reached >= first) {
        error(format!("the primary has reached {reached} already, and its block begins at {first}"));
    }
}

/// An integer of the primary key that no sequence, default or parent fills: the HIS counts by itself, mostly max + 1.
fn filled_by_hand(profile: &Profile, pair: &Pair, facts: &Facts, checked: &mut Checked) {
    for column in pair.table.primary_key().unwrap_or_default().iter().filter_map(|c| pair.table.column(c)) {
        let integer = matches!(column.base_type.as_str(), "smallint" | "integer" | "bigint");
        let filled = column.default.is_some() || !column.identity.is_empty() || column.generated;
        let parent = pair.table.foreign_keys.iter().any(|k| k.columns.contains(&column.name));
        let drawn = drawn_by(facts, &pair.table.name)
            .any(|(_, s)| s.users.iter().any(|u| u.table == pair.table.name && u.column == column.name));
        let kept_apart = profile.number_columns(&pair.table.name).any(|c| c == column.name);
        if integer && !filled && !parent && !drawn && !kept_apart {
            let text = format!(
                "'{}' is filled by the HIS itself (max + 1?): after the snapshot the primary goes on handing out the same numbers",
                column.name
            );
            checked.warning(Finding::of(pair.entry, text));
        }
    }
}

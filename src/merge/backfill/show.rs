//! What a backfill found and did, as JSON and for people.

use super::{Backfilled, Changed, Compared, Kept};
use comfy_table::{Table, presets};
use serde_json::{Value, json as object};
use std::fmt::Write;

/// `{"snapshot","event","tables","sequences","ledger","units","rows","money","balanced","new"}`.
#[must_use]
pub fn json(b: &Backfilled) -> Value {
    let ledger = match b.ledger {
        Kept::Own => Value::Null,
        Kept::PutBack(run) => object!({ "put_back_up_to_run": run }),
    };
    let a = &b.account;
    let mut json = object!({
        "snapshot": b.snapshot, "event": b.event, "tables": b.tables, "sequences": b.sequences, "ledger": ledger,
        "units": a.units, "rows": a.rows, "money": a.money, "balanced": a.balanced,
        "new": { "merged": b.new.merged, "held": b.new.held },
    });
    if b.dry_run {
        json["dry_run"] = object!(true);
    }
    json
}

#[must_use]
pub fn text(b: &Backfilled) -> String {
    let mut text = format!("snapshot {}, brought back as event {}\n", b.snapshot, b.event);
    let mut list = Table::new();
    list.load_style(presets::NOTHING);
    list.set_header(["table", "in the snapshot", "lacking", "otherwise", "only on the primary"]);
    let differs = |t: &&Compared| t.lacking + t.changed + t.only_on_primary.unwrap_or(0) > 0;
    for t in b.tables.iter().filter(differs) {
        let only = t.only_on_primary.map_or_else(|| "? (a part is downloaded)".to_owned(), |n| n.to_string());
        list.add_row([t.table.to_string(), t.snapshot.to_string(), t.lacking.to_string(), t.changed.to_string(), only]);
    }
    if b.tables.iter().any(|t| differs(&t)) {
        for line in list.to_string().lines() {
            let _ = writeln!(text, "{}", line.trim_end());
        }
    } else {
        text.push_str("the primary has every row of it, and no other\n");
    }
    if let Kept::PutBack(run) = b.ledger {
        let verb = if b.dry_run { "would be" } else { "is" };
        let _ = writeln!(text, "the merge ledger {verb} put back as the snapshot has it, up to run {run}");
    }
    for s in &b.sequences {
        let verb = if b.dry_run { "would go" } else { "went" };
        let _ = writeln!(text, "the sequence {} {verb} forward from {} to {}", s.sequence, s.from, s.to);
    }
    notes(b, &mut text);
    let verb = if b.dry_run { "would bring" } else { "brought" };
    let _ = write!(text, "{verb} back {} units now, held {}", b.new.merged, b.new.held);
    if !b.dry_run {
        let u = b.account.units;
        let _ =
            write!(text, "\nof {} in all: merged {}, held {}, rejected {}", u.captured, u.merged, u.held, u.rejected);
        if !b.account.balanced {
            text.push_str("; NOT BALANCED");
        }
        let next = if u.held > 0 { "\nnow: his-merge conflicts, then his-merge" } else { "\nnow: his-merge" };
        text.push_str(next);
    }
    text
}

/// What a person must know of single tables.
fn notes(b: &Backfilled, text: &mut String) {
    let mut note = |line: String| {
        let _ = writeln!(text, "NOTE: {line}");
    };
    for t in &b.tables {
        if t.keyless && t.lacking > 0 {
            note(format!("{} rows of {} are lacking and cannot be brought back: it has no key", t.lacking, t.table));
        } else if t.lacking > 0 && !t.omitted.is_empty() {
            let list = t.omitted.join(", ");
            note(format!("{} rows of {} come without what is not downloaded: {list}", t.lacking, t.table));
        }
        if t.since > 0 {
            note(format!(
                "{} rows of {} were brought back before and changed or deleted since; they are left so",
                t.since, t.table
            ));
        }
    }
    let only: u64 = b.tables.iter().filter_map(|t| t.only_on_primary).sum();
    if only > 0 {
        let why = if b.changed == Changed::Snapshot {
            "if nobody has worked there since, they were deleted before the snapshot was taken"
        } else {
            "they are younger than the snapshot, or were deleted before it was taken"
        };
        note(format!("{only} rows are on the primary only, and stay there: {why}"));
    }
    let changed: u64 = b.tables.iter().map(|t| t.changed).sum();
    if changed > 0 && b.changed == Changed::Primary {
        note(format!("{changed} rows are otherwise on the primary, and stay so (--changed primary)"));
    }
}

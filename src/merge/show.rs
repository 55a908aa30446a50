//! Conflicts as a person reads them, on a terminal of 100 columns.

use super::conflicts::{Change, Conflict, Detail};
use chrono_tz::Tz;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value, json};
use std::fmt::Write;

const WIDTH: u16 = 100;

/// The list of the contract: `conflicts [{"id","unit","table","key","kind","reason","standby","primary","holds"}]`.
pub fn list_json(conflicts: &[Conflict]) -> Value {
    json!({ "conflicts": conflicts.iter().map(one_json).collect::<Vec<_>>() })
}

fn one_json(c: &Conflict) -> Value {
    json!({
        "id": c.id, "unit": c.unit, "table": c.table, "key": c.key, "kind": c.kind, "reason": c.reason, "standby": c.standby, "primary": c.primary,
        "differ": c.differ, "holds": c.holds,
    })
}

/// What kind means, in a few words.
fn words(kind: &str) -> &'static str {
    match kind {
        "exists" => "a row with this key is there, with other content",
        "unique" => "another row has a value that may be there once",
        "changed" => "the primary changed the same",
        "missing" => "the primary no longer has the row",
        "parent" => "what it refers to is not there, or not as the window saw it",
        "rule" => "a rule of the primary refuses it",
        "twin" => "the primary did the same in the gap",
        _ => "waits for another unit",
    }
}

pub fn list(conflicts: &[Conflict]) -> String {
    if conflicts.is_empty() {
        return "no unit waits for a person".to_owned();
    }
    let mut table = plain();
    table.set_header(["id", "kind", "table", "key", "holds", "why"]);
    let (own, waiting): (Vec<&Conflict>, Vec<&Conflict>) = conflicts.iter().partition(|c| c.kind != "depends");
    for c in own {
        let why = if c.reason.is_empty() { words(&c.kind).to_owned() } else { c.reason.clone() };
        table.add_row([
            c.id.to_string(),
            c.kind.clone(),
            c.table.clone().unwrap_or_default(),
            key(&c.key),
            if c.holds.is_empty() { String::new() } else { format!("{} more", c.holds.len()) },
            why,
        ]);
    }
    let mut text = lines(&table);
    if !waiting.is_empty() {
        let _ = write!(text, "\n{} for one of these and will follow by itself", units_wait(waiting.len()));
    }
    text.push_str("\nin detail: his-merge conflicts ID");
    text
}

pub fn detail_json(d: &Detail) -> Value {
    let mut json = one_json(&d.conflict);
    json["status"] = json!(d.status);
    json["at"] = json!(d.at.map(|t| t.to_rfc3339()));
    json["user"] = json!(d.user);
    json["application"] = json!(d.application);
    json["address"] = json!(d.address);
    json["money"] = d.money.iter().map(|(t, c, a)| json!({ "table": t, "column": c, "amount": a })).collect();
    json["changes"] =
        d.changes.iter().map(|c| json!({ "table": c.table, "op": c.op, "old": c.old, "new": c.new })).collect();
    json["decided"] =
        d.decided.as_ref().map_or(Value::Null, |(take, by, why)| json!({ "take": take, "by": by, "why": why }));
    json
}

/// One conflict: what the window did, what the primary has, side by side, and how it can be decided.
pub fn detail(d: &Detail, zone: Tz) -> String {
    let c = &d.conflict;
    let mut text = format!("conflict {}: {} — {}\n", c.id, c.kind, words(&c.kind));
    let at =
        d.at.map_or_else(|| "unknown".to_owned(), |t| t.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string());
    let mut line = |name: &str, what: &str| {
        let _ = writeln!(text, "  {name:<9}{what}");
    };
    line("unit", &format!("{} ({})", c.unit, d.status));
    let who = [d.user.as_deref(), d.application.as_deref().filter(|a| !a.is_empty()), d.address.as_deref()];
    line("done", &format!("{at} by {}", who.into_iter().flatten().collect::<Vec<_>>().join(", ")));
    if let Some(table) = &c.table {
        line("row", &format!("{table} {}", key(&c.key)));
    }
    if !c.reason.is_empty() {
        line("why", &c.reason);
    }
    for (table, column, amount) in &d.money {
        line("money", &format!("{amount} in {column} of {table}"));
    }
    if let Some((take, by, why)) = &d.decided {
        line(
            "decided",
            &format!(
                "{take}, by {} ({})",
                by.as_deref().unwrap_or("policy"),
                why.as_deref().unwrap_or("the table's on_conflict")
            ),
        );
    }
    if c.table.is_some() {
        let _ = write!(text, "\n{}\n", side_by_side(d));
    }
    let others: Vec<&Change> = d.changes.iter().filter(|o| !is_shown(o, c)).collect();
    if !others.is_empty() {
        text.push_str("\nthe unit also\n");
        for change in others {
            let _ = writeln!(text, "  {}", cut(&sentence(change), usize::from(WIDTH) - 2));
        }
    }
    if !c.holds.is_empty() {
        let _ = write!(text, "\n{} for this one: {}\n", units_wait(c.holds.len()), cut(&c.holds.join(", "), 60));
    }
    if d.decided.is_none() && d.status == "held" {
        text.push('\n');
        text.push_str(&choices(d));
    }
    text
}

/// What each decision would do.
fn choices(d: &Detail) -> String {
    let c = &d.conflict;
    let money = if d.money.is_empty() { "" } else { " --money refunded|kept|none" };
    let standby = match c.kind.as_str() {
        "exists" => "ours overwrites the row; what it displaces is recorded",
        "changed" => "our columns win; what they displace is recorded",
        "missing" => "ours is put back",
        "twin" => "both rows are kept",
        "parent" => "merged, once the parent is settled on the primary",
        "rule" => "tried again",
        _ => "",
    };
    if c.kind == "depends" {
        return "nothing to decide here: it follows the unit that it waits for\n".to_owned();
    }
    let mut text = format!("decide: his-merge resolve {} --why TEXT and one of\n", c.id);
    if !standby.is_empty() {
        let _ = writeln!(text, "  --take standby    {standby}");
    }
    let _ = writeln!(text, "  --take primary    the unit is rejected{money}");
    let id = c.primary.as_object().and_then(|row| {
        let key = c.key.as_object()?;
        let there: Map<String, Value> = key.keys().filter_map(|k| Some((k.clone(), row.get(k)?.clone()))).collect();
        (!there.is_empty()).then(|| Value::from(there).to_string())
    });
    match (c.kind.as_str(), id) {
        ("unique" | "twin", Some(id)) => {
            let _ = writeln!(text, "  --take link='{id}'    our new row is that row");
        }
        ("parent", _) if c.table.is_some() => {
            let _ = writeln!(text, "  --take link=KEY    refer to another row instead");
        }
        _ => {}
    }
    text
}

/// The row's columns: before and after on the standby, and on the primary now. What differs is marked.
fn side_by_side(d: &Detail) -> String {
    let c = &d.conflict;
    let image = |v: &Value| v.as_object().cloned();
    let (old, new) = (image(&c.standby["old"]), image(&c.standby["new"]));
    // Of a parent the primary's row is another table's.
    let there = image(&c.primary).filter(|_| c.kind != "parent");
    // The ledger keeps the order of the table's columns; JSON does not.
    let mut columns: Vec<String> =
        d.changes.iter().find(|x| is_shown(x, c)).map(|x| x.columns.clone()).unwrap_or_default();
    for image in [&old, &new, &there].into_iter().flatten() {
        columns.extend(image.keys().filter(|k| !columns.contains(k)).cloned().collect::<Vec<_>>());
    }
    let mut table = plain();
    table.set_header(["", "column", "standby before", "standby after", "primary now"]);
    for column in columns {
        let cell = |row: &Option<Map<String, Value>>| match row.as_ref().map(|r| r.get(&column)) {
            None => "–".to_owned(),
            Some(Some(Value::String(text))) => cut(text, 40),
            Some(Some(Value::Null)) => "NULL".to_owned(),
            Some(_) => String::new(),
        };
        let changed = old.is_some() && new.is_some() && cell(&old) != cell(&new);
        let mark = if c.differ.contains(&column) {
            "*"
        } else if changed {
            "+"
        } else {
            ""
        };
        table.add_row([mark.to_owned(), column.clone(), cell(&old), cell(&new), cell(&there)]);
    }
    let mut text = lines(&table);
    if !c.differ.is_empty() && there.is_some() {
        text.push_str("\n* differs on the primary");
    }
    if let Some(parent) = image(&c.primary).filter(|_| c.kind == "parent") {
        let show = |(k, v): (&String, &Value)| {
            format!("{}{k} {}", if c.differ.contains(k) { "* " } else { "" }, v.as_str().unwrap_or("NULL"))
        };
        let list: Vec<String> = parent.iter().map(show).collect();
        let _ = write!(text, "\n\nwhat it refers to, on the primary now (* is not as the window saw it)\n");
        for line in wrapped(&list, usize::from(WIDTH) - 2) {
            let _ = writeln!(text, "  {line}");
        }
    }
    text.trim_end().to_owned()
}

/// Items one after another, in lines of `width`.
fn wrapped(items: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(line) if line.chars().count() + item.chars().count() + 2 <= width => {
                line.push_str(", ");
                line.push_str(item);
            }
            _ => lines.push(cut(item, width)),
        }
    }
    lines
}

fn is_shown(change: &Change, c: &Conflict) -> bool {
    Some(&change.table) == c.table.as_ref()
        && Value::from(change.new.clone()) == *or_empty(&c.standby["new"])
        && Value::from(change.old.clone()) == *or_empty(&c.standby["old"])
}

fn or_empty(image: &Value) -> std::borrow::Cow<'_, Value> {
    if image.is_null() { std::borrow::Cow::Owned(json!({})) } else { std::borrow::Cow::Borrowed(image) }
}

/// One change as a sentence: what was inserted, changed or deleted.
fn sentence(change: &Change) -> String {
    let show = |v: Option<&Value>| match v {
        Some(Value::String(text)) => text.clone(),
        _ => "NULL".to_owned(),
    };
    let list = |columns: Vec<&String>, one: &dyn Fn(&String) -> String| {
        columns.into_iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let first = change.columns.first();
    match change.op.as_str() {
        "I" => format!(
            "inserted into {}: {}",
            change.table,
            list(
                change.columns.iter().filter(|k| !change.new.get(*k).is_none_or(Value::is_null)).collect(),
                &|k| format!("{k} {}", show(change.new.get(k)))
            )
        ),
        "D" => format!(
            "deleted from {}: {}",
            change.table,
            list(first.into_iter().collect(), &|k| format!("{k} {}", show(change.old.get(k))))
        ),
        _ => format!(
            "changed {} ({}): {}",
            change.table,
            list(first.into_iter().collect(), &|k| format!("{k} {}", show(change.old.get(k)))),
            list(change.columns.iter().filter(|k| change.old.get(*k) != change.new.get(*k)).collect(), &|k| format!(
                "{k} {} → {}",
                show(change.old.get(k)),
                show(change.new.get(k))
            ))
        ),
    }
}

fn units_wait(n: usize) -> String {
    if n == 1 { "1 more unit waits".to_owned() } else { format!("{n} more units wait") }
}

fn key(key: &Value) -> String {
    let show = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    key.as_object()
        .map(|k| k.iter().map(|(name, v)| format!("{name} {}", show(v))).collect::<Vec<_>>().join(", "))
        .unwrap_or_default()
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table
}

/// Without the spaces that pad the last column.
fn lines(table: &Table) -> String {
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

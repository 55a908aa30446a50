//! The reconciliation as JSON, and as people read it on a terminal of 100 columns.

use super::sheet::{Kind, Line};
use super::words::{Words, amount, amount_text};
use super::{Difference, Loose, Owed, Reconciled, Slips};
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use serde_json::{Value, json};
use std::fmt::Write;

const WIDTH: u16 = 100;
/// Rows of a report that are printed; the rest is in the JSON and in the CSV.
const REPORT_ROWS: usize = 20;

pub fn json(found: Option<&Reconciled>) -> Value {
    let Some(r) = found else {
        return json!({ "event": null, "balanced": true, "differences": [], "table": [] });
    };
    let (accepted, open): (Vec<&Difference>, Vec<&Difference>) =
        r.differences.iter().partition(|d| d.accepted.is_some());
    let reports: Vec<Value> = r
        .reports
        .iter()
        .map(|p| match &p.error {
            None => json!({ "name": p.name, "rows": p.rows }),
            Some(error) => json!({ "name": p.name, "rows": p.rows, "error": error }),
        })
        .collect();
    json!({
        "event": r.event, "balanced": r.balanced(), "accounted": r.accounted(), "closed": r.account.closed,
        "units": r.sheet.units, "rows": r.sheet.rows, "table": r.sheet.lines, "differences": open, "accepted": accepted,
        "faults": r.faults, "missing_batches": r.missing, "drawer": r.drawer, "oversold": r.oversold,
        "policies": r.notes.policies, "linked": r.notes.linked, "already": r.notes.already, "paper": paper(r), "reports": reports,
        "signed": r.signed,
    })
}

fn paper(r: &Reconciled) -> Vec<Value> {
    let money = |s: &Slips| -> Vec<Value> {
        s.money.iter().map(|(field, amount)| json!({ "field": field, "amount": amount })).collect()
    };
    let slips = r.paper.slips.iter().map(|s| {
        json!({
            "kind": s.kind, "primary": s.primary, "standby": s.standby, "filed": s.filed,
            "outstanding": s.outstanding, "money": money(s),
        })
    });
    slips.collect()
}

pub fn text(found: Option<&Reconciled>, words: Words) -> String {
    let Some(r) = found else { return "no event so far".to_owned() };
    let mut text =
        format!("event {}{}\n", r.event, if r.account.closed { "" } else { ", which has no closing record yet" });
    text.push_str(&sheet(r, words));
    text.push('\n');
    section(&mut text, &words.both("does not balance", "账不平"), &r.faults);
    differences(&mut text, r, words);
    money(&mut text, r, words);
    beside(&mut text, r, words);
    reports(&mut text, r);
    text.push('\n');
    text.push_str(&verdict(r, words));
    text
}

/// Captured = merged + held + rejected, and what the primary holds of it now.
fn sheet(r: &Reconciled, words: Words) -> String {
    let mut table = plain();
    table.set_header([
        String::new(),
        String::new(),
        words.head("captured", "应回传"),
        words.head("merged", "已回传"),
        words.head("held", "待核实"),
        words.head("rejected", "不予回传"),
        words.head("primary", "主库现有"),
    ]);
    for (name, c) in [(words.both("units", "业务"), r.sheet.units), (words.both("rows", "变更行"), r.sheet.rows)] {
        let counts = [c.captured, c.merged, c.held, c.rejected].map(|n| n.to_string());
        table.add_row([name].into_iter().chain([String::new()]).chain(counts).chain([String::new()]));
    }
    let mut heading = None;
    for total in r.sheet.totals() {
        let own = (total.table.clone(), total.column.clone());
        if heading.as_ref() != Some(&own) {
            table.add_row([format!("{} {}", own.0, own.1)]);
            heading = Some(own);
        }
        table.add_row(line(&total, &format!("  {}", words.both("all", "合计")), words));
        let groups = |l: &&Line| {
            (&l.table, &l.column, l.kind) == (&total.table, &total.column, total.kind) && !l.group.is_empty()
        };
        for part in r.sheet.lines.iter().filter(groups) {
            table.add_row(line(part, &format!("  {}", part.group), words));
        }
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        if at >= 2 {
            column.set_cell_alignment(CellAlignment::Right);
        }
        // Amounts are never broken over two lines; what a group is called may be.
        if at >= 1 {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    lines(&table)
}

fn line(l: &Line, name: &str, words: Words) -> [String; 7] {
    let kind = match l.kind {
        Kind::Charge => words.both("charges", "收费"),
        Kind::Refund => words.both("refunds", "退费"),
    };
    let mark = if l.primary == l.merged { "" } else { " *" };
    [
        name.to_owned(),
        kind,
        amount(l.captured),
        amount(l.merged),
        amount(l.held),
        amount(l.rejected),
        format!("{}{mark}", amount(l.primary)),
    ]
}

fn differences(text: &mut String, r: &Reconciled, words: Words) {
    if r.differences.is_empty() {
        return;
    }
    heading(text, &words.both("the primary holds otherwise than was merged (*)", "主库与已回传不符"));
    let mut table = plain();
    table.set_header([
        "id".to_owned(),
        words.head("table, column", "表 列"),
        words.head("group", "分组"),
        words.head("key", "主键"),
        words.head("expected", "应有"),
        words.head("found", "现有"),
        String::new(),
    ]);
    for d in &r.differences {
        let value = |v: &Option<String>| v.as_deref().map_or_else(|| words.both("no row", "无"), amount_text);
        let accepted = d.accepted.as_ref();
        table.add_row([
            d.id.to_string(),
            format!("{} {}", d.table, d.column),
            d.group.clone(),
            key(&d.key),
            value(&d.expected),
            value(&d.found),
            accepted.map(|a| format!("{} {}: {}", words.both("accepted", "已认可"), a.by, a.why)).unwrap_or_default(),
        ]);
    }
    let _ = writeln!(text, "{}", lines(&table));
    if r.open().next().is_some() {
        text.push_str("a change that is lawful: his-merge reconcile --accept ID --why TEXT\n");
    }
}

/// What the windows took or paid out, and the primary has no record of.
fn money(text: &mut String, r: &Reconciled, words: Words) {
    for (owed, name) in [
        (Owed::Patient, words.both("taken without a record: give back unless merged", "应退患者")),
        (Owed::Hospital, words.both("paid out without a record: get back unless merged", "应收回")),
    ] {
        let list: Vec<&Loose> = r.drawer.iter().filter(|l| l.owed == owed).collect();
        if list.is_empty() {
            continue;
        }
        heading(text, &name);
        let mut table = plain();
        for l in list {
            let amounts: Vec<String> =
                l.money.iter().map(|m| format!("{} {} {}", m.table, m.column, amount(m.amount))).collect();
            let status = match l.status.as_str() {
                "held" => words.both("held", "待核实"),
                _ => words.both("rejected", "不予回传"),
            };
            let who = [l.user.as_deref(), l.application.as_deref().filter(|a| !a.is_empty())];
            let settled = l.settled.as_ref().map(|s| format!("money {s}, by {}", l.by.as_deref().unwrap_or("?")));
            table.add_row([
                l.unit.clone(),
                status,
                amounts.join("; "),
                who.into_iter().flatten().collect::<Vec<_>>().join(", "),
                settled.unwrap_or_default(),
            ]);
        }
        let _ = writeln!(text, "{}", lines(&table));
    }
}

/// What needs no decision and must not stay unsaid.
fn beside(text: &mut String, r: &Reconciled, words: Words) {
    let policies: Vec<String> = r
        .notes
        .policies_counted()
        .into_iter()
        .map(|(name, count)| format!("{name}: {count}"))
        .chain(r.notes.policies.iter().map(|p| format!("  {} {} {}", p.unit, p.table, key(&p.key))))
        .collect();
    section(text, &words.both("decided by the profile's policies", "按预设规则处理"), &policies);
    let linked: Vec<String> =
        r.notes.linked.iter().map(|l| format!("{} {}: is the primary's {}", l.unit, l.table, key(&l.to))).collect();
    section(text, &words.both("linked to rows of the primary", "并入主库已有记录"), &linked);
    let already: Vec<String> =
        r.notes.already.iter().map(|a| format!("{} {} {}", a.unit, a.table, key(&a.key))).collect();
    section(text, &words.both("on the primary already, whole and equal", "主库已有相同记录"), &already);
    let oversold: Vec<String> =
        r.oversold.iter().map(|o| format!("{} {} {}: {}", o.table, o.column, key(&o.key), o.now)).collect();
    section(text, &words.both("counters below zero", "超挂、负库存或负余额"), &oversold);
    let paper: Vec<String> = r.paper.slips.iter().map(paper_line).collect();
    section(text, &words.both("paper slips", "应急手工单"), &paper);
    let signed: Vec<String> = r.signed.iter().map(|s| format!("{}: {}", s.role, s.by)).collect();
    section(text, &words.both("signed off", "已签认"), &signed);
}

/// `charge: 5 keyed into the primary (total 175.50), 1 outstanding`.
pub fn paper_line(s: &Slips) -> String {
    let money: Vec<String> = s.money.iter().map(|(field, sum)| format!("{field} {}", amount(*sum))).collect();
    let money = if money.is_empty() { String::new() } else { format!(" ({})", money.join(", ")) };
    let counts = [
        (s.primary, format!("keyed into the primary{money}")),
        (s.standby, "keyed into the standby".to_owned()),
        (s.filed, "filed".to_owned()),
        (s.outstanding, "outstanding".to_owned()),
    ];
    let counts: Vec<String> =
        counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    format!("{}: {}", s.kind, counts.join(", "))
}

fn reports(text: &mut String, r: &Reconciled) {
    for report in &r.reports {
        heading(text, &report.name);
        if let Some(error) = &report.error {
            let _ = writeln!(text, "  {}", cut(error, usize::from(WIDTH) - 2));
            continue;
        }
        let Some(first) = report.rows.first() else {
            text.push_str("  –\n");
            continue;
        };
        let mut table = plain();
        table.set_header(first.keys());
        for row in report.rows.iter().take(REPORT_ROWS) {
            table.add_row(row.values().map(|v| v.as_str().unwrap_or_default().to_owned()));
        }
        let _ = writeln!(text, "{}", lines(&table));
        if report.rows.len() > REPORT_ROWS {
            let _ = writeln!(text, "and {} more, with --json or --csv", report.rows.len() - REPORT_ROWS);
        }
    }
}

fn verdict(r: &Reconciled, words: Words) -> String {
    let open = r.open().count();
    let mut text = match (r.accounted(), open) {
        (true, 0) => words.both("balanced", "账平"),
        (true, 1) => words.both("NOT BALANCED: 1 difference is open", "账不平"),
        (true, n) => words.both(&format!("NOT BALANCED: {n} differences are open"), "账不平"),
        (false, _) => words.both("NOT BALANCED: captured is not accounted for", "账不平"),
    };
    match r.sheet.units.held {
        0 => {}
        1 => text.push_str("; 1 unit waits for a person: his-merge conflicts"),
        held => text.push_str(&format!("; {held} units wait for a person: his-merge conflicts")),
    }
    text
}

fn heading(text: &mut String, name: &str) {
    let _ = write!(text, "\n{name}\n");
}

/// A heading with a line for each of `items`; nothing when there are none.
fn section(text: &mut String, name: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    heading(text, name);
    let mut table = plain();
    for item in items {
        table.add_row([format!("  {item}")]);
    }
    let _ = writeln!(text, "{}", lines(&table));
}

/// `id 17, line_no 2`.
pub fn key(key: &Value) -> String {
    let show = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    key.as_object()
        .map(|k| k.iter().map(|(name, v)| format!("{name} {}", show(v))).collect::<Vec<_>>().join(", "))
        .unwrap_or_default()
}

pub fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table
}

/// Without the spaces that pad the last column.
pub fn lines(table: &Table) -> String {
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

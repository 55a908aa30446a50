//! The reconciliation as one table for a spreadsheet: UTF-8 with a byte-order mark, so that Excel reads it as such.
//!
//! Every line begins with its section, so that finance can filter; what else belongs on the sheet becomes a section of its own.

use super::sheet::{Kind, Line};
use super::show::{key, paper_line};
use super::words::{Words, amount, amount_text};
use super::{Owed, Reconciled};
use crate::error::{Cannot, Result};
use crate::formats::cell::guarded;
use crate::store::durable;
use std::path::{Path, PathBuf};

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Columns of the file. A section leaves empty what it does not have.
#[derive(Default)]
struct Record {
    section: String,
    table: String,
    column: String,
    group: String,
    kind: String,
    captured: String,
    merged: String,
    held: String,
    rejected: String,
    primary: String,
    id: String,
    key: String,
    expected: String,
    found: String,
    unit: String,
    note: String,
}

/// Writes the file whole, or leaves an older one as it was; gives its absolute path.
pub fn write(path: &Path, found: &Reconciled, words: Words) -> Result<PathBuf> {
    let doing = || format!("write '{}'", path.display());
    let path = std::path::absolute(path).cannot(doing())?;
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(MARK.to_vec());
    csv.write_record(head(words)).cannot(doing())?;
    for record in records(found, words) {
        csv.write_record(record.cells()).cannot(doing())?;
    }
    let bytes = csv.into_inner().map_err(|e| crate::Error::failed(doing(), e))?;
    durable::replace(&path, &bytes).cannot(doing())?;
    Ok(path)
}

fn head(words: Words) -> [String; 16] {
    [
        words.both("section", "项目"),
        words.both("table", "表"),
        words.both("column", "列"),
        words.both("group", "分组"),
        words.both("kind", "收退"),
        words.both("captured", "应回传"),
        words.both("merged", "已回传"),
        words.both("held", "待核实"),
        words.both("rejected", "不予回传"),
        words.both("primary", "主库现有"),
        words.both("id", "编号"),
        words.both("key", "主键"),
        words.both("expected", "应有"),
        words.both("found", "现有"),
        words.both("unit", "业务号"),
        words.both("note", "说明"),
    ]
}

impl Record {
    fn of(section: String) -> Record {
        Record { section, ..Record::default() }
    }

    /// No cell is taken for a formula; amounts keep their sign.
    fn cells(self) -> [String; 16] {
        [
            self.section,
            self.table,
            self.column,
            self.group,
            self.kind,
            self.captured,
            self.merged,
            self.held,
            self.rejected,
            self.primary,
            self.id,
            self.key,
            self.expected,
            self.found,
            self.unit,
            self.note,
        ]
        .map(|text| guarded(&text))
    }
}

fn records(r: &Reconciled, words: Words) -> Vec<Record> {
    let mut list = Vec::new();
    for (name, c) in [(words.both("units", "业务"), r.sheet.units), (words.both("rows", "变更行"), r.sheet.rows)] {
        list.push(Record {
            captured: c.captured.to_string(),
            merged: c.merged.to_string(),
            held: c.held.to_string(),
            rejected: c.rejected.to_string(),
            note: r.event.clone(),
            ..Record::of(name)
        });
    }
    list.extend(r.sheet.lines.iter().map(|l| line(l, words)));
    for fault in &r.faults {
        list.push(Record { note: fault.clone(), ..Record::of(words.both("does not balance", "账不平")) });
    }
    for d in &r.differences {
        let shown = |v: &Option<String>| v.as_deref().map(amount_text).unwrap_or_default();
        let accepted = d.accepted.as_ref();
        let name = if accepted.is_some() {
            words.both("difference, accepted", "差异(已认可)")
        } else {
            words.both("difference", "差异")
        };
        list.push(Record {
            table: d.table.clone(),
            column: d.column.clone(),
            group: d.group.clone(),
            id: d.id.to_string(),
            key: key(&d.key),
            expected: shown(&d.expected),
            found: shown(&d.found),
            note: accepted.map(|a| format!("{}: {}", a.by, a.why)).unwrap_or_default(),
            ..Record::of(name)
        });
    }
    list.extend(beside(r, words));
    list
}

fn line(l: &Line, words: Words) -> Record {
    Record {
        table: l.table.clone(),
        column: l.column.clone(),
        group: l.group.clone(),
        kind: match l.kind {
            Kind::Charge => words.both("charges", "收费"),
            Kind::Refund => words.both("refunds", "退费"),
        },
        captured: amount(l.captured),
        merged: amount(l.merged),
        held: amount(l.held),
        rejected: amount(l.rejected),
        primary: amount(l.primary),
        ..Record::of(words.both("money", "金额"))
    }
}

/// Drawer, counters, policies and reports.
fn beside(r: &Reconciled, words: Words) -> Vec<Record> {
    let mut list = Vec::new();
    for l in &r.drawer {
        let name = match l.owed {
            Owed::Patient => words.both("taken without a record", "应退患者"),
            Owed::Hospital => words.both("paid out without a record", "应收回"),
        };
        for m in &l.money {
            let mut record = Record {
                table: m.table.clone(),
                column: m.column.clone(),
                unit: l.unit.clone(),
                note: l.settled.clone().unwrap_or_default(),
                ..Record::of(name.clone())
            };
            let place = if l.status == "held" { &mut record.held } else { &mut record.rejected };
            *place = amount(m.amount);
            list.push(record);
        }
    }
    for o in &r.oversold {
        list.push(Record {
            table: o.table.clone(),
            column: o.column.clone(),
            key: key(&o.key),
            found: o.now.clone(),
            ..Record::of(words.both("below zero", "超挂、负库存或负余额"))
        });
    }
    for p in &r.notes.policies {
        list.push(Record {
            table: p.table.clone(),
            key: key(&p.key),
            unit: p.unit.clone(),
            note: format!("on_conflict = {} ({})", p.take, p.kind),
            ..Record::of(words.both("policy", "预设规则"))
        });
    }
    for l in &r.notes.linked {
        list.push(Record {
            table: l.table.clone(),
            key: key(&l.to),
            unit: l.unit.clone(),
            note: l.why.clone().unwrap_or_default(),
            ..Record::of(words.both("linked", "并入主库已有记录"))
        });
    }
    for s in &r.paper.slips {
        list.push(Record { note: paper_line(s), ..Record::of(words.both("paper slips", "应急手工单")) });
    }
    for report in &r.reports {
        for row in &report.rows {
            let cells = row.iter().map(|(name, v)| format!("{name}={}", v.as_str().unwrap_or_default()));
            list.push(Record { note: cells.collect::<Vec<_>>().join("; "), ..Record::of(report.name.clone()) });
        }
    }
    list
}

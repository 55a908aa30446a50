//! From rows to slips.

use super::grid::{Cell, Row};
use super::header::Header;
use super::value::{self, fold};
use super::{Group, Keyed, KeyedLine, Reason, Reject, Values};
use crate::clock;
use crate::paper::Number;
use crate::profile::{Column, Profile, Slip};
use chrono::NaiveDateTime;
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::BTreeMap;

/// What the rows of a file come to.
#[derive(Debug, Default)]
pub struct Taken {
    pub slips: Vec<Keyed>,
    pub rejects: Vec<Reject>,
    pub groups: Vec<Group>,
    pub rest: Vec<Values>,
}

const BLANK: &Cell = &Cell::Text(String::new());

fn cell(row: &Row, at: Option<usize>) -> &Cell {
    at.and_then(|at| row.cells.get(at)).unwrap_or(BLANK)
}

/// Takes every row of a file to a slip.
pub fn take(rows: &[Row], columns: &Header, slip: &Slip, series: &[String], profile: &Profile) -> Taken {
    let mut taken = Taken::default();
    let own = Number::new(&slip.prefix, &profile.site.code, 1).series;
    let now = chrono::Utc::now().with_timezone(&clock::zone(&profile.site)).naive_local();
    let mut first_lines: BTreeMap<Number, usize> = BTreeMap::new();
    for group in groups(rows, columns.slip_no) {
        let first = group[0];
        let written = cell(first, Some(columns.slip_no)).shown();
        let parsed = Number::parse(&written, series);
        let slip_no = parsed.as_ref().map_or_else(|_| fold(&written), ToString::to_string);
        let mut slip_at = Reading { slip, columns, slip_no: slip_no.clone(), wrong: Vec::new() };
        let number = match parsed {
            Ok(number) if number.series != own => slip_at.reject(first.line, "slip_no", Reason::OtherKind),
            Ok(number) => match first_lines.get(&number) {
                Some(line) => slip_at.reject(first.line, "slip_no", Reason::Duplicate(*line)),
                None => {
                    first_lines.insert(number.clone(), first.line);
                    Some(number)
                }
            },
            Err(wrong) => slip_at.reject(first.line, "slip_no", Reason::Number(wrong)),
        };
        let written_at = slip_at.written_at(&group, now);
        let values = slip_at.values(&group);
        let lines = slip_at.lines(&group);
        slip_at.sums(first.line, &values, &lines);
        let wrong = slip_at.wrong;
        match (number, written_at) {
            (Some(number), Some(written_at)) if wrong.is_empty() => {
                taken.slips.push(Keyed { line: first.line, number, written_at, values, lines });
            }
            _ => taken.rest.push(values),
        }
        taken.rejects.extend(wrong);
        let rows = group.iter().map(|r| r.cells.iter().map(Cell::shown).collect()).collect();
        taken.groups.push(Group { slip_no, rows });
    }
    taken.rejects.sort_by_key(|r| r.line);
    taken
}

/// Rows that follow each other and have one number, or none after the first. Blank rows are passed over.
fn groups(rows: &[Row], slip_no: usize) -> Vec<Vec<&Row>> {
    let mut groups: Vec<(String, Vec<&Row>)> = Vec::new();
    for row in rows.iter().filter(|r| !r.cells.iter().all(Cell::is_blank)) {
        let number = fold(&cell(row, Some(slip_no)).shown()).replace('-', "").to_uppercase();
        match groups.last_mut() {
            Some((last, group)) if number.is_empty() || *last == number => group.push(row),
            _ => groups.push((number, vec![row])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// One slip that is being read, and what is wrong with it so far.
struct Reading<'a> {
    slip: &'a Slip,
    columns: &'a Header,
    slip_no: String,
    wrong: Vec<Reject>,
}

impl Reading<'_> {
    fn reject<T>(&mut self, line: usize, field: &str, reason: Reason) -> Option<T> {
        self.wrong.push(Reject { line, slip_no: self.slip_no.clone(), field: field.to_owned(), reason });
        None
    }

    fn at(&self, column: &Column) -> Option<usize> {
        self.columns.fields.get(&column.field).copied()
    }

    fn written_at(&mut self, group: &[&Row], now: NaiveDateTime) -> Option<NaiveDateTime> {
        let at = self.columns.written_at;
        let (line, first) = (group[0].line, cell(group[0], Some(at)));
        self.repeats(group, at, "written_at");
        if first.is_blank() {
            return self.reject(line, "written_at", Reason::Missing);
        }
        match value::date_time(first) {
            Ok(time) if value::is_future(time, now) => self.reject(line, "written_at", Reason::Future),
            Ok(time) => Some(time),
            Err(reason) => self.reject(line, "written_at", reason),
        }
    }

    /// What belongs to the slip is blank on its further rows, or said again.
    fn repeats(&mut self, group: &[&Row], at: usize, field: &str) {
        let first = fold(&cell(group[0], Some(at)).shown());
        for row in &group[1..] {
            let again = cell(row, Some(at));
            if !again.is_blank() && fold(&again.shown()) != first {
                self.reject::<()>(row.line, field, Reason::Differs);
            }
        }
    }

    fn values(&mut self, group: &[&Row]) -> Values {
        let mut values = Values::new();
        for column in self.slip.columns.iter().filter(|c| !c.line) {
            if let Some(at) = self.at(column) {
                self.repeats(group, at, &column.field);
            }
            let value = self.value(group[0], column);
            values.insert(column.field.clone(), value);
        }
        values
    }

    fn value(&mut self, row: &Row, column: &Column) -> Option<String> {
        match value::of(cell(row, self.at(column)), column) {
            Ok(None) if column.required => self.reject(row.line, &column.field, Reason::Missing),
            Ok(value) => value,
            Err(reason) => self.reject(row.line, &column.field, reason),
        }
    }

    fn lines(&mut self, group: &[&Row]) -> Vec<KeyedLine> {
        let slip = self.slip;
        let columns: Vec<&Column> = slip.columns.iter().filter(|c| c.line).collect();
        let mut lines = Vec::new();
        if columns.is_empty() {
            for row in &group[1..] {
                let line = row.line;
                self.reject::<()>(line, "slip_no", Reason::Duplicate(group[0].line));
            }
            return lines;
        }
        for row in group {
            if columns.iter().all(|c| cell(row, self.at(c)).is_blank()) {
                let reason = if group.len() == 1 { Reason::NoLines } else { Reason::EmptyLine };
                self.reject::<()>(row.line, "", reason);
                continue;
            }
            let values = columns.iter().map(|c| (c.field.clone(), self.value(row, c))).collect();
            lines.push(KeyedLine { line: row.line, values });
        }
        lines
    }

    /// Sums and products must come to what was written. What could not be read is told already.
    fn sums(&mut self, first: usize, values: &Values, lines: &[KeyedLine]) {
        let broken = !self.wrong.is_empty();
        for column in &self.slip.columns {
            if column.line {
                for line in lines {
                    self.product(column, line.line, &line.values);
                }
                continue;
            }
            self.product(column, first, values);
            if let (Some(of), false) = (&column.sum, broken) {
                let sum: Decimal = lines.iter().filter_map(|l| number(&l.values, of)).sum();
                if number(values, &column.field).is_some_and(|total| total != sum) {
                    self.reject::<()>(first, &column.field, Reason::Sum(format!("{sum:.2}")));
                }
            }
        }
    }

    fn product(&mut self, column: &Column, line: usize, values: &Values) {
        let factors: Option<Vec<Decimal>> = column.product.iter().map(|f| number(values, f)).collect();
        let (Some(factors), Some(written)) = (factors.filter(|f| !f.is_empty()), number(values, &column.field)) else {
            return;
        };
        // As the server rounds a numeric: half away from zero.
        let product = factors.into_iter().product::<Decimal>();
        let product = product.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        if product != written {
            self.reject::<()>(line, &column.field, Reason::Product(format!("{product:.2}")));
        }
    }
}

fn number(values: &Values, field: &str) -> Option<Decimal> {
    values.get(field)?.as_deref()?.parse().ok()
}

//! A keyed file as rows of cells, with the encoding it was read in. Nothing is guessed: what is no text is refused.

use super::value::is_space;
use crate::error::{Cannot, Error, Result};
use calamine::{Data, Reader, Xlsx, open_workbook_from_rs};
use encoding_rs::GB18030;
use std::fmt;
use std::io::Cursor;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// How a file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf8Bom,
    Gb18030,
    Xlsx,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Utf8Bom => "UTF-8 with BOM",
            Encoding::Gb18030 => "GB18030",
            Encoding::Xlsx => "XLSX",
        })
    }
}

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Text(String),
    /// Of a spreadsheet: an amount, a number without its leading zeros, or the day of a date.
    Number(f64),
    Formula,
}

impl Cell {
    pub fn is_blank(&self) -> bool {
        matches!(self, Cell::Text(text) if text.chars().all(is_space))
    }

    /// As it goes into the file of refused slips.
    pub fn shown(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
            Cell::Formula => String::new(),
        }
    }
}

/// One row, with its line in the file.
#[derive(Debug, Clone)]
pub struct Row {
    pub line: usize,
    pub cells: Vec<Cell>,
}

/// A file, the first row apart.
#[derive(Debug)]
pub struct Grid {
    pub encoding: Encoding,
    pub header: Vec<String>,
    pub rows: Vec<Row>,
}

/// Reads a CSV or XLSX file.
pub fn read(path: &Path) -> Result<Grid> {
    let doing = format!("read '{}'", path.display());
    let bytes = std::fs::read(path).cannot(doing.clone())?;
    let grid = if bytes.starts_with(b"PK\x03\x04") { xlsx(bytes, &doing)? } else { csv(&bytes, &doing)? };
    if grid.header.iter().all(String::is_empty) {
        return Err(Error::usage(doing, "it is empty")
            .hint("the first line holds the headers, each further line a slip or a line of one."));
    }
    Ok(grid)
}

fn csv(bytes: &[u8], doing: &str) -> Result<Grid> {
    let (encoding, text) = decode(bytes).map_err(|reason| {
        Error::usage(doing, reason).hint("save it again as 'CSV UTF-8' in the spreadsheet, or as XLSX.")
    })?;
    let first = text.lines().next().unwrap_or_default();
    let count = |c: char| first.matches(c).count();
    let separator = [',', ';', '\t'].into_iter().max_by_key(|c| (count(*c), *c == ',')).unwrap_or(',');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator as u8)
        .from_reader(text.as_bytes());
    let (mut header, mut rows) = (None, Vec::new());
    for record in reader.records() {
        let record = record.cannot(doing)?;
        let at = record.position().map_or(0, |p| usize::try_from(p.byte()).unwrap_or(0));
        // The reader passes over blank lines before a record, and counts from where it began to look.
        let begin = at + text[at..].len() - text[at..].trim_start_matches(['\r', '\n']).len();
        let line = text[..begin].matches('\n').count() + 1;
        let cells: Vec<String> = record.iter().map(str::to_owned).collect();
        if header.is_none() {
            header = Some(cells);
        } else {
            rows.push(Row { line, cells: cells.into_iter().map(Cell::Text).collect() });
        }
    }
    Ok(Grid { encoding, header: header.unwrap_or_default(), rows })
}

/// UTF-8, or GB18030 as spreadsheets in China write it; otherwise where it is neither.
fn decode(bytes: &[u8]) -> Result<(Encoding, String), String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("line 1, byte 1: it is UTF-16 (expected UTF-8 or GB18030)".to_owned());
    }
    let (encoding, bytes) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (Encoding::Utf8Bom, rest),
        None => (Encoding::Utf8, bytes),
    };
    let broken = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok((encoding, text.to_owned())),
        Err(e) => e.valid_up_to(),
    };
    if encoding == Encoding::Utf8Bom {
        return Err(format!("{}: no UTF-8, although it begins as such a file does", place(bytes, broken)));
    }
    let text = GB18030.decode_without_bom_handling_and_without_replacement(bytes);
    let Some(text) = text.map(std::borrow::Cow::into_owned) else {
        return Err(format!("{}: neither UTF-8 nor GB18030", place(bytes, wrong_in_gb18030(bytes))));
    };
    // A few characters come back as others: they are refused, and not changed.
    let (again, _, _) = GB18030.encode(&text);
    match again.iter().zip(bytes).position(|(a, b)| a != b) {
        None if again.len() == bytes.len() => Ok((Encoding::Gb18030, text)),
        at => Err(format!("{}: a character of GB18030 that cannot be kept", place(bytes, at.unwrap_or(again.len())))),
    }
}

/// The first byte that no decoder takes.
fn wrong_in_gb18030(bytes: &[u8]) -> usize {
    // Cut after each line, because the decoder does not say where it stopped.
    let mut at = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if GB18030.decode_without_bom_handling_and_without_replacement(line).is_none() {
            let valid = |n: &usize| GB18030.decode_without_bom_handling_and_without_replacement(&line[..*n]).is_some();
            return at + (0..line.len()).rev().find(valid).unwrap_or(0);
        }
        at += line.len();
    }
    at
}

/// `line 3, byte 17`, both from 1.
fn place(bytes: &[u8], at: usize) -> String {
    let before = &bytes[..at.min(bytes.len())];
    let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    format!("line {}, byte {}", before.split(|b| *b == b'\n').count(), before.len() - start + 1)
}

/// A file that the reader of spreadsheets trips over is a file that cannot be read, and no fault to be shown as one.
fn xlsx(bytes: Vec<u8>, doing: &str) -> Result<Grid> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let usual = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let read = panic::catch_unwind(AssertUnwindSafe(|| sheet(bytes, doing)));
    panic::set_hook(usual);
    read.unwrap_or_else(|_| {
        Err(Error::usage(doing, "no XLSX file: what is in it contradicts itself")
            .hint("save it again as XLSX, or as 'CSV UTF-8'."))
    })
}

fn sheet(bytes: Vec<u8>, doing: &str) -> Result<Grid> {
    let bad = |reason: String| Error::usage(doing, reason).hint("save it again as XLSX, or as 'CSV UTF-8'.");
    let mut book: Xlsx<_> = open_workbook_from_rs(Cursor::new(bytes))
        .map_err(|e: calamine::XlsxError| bad(format!("no XLSX file: {e}")))?;
    let name = book.sheet_names().first().cloned().ok_or_else(|| bad("it has no sheet".to_owned()))?;
    let range = book.worksheet_range(&name).map_err(|e| bad(e.to_string()))?;
    let formulas = book.worksheet_formula(&name).map_err(|e| bad(e.to_string()))?;
    let (top, left) = range.start().unwrap_or((0, 0));
    let (mut header, mut rows) = (None, Vec::new());
    for (row, at) in range.rows().zip(top..) {
        let cells = row.iter().zip(left..).map(|(data, column)| {
            let formula = formulas.get_value((at, column)).is_some_and(|f| !f.is_empty());
            if formula { Cell::Formula } else { cell(data) }
        });
        let cells: Vec<Cell> = cells.collect();
        if header.is_none() {
            header = Some(cells.iter().map(Cell::shown).collect());
        } else {
            rows.push(Row { line: at as usize + 1, cells });
        }
    }
    Ok(Grid { encoding: Encoding::Xlsx, header: header.unwrap_or_default(), rows })
}

fn cell(data: &Data) -> Cell {
    match data {
        Data::Empty => Cell::Text(String::new()),
        #[expect(clippy::cast_precision_loss, reason = "a spreadsheet keeps every number so")]
        Data::Int(n) => Cell::Number(*n as f64),
        Data::Float(n) => Cell::Number(*n),
        Data::DateTime(t) => Cell::Number(t.as_f64()),
        other => Cell::Text(other.to_string()),
    }
}

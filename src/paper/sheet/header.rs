//! Which column of a file is which: headers in either language or by field name, in any order.

use super::value::fold;
use crate::error::{Error, Result};
use crate::profile::{Profile, Slip};
use std::collections::BTreeMap;

/// Columns that every file has, and the one that a file of refused slips has beside them.
pub const SLIP_NO: [&str; 4] = ["应急单号", "单号", "slip no", "slip_no"];
pub const WRITTEN_AT: [&str; 3] = ["开单时间", "written at", "written_at"];
pub const REASON: [&str; 2] = ["原因", "reason"];

/// The columns of a file, by position.
#[derive(Debug, Clone, Default)]
pub struct Header {
    pub slip_no: usize,
    pub written_at: usize,
    /// Of the slip's columns, by field.
    pub fields: BTreeMap<String, usize>,
}

fn plain(text: &str) -> String {
    fold(text).to_lowercase().replace([' ', '_'], "")
}

fn is(header: &str, names: &[&str]) -> bool {
    names.iter().any(|n| plain(n) == *header)
}

/// Where the slip number stands; known before the kind is.
pub fn slip_no(header: &[String]) -> Option<usize> {
    header.iter().position(|h| is(&plain(h), &SLIP_NO))
}

/// The columns of a file with slips of this kind; everything that is wrong with them is in the error.
pub fn of(header: &[String], slip: &Slip, doing: &str) -> Result<Header> {
    let (mut found, mut wrong) = (Header::default(), Vec::new());
    let (mut own, mut seen) = ([false; 2], BTreeMap::new());
    for (at, text) in header.iter().enumerate() {
        let name = plain(text);
        if name.is_empty() || (is(&name, &REASON) && at + 1 == header.len()) {
            continue;
        }
        if let Some(earlier) = seen.insert(name.clone(), at) {
            wrong.push(format!("'{}' stands in columns {} and {}", text.trim(), earlier + 1, at + 1));
            continue;
        }
        if is(&name, &SLIP_NO) {
            (found.slip_no, own[0]) = (at, true);
        } else if is(&name, &WRITTEN_AT) {
            (found.written_at, own[1]) = (at, true);
        } else if let Some(column) = slip.columns.iter().find(|c| is(&name, &[&c.header.zh, &c.header.en, &c.field])) {
            if found.fields.insert(column.field.clone(), at).is_some() {
                wrong.push(format!("'{}' is there twice", column.field));
            }
        } else {
            wrong.push(format!("'{}' is no column of slips '{}'", text.trim(), slip.kind));
        }
    }
    let missing = slip.columns.iter().filter(|c| c.required && !found.fields.contains_key(&c.field));
    wrong.extend(
        [SLIP_NO[0], WRITTEN_AT[0]]
            .iter()
            .zip(own)
            .filter(|(_, there)| !there)
            .map(|(n, _)| format!("'{n}' is missing")),
    );
    wrong.extend(missing.map(|c| format!("'{}' ({}) is missing", c.header.zh, c.header.en)));
    if wrong.is_empty() {
        return Ok(found);
    }
    let own = [SLIP_NO[0], WRITTEN_AT[0]].map(str::to_owned);
    let wanted: Vec<String> = own.into_iter().chain(slip.columns.iter().map(|c| c.header.zh.clone())).collect();
    Err(Error::usage(doing, format!("its headers: {}", wrong.join("; ")))
        .hint(format!("the headers are: {}.", wanted.join(", "))))
}

/// The only kind of slips that numbers with these series are of, the most frequent first.
pub fn kind<'p>(profile: &'p Profile, series: &[String]) -> Option<&'p Slip> {
    let code = &profile.site.code;
    let count = |s: &Slip| {
        let own = crate::paper::Number::new(&s.prefix, code, 1).series;
        series.iter().filter(|x| **x == own).count()
    };
    profile.slips.iter().map(|s| (count(s), s)).filter(|(n, _)| *n > 0).max_by_key(|(n, _)| *n).map(|(_, s)| s)
}

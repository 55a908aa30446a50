//! From what people write to one canonical form: `12.50`, `2026-11-22`, `2026-11-22 08:05:00`, `true`.

use super::grid::Cell;
use super::reason::Reason;
use crate::formats::cell::unguarded;
use crate::profile::{Column, Form};
use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use rust_decimal::Decimal;

/// Digits that a spreadsheet keeps of a number.
const KEPT_DIGITS: usize = 15;

/// The value of a cell in canonical form; `None` when nothing is written.
pub fn of(cell: &Cell, column: &Column) -> Result<Option<String>, Reason> {
    if cell.is_blank() {
        return Ok(None);
    }
    let value = match column.form {
        Form::Text => text(cell)?,
        Form::Whole => whole(cell)?,
        Form::Money => format!("{:.2}", decimal(cell, 2)?),
        Form::Price => decimal(cell, 4)?.normalize().to_string(),
        Form::Quantity => decimal(cell, 3)?.normalize().to_string(),
        Form::Date => date(cell).ok_or(Reason::NoDate)?.to_string(),
        Form::Time => time(&folded(cell)?).ok_or(Reason::NoTime)?.to_string(),
        Form::DateTime => date_time(cell)?.to_string(),
        Form::IdNo => id_no(&text(cell)?)?,
        Form::YesNo => yes_no(&folded(cell)?)?.to_owned(),
    };
    if column.values.is_empty() {
        // What is looked up is a code, and codes have no full-width characters.
        return Ok(Some(if column.lookup.is_some() { fold(&value) } else { value }));
    }
    let written = fold(&value);
    let found = column.values.iter().find(|(word, stored)| fold(word) == written || *stored == written);
    found.map(|(_, stored)| Some(stored.clone())).ok_or(Reason::NotAllowed)
}

/// Date and time of a slip, in canonical form.
pub fn date_time(cell: &Cell) -> Result<NaiveDateTime, Reason> {
    if let Some(serial) = serial(cell) {
        return from_serial(serial).ok_or(Reason::NoDateTime);
    }
    let text = folded(cell)?.replace(['T', '日'], " ");
    let (day, clock) = text.trim().split_once(' ').ok_or(Reason::NoDateTime)?;
    match (parse_date(day), time(clock.trim())) {
        (Some(day), Some(clock)) => Ok(day.and_time(clock)),
        _ => Err(Reason::NoDateTime),
    }
}

/// Full-width letters, digits and signs as the narrow ones, spaces of all kinds as one; trimmed.
#[must_use]
pub fn fold(text: &str) -> String {
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{ffe5}' => '¥',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        c if is_space(c) => ' ',
        c => c,
    };
    text.chars().map(narrow).collect::<String>().trim().to_owned()
}

/// Spaces as people and programs leave them: thin, ideographic, no-break, of no width.
#[must_use]
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// What a cell says, folded.
fn folded(cell: &Cell) -> Result<String, Reason> {
    text(cell).map(|t| fold(&t))
}

fn text(cell: &Cell) -> Result<String, Reason> {
    match cell {
        Cell::Formula => Err(Reason::Formula),
        Cell::Number(number) => {
            let digits = number.to_string();
            let kept = digits.bytes().filter(u8::is_ascii_digit).count() <= KEPT_DIGITS && !digits.contains('e');
            if kept { Ok(digits) } else { Err(Reason::Mangled) }
        }
        Cell::Text(text) => {
            let trimmed = text.trim_matches(is_space);
            let plain = unguarded(trimmed);
            if plain == trimmed && trimmed.starts_with(['=', '@']) {
                return Err(Reason::Formula);
            }
            if is_mangled(&fold(plain)) { Err(Reason::Mangled) } else { Ok(plain.to_owned()) }
        }
    }
}

/// `1.10101E+17`: what a spreadsheet makes of a long number.
fn is_mangled(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    whole.len() == 1 && digits(whole) && digits(part) && exponent.strip_prefix('+').is_some_and(digits)
}

fn decimal(cell: &Cell, places: u32) -> Result<Decimal, Reason> {
    let text = folded(cell)?;
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    let rest = rest.trim_start_matches('¥').trim_end_matches('元').trim();
    let (whole, part) = rest.split_once('.').unwrap_or((rest, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let groups: Vec<&str> = whole.split(',').collect();
    let grouped = groups.len() > 1 && (1..=3).contains(&groups[0].len()) && groups[1..].iter().all(|g| g.len() == 3);
    if (groups.len() > 1 && !grouped) || !groups.iter().all(|g| digits(g) && !g.is_empty()) || !digits(part) {
        return Err(Reason::NoAmount);
    }
    let part = part.trim_end_matches('0');
    if u32::try_from(part.len()).is_ok_and(|n| n > places) {
        return Err(Reason::Decimals(places));
    }
    let plain = format!("{sign}{}.{part}", groups.concat());
    plain.trim_end_matches('.').parse().map_err(|_| Reason::NoAmount)
}

fn whole(cell: &Cell) -> Result<String, Reason> {
    let number = decimal(cell, 0).map_err(|e| match e {
        Reason::NoAmount | Reason::Decimals(_) => Reason::NoWhole,
        other => other,
    })?;
    Ok(number.normalize().to_string())
}

/// The number of days that a spreadsheet writes for a date.
fn serial(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Number(number) => Some(*number),
        Cell::Text(text) => {
            let text = fold(text);
            let (days, part) = text.split_once('.').unwrap_or((&text, ""));
            let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
            (days.len() == 5 && digits(days) && digits(part)).then(|| text.parse().ok()).flatten()
        }
        Cell::Formula => None,
    }
}

/// Of the years 1900 to 2199.
fn from_serial(serial: f64) -> Option<NaiveDateTime> {
    if !(61.0..109_575.0).contains(&serial) {
        return None;
    }
    let start = NaiveDate::from_ymd_opt(1899, 12, 30)?.and_time(NaiveTime::MIN);
    #[expect(clippy::cast_possible_truncation, reason = "its range was looked at")]
    let seconds = (serial * 86_400.0).round() as i64;
    start.checked_add_signed(TimeDelta::seconds(seconds))
}

fn date(cell: &Cell) -> Option<NaiveDate> {
    match serial(cell) {
        Some(serial) => from_serial(serial).filter(|t| t.time() == NaiveTime::MIN).map(|t| t.date()),
        None => parse_date(&folded(cell).ok()?),
    }
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    let text = text.trim_end_matches('日').replace(['/', '.', '年', '月'], "-");
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = match text.split('-').collect::<Vec<_>>()[..] {
        [all] if all.len() == 8 && digits(all) => vec![&all[..4], &all[4..6], &all[6..]],
        [year, month, day] if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => vec![year, month, day],
        _ => return None,
    };
    if !parts.iter().all(|p| digits(p)) {
        return None;
    }
    NaiveDate::from_ymd_opt(parts[0].parse().ok()?, parts[1].parse().ok()?, parts[2].parse().ok()?)
}

fn time(text: &str) -> Option<NaiveTime> {
    let parts: Vec<&str> = text.split(':').collect();
    let digits = |t: &&str| (1..=2).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(digits) {
        return None;
    }
    let second = parts.get(2).map_or(Some(0), |s| s.parse().ok())?;
    NaiveTime::from_hms_opt(parts[0].parse().ok()?, parts[1].parse().ok()?, second)
}

/// GB 11643: seventeen digits, the birth date among them, and a check character (ISO 7064 MOD 11-2).
fn id_no(text: &str) -> Result<String, Reason> {
    let id = fold(text).to_ascii_uppercase();
    let (Some(digits), Some(check)) = (id.get(..17), id.get(17..)) else { return Err(Reason::NoIdNo) };
    if check.len() != 1 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Reason::NoIdNo);
    }
    parse_date(&digits[6..14]).ok_or(Reason::NoIdNo)?;
    let sum = digits.bytes().fold(0, |r, b| (r + u32::from(b - b'0')) * 2 % 11);
    let expected = (12 - sum) % 11;
    let expected = if expected == 10 { 'X' } else { char::from_digit(expected, 10).unwrap_or('?') };
    if check.starts_with(expected) { Ok(id) } else { Err(Reason::IdCheck) }
}

fn yes_no(text: &str) -> Result<&'static str, Reason> {
    match text.to_ascii_lowercase().as_str() {
        "是" | "有" | "yes" | "y" | "1" | "true" | "√" => Ok("true"),
        "否" | "无" | "no" | "n" | "0" | "false" | "×" => Ok("false"),
        _ => Err(Reason::NoYesNo),
    }
}

/// True of a time that no slip can have been written at yet.
#[must_use]
pub fn is_future(at: NaiveDateTime, now: NaiveDateTime) -> bool {
    at > now.checked_add_days(Days::new(1)).unwrap_or(now)
}

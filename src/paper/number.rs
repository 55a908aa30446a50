//! The number of a slip: letters of its kind, the site, a running number, two check digits: `S01-000123-45`.
//!
//! The check digits are ISO 7064 MOD 97-10 over letters (A = 10 … Z = 35) and digits: any one wrong digit is caught, and
//! any two neighbours that changed places, and what is keyed is digits only after the first letters.

use std::fmt;

/// One slip's number. Two slips of a site never have the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    /// Prefix of the kind and code of the site.
    pub series: String,
    /// From 1.
    pub running: u64,
}

impl Number {
    #[must_use]
    pub fn new(prefix: &str, site: &str, running: u64) -> Number {
        Number { series: format!("{prefix}{site}").to_ascii_uppercase(), running }
    }

    /// Reads a number as people write it: with or without hyphens and spaces, small letters, full-width characters.
    /// `series` are those that the site has. The error says what is wrong with it.
    pub fn parse(text: &str, series: &[String]) -> Result<Number, Wrong> {
        let plain: String = text.chars().map(narrow).filter(char::is_ascii_alphanumeric).collect::<String>();
        let plain = plain.to_ascii_uppercase();
        if text.chars().map(narrow).any(|c| !c.is_ascii_alphanumeric() && c != '-' && !c.is_whitespace()) {
            return Err(Wrong::Form);
        }
        let known = series.iter().filter_map(|s| Some((s, plain.strip_prefix(s.as_str())?)));
        let (series, digits) = known.max_by_key(|(s, _)| s.len()).ok_or(Wrong::Series)?;
        if digits.len() < 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Wrong::Form);
        }
        if remainder(&plain) != 1 {
            return Err(Wrong::Check);
        }
        let running = digits[..digits.len() - 2].parse().map_err(|_| Wrong::Form)?;
        let number = Number { series: series.clone(), running };
        // Of one number there is one way to write it.
        if running == 0 || number.plain() != plain { Err(Wrong::Form) } else { Ok(number) }
    }

    /// Without hyphens, as in a bar code.
    #[must_use]
    pub fn plain(&self) -> String {
        let body = format!("{}{:06}", self.series, self.running);
        let check = 98 - remainder(&format!("{body}00"));
        format!("{body}{check:02}")
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.plain();
        let (body, check) = plain.split_at(plain.len() - 2);
        let (series, running) = body.split_at(self.series.len());
        write!(f, "{series}-{running}-{check}")
    }
}

/// What is wrong with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It begins as no kind of slip of this site does.
    Series,
    /// It is too short or too long, or has something in it that does not belong there.
    Form,
    /// Its check digits do not fit: a digit is wrong, or two changed places.
    Check,
}

/// What a full-width letter, digit or hyphen stands for.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{3000}' => ' ',
        _ => c,
    }
}

/// Of the number that letters and digits make, by 97.
fn remainder(text: &str) -> u32 {
    text.chars().filter_map(|c| c.to_digit(36)).fold(0, |r, d| if d < 10 { r * 10 + d } else { r * 100 + d } % 97)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series() -> Vec<String> {
        vec!["S01".to_owned(), "G01".to_owned()]
    }

    #[test]
    fn a_number_is_read_as_people_write_it() {
        let number = Number::new("S", "01", 123);
        let shown = number.to_string();
        assert_eq!((shown.as_str(), number.plain().as_str()), ("S01-000123-22", "S0100012322"));
        for text in ["S01-000123-22", "s0100012322", "S01 000123 22", "Ｓ０１－０００１２３－２２", " S01–000123–22"]
        {
            assert_eq!(Number::parse(text, &series()), Ok(number.clone()), "{text}");
        }
        let large = Number::new("G", "01", 12_345_678);
        assert_eq!(Number::parse(&large.to_string(), &series()), Ok(large));
    }

    #[test]
    fn what_is_no_number_says_why() {
        for (text, wrong) in [
            ("S01-000123-23", Wrong::Check),
            ("T01-000123-22", Wrong::Series),
            ("S02-000123-22", Wrong::Series),
            ("S01-123-22", Wrong::Form),
            ("S01-000123_22", Wrong::Form),
            ("", Wrong::Series),
        ] {
            assert_eq!(Number::parse(text, &series()), Err(wrong), "{text}");
        }
    }

    #[test]
    fn every_wrong_digit_and_every_swap_of_neighbours_is_caught() {
        for running in [1, 9, 123, 98_765, 999_999] {
            let plain = Number::new("S", "01", running).plain();
            let digits: Vec<char> = plain.chars().collect();
            for at in 3..digits.len() {
                for wrong in ('0'..='9').filter(|d| *d != digits[at]) {
                    let mut changed = digits.clone();
                    changed[at] = wrong;
                    let changed: String = changed.into_iter().collect();
                    assert_eq!(Number::parse(&changed, &series()), Err(Wrong::Check), "{changed}");
                }
                if at + 1 < digits.len() && digits[at] != digits[at + 1] {
                    let mut swapped = digits.clone();
                    swapped.swap(at, at + 1);
                    let swapped: String = swapped.into_iter().collect();
                    assert_eq!(Number::parse(&swapped, &series()), Err(Wrong::Check), "{swapped}");
                }
            }
        }
    }
}

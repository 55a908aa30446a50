//! Reads TOML and gathers every mistake with its line, instead of stopping at the first.

use std::collections::BTreeSet;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One mistake: the line it stands on (1 is the first) and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    pub line: usize,
    pub text: String,
}

/// All mistakes found so far.
pub struct Mistakes<'t> {
    text: &'t str,
    list: Vec<Mistake>,
}

impl<'t> Mistakes<'t> {
    pub fn new(text: &'t str) -> Self {
        Mistakes { text, list: Vec::new() }
    }

    pub fn at(&mut self, offset: usize, text: impl Into<String>) {
        let line = self.text[..offset.min(self.text.len())].matches('\n').count() + 1;
        self.list.push(Mistake { line, text: text.into() });
    }

    pub fn finish(mut self) -> Vec<Mistake> {
        self.list.sort();
        self.list
    }
}

/// One `[section]`; every key that was asked for is known, every other is a mistake.
pub struct Section<'a, 't, 'm> {
    /// How messages name it: `[limits]`, `[[table]] 'outpatient.charge'`.
    pub label: String,
    table: &'a DeTable<'t>,
    /// Where it begins in the file.
    pub offset: usize,
    asked: BTreeSet<&'static str>,
    mistakes: &'m mut Mistakes<'t>,
}

impl<'a, 't, 'm> Section<'a, 't, 'm> {
    pub fn new(
        label: impl Into<String>,
        table: &'a DeTable<'t>,
        offset: usize,
        mistakes: &'m mut Mistakes<'t>,
    ) -> Self {
        Section { label: label.into(), table, offset, asked: BTreeSet::new(), mistakes }
    }

    pub fn mistake(&mut self, text: impl Into<String>) {
        let text = format!("{}: {}", self.label, text.into());
        self.mistakes.at(self.offset, text);
    }

    fn find(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'t>>> {
        self.asked.insert(key);
        self.table.iter().find(|(k, _)| k.get_ref().as_ref() == key).map(|(_, v)| v)
    }

    fn wrong(&mut self, value: &Spanned<DeValue<'t>>, key: &str, expected: &str) {
        let text = format!("{}: '{key}' is a {} (expected {expected})", self.label, value.get_ref().type_str());
        self.mistakes.at(value.span().start, text);
    }

    /// Says that the value of `key` is not usable.
    pub fn bad(&mut self, key: &'static str, why: impl std::fmt::Display) {
        let offset = self.find(key).map_or(self.offset, |v| v.span().start);
        let text = format!("{}: '{key}' {why}", self.label);
        self.mistakes.at(offset, text);
    }

    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.find(key)?;
        match value.get_ref() {
            DeValue::String(s) => Some(s.to_string()),
            _ => {
                self.wrong(value, key, "string");
                None
            }
        }
    }

    /// A string that must be there.
    pub fn required(&mut self, key: &'static str) -> String {
        if self.find(key).is_none() {
            self.mistake(format!("'{key}' is missing"));
        }
        self.text(key).unwrap_or_default()
    }

    /// A string out of a fixed list; without it, the first of the list.
    pub fn choice(&mut self, key: &'static str, choices: &[&'static str]) -> &'static str {
        let Some(text) = self.text(key) else {
            return choices[0];
        };
        choices.iter().copied().find(|c| *c == text).unwrap_or_else(|| {
            self.bad(key, format!("is '{text}' (expected {})", choices.join(", ")));
            choices[0]
        })
    }

    pub fn flag(&mut self, key: &'static str) -> bool {
        let Some(value) = self.find(key) else {
            return false;
        };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong(value, key, "true or false");
            false
        })
    }

    pub fn whole(&mut self, key: &'static str) -> Option<i64> {
        let value = self.find(key)?;
        let number = integer(value.get_ref());
        if number.is_none() {
            self.wrong(value, key, "whole number");
        }
        number
    }

    /// A percentage, 0 to 100.
    pub fn percent(&mut self, key: &'static str, default: i64) -> i64 {
        match self.whole(key) {
            Some(n) if (0..=100).contains(&n) => n,
            Some(n) => {
                self.bad(key, format!("is {n} (expected a percentage, 0 to 100)"));
                default
            }
            None => default,
        }
    }

    /// A length of time such as "500ms", "10s", "10m", "2h", "7d".
    pub fn duration(&mut self, key: &'static str, default: Duration) -> Duration {
        self.time(key).unwrap_or(default)
    }

    /// The same where none is given, or a wrong one.
    pub fn time(&mut self, key: &'static str) -> Option<Duration> {
        let text = self.text(key)?;
        let time = parse_duration(&text);
        if time.is_none() {
            self.bad(key, format!("is '{text}' (expected a time such as 500ms, 10s, 10m, 2h or 7d)"));
        }
        time
    }

    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.find(key)?;
        let list = value
            .get_ref()
            .as_array()
            .and_then(|a| a.iter().map(|v| v.get_ref().as_str().map(str::to_owned)).collect());
        if list.is_none() {
            self.wrong(value, key, "list of strings");
        }
        list
    }

    pub fn wholes(&mut self, key: &'static str) -> Option<Vec<i64>> {
        let value = self.find(key)?;
        let list = value.get_ref().as_array().and_then(|a| a.iter().map(|v| integer(v.get_ref())).collect());
        if list.is_none() {
            self.wrong(value, key, "list of whole numbers");
        }
        list
    }

    /// An inline table of strings, such as `stamp`.
    pub fn pairs(&mut self, key: &'static str) -> Vec<(String, String)> {
        self.entries(key, "table of strings", |v| v.as_str().map(str::to_owned))
    }

    /// An inline table of lists of strings, such as `guard`.
    pub fn lists(&mut self, key: &'static str) -> Vec<(String, Vec<String>)> {
        self.entries(key, "table of lists of strings", |v| {
            v.as_array().and_then(|a| a.iter().map(|x| x.get_ref().as_str().map(str::to_owned)).collect())
        })
    }

    /// An inline table of whole numbers, such as `keep`.
    pub fn counts(&mut self, key: &'static str) -> Vec<(String, i64)> {
        self.entries(key, "table of whole numbers", integer)
    }

    fn entries<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl Fn(&DeValue<'t>) -> Option<T>,
    ) -> Vec<(String, T)> {
        let Some(value) = self.find(key) else {
            return Vec::new();
        };
        let entries: Option<Vec<_>> = value
            .get_ref()
            .as_table()
            .and_then(|t| t.iter().map(|(k, v)| read(v.get_ref()).map(|v| (k.get_ref().to_string(), v))).collect());
        entries.unwrap_or_else(|| {
            self.wrong(value, key, expected);
            Vec::new()
        })
    }

    /// A key that is read elsewhere, as a section of its own.
    pub fn skip(&mut self, key: &'static str) {
        self.asked.insert(key);
    }

    /// Ends the reading of this section: keys nobody asked for are mistakes.
    pub fn done(self) {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if !self.asked.contains(name) {
                let text = format!("{}: unknown key '{name}'", self.label);
                self.mistakes.at(key.span().start, text);
            }
        }
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    match value {
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok(),
        _ => None,
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..split].parse().ok()?;
    match &text[split..] {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(number.checked_mul(3600)?)),
        "d" => Some(Duration::from_secs(number.checked_mul(86400)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_exactly_or_not_at_all() {
        assert_eq!(parse_duration("10m"), Some(Duration::from_secs(600)));
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        for text in ["10", "m", "", "1.5h", "10 m", "99999999999999999999s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}

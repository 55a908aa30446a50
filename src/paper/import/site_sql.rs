//! The site's SQL of a kind of slips: statements with named parameters, run one after the other in the slip's transaction.
//!
//! `:field` (or `:'field'`, as psql writes it) stands for what the slip says, as a literal; NULL where it says nothing.
//! What a statement returns is known by its column names to those after it. A statement that names a column of the lines
//! is run once for each line. A comment `-- must FIELD: 中文 | English` before a statement says that it must return or
//! change a row, and what is wrong with the slip when it does not.

use crate::db::sql::literal;
use crate::error::{Cannot, Error, Result};
use crate::profile::{OWN_FIELDS, Slip, Words};
use std::collections::{BTreeMap, BTreeSet};

/// What a slip says, by field; with what the statements so far have returned.
pub type Values = BTreeMap<String, Option<String>>;

/// A statement that must find or change a row, and what it means when it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Must {
    /// The column of the slip that is wrong then; empty: the whole slip.
    pub field: String,
    pub otherwise: Words,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(String),
}

/// One statement of a site's file.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Where it begins in the file.
    pub line: usize,
    pub must: Option<Must>,
    /// It is run once for each line of the slip.
    pub each_line: bool,
    parts: Vec<Part>,
}

impl Statement {
    /// The statement with `values` in it. A name that nobody gave a value is an error of the file.
    pub fn with(&self, values: &Values) -> Result<String, String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text += plain,
                Part::Value(name) => match values.get(name) {
                    Some(Some(value)) => text += &literal(value),
                    Some(None) => text += "NULL",
                    None => return Err(name.clone()),
                },
            }
        }
        Ok(text)
    }
}

/// Reads the SQL of a kind of slips.
pub fn read(slip: &Slip) -> Result<Vec<Statement>> {
    let Some(path) = &slip.sql else { return Ok(Vec::new()) };
    let doing = format!("use '{}' for slips '{}'", path.display(), slip.kind);
    let text = std::fs::read_to_string(path).cannot(doing.clone()).map_err(|e| e.with_exit(crate::Exit::Usage))?;
    let mut statements = split(&text).map_err(|(line, what)| {
        Error::usage(doing.clone(), format!("line {line}: {what}"))
            .hint("mend that line; his.toml(5), [[slip]], describes these files.")
    })?;
    let of_lines: BTreeSet<&str> = slip.columns.iter().filter(|c| c.line).map(|c| c.field.as_str()).collect();
    for statement in &mut statements {
        let names = |p: &Part| matches!(p, Part::Value(name) if of_lines.contains(name.as_str()) || name == "line_no");
        statement.each_line = statement.parts.iter().any(names);
        if let Some(must) = &statement.must
            && !must.field.is_empty()
            && slip.column(&must.field).is_none()
            && !OWN_FIELDS.contains(&must.field.as_str())
        {
            let reason =
                format!("line {}: 'must' names '{}', which is no column of the slip", statement.line, must.field);
            return Err(Error::usage(doing, reason));
        }
    }
    Ok(statements)
}

/// Words that would end the slip's transaction, or leave it.
const NOT_HERE: [&str; 9] = ["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE"];

/// The statements of a file, or the line and what is wrong there.
fn split(text: &str) -> Result<Vec<Statement>, (usize, String)> {
    let mut reader = Reader { text, at: 0 };
    let (mut statements, mut parts, mut must, mut begins) = (Vec::new(), Vec::<Part>::new(), None, None);
    let mut plain = String::new();
    let line_of = |at: usize| text[..at].matches('\n').count() + 1;
    loop {
        let (from, token) = (reader.at, reader.next());
        let line = line_of(from);
        match token {
            Token::Comment(comment) => {
                if let Some(rule) = comment.trim_start_matches('-').trim().strip_prefix("must ") {
                    must = Some(
                        must_of(rule)
                            .ok_or((line, format!("'{rule}' is no rule (expected must FIELD: 中文 | English)")))?,
                    );
                }
                plain.push(' ');
            }
            Token::Text(piece) => {
                let begin = from + piece.len() - piece.trim_start().len();
                if begins.is_none() && !piece.trim().is_empty() {
                    begins = Some(begin);
                    let word: String = text[begin..].chars().take_while(char::is_ascii_alphabetic).collect();
                    if NOT_HERE.contains(&word.to_ascii_uppercase().as_str()) {
                        return Err((line_of(begin), format!("{word} is not for a slip, which is one transaction")));
                    }
                }
                plain += piece;
            }
            Token::Value(name) => {
                begins.get_or_insert(from);
                parts.push(Part::Text(std::mem::take(&mut plain)));
                parts.push(Part::Value(name.to_owned()));
            }
            Token::Stop | Token::End => {
                parts.push(Part::Text(std::mem::take(&mut plain)));
                if let Some(begin) = begins.take() {
                    let parts = std::mem::take(&mut parts);
                    statements.push(Statement { line: line_of(begin), must: must.take(), each_line: false, parts });
                }
                parts.clear();
                if token == Token::End {
                    return Ok(statements);
                }
            }
            Token::Open(what) => return Err((line, format!("a {what} has no end"))),
        }
    }
}

fn must_of(rule: &str) -> Option<Must> {
    let (field, words) = rule.split_once(':')?;
    let (zh, en) = words.split_once('|')?;
    let otherwise = Words { zh: zh.trim().to_owned(), en: en.trim().to_owned() };
    let field = field.trim().to_owned();
    (!otherwise.zh.is_empty() && !otherwise.en.is_empty()).then_some(Must { field, otherwise })
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Token<'t> {
    Text(&'t str),
    Value(&'t str),
    Comment(&'t str),
    /// The `;` after a statement.
    Stop,
    End,
    /// Something that begins and has no end.
    Open(&'static str),
}

/// Takes SQL apart as far as is needed to know what is text of the server's and what is not.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn take(&mut self, length: usize) -> &'t str {
        let piece = &self.text[self.at..self.at + length];
        self.at += length;
        piece
    }

    fn next(&mut self) -> Token<'t> {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return Token::End };
        match first {
            ';' => {
                self.take(1);
                Token::Stop
            }
            '-' if rest.starts_with("--") => Token::Comment(self.take(rest.find('\n').unwrap_or(rest.len()))),
            '/' if rest.starts_with("/*") => match comment(rest) {
                Some(length) => Token::Comment(self.take(length)),
                None => Token::Open("comment"),
            },
            '\'' => self.quoted(quoted(rest, '\'', false), "string"),
            '"' => self.quoted(quoted(rest, '"', false), "name"),
            'e' | 'E' if rest[1..].starts_with('\'') && !self.after_a_word() => {
                self.quoted(quoted(&rest[1..], '\'', true).map(|n| n + 1), "string")
            }
            '$' if !self.after_a_word() => match dollar(rest) {
                Dollar::Quoted(length) => Token::Text(self.take(length)),
                Dollar::Open => Token::Open("dollar quote"),
                Dollar::Plain => Token::Text(self.take(1)),
            },
            ':' if rest.starts_with("::") => Token::Text(self.take(2)),
            ':' => {
                let in_quotes = rest[1..].starts_with('\'');
                let name = &rest[1 + usize::from(in_quotes)..];
                let length = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
                let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
                if begins && (!in_quotes || name[length..].starts_with('\'')) {
                    self.take(1 + length + 2 * usize::from(in_quotes));
                    Token::Value(&name[..length])
                } else {
                    Token::Text(self.take(1))
                }
            }
            _ => {
                let special = |c: char| matches!(c, ';' | '-' | '/' | '\'' | '"' | '$' | ':' | 'e' | 'E');
                let length = rest[first.len_utf8()..].find(special).map_or(rest.len(), |n| n + first.len_utf8());
                Token::Text(self.take(length))
            }
        }
    }

    fn quoted(&mut self, length: Option<usize>, what: &'static str) -> Token<'t> {
        length.map_or(Token::Open(what), |length| Token::Text(self.take(length)))
    }

    /// True when what comes belongs to a word before it: `name'` is no string with escapes, `a$1` no quote.
    fn after_a_word(&self) -> bool {
        self.text[..self.at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$')
    }
}

/// Length of what begins with `quote`, doubled quotes and (if so) escapes passed over.
fn quoted(text: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && escapes {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + c.len_utf8());
        }
    }
    None
}

/// Length of a comment, which may have others in it.
fn comment(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(next) = text[at..].find(['/', '*']) {
        at += next;
        match text.get(at..at + 2) {
            Some("/*") => (depth, at) = (depth + 1, at + 2),
            Some("*/") if depth == 1 => return Some(at + 2),
            Some("*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    None
}

enum Dollar {
    Quoted(usize),
    Open,
    Plain,
}

fn dollar(text: &str) -> Dollar {
    let Some(end) = text[1..].find('$') else { return Dollar::Plain };
    let tag = &text[..end + 2];
    let name = &tag[1..=end];
    if name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Dollar::Plain;
    }
    text[tag.len()..].find(tag).map_or(Dollar::Open, |n| Dollar::Quoted(n + 2 * tag.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, values: &[(&str, Option<&str>)]) -> Vec<String> {
        let values = values.iter().map(|(k, v)| ((*k).to_owned(), v.map(str::to_owned))).collect();
        split(text).unwrap().iter().map(|s| s.with(&values).unwrap().trim().to_owned()).collect()
    }

    #[test]
    fn values_become_literals_that_nothing_can_be_broken_out_of() {
        let values = [("name", Some("O'Hara\\; DROP")), ("none", None)];
        assert_eq!(
            with("SELECT :name, :'name', :none", &values),
            [r"SELECT  E'O''Hara\\; DROP',  E'O''Hara\\; DROP', NULL"]
        );
    }

    #[test]
    fn what_stands_in_strings_names_comments_and_casts_is_left_alone() {
        let text = "SELECT ':a;''', E'\\':a', \":a;\", $$:a;$$, $x$ $$ :a $x$, :a::text, x[1:2], y := 1 -- :a;\n/* ; /* :a */ ; */;;\n SELECT name'x', a$1;";
        assert_eq!(
            with(text, &[("a", Some("1"))]),
            [
                "SELECT ':a;''', E'\\':a', \":a;\", $$:a;$$, $x$ $$ :a $x$, '1'::text, x[1:2], y := 1",
                "SELECT name'x', a$1"
            ]
        );
    }

    #[test]
    fn a_rule_belongs_to_the_statement_after_it() {
        let statements = split("-- must visit: 查无此号 | no such visit\nSELECT 1;\nSELECT 2").unwrap();
        let words = Words { zh: "查无此号".to_owned(), en: "no such visit".to_owned() };
        assert_eq!(statements[0].must, Some(Must { field: "visit".to_owned(), otherwise: words }));
        assert_eq!((statements[0].line, statements[1].line), (2, 3));
        assert_eq!(statements[1].must, None);
    }

    #[test]
    fn what_cannot_be_is_told_with_its_line() {
        for (text, line) in [
            ("SELECT 'x", 1),
            ("SELECT 1;\nSELECT $$a", 2),
            ("\n/* a", 2),
            ("SELECT 1;\n COMMIT", 2),
            ("-- must x\nSELECT 1", 1),
        ] {
            assert_eq!(split(text).unwrap_err().0, line, "{text}");
        }
    }
}

//! A script for psql as something that takes statements.

use crate::db::sql;
use crate::error::{Cannot, Error, Result};
use crate::merge::statements::Statements;
use std::fmt::Write;
use std::io::Read;

/// The text of a script, as far as it is written.
#[derive(Debug, Default)]
pub struct Psql {
    pub text: String,
}

impl Psql {
    /// A heading for whoever reads the script.
    pub fn heading(&mut self, words: &str) {
        let _ = write!(self.text, "\n-- ======== {words}\n\n");
    }

    /// A line for psql itself.
    pub fn meta(&mut self, line: &str) {
        self.text += &format!("\\{line}\n");
    }

    /// A comment; what would end its line cannot.
    pub fn comment(&mut self, words: &str) {
        let plain: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.text += format!("-- {plain}").trim_end();
        self.text.push('\n');
    }

    /// A statement with one row, whose columns become variables of psql: `:his_<column>`.
    pub fn ask(&mut self, text: &str) {
        let _ = writeln!(self.text, "{} \\gset his_", bare(text));
    }

    /// A statement of a file with parameters; `values` are SQL expressions.
    pub fn bound(&mut self, text: &str, values: &[String]) {
        self.add(&sql::bound(text, values));
    }

    pub fn add(&mut self, text: &str) {
        // What a SELECT gives is for nobody: only the receipt is printed.
        let body = text.lines().find(|l| !l.starts_with("--") && !l.trim().is_empty()).unwrap_or_default();
        if body.starts_with("SELECT") {
            self.ask(text);
            return;
        }
        self.text += text.trim_end();
        if !self.text.ends_with(';') {
            self.text.push(';');
        }
        self.text.push('\n');
    }
}

/// A statement without its semicolon, as a part of another.
pub fn bare(text: &str) -> &str {
    text.trim_end().trim_end_matches(';')
}

impl Statements for Psql {
    fn take(&mut self, text: &str, _: &str) -> Result<()> {
        self.add(text);
        Ok(())
    }

    /// The rows go into the script in the text format of COPY, one line each: a line of a CSV value could end the COPY.
    fn copy(&mut self, copy: &str, from: &mut dyn Read, name: &str) -> Result<()> {
        let doing = || format!("write '{name}' into the script");
        let csv = std::io::read_to_string(from).cannot(doing())?;
        let copied = csv_to_text(&csv).ok_or_else(|| Error::damaged(doing(), "it is not the CSV of a server"))?;
        let _ = writeln!(self.text, "{};\n{copied}\\.", copy.trim_end());
        Ok(())
    }
}

/// The rows of a server's CSV, its header left out, in the text format of COPY. `None` when a quote is not closed.
fn csv_to_text(csv: &str) -> Option<String> {
    let mut out = String::with_capacity(csv.len());
    let mut chars = csv.chars().peekable();
    let mut header = true;
    while chars.peek().is_some() {
        let row = out.len();
        loop {
            let field = out.len();
            let quoted = chars.next_if_eq(&'"').is_some();
            if quoted {
                loop {
                    match chars.next()? {
                        '"' if chars.next_if_eq(&'"').is_some() => out.push('"'),
                        '"' => break,
                        c => push_escaped(&mut out, c),
                    }
                }
            } else {
                while let Some(c) = chars.next_if(|c| !matches!(c, ',' | '\n' | '\r')) {
                    push_escaped(&mut out, c);
                }
                if out.len() == field {
                    out += "\\N";
                }
            }
            match chars.next() {
                Some(',') => out.push('\t'),
                Some('\r') if chars.next_if_eq(&'\n').is_some() => break,
                Some('\n') | None => break,
                Some(_) => return None,
            }
        }
        if header {
            out.truncate(row);
            header = false;
        } else {
            out.push('\n');
        }
    }
    Some(out)
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\\' => *out += "\\\\",
        '\n' => *out += "\\n",
        '\r' => *out += "\\r",
        '\t' => *out += "\\t",
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_whatever_its_values_are() {
        let csv = "a,b\n1,\n\"\",\"x\n\\.\ny\"\n\"say \"\"hi\"\"\",a\\b\tc\n";
        assert_eq!(csv_to_text(csv).unwrap(), "1\t\\N\n\tx\\n\\\\.\\ny\nsay \"hi\"\ta\\\\b\\tc\n");
        assert_eq!(csv_to_text("a\n").unwrap(), "");
        assert_eq!(csv_to_text("a\n\"open\n"), None);
        assert_eq!(csv_to_text("a\n\"x\"y\n"), None);
    }

    #[test]
    fn what_a_select_gives_is_not_printed() {
        let mut psql = Psql::default();
        psql.add("-- why\nSELECT 1;\n");
        psql.add("DELETE FROM t");
        psql.comment("a\nb");
        assert_eq!(psql.text, "-- why\nSELECT 1 \\gset his_\nDELETE FROM t;\n-- a b\n");
    }
}

//! The SQL files under `sql/`: fixed text, or minijinja templates with the filters `id`, `lit` and `rel`.
//!
//! Identifiers come from profiles and catalogs and may be mixed-case, reserved or Chinese, so a template writes
//! `{{ column | id }}` and never the bare name.

use crate::error::{Cannot, Result};
use minijinja::{Environment, UndefinedBehavior, Value};
use std::sync::LazyLock;

/// The text of one file below `sql/`, compiled in.
#[macro_export]
macro_rules! sql {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $path))
    };
}

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.add_filter("id", |name: String| ident(&name));
    env.add_filter("ids", |names: Vec<String>| names.iter().map(|n| ident(n)).collect::<Vec<_>>().join(", "));
    env.add_filter("lit", |text: String| literal(&text));
    env
});

/// Renders a template of `sql/`. `context` is anything serde can serialise (see `minijinja::context!`).
pub fn render(template: &str, context: Value) -> Result<String> {
    TEMPLATES.render_str(template, context).cannot("render an SQL template")
}

/// `name` as a quoted identifier; always quoted, so no list of reserved words can be out of date.
#[must_use]
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as a string literal that means the same whatever `standard_conforming_strings` says.
#[must_use]
pub fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') { format!(" E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

/// The text with `values` (SQL expressions) in place of its parameters `$1`, `$2` …, for those who cannot send parameters.
/// The comment that says what they are goes.
#[must_use]
pub fn bound(text: &str, values: &[String]) -> String {
    let lines = text.lines().filter(|l| !l.starts_with("--")).collect::<Vec<_>>().join("\n");
    let mut parts = lines.split('$');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        match part[..digits].parse::<usize>().ok().and_then(|n| values.get(n.checked_sub(1)?)) {
            Some(value) => out.extend([value, &part[digits..]]),
            None => out.extend(["$", part]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_literals_cannot_be_broken_out_of() {
        assert_eq!(ident(r#"a"b"#), r#""a""b""#);
        assert_eq!(literal(r"O'Hara\"), r" E'O''Hara\\'");
        let text =
            render("SELECT {{ c | id }}, {{ v | lit }}", minijinja::context! { c => "挂号", v => "a'b" }).unwrap();
        assert_eq!(text, "SELECT \"挂号\", 'a''b'");
    }

    #[test]
    fn parameters_become_what_they_stand_for_and_nothing_else_changes() {
        let values: Vec<String> = ["'a$2'", "7"].map(String::from).to_vec();
        assert_eq!(bound("-- $1 a.\nSELECT $1, $2::int, $3, $$x$$;", &values), "SELECT 'a$2', 7::int, $3, $$x$$;");
    }

    #[test]
    fn a_template_with_an_unset_variable_is_an_error() {
        assert!(render("{{ nothing }}", minijinja::context! {}).is_err());
    }
}

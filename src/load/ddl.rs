//! What the statements of a dump are about, read from their text: `pg_dump` writes them in one way only.

use crate::catalog::Name;

/// The identifier at the start of `text`, unquoted, and what follows it.
pub(super) fn first_part(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| c == '.' || c.is_whitespace()).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut from = 0;
    loop {
        let end = from + quoted[from..].find('"')?;
        if !quoted[end + 1..].starts_with('"') {
            return Some((quoted[..end].replace("\"\"", "\""), &quoted[end + 1..]));
        }
        from = end + 2;
    }
}

/// The table of `CREATE [UNIQUE] INDEX a ON [ONLY] b.c …` or `ALTER TABLE [ONLY] b.c ADD CONSTRAINT …`, and what follows it.
pub(super) fn table_of(statement: &str) -> Option<(Name, &str)> {
    let rest = match statement.strip_prefix("ALTER TABLE ") {
        Some(rest) => rest,
        None => {
            let rest = statement.strip_prefix("CREATE ")?;
            let rest = rest.strip_prefix("UNIQUE ").unwrap_or(rest).strip_prefix("INDEX ")?;
            first_part(rest)?.1.strip_prefix(" ON ")?
        }
    };
    let (schema, rest) = first_part(rest.strip_prefix("ONLY ").unwrap_or(rest))?;
    let (name, rest) = first_part(rest.strip_prefix('.')?)?;
    Some((Name { schema, name }, rest))
}

/// True when the index may call a function, and so may depend on what is in other tables, whatever it was declared to be. Where
/// it only looks like that, nothing is lost but a little time.
pub(super) fn calls_functions(definition: &str) -> bool {
    let mut before = ' ';
    definition.chars().any(|c| {
        let called = c == '(' && (before.is_alphanumeric() || matches!(before, '_' | '$' | '"' | '('));
        before = c;
        called
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_or_a_key_tells_its_table() {
        let table = |text| table_of(text).map(|(name, _)| (name.schema, name.name));
        let is = |schema: &str, name: &str| Some((schema.to_owned(), name.to_owned()));
        assert_eq!(
            table("CREATE UNIQUE INDEX \"a ON b\" ON ONLY \"门诊\".\"c\"\"d\" USING btree (x);"),
            is("门诊", "c\"d")
        );
        assert_eq!(table("CREATE INDEX i ON s.t USING gin (x s.gin_trgm_ops);"), is("s", "t"));
        assert_eq!(table("ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k PRIMARY KEY (x);"), is("s", "t"));
        assert_eq!(table("ALTER INDEX s.i ATTACH PARTITION s.j;"), None);
    }

    #[test]
    fn an_index_on_columns_calls_nothing_and_one_on_an_expression_may() {
        let calls = |text| table_of(text).is_some_and(|(_, rest)| calls_functions(rest));
        assert!(!calls("CREATE UNIQUE INDEX i ON s.t USING btree (a, b) WHERE (b IS NOT NULL);"));
        assert!(!calls("ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k UNIQUE NULLS NOT DISTINCT (a) INCLUDE (b);"));
        assert!(calls("CREATE INDEX i ON s.t USING btree (lower(a));"));
        assert!(calls("CREATE INDEX i ON s.t USING btree (((a || b)));"));
        assert!(calls("CREATE INDEX i ON s.t USING btree (a) WHERE \"f\"(b);"));
    }
}

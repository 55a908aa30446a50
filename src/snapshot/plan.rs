//! What will be downloaded of each table, from the profile and the catalog of the primary.

use super::findings::Finding;
use crate::catalog::{self, Catalog, Name};
use crate::db::sql;
use crate::error::Result;
use crate::profile::Profile;
use minijinja::context;

/// One table of the download.
#[derive(Debug, Clone)]
pub struct Planned {
    pub described: catalog::Table,
    /// Columns of the CSV in the table's order; generated and omitted ones are left out.
    pub columns: Vec<String>,
    pub filter: Option<String>,
    /// Of the planner's statistics, all partitions together.
    pub estimated_rows: i64,
    /// Loading raises numbers in it, so its rows on the standby are not those of the primary.
    pub raised: bool,
}

impl Planned {
    /// The COPY that sends the rows.
    pub fn copy(&self) -> Result<String> {
        sql::render(
            crate::sql!("snapshot/copy.sql"),
            context! {
                table => self.described.name.sql(),
                columns => self.columns.clone(),
                partitioned => self.described.partitioned,
                filter => self.filter.clone(),
            },
        )
    }

    /// Name of a file of it in the snapshot, without compression's ending: its rows are in `data`. `number` makes it unique
    /// whatever the names are.
    #[must_use]
    pub fn file(&self, folder: &str, number: usize) -> String {
        format!("{folder}/{number:04}_{}.csv", file_name(&self.described.name))
    }

    /// Columns that tell its rows apart, where all of them are downloaded.
    #[must_use]
    pub fn key(&self) -> Option<&[String]> {
        self.described.row_key().filter(|key| key.iter().all(|c| self.columns.contains(c)))
    }

    /// Place, among the columns, of the whole number that tells its rows apart.
    #[must_use]
    pub fn number_key(&self) -> Option<usize> {
        let key = self.described.number_key()?;
        self.columns.iter().position(|c| c == key)
    }
}

/// A table's name as part of a file name: `sha256sum` escapes backslashes and newlines, so only letters stay.
fn file_name(name: &Name) -> String {
    let safe = |part: &str| -> String {
        part.chars().map(|c| if c.is_alphanumeric() || c == '_' || c == '-' { c } else { '_' }).collect()
    };
    format!("{}.{}", safe(&name.schema), safe(&name.name))
}

/// Plans every table of the profile, in its order, and says what is in the way of downloading.
pub fn tables(profile: &Profile, catalog: &Catalog) -> (Vec<Planned>, Vec<Finding>) {
    let (mut planned, mut wrong) = (Vec::new(), Vec::new());
    for entry in &profile.tables {
        let Some(table) = catalog.get(&entry.name) else {
            wrong.push(Finding::of(entry, "the primary has no such table"));
            continue;
        };
        if table.parent.is_some() {
            let root = catalog.root(table);
            wrong.push(Finding::of(entry, format!("is a partition; name its root '{}' instead", root.name)));
            continue;
        }
        for column in &entry.omit {
            if table.column(column).is_none() {
                wrong.push(Finding::of(entry, format!("'omit' names '{column}', which is no column of it")));
            }
        }
        let downloaded = table.columns.iter().filter(|c| !c.generated && !entry.omit.contains(&c.name));
        let columns: Vec<String> = downloaded.map(|c| c.name.clone()).collect();
        if columns.is_empty() {
            wrong.push(Finding::of(entry, "no column of it is left to download"));
        }
        let estimated_rows = catalog.leaves(table).iter().map(|leaf| leaf.estimated_rows).sum();
        let raised = profile.number_columns(&entry.name).next().is_some();
        let described = table.clone();
        planned.push(Planned { described, columns, filter: entry.filter.clone(), estimated_rows, raised });
    }
    if profile.tables.is_empty() {
        wrong.push(Finding::general("the profile names no table"));
    }
    (planned, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(partitioned: bool, filter: Option<&str>) -> Planned {
        let described = catalog::Table {
            name: Name { schema: "门诊".to_owned(), name: "Visit/1".to_owned() },
            partitioned,
            parent: None,
            owner: "his".to_owned(),
            row_security: false,
            estimated_rows: 0,
            columns: Vec::new(),
            uniques: Vec::new(),
            foreign_keys: Vec::new(),
            triggers: Vec::new(),
        };
        let columns = vec!["id".to_owned(), "select".to_owned()];
        Planned { described, columns, filter: filter.map(str::to_owned), estimated_rows: 0, raised: false }
    }

    fn copy(partitioned: bool, filter: Option<&str>) -> String {
        let text = planned(partitioned, filter).copy().unwrap();
        text.lines().skip(1).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_table_is_copied_itself_and_a_partitioned_or_filtered_one_by_query() {
        let table = "\"门诊\".\"Visit/1\"";
        let tail = "TO STDOUT (FORMAT csv, HEADER)";
        assert_eq!(copy(false, None), format!("COPY {table} (\"id\", \"select\") {tail}"));
        assert_eq!(copy(true, None), format!("COPY (SELECT \"id\", \"select\" FROM {table}) {tail}"));
        assert_eq!(
            copy(false, Some("id > 1 -- recent")),
            format!("COPY (SELECT \"id\", \"select\" FROM ONLY {table} WHERE (\nid > 1 -- recent\n)) {tail}")
        );
    }

    #[test]
    fn a_file_name_keeps_letters_and_nothing_that_a_path_or_sha256sum_would_read_otherwise() {
        assert_eq!(planned(false, None).file("data", 7), "data/0007_门诊.Visit_1.csv");
        assert_eq!(file_name(&Name { schema: "a\\b\n".to_owned(), name: "../c.d".to_owned() }), "a_b_.___c_d");
    }
}

//! Two databases compared table by table, row for row.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::Cluster;
use super::sql::{quoted, text_rows};

/// Of each table, named `schema.table`: its rows and the hash of their sorted hashes.
pub type Digest = BTreeMap<String, (i64, String)>;

/// What a value looks like as text must not depend on the settings of a server, database or role.
const PINS: &str = "SET DateStyle = 'ISO, YMD'; SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres';
    SET extra_float_digits = 1; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET row_security = off;
    SET search_path = pg_catalog;";

/// Tables with rows of their own (so the leaves of a partitioned one) outside our schema, column by column.
const COLUMNS: &str = "SELECT n.nspname || '.' || c.relname, format('%I.%I', n.nspname, c.relname), a.attname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'his_emergency') AND n.nspname !~ '^pg_toast'
    ORDER BY n.nspname, c.relname, a.attnum";

impl Cluster {
    /// The digest of every table of a database, but for those of our own schema.
    pub fn digest(&self, db: &str) -> Digest {
        self.digest_without(db, &[])
    }

    /// The same without some tables (`schema.table`) and columns (`schema.table.column`, plain names, no quotes).
    pub fn digest_without(&self, db: &str, leave_out: &[&str]) -> Digest {
        let tables = self.tables(db, leave_out);
        let mut client = self.client(db);
        client.batch_execute(PINS).expect("settings can be pinned");
        let digest = |(name, (table, row)): (String, (String, String))| {
            let sql = format!(
                "SELECT count(*), coalesce(md5(string_agg(h, '' ORDER BY h COLLATE \"C\")), '')
                 FROM (SELECT md5(({row})::text) AS h FROM ONLY {table} AS t) AS hashes"
            );
            let found = client.query_one(&sql, &[]).unwrap_or_else(|e| panic!("cannot read {name}: {e:?}"));
            (name, (found.get(0), found.get(1)))
        };
        tables.into_iter().map(digest).collect()
    }

    /// The rows of one table (`schema.table`, plain names) as text, sorted.
    pub fn table_rows(&self, db: &str, table: &str, leave_out: &[&str]) -> Vec<String> {
        let Some((quoted, row)) = self.tables(db, leave_out).remove(table) else {
            return Vec::new();
        };
        let mut client = self.client(db);
        client.batch_execute(PINS).expect("settings can be pinned");
        let sql = format!("SELECT ({row})::text FROM ONLY {quoted} AS t");
        let mut rows = text_rows(&client.simple_query(&sql).unwrap_or_else(|e| panic!("cannot read {table}: {e:?}")));
        rows.sort();
        rows
    }

    /// Of each table: its quoted name and the expression of its row.
    fn tables(&self, db: &str, leave_out: &[&str]) -> BTreeMap<String, (String, String)> {
        let mut tables: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
        for found in self.client(db).query(COLUMNS, &[]).expect("the catalog can be read") {
            let (name, table, column): (String, String, Option<String>) = (found.get(0), found.get(1), found.get(2));
            if leave_out.contains(&name.as_str()) {
                continue;
            }
            let left_out = column.as_ref().is_none_or(|c| leave_out.contains(&format!("{name}.{c}").as_str()));
            let columns = &mut tables.entry(name).or_insert((table, Vec::new())).1;
            if let Some(column) = column.filter(|_| !left_out) {
                columns.push(format!("t.{}", quoted(&column)));
            }
        }
        let row = |(name, (table, columns)): (String, (String, Vec<String>))| {
            (name, (table, format!("ROW({})", columns.join(", "))))
        };
        tables.into_iter().map(row).collect()
    }
}

/// The tables in which two digests differ, one line each.
pub fn differences(left: &Digest, right: &Digest) -> Vec<String> {
    let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let rows =
        |digest: &Digest, name| digest.get(name).map_or_else(|| "no table".to_owned(), |d| format!("{} rows", d.0));
    let differs = names.into_iter().filter(|name| left.get(*name) != right.get(*name));
    differs.map(|name| format!("{name}: {} and {}", rows(left, name), rows(right, name))).collect()
}

/// Panics, showing the first rows that only one side has, unless two databases hold the same rows in the same tables.
#[track_caller]
pub fn assert_same_tables(left: (&Cluster, &str), right: (&Cluster, &str), leave_out: &[&str]) {
    let different = differences(&left.0.digest_without(left.1, leave_out), &right.0.digest_without(right.1, leave_out));
    if different.is_empty() {
        return;
    }
    let mut message = format!(
        "'{}' of the {} and '{}' of the {} differ:",
        left.1,
        left.0.kind().name(),
        right.1,
        right.0.kind().name()
    );
    for line in different {
        let name = line.split_once(": ").map_or(line.as_str(), |(name, _)| name);
        let [ours, theirs] = [left, right].map(|(cluster, db)| cluster.table_rows(db, name, leave_out));
        message += &["\n", &line].concat();
        for (side, rows, others) in [("left", &ours, &theirs), ("right", &theirs, &ours)] {
            for row in only_in(rows, others).iter().take(5) {
                message += &["\n  only ", side, ": ", row].concat();
            }
        }
    }
    panic!("{message}");
}

/// The rows that one sorted list has more often than the other.
fn only_in<'a>(rows: &'a [String], others: &[String]) -> Vec<&'a String> {
    let mut left: BTreeMap<&String, usize> = BTreeMap::new();
    for row in others {
        *left.entry(row).or_default() += 1;
    }
    let surplus = rows.iter().filter(|row| match left.get_mut(row) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    });
    surplus.collect()
}

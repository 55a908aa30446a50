//! A big table is read in ranges of its pages, by several sessions of the one snapshot.

use super::*;
use crate::support::Kind;

/// 40 MB and more each: wide rows that no compression makes narrow, with what CSV quotes; some gone, some written again, which
/// lie elsewhere then. One of the partitions has its columns in another order.
const BIG: &str = r#"
CREATE TABLE big (id int PRIMARY KEY, note text, wide text);
ALTER TABLE big ALTER wide SET STORAGE PLAIN;
INSERT INTO big SELECT i, CASE i % 4 WHEN 0 THEN E'a "quoted"\nline' WHEN 1 THEN '' WHEN 2 THEN NULL ELSE '名, 字' END, repeat(md5(i::text), 60)
FROM generate_series(1, 20000) i;
DELETE FROM big WHERE id % 7 = 0;
UPDATE big SET note = 'again' WHERE id % 11 = 0;
CREATE TABLE parted (id int, wide text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (15000);
CREATE TABLE parted_2 (wide text, id int NOT NULL);
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (15000) TO (30000);
ALTER TABLE parted_1 ALTER wide SET STORAGE PLAIN; ALTER TABLE parted_2 ALTER wide SET STORAGE PLAIN;
INSERT INTO parted SELECT i, repeat(md5(i::text), 60) FROM generate_series(1, 20000) i;
"#;

/// A CSV's header, and its records in one order.
fn sorted(csv: &str) -> (String, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().expect("a header").iter().collect::<Vec<_>>().join(",");
    let record = |r: csv::StringRecord| r.iter().map(str::to_owned).collect::<Vec<_>>();
    let mut records: Vec<_> = reader.records().map(|r| record(r.expect("a record"))).collect();
    records.sort();
    (header, records)
}

#[test]
fn p1_a_big_table_read_in_ranges_has_each_of_its_rows_once_and_is_loaded() {
    let (primary, standby) =
        (Cluster::start_with(Kind::Primary, &[("log_statement", "all")]), Cluster::start(Kind::Standby));
    primary.create_database("his");
    primary.psql("his", BIG);
    let tables = "[[table]]\nname = \"public.big\"\n[[table]]\nname = \"public.parted\"\n";
    let workplace = Workplace::new(&primary, &standby, tables);
    let taken = take(&workplace);
    let dir = path(&taken);
    for (table, copy) in [("public.big", "SELECT * FROM big"), ("public.parted", "SELECT id, wide FROM parted")] {
        let expected = primary.psql("his", &format!("COPY ({copy}) TO STDOUT (FORMAT csv, HEADER)"));
        let (found, expected) = (sorted(&csv(&dir, table)), sorted(&expected));
        assert_eq!(found.0, expected.0, "{table}");
        assert_eq!(found.1.len(), expected.1.len(), "{table}");
        assert!(found.1 == expected.1, "{table} has other rows");
    }
    let log = primary.log();
    for table in ["big", "parted"] {
        let ranges = log.matches(&format!("\"{table}\"\n\tWHERE ctid >= ")).count();
        assert!(ranges > 5, "'{table}' is read in {ranges} ranges");
    }
    workplace.json(0, SNAPSHOT, &["verify"]);
    let loaded = workplace.json(0, "his-load-standby", &[]);
    assert_eq!((loaded["verified"].clone(), loaded["rows"].clone()), (true.into(), taken["rows"].clone()));
}

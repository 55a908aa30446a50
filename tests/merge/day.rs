//! A day of the reference HIS at the windows of an open standby, and the same rows by a plain COPY.

use crate::opened::Opened;
use crate::support::Cluster;
use crate::support::workplace::DB;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

pub fn samples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/his")
}

/// The tables of its profile.
pub fn tables() -> String {
    let profile = std::fs::read_to_string(samples().join("his.toml")).expect("the sample's profile");
    profile[profile.find("[[table]]").expect("tables")..].to_owned()
}

/// The reference HIS with its generated day.
pub fn fill(cluster: &Cluster, db: &str) {
    cluster.create_database(db);
    cluster.psql_file(db, &samples().join("schema.sql")).expect(0);
    let generate =
        format!("\\set patients 20000\n\\set visits 2000\n\\i {}\n", samples().join("generate.sql").display());
    cluster.psql(db, &generate);
}

/// What a load does before the windows come: numbers go on far from the primary's.
pub fn prepare(o: &Opened) {
    o.standby.execute(
        DB,
        "SELECT setval(seqrelid::regclass, 900000000) FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid JOIN pg_namespace n ON n.oid = relnamespace
         WHERE nspname = 'outpatient'; UPDATE outpatient.receipt_counter SET last_no = 900000000;
         UPDATE outpatient.receipt_segment SET current_no = current_no + 300000;
         UPDATE outpatient.schedule SET current_no = current_no + 500, slots_left = 1000000",
    );
    // These were raised before the event, as a load does.
    o.standby.execute(
        DB,
        "DO $$ DECLARE t record; BEGIN FOR t IN SELECT table_no FROM his_emergency.captured LOOP EXECUTE format('TRUNCATE his_emergency.change_%s', t.table_no); END LOOP; END $$;
         DELETE FROM his_emergency.unit",
    );
    o.primary.execute(DB, "UPDATE outpatient.schedule SET slots_left = 1000000");
}

/// Runs window acts and marked updates, one transaction each; gives the xids of the updates that the primary meets.
pub fn day(o: &Opened, units: usize) -> BTreeSet<String> {
    let odd = units / 100;
    // Cards reported lost: the windows change nothing of a card but its balance, which is no dependence.
    let lost = format!("SELECT card_no FROM outpatient.card ORDER BY card_no LIMIT {odd}");
    let update = "UPDATE outpatient.card SET status = 1 WHERE card_no = c.card_no; COMMIT;";
    o.standby.psql(DB, &format!("DO $$ DECLARE c record; BEGIN FOR c IN {lost} LOOP {update} END LOOP; END $$"));
    // In slices, so that none takes longer than a statement of a test may.
    for from in (1..=units - odd).step_by(5000) {
        let to = (from + 4999).min(units - odd);
        // As many orders are written as are charged, so that there is something to charge to the end.
        let act = "CASE WHEN i % 10 = 0 THEN outpatient.window_refund(i % 8, i) WHEN i % 10 < 6 THEN outpatient.window_register(i % 8, i) WHEN i % 10 < 8 THEN outpatient.doctor_writes_order(i % 8, i) ELSE outpatient.window_charge_order(i % 8, i) END";
        let slice = format!("DO $$ BEGIN FOR i IN {from}..{to} LOOP PERFORM {act}; COMMIT; END LOOP; END $$");
        o.standby.psql(DB, &format!("SET client_min_messages = error; {slice}"));
    }
    o.primary.execute(DB, &format!("UPDATE outpatient.card SET status = 2 WHERE card_no IN ({lost})"));
    let no = o.standby.value(DB, "SELECT table_no FROM his_emergency.captured WHERE table_name = 'card'");
    let at = o
        .standby
        .value(DB, "SELECT array_position(columns, 'status') FROM his_emergency.captured WHERE table_name = 'card'");
    let xids = format!("SELECT xid FROM his_emergency.change_{no} WHERE op = 'U' AND o{at} = 0 AND n{at} = 1");
    o.standby.rows(DB, &xids).into_iter().collect()
}

/// Copies what the event inserted into a database without it, table by table in one transaction.
pub fn plain_copy(o: &Opened, dir: &Path) -> (Duration, usize) {
    let (mut script, mut rows) = (String::from("\\set ON_ERROR_STOP on\nBEGIN;\n"), 0);
    let tables = o.standby.rows(
        DB,
        "SELECT table_no, format('%I.%I', schema_name, table_name), string_agg('n' || i, ',' ORDER BY i), string_agg(quote_ident(columns[i]), ',' ORDER BY i)
         FROM his_emergency.captured, generate_subscripts(columns, 1) i
         WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = format('%I.%I', schema_name, table_name)::regclass AND attname = columns[i] AND attgenerated <> '')
         GROUP BY 1, 2 ORDER BY 1",
    );
    for line in tables {
        let parts: Vec<&str> = line.split('|').collect();
        let file = dir.join(format!("{}.csv", parts[0]));
        o.standby.psql(
            DB,
            &format!(
                "\\copy (SELECT {} FROM his_emergency.change_{} WHERE op = 'I' ORDER BY seq) TO '{}' CSV",
                parts[2],
                parts[0],
                file.display()
            ),
        );
        rows += std::fs::read_to_string(&file).expect("written").lines().count();
        o.primary.execute("plain", &format!("ALTER TABLE {} DISABLE TRIGGER USER", parts[1]));
        script += &format!("\\copy {} ({}) FROM '{}' CSV\n", parts[1], parts[3], file.display());
    }
    script += "COMMIT;\n";
    let file = dir.join("copy.sql");
    std::fs::write(&file, script).expect("written");
    let began = Instant::now();
    o.primary.psql_file("plain", &file).expect(0);
    (began.elapsed(), rows)
}

//! What is in a snapshot, exactly.

use serde_json::{Value, json};

use super::*;

const REG: &str = "编号,select,f,r,d,iv,arr,j,jb,ts,tz,b,rc,m\n\
1,,-0,NaN,infinity,1 mon -3 days +04:05:06.789,\"[0:2]={1,NULL,3}\",\"{\"\"a\"\" : 1, \"\"a\"\":2}\",\"{\"\"b\"\": 1}\",infinity,2026-02-28 23:59:59.999999+00,\\x00ff5c,outpatient.charge,-$12.34\n\
2,\"\",Infinity,1e-40,0044-03-15 BC,-1 years,{},null,null,-infinity,1900-01-01 00:00:00+00,\\x,pg_class,$0.00\n\
3,\"多行\n\"\"quoted\"\",\\.\r\n𠮷😀\",0.1,0.1,2026-02-28,00:00:00,,,,,,,,\n\
4,\\.,1.7976931348623157e+308,1.6777216e+07,,,,,,,,,,\n";

#[test]
fn p2_the_csv_is_exact_whatever_the_defaults_of_the_database_are() {
    let (primary, _standby, workplace) = awkward();
    primary.psql(
        "his",
        "INSERT INTO outpatient.charge (total, how, paid_at) VALUES (0.0001, '现金', '2026-01-01 00:00:00+08'), (-5, 'card', NULL)",
    );
    let taken = take(&workplace);
    let dir = path(&taken);
    assert_eq!(csv(&dir, "门诊.挂号 Reg"), REG);
    // Without the generated and the omitted column.
    let charge = "charge_id,total,how,paid_at\n1,0.0001,现金,2025-12-31 16:00:00+00\n2,-5.0000,card,\n";
    assert_eq!(csv(&dir, "outpatient.charge"), charge);
    assert_eq!(csv(&dir, "outpatient.line"), "line_id,charge_id,amount\n");
    // A partitioned table with its partitions, in its own order of columns; a parent without what inherits from it.
    assert_eq!(csv(&dir, "public.tblClaim"), "ID,day,v\n1,2026-06-30,first\n2,2026-07-01,second\n");
    assert_eq!(csv(&dir, "outpatient.parent"), "id\n1\n");
    // The filter works by the time zone and the search path of the HIS, and so its table is written.
    assert_eq!(csv(&dir, "outpatient.visit"), "id,at\n1,2026-01-01 00:00:01+08\n");
    sha256sum_agrees(&dir);
}

#[test]
fn the_json_of_a_snapshot_says_what_the_contract_names() {
    let (_primary, _standby, workplace) = awkward();
    let ran = workplace.run(SNAPSHOT, &["--json", "--quiet"]).expect(0);
    assert_eq!(ran.stderr, "");
    let taken = ran.json();
    let keys: Vec<&String> = taken.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["snapshot", "path", "taken_at", "kind", "tables", "rows", "bytes", "seconds"]);
    assert_eq!(path(&taken), workplace.store().join("snapshots").join(id(&taken)));
    assert_eq!(taken["kind"], "full");
    let tables = taken["tables"].as_array().expect("tables");
    let rows: Vec<(&str, u64)> =
        tables.iter().map(|t| (t["table"].as_str().expect("a name"), t["rows"].as_u64().expect("rows"))).collect();
    let expected = [
        ("outpatient.charge", 0),
        ("outpatient.line", 0),
        (r#"门诊."挂号 Reg""#, 4),
        (r#"public."tblClaim""#, 2),
        ("outpatient.parent", 1),
        ("outpatient.visit", 1),
    ];
    assert_eq!(rows, expected);
    assert_eq!(taken["rows"], 8);
    let parent = &tables[4];
    assert_eq!(parent["bytes"], 5);
    // printf 'id\n1\n' | sha256sum
    assert_eq!(parent["sha256"], "7cde7fb64fd82bd152710cf238e017b9ab46c0592483edc067ba4f6c75fac108");
}

#[test]
fn the_manifest_tells_what_the_database_is_besides_its_rows() {
    let (primary, _standby, workplace) = awkward();
    primary.psql("his", "SELECT nextval('outpatient.charge_charge_id_seq') FROM generate_series(1, 42)");
    let m = manifest(&path(&take(&workplace)));
    assert_eq!(m["format"], 1);
    assert_eq!(m["site"], "01");
    assert_eq!(m["ledger"], json!({ "epoch": 3, "run": 7 }));
    let p = &m["primary"];
    assert_eq!(p["database"], "his");
    assert_eq!(p["encoding"], "UTF8");
    assert_eq!(p["collate"], "C.UTF-8");
    assert_eq!(p["timezone"], "Asia/Shanghai");
    assert_eq!(p["search_path"], r#"outpatient, "Odd Path", public"#);
    assert_eq!(p["system_identifier"], primary.value("his", "SELECT system_identifier FROM pg_control_system()"));
    let next: u64 = p["next_xid"].as_u64().expect("a number");
    let now: u64 = primary.value("his", "SELECT pg_snapshot_xmax(pg_current_snapshot())").parse().expect("a number");
    assert_eq!(next, now);
    let sequence = |schema: &str, name: &str, last: i64, called: bool, increment: i64| {
        json!({
            "sequence": { "schema": schema, "name": name },
            "last_value": last, "is_called": called, "increment": increment,
        })
    };
    assert_eq!(
        m["sequences"],
        json!([
            sequence("outpatient", "charge_charge_id_seq", 42, true, 1),
            sequence("outpatient", "line_line_id_seq", 1, false, 1),
            sequence("public", "Odd Seq", 5, false, 10),
        ])
    );
    let setting = |role: Option<&str>, name: &str, value: &str| json!({ "role": role, "name": name, "value": value });
    assert_eq!(
        m["settings"],
        json!([
            setting(None, "DateStyle", "SQL, DMY"),
            setting(None, "IntervalStyle", "iso_8601"),
            setting(None, "TimeZone", "Asia/Shanghai"),
            setting(None, "bytea_output", "escape"),
            setting(None, "extra_float_digits", "-3"),
            setting(None, "search_path", r#"outpatient, "Odd Path", public"#),
            setting(Some("cashier"), "statement_timeout", "5s"),
        ])
    );
    let role = |name: &str, login: bool, groups: &[&str]| json!({ "name": name, "login": login, "member_of": groups });
    assert_eq!(
        m["roles"],
        json!([
            role("cashier", true, &["tills"]),
            role("his_owner", false, &[]),
            role("hospital", false, &[]),
            role("postgres", true, &[]),
            role("tills", false, &["hospital"]),
        ])
    );
    let settings = |t: &Value| [&t["timezone"], &t["search_path"]].map(|s| s.as_str().unwrap_or("").to_owned());
    assert_eq!(settings(&m["tables"][0]), ["UTC", "pg_catalog"]);
    assert_eq!(settings(&m["tables"][5]), ["Asia/Shanghai", r#"outpatient, "Odd Path", public"#]);
    assert_eq!(m["tables"][0]["columns"], json!(["charge_id", "total", "how", "paid_at"]));
    assert_eq!(m["tables"][3]["described"]["partitioned"], true);
}

#[test]
fn the_schema_is_dumped_without_our_own_and_no_file_can_be_read_by_others() {
    let (_primary, _standby, workplace) = awkward();
    let dir = path(&take(&workplace));
    let restore = crate::support::server::bin("pg_restore");
    let ran = Command::new(restore).arg("--list").arg(dir.join("schema.dump")).output().expect("pg_restore");
    let list = String::from_utf8_lossy(&ran.stdout);
    assert!(list.contains("TABLE 门诊 挂号 Reg"), "{list}");
    assert!(list.contains("FUNCTION Odd Path recent"), "{list}");
    assert!(!list.contains("his_emergency"), "{list}");
    for file in files(&dir) {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(dir.join(&file)).expect("a file").permissions());
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn without_compression_the_files_are_the_csv() {
    let (_primary, _standby, mut workplace) = awkward();
    workplace.set("store", "compress", "\"none\"");
    let taken = take(&workplace);
    let dir = path(&taken);
    let text = fs::read_to_string(dir.join("data/0005_outpatient.parent.csv")).expect("a plain file");
    assert_eq!(text, "id\n1\n");
    assert_eq!(csv(&dir, "门诊.挂号 Reg"), REG);
    sha256sum_agrees(&dir);
    assert_eq!(workplace.json(0, SNAPSHOT, &["verify"]), json!({ "snapshot": id(&taken), "ok": true, "damaged": [] }));
}

#[test]
fn a_role_with_pg_read_all_data_and_nothing_else_is_enough() {
    let (primary, _standby, mut workplace) = awkward();
    primary.psql("his", "CREATE ROLE his_download LOGIN; GRANT pg_read_all_data TO his_download;");
    workplace.set("primary", "url", &format!("\"{}\"", primary.url_as("his_download", "his")));
    let taken = take(&workplace);
    assert_eq!(taken["rows"], 8);
    assert_eq!(manifest(&path(&taken))["ledger"], json!({ "epoch": 3, "run": 7 }));
}

#[test]
fn names_of_files_are_safe_whatever_tables_are_called() {
    let script = r#"CREATE SCHEMA "../x"; CREATE TABLE "../x"."a/b\c
d" (a int); INSERT INTO "../x"."a/b\c
d" VALUES (1);"#;
    let tables = "[[table]]\nname = '''\"../x\".\"a/b\\c\nd\"'''\n";
    let (_primary, _standby, workplace) = hospital(script, tables);
    let dir = path(&take(&workplace));
    assert_eq!(files(&dir), ["SHA256SUMS", "data/0001____x.a_b_c_d.csv.zst", "manifest.json", "schema.dump"]);
    sha256sum_agrees(&dir);
}

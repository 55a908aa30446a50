//! `his-snapshot check`: everything at once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::support::{Kind, Profile};

const TROUBLE: &str = r"
CREATE SCHEMA bad;
CREATE TABLE bad.nokey (a int, amt text, f float8, j jsonb);
INSERT INTO bad.nokey VALUES (1, '1.5', 1, '{}'), (2, 'abc', 'NaN', '{}');
CREATE TABLE bad.out (id int PRIMARY KEY);
CREATE TABLE bad.par (id int PRIMARY KEY, no int, st text, form json, at point);
CREATE TABLE bad.chi (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, pid int REFERENCES bad.par ON DELETE CASCADE ON UPDATE SET NULL,
  o int REFERENCES bad.out);
CREATE TABLE bad.casc (id int PRIMARY KEY, pid int REFERENCES bad.par ON DELETE CASCADE);
CREATE FUNCTION bad.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF true THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER tr BEFORE INSERT OR UPDATE ON bad.par FOR EACH ROW EXECUTE FUNCTION bad.f();
CREATE VIEW bad.pv AS SELECT * FROM bad.par;
CREATE TRIGGER io INSTEAD OF INSERT ON bad.pv FOR EACH ROW EXECUTE FUNCTION bad.f();
CREATE SEQUENCE bad.s10 INCREMENT 10;
CREATE SEQUENCE bad.s AS int;
SELECT setval('bad.s', 5000);
CREATE TABLE bad.parts (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE bad.parts_1 PARTITION OF bad.parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE bad.photo (id int PRIMARY KEY, lo oid, must text NOT NULL);
SELECT lo_create(0);
CREATE TABLE bad.fine (id serial PRIMARY KEY, total numeric NOT NULL, updated timestamptz);
CREATE FUNCTION bad.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated := now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON bad.fine FOR EACH ROW EXECUTE FUNCTION bad.touch();
CREATE TABLE bad.day (code text PRIMARY KEY, current_no int NOT NULL);
CREATE MATERIALIZED VIEW bad.mv AS SELECT 1;
";

const TROUBLED: &str = r#"
[[table]]
name = "bad.nokey"
capture = true
money = ["amt", "f", "j", "zz"]
omit = ["zz2"]
[[table]]
name = "bad.missing"
[[table]]
name = "bad.parts_1"
[[table]]
name = "bad.par"
capture = true
triggers = "refire"
counter = ["st"]
assign = { st = "bad.nofunction()" }
same_as = ["no", "form"]
once = ["at"]
guard = { no = ["x"] }
[[table]]
name = "bad.chi"
capture = true
guard = { pid = ["nope"] }
part_of = "bad.nokey"
[[table]]
name = "bad.photo"
where = "nocolumn = 1"
omit = ["must"]
[[numbers]]
sequence = "bad.s10"
block = [100, 200]
[[numbers]]
sequence = "bad.s"
block = [5000, 3000000000]
[[numbers]]
sequence = "bad.gone"
block = [1, 2]
[[numbers]]
column = "bad.par.st"
jump = 3
"#;

fn texts(findings: &Value) -> BTreeSet<String> {
    let text = |f: &Value| {
        let table = f["table"].as_str().map_or_else(String::new, |t| format!("{t}: "));
        assert_eq!(f["line"].is_u64(), f["table"].is_string(), "{f}");
        format!("{table}{}", f["text"].as_str().expect("a text"))
    };
    findings.as_array().expect("a list").iter().map(text).collect()
}

#[track_caller]
fn same(found: &BTreeSet<String>, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|&text| text.to_owned()).collect();
    let only_found: Vec<_> = found.difference(&expected).collect();
    let only_expected: Vec<_> = expected.difference(found).collect();
    assert!(only_found.is_empty() && only_expected.is_empty(), "found {only_found:#?}\nexpected {only_expected:#?}");
}

#[test]
fn every_error_of_a_profile_is_listed_at_once() {
    let primary = Cluster::start(Kind::Primary);
    let standby = Cluster::start_with(Kind::Standby, &[("max_prepared_transactions", "5")]);
    primary.create_database("his");
    primary.psql("his", TROUBLE);
    let mut profile = Profile::new(&primary, &standby);
    profile.set("standby", "window_roles", "[\"nobody\"]").tables(TROUBLED);
    let workplace = Workplace::with(profile);
    let found = workplace.json(2, SNAPSHOT, &["check"]);
    assert_eq!(found["ok"], false);
    let refire = "bad.par: 'triggers = refire' cannot be used: ";
    let cascade =
        "cascades from it, and what a cascade wrote cannot be told from what a window wrote (expected replay)";
    let expected = [
        "bad.nokey: 'omit' names 'zz2', which is no column of it",
        "bad.nokey: 'money' names 'zz', which is no column of it",
        "bad.nokey: is captured but has no key: no primary key, and 'key' names none (expected the columns of a unique index)",
        "bad.nokey: money column 'j' is jsonb (expected numeric)",
        "bad.nokey: money column 'amt' is text and holds values that are no amounts",
        "bad.nokey: money column 'f' is double precision and holds values that are no amounts",
        "bad.missing: the primary has no such table",
        "bad.parts_1: is a partition; name its root 'bad.parts' instead",
        "bad.par: counter column 'st' is text (expected numeric or an integer)",
        "bad.par: 'assign' of 'st' is refused by the server: function bad.nofunction() does not exist",
        "bad.par: 'same_as' of 'form' is refused by the server: operator does not exist: json = json",
        "bad.par: 'once' of 'at' is refused by the server: operator does not exist: point = point",
        "bad.par: the foreign key 'casc_pid_fkey' of 'bad.casc' cascades from it (ON DELETE CASCADE) into a table that is not captured",
        "bad.par: 'guard' names 'no', which is in no foreign key of it",
        &format!(
            "{refire}trigger 'tr' (before insert or update for each row: bad.f) may return NULL, and then what it wrote elsewhere cannot be told from what a window wrote (expected replay)"
        ),
        &format!("{refire}'casc_pid_fkey' of 'bad.casc' {cascade}"),
        &format!("{refire}'chi_pid_fkey' of 'bad.chi' {cascade}"),
        &format!("{refire}the view 'bad.pv' is written through the INSTEAD OF trigger 'io' (expected replay)"),
        "bad.chi: its foreign key 'chi_o_fkey' references 'bad.out', which is not in the profile: the standby would refuse its rows",
        "bad.chi: 'guard' of 'pid' names 'nope', which is no column of 'bad.par'",
        "bad.chi: 'part_of' names 'bad.nokey', to which it has no foreign key",
        "bad.photo: 'where' is refused by the server: column \"nocolumn\" does not exist",
        "bad.photo: 'omit' names 'must', which must not be NULL and has no default",
        "bad.photo: 'lo' is oid and may name a large object, which is not downloaded (expected bytea, or the column in 'omit')",
        "[[numbers]] 'bad.par.st': the column is text (expected an integer)",
        "[[numbers]] 'bad.s10': its INCREMENT is 10 (expected 1): the HIS takes numbers in pools that begin below what the sequence says",
        "[[numbers]] 'bad.s': its block ends at 3000000000, its type at 2147483647",
        "[[numbers]] 'bad.s': the primary has reached 5000 already, and its block begins at 5000",
        "[[numbers]] 'bad.gone': the primary has no such sequence",
        "window role 'nobody' is no role of the primary",
        "the standby has max_prepared_transactions = 5 (expected 0): a prepared transaction cannot be ended when it closes",
    ];
    same(&texts(&found["errors"]), &expected);
    let text =
        workplace.run(SNAPSHOT, &["check"]).expect(2).says("31 errors, 4 warnings").says("HINT: mend the errors in");
    assert!(text.stderr.is_empty(), "{}", text.stderr);
}

#[test]
fn what_is_worth_knowing_is_a_warning_and_ends_in_0() {
    let tables = r#"
[[table]]
name = "bad.fine"
capture = true
money = ["total"]
[[table]]
name = "bad.par"
capture = true
key = ["no"]
[[table]]
name = "bad.chi"
capture = true
[[table]]
name = "bad.casc"
scratch = true
[[table]]
name = "bad.out"
[[table]]
name = "bad.day"
[[numbers]]
sequence = "bad.chi_id_seq"
block = [900000000, 999999999]
[[numbers]]
column = "bad.day.current_no"
jump = 500
"#;
    let (_primary, standby, workplace) = hospital(TROUBLE, tables);
    let found = workplace.json(0, SNAPSHOT, &["check"]);
    assert_eq!((&found["ok"], &found["errors"]), (&json!(true), &json!([])));
    let replay = "replay: what it wrote on the standby is uploaded, and the primary's stays silent at the merge";
    let expected = [
        "bad.fine: its sequence 'bad.fine_id_seq' has no [[numbers]] block: after the snapshot the primary goes on handing out the numbers that the standby would",
        &format!("bad.fine: trigger 'touch' (before update for each row: bad.touch) — {replay}"),
        "bad.par: no unique index covers its key (no): two rows may have the same",
        "bad.par: key column 'no' may be NULL",
        "bad.par: 'id' is filled by the HIS itself (max + 1?): after the snapshot the primary goes on handing out the same numbers",
        "bad.par: the foreign key 'casc_pid_fkey' of 'bad.casc' cascades from it (ON DELETE CASCADE) into a table that is not captured",
        &format!("bad.par: trigger 'tr' (before insert or update for each row: bad.f) — {replay}"),
        "bad.par: the view 'bad.pv' is written through the INSTEAD OF trigger 'io': what it wrote on the standby is uploaded",
        "the primary has large objects; they are not downloaded",
        "materialized views are not downloaded, but filled again by the load: bad.mv",
    ];
    same(&texts(&found["warnings"]), &expected);
    workplace.run(SNAPSHOT, &["check"]).expect(0).says("the profile fits; 10 warnings");
    standby.stop_fast();
    let found = workplace.json(0, SNAPSHOT, &["check"]);
    let warnings = texts(&found["warnings"]);
    assert_eq!(warnings.len(), 11);
    assert!(warnings.iter().any(|w| w.starts_with("the standby was not checked: cannot connect")), "{warnings:#?}");
}

#[test]
fn rights_that_the_download_lacks_are_named() {
    let script = format!(
        "{AWKWARD} CREATE ROLE his_download LOGIN; GRANT USAGE ON SCHEMA outpatient, public, \"Odd Path\", \"门诊\" TO his_download; GRANT SELECT ON ALL TABLES IN SCHEMA outpatient TO his_download; ALTER TABLE outpatient.line ENABLE ROW LEVEL SECURITY;"
    );
    let (primary, _standby, mut workplace) = hospital(&script, AWKWARD_TABLES);
    workplace.set("primary", "url", &format!("\"{}\"", primary.url_as("his_download", "his")));
    let found = workplace.json(2, SNAPSHOT, &["check"]);
    let expected = [
        "outpatient.line: row-level security hides rows of it from the role that downloads (expected BYPASSRLS)",
        r#"the role that downloads may not SELECT from 4 tables (pg_read_all_data gives it): public."tblClaim", public."tblClaim_1", public."tblClaim_2", 门诊."挂号 Reg""#,
        r#"the role that downloads may not SELECT from 3 sequences (pg_read_all_data gives it): outpatient.charge_charge_id_seq, outpatient.line_line_id_seq, public."Odd Seq""#,
    ];
    same(&texts(&found["errors"]), &expected);
}

#[test]
fn a_standby_on_the_primary_itself_is_an_error() {
    let (primary, _standby, mut workplace) = awkward();
    workplace.set("standby", "url", &format!("\"{}\"", primary.url("spare")));
    let found = workplace.json(2, SNAPSHOT, &["check"]);
    same(&texts(&found["errors"]), &["the standby is the very server of the primary: both would fail together"]);
}

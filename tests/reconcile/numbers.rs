//! Emergency numbers that stand for no row, and numbers that stand for two.

use super::{DAY, TABLES, TILL, close, next_event, till};
use crate::opened::Opened;
use crate::support::workplace::DB;
use serde_json::json;

#[test]
fn emergency_numbers_that_stand_for_no_row_are_listed_with_their_cause() {
    let o = till();
    o.window(&[DAY[0]]);
    for sql in ["BEGIN; INSERT INTO h.charge (total) VALUES (1), (2); ROLLBACK", "SELECT nextval('h.charge_id_seq')"] {
        o.standby.execute(DB, sql);
    }
    o.window(&["INSERT INTO h.charge (total) VALUES (5)", "DELETE FROM h.charge WHERE id = 900005"]);
    // As the standby does that died open and is opened again.
    o.standby.execute(DB, "SELECT setval('h.charge_id_seq', 901006, false)");
    o.window(&["INSERT INTO h.charge (total) VALUES (6)"]);
    o.merge(0);
    let json = o.work.json(0, "his-merge", &["numbers"]);
    assert_eq!((&json["event"], &json["closed"]), (&json!("01-0001"), &json!(false)));
    let gap = |first: i64, last: i64, cause: &str| json!({"first": first, "last": last, "count": last - first + 1, "cause": cause});
    assert_eq!(
        json["blocks"],
        json!([{
            "sequence": "h.charge_id_seq", "columns": ["h.charge.id"], "first": 900_001, "last": 901_006, "used": 2,
            "gaps": [gap(900_002, 900_004, "rolled back"), gap(900_005, 900_005, "void"), gap(900_006, 901_005, "crash")],
            "repeats": [],
        }])
    );
    assert_eq!(json["official"], json!([]));
    close(&o, 0);
    let shown = o.work.run("his-merge", &["numbers", "01-0001"]).expect(0).stdout;
    assert_eq!(
        shown,
        "event 01-0001\n\nh.charge_id_seq (h.charge.id)\n  900001 to 901006: 2 used\n  900002 to 900004        rolled back\n  900005                  void: made and deleted within the event\n  900006 to 901005        crash: left out when the standby was opened again\n  no number repeats\n"
    );
}

#[test]
fn an_emergency_number_that_two_events_gave_to_a_row_is_found() {
    let o = till();
    o.window(&[DAY[0]]);
    o.merge(0);
    close(&o, 0);
    next_event(&o, 2);
    // A generation whose numbers went back, and the row of the first event was never there.
    o.standby.execute(DB, "SET session_replication_role = replica; DELETE FROM h.payment; DELETE FROM h.charge WHERE id > 900000; SELECT setval('h.charge_id_seq', 900002, false)");
    o.window(&["INSERT INTO h.charge (id, total) VALUES (900001, 5)", "INSERT INTO h.charge (total) VALUES (6)"]);
    o.work.run("his-export-queue", &[]).expect(0);
    let json = o.work.json(3, "his-merge", &["numbers"]);
    let block = &json["blocks"][0];
    assert_eq!(
        (&block["first"], &block["last"], &block["repeats"]),
        (&json!(900_002), &json!(900_002), &json!([900_001]))
    );
}

#[test]
fn official_numbers_have_no_gap_and_no_repeat_that_is_not_named() {
    let o = Opened::new(
        &format!(
            "{TILL} ALTER TABLE h.charge ADD receipt_no text; CREATE SEQUENCE h.official START 5001; CREATE FUNCTION h.next_receipt() RETURNS text LANGUAGE sql AS $$ SELECT 'A' || nextval('h.official') $$;"
        ),
        &TABLES
            .replace("group = [\"cashier\"]", "group = [\"cashier\"]\nassign = { receipt_no = \"h.next_receipt()\" }"),
    );
    o.standby.execute(DB, "SELECT setval('h.charge_id_seq', 900000)");
    o.window(&["INSERT INTO h.charge (total) VALUES (1)", "INSERT INTO h.charge (total) VALUES (2)"]);
    o.merge(0);
    // The primary's own window takes the next number, one is lost, and the merge goes on.
    o.meanwhile("INSERT INTO h.charge (total, receipt_no) VALUES (9, h.next_receipt()); SELECT h.next_receipt()");
    o.window(&["INSERT INTO h.charge (total) VALUES (3)"]);
    o.merge(0);
    let official = |code: i32| o.work.json(code, "his-merge", &["numbers"])["official"].clone();
    assert_eq!(
        official(0),
        json!([{
            "table": "h.charge", "column": "receipt_no", "given": 3, "first": "A5001", "last": "A5005",
            "gaps": [{"first": "A5004", "last": "A5004"}], "repeats": [],
        }])
    );
    o.meanwhile("INSERT INTO h.charge (total, receipt_no) VALUES (9, 'A5002'), (9, 'A5004')");
    let found = official(3);
    assert_eq!(
        (&found[0]["gaps"], &found[0]["repeats"]),
        (&json!([]), &json!([{"number": "A5002", "times": 2, "by": "primary"}]))
    );
    o.meanwhile("UPDATE his_emergency.number_given SET official = 'A5001' WHERE official = 'A5005'; DELETE FROM h.charge WHERE id < 900000 AND receipt_no IS NOT NULL");
    assert_eq!(official(3)[0]["repeats"], json!([{"number": "A5001", "times": 2, "by": "given"}]));
}

#[test]
fn official_numbers_follow_the_order_of_the_day_also_over_documents_written_row_by_row() {
    let o = Opened::new(
        &format!(
            "{TILL} ALTER TABLE h.payment ADD paid int, ADD receipt_no bigint; CREATE SEQUENCE h.official START 5001;"
        ),
        &TABLES.replace(
            "group = [\"method\"]",
            "group = [\"method\"]\nassign = { receipt_no = \"nextval('h.official')\" }",
        ),
    );
    // Three windows at a time: each writes a charge, and the last to begin is the first to be paid. More than one
    // transaction of the merge can take, and no boundary of a thousand falls between two turns.
    o.standby.psql(
        DB,
        "DO $$ DECLARE next int := 1; BEGIN FOR turn IN 0..200 LOOP
           FOR w IN 1..3 LOOP INSERT INTO h.charge (id, total) VALUES (900000 + turn * 3 + w, 1); COMMIT; END LOOP;
           FOR w IN REVERSE 3..1 LOOP INSERT INTO h.payment VALUES (900000 + turn * 3 + w, 1, 'CASH', 1, next); next := next + 1; COMMIT; END LOOP;
         END LOOP; END $$",
    );
    o.merge(0);
    assert_eq!(o.rows("SELECT count(*), sum(receipt_no - paid) FROM h.payment"), ["603|3015000"]);
    assert_eq!(o.rows("SELECT paid FROM h.payment WHERE receipt_no - paid <> 5000"), [""; 0]);
}

//! Who may say that an event is settled, and when.

use super::{DAY, close, reconcile, till};
use serde_json::json;

#[test]
fn sign_off_is_refused_with_every_reason_until_nothing_is_left_and_wants_two_people() {
    let o = till();
    o.window(&DAY);
    o.window(&["UPDATE h.charge SET total = 101 WHERE id = 4"]);
    o.meanwhile("UPDATE h.charge SET total = 99 WHERE id = 4");
    o.merge(3);
    o.meanwhile("UPDATE h.payment SET amount = amount + 0.01 WHERE charge_id = 900001 AND no = 2");
    let sign = |code: i32, role: &str, by: &str| {
        o.work.run("his-merge", &["sign-off", "01-0001", "--as", role, "--by", by]).expect(code)
    };
    let ran = sign(4, "finance", "Li");
    assert_eq!(
        ran.stderr,
        "his-merge: cannot sign off the event '01-0001' for finance: the windows are still in mode 'standby' (expected normal); the event has no closing record; 1 unit is held; difference 1 is open\n\
         HINT: his-switch primary brings them back and closes the event.\n"
    );
    close(&o, 3);
    sign(4, "finance", "Li")
        .says("for finance: 1 unit is held; difference 1 is open\n")
        .says("his-merge conflicts lists them");
    let id = o.rows("SELECT id FROM his_emergency.conflict");
    o.work
        .run("his-merge", &["resolve", &id[0], "--take", "primary", "--why", "typed twice", "--money", "none"])
        .expect(0);
    sign(4, "finance", "Li").says("for finance: difference 1 is open\n").says("--accept ID --why TEXT");
    reconcile(&o, 0, &["--accept", "1", "--why", "rounding by the bank"]);

    // A batch that is gone, and one that was put back.
    let (dir, away) = (o.work.store().join("queue/01-0001/000001"), o.work.path().join("away"));
    std::fs::rename(&dir, &away).expect("moved");
    sign(4, "finance", "Li").says("for finance: the store lacks batch 1\n");
    std::fs::rename(&away, &dir).expect("moved");

    let check =
        o.work.run("his-merge", &["sign-off", "01-0001", "--as", "finance", "--by", "Li", "--dry-run"]).expect(0);
    assert_eq!(check.stdout, "event 01-0001 can be signed off for finance\n");
    let json = |args: &[&str]| o.work.json(0, "his-merge", &[&["sign-off", "01-0001"], args].concat());
    let first = json(&["--as", "finance", "--by", "Li"]);
    assert_eq!(
        (&first["signed_off"], &first["already"], &first["signatures"][0]["by"]),
        (&json!(false), &json!(false), &json!("Li"))
    );
    sign(4, "it", " li").says("'Li' has signed for finance already");
    assert_eq!(json(&["--as", "it", "--by", "Wang"])["signed_off"], true);
    // Again, and by whomever: it is done.
    let again = json(&["--as", "finance", "--by", "Zhao"]);
    assert_eq!((&again["signed_off"], &again["already"]), (&json!(true), &json!(true)));
    assert_eq!(o.rows("SELECT role, by FROM his_emergency.sign_off ORDER BY role"), ["finance|Li", "it|Wang"]);
    let journal = std::fs::read_to_string(o.work.store().join("journal.jsonl")).expect("a journal");
    let signed = journal.lines().filter(|l| l.contains("\"act\":\"sign off\"")).count();
    assert_eq!(signed, 2, "{journal}");
    o.work
        .run("his-merge", &["sign-off", "01-0007", "--as", "it"])
        .expect(2)
        .says("neither the store nor the primary's ledger knows it");
}

#[test]
fn an_event_that_does_not_balance_is_not_signed_off() {
    let o = till();
    o.window(&DAY);
    o.merge(0);
    close(&o, 0);
    // Somebody tampers with the ledger.
    o.meanwhile("DELETE FROM his_emergency.unit_money WHERE amount = 7.5 AND table_name = 'h.charge'");
    let ran = o.work.run("his-merge", &["sign-off", "01-0001", "--as", "it"]).expect(4);
    ran.says("it does not balance: h.charge total merged: the batches' units come to -62.50, the ledger says -70.00");
}

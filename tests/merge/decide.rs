//! Decisions: each cell of the resolve table, and what they set free.

use super::conflict;
use super::double::{REGISTER, clinic};
use crate::opened::Opened;
use crate::support::Ran;
use serde_json::{Value, json};

/// Gives the decision for the one conflict of `kind`.
fn resolve(o: &Opened, code: i32, kind: &str, more: &[&str]) -> Ran {
    let id = conflict(o, kind)["id"].to_string();
    let args: Vec<&str> =
        ["resolve", &id, "--why", "looked at it", "--take"].into_iter().chain(more.iter().copied()).collect();
    o.work.run("his-merge", &args).expect(code)
}

fn units(o: &Opened) -> Value {
    let status = o.work.json(0, "his-merge", &["status"]);
    assert_eq!(status["balanced"], true);
    json!([status["units"]["merged"], status["units"]["held"], status["units"]["rejected"]])
}

/// A window and the primary at odds, one unit each, and another unit that depends on the window's.
fn at_odds(window: &[&str], meanwhile: &str) -> Opened {
    let o = clinic();
    o.window(window);
    o.meanwhile(meanwhile);
    o.merge(3);
    o
}

#[test]
fn exists_standby_ours_overwrites_and_the_displaced_row_is_recorded() {
    let o = at_odds(
        &[
            "INSERT INTO h.patient (id, name, id_no) VALUES (77, 'ours', 'x1')",
            "UPDATE h.patient SET name = 'ours too' WHERE id = 77",
        ],
        "INSERT INTO h.patient (id, name) VALUES (77, 'theirs')",
    );
    assert_eq!(o.conflicts(), ["depends -", "exists h.patient"]);
    resolve(&o, 0, "exists", &["standby"]).says("is merged");
    assert_eq!(units(&o), json!([2, 0, 0]));
    assert_eq!(o.rows("SELECT name, id_no FROM h.patient WHERE id = 77"), ["ours too|x1"]);
    assert_eq!(o.rows("SELECT \"primary\"::json ->> 'name' FROM his_emergency.displaced"), ["theirs"]);
}

#[test]
fn a_decision_whose_run_was_killed_before_it_was_carried_out_is_carried_out_by_the_next_run() {
    for again in ["merge", "resolve"] {
        let o = at_odds(
            &["INSERT INTO h.patient (id, name) VALUES (77, 'ours')"],
            "INSERT INTO h.patient (id, name) VALUES (77, 'theirs')",
        );
        // As far as such a run came.
        o.meanwhile(
            "UPDATE his_emergency.conflict SET take = 'standby', decided_by = 'Li', decided_at = now(), why = 'asked'",
        );
        if again == "merge" {
            o.work.run("his-merge", &["--early"]).expect(0).says("merged 1 unit");
        } else {
            let id = o.rows("SELECT id FROM his_emergency.conflict");
            let decision = ["resolve", &id[0], "--take", "standby", "--why", "asked"];
            o.work.run("his-merge", &decision).expect(0).says("is merged");
            o.work.run("his-merge", &decision).expect(0).says("is merged");
            let journal = std::fs::read_to_string(o.work.store().join("journal.jsonl")).expect("a journal");
            assert_eq!(journal.matches("\"act\":\"resolve\"").count(), 1, "{journal}");
        }
        assert_eq!(units(&o), json!([1, 0, 0]), "{again}");
        assert_eq!(o.rows("SELECT name FROM h.patient WHERE id = 77"), ["ours"], "{again}");
    }
}

#[test]
fn exists_primary_the_unit_is_rejected_and_what_depends_on_it_is_asked_about() {
    let o = at_odds(
        &[
            "INSERT INTO h.patient (id, name, id_no) VALUES (77, 'ours', 'x1')",
            "UPDATE h.patient SET id_no = 'x2' WHERE id = 77",
        ],
        "INSERT INTO h.patient (id, name) VALUES (77, 'theirs')",
    );
    resolve(&o, 0, "exists", &["primary"]).says("is rejected");
    assert_eq!(units(&o), json!([0, 1, 1]));
    // It now meets the primary's row, which is not what it changed.
    assert_eq!(o.conflicts(), ["changed h.patient"]);
    resolve(&o, 0, "changed", &["standby"]).says("is merged");
    assert_eq!(o.rows("SELECT name, id_no FROM h.patient WHERE id = 77"), ["theirs|x2"]);
    assert_eq!(units(&o), json!([1, 0, 1]));
}

#[test]
fn exists_link_is_wrong_use() {
    let o = at_odds(
        &["INSERT INTO h.patient (id, name) VALUES (77, 'ours')"],
        "INSERT INTO h.patient (id, name) VALUES (77, 'theirs')",
    );
    resolve(&o, 2, "exists", &["link={\"id\":\"77\"}"]).says("expected unique, parent or twin");
    assert_eq!(units(&o), json!([0, 1, 0]));
}

#[test]
fn unique_standby_is_refused_because_the_row_in_the_way_is_never_removed() {
    let o = at_odds(
        &["INSERT INTO h.patient (name, id_no) VALUES ('ours', 'same')"],
        "INSERT INTO h.patient (id, name, id_no) VALUES (77, 'theirs', 'same')",
    );
    assert_eq!(o.conflicts(), ["unique h.patient"]);
    resolve(&o, 4, "unique", &["standby"]).says("the row in the way is never removed");
    resolve(&o, 0, "unique", &["primary"]).says("is rejected");
    assert_eq!(o.rows("SELECT id, name FROM h.patient WHERE id_no = 'same'"), ["77|theirs"]);
}

#[test]
fn unique_link_a_patient_entered_on_both_sides_ends_as_one_with_everything_under_it() {
    let o = at_odds(
        &[
            "INSERT INTO h.patient (name, id_no) VALUES ('张三', 'same')",
            "INSERT INTO h.visit (patient_id, day, dept, fee) VALUES (900001, '2026-11-23', 3, 5)",
            "INSERT INTO h.charge (visit_id, total) VALUES (900001, 30); INSERT INTO h.payment VALUES (900001, 1, 30)",
        ],
        "INSERT INTO h.patient (id, name, id_no) VALUES (77, '张三', 'same')",
    );
    assert_eq!(o.conflicts(), ["depends -", "depends -", "unique h.patient"]);
    resolve(&o, 0, "unique", &["link={\"id\":\"77\"}"]).says("is merged");
    assert_eq!(units(&o), json!([3, 0, 0]));
    assert_eq!(o.rows("SELECT count(*) FROM h.patient WHERE id_no = 'same'"), ["1"]);
    assert_eq!(o.rows("SELECT v.patient_id, v.fee, c.total, p.amount FROM h.visit v JOIN h.charge c ON c.visit_id = v.id JOIN h.payment p ON p.charge_id = c.id WHERE v.id = 900001"), ["77|5.00|30.00|30.00"]);
    // What comes later finds the patient too.
    o.window(&["INSERT INTO h.visit (patient_id, day, dept, fee) VALUES (900001, '2026-11-24', 3, 5)"]);
    o.merge(0);
    assert_eq!(o.rows("SELECT patient_id FROM h.visit WHERE day = '2026-11-24'"), ["77"]);
}

#[test]
fn twin_link_a_registration_of_the_gap_ends_as_one_visit_and_takes_no_second_slot() {
    let o = at_odds(
        &[
            REGISTER,
            "INSERT INTO h.charge (visit_id, total) VALUES (900001, 30); INSERT INTO h.payment VALUES (900001, 1, 30)",
        ],
        REGISTER,
    );
    resolve(&o, 0, "twin", &["link={\"id\":\"6\"}"]).says("is merged");
    assert_eq!(units(&o), json!([2, 0, 0]));
    assert_eq!(o.rows("SELECT id FROM h.visit WHERE day = '2026-11-23'"), ["6"]);
    assert_eq!(o.rows("SELECT visit_id, total FROM h.charge WHERE id = 900001"), ["6|30.00"]);
    assert_eq!(o.rows("SELECT slots_left FROM h.schedule WHERE id = 1"), ["9"]);
    assert_eq!(o.rows("SELECT count(*) FROM his_emergency.unit WHERE linked"), ["1"]);
}

#[test]
fn twin_link_is_refused_when_the_money_differs() {
    let o = at_odds(&[REGISTER], &REGISTER.replace("1, 5, 1)", "1, 6, 1)"));
    resolve(&o, 4, "twin", &["link={\"id\":\"6\"}"]).says("differ in 'fee' (5.00 on the standby, 6.00 on the primary)");
    resolve(&o, 2, "twin", &["link={\"id\":\"666\"}"]).says("'h.visit' has no such row on the primary");
    assert_eq!(units(&o), json!([0, 1, 0]));
}

#[test]
fn twin_standby_keeps_both() {
    let o = at_odds(&[REGISTER], REGISTER);
    resolve(&o, 0, "twin", &["standby"]).says("is merged");
    assert_eq!(o.rows("SELECT id FROM h.visit WHERE day = '2026-11-23' ORDER BY 1"), ["6", "900001"]);
    assert_eq!(o.rows("SELECT slots_left FROM h.schedule WHERE id = 1"), ["8"]);
}

#[test]
fn twin_primary_rejects_and_says_what_became_of_the_money() {
    let o = at_odds(&[REGISTER], REGISTER);
    resolve(&o, 2, "twin", &["primary"])
        .says("it has money (5.00 in fee of h.visit), and nothing says what became of it");
    resolve(&o, 0, "twin", &["primary", "--money", "refunded"]).says("is rejected");
    assert_eq!(units(&o), json!([0, 0, 1]));
    assert_eq!(o.rows("SELECT status, money, why FROM his_emergency.unit"), ["rejected|refunded|looked at it"]);
    assert_eq!(o.rows("SELECT slots_left FROM h.schedule WHERE id = 1"), ["9"]);
}

#[test]
fn changed_standby_our_columns_win_and_the_displaced_values_are_recorded() {
    let o = at_odds(
        &["UPDATE h.patient SET name = 'ours' WHERE id = 1"],
        "UPDATE h.patient SET name = 'theirs', id_no = 'new' WHERE id = 1",
    );
    resolve(&o, 0, "changed", &["standby"]).says("is merged");
    assert_eq!(o.rows("SELECT name, id_no FROM h.patient WHERE id = 1"), ["ours|new"]);
    assert_eq!(o.rows("SELECT \"primary\"::json ->> 'name' FROM his_emergency.displaced"), ["theirs"]);
}

#[test]
fn changed_primary_rejects_and_the_row_that_a_window_deleted_stays() {
    let o = at_odds(&["DELETE FROM h.charge WHERE id = 5"], "UPDATE h.charge SET total = 101 WHERE id = 5");
    assert_eq!(o.conflicts(), ["changed h.charge"]);
    resolve(&o, 0, "changed", &["primary", "--money", "none"]).says("is rejected");
    assert_eq!(o.rows("SELECT total FROM h.charge WHERE id = 5"), ["101.00"]);
}

#[test]
fn missing_standby_ours_is_put_back() {
    let o = at_odds(&["UPDATE h.patient SET name = 'ours' WHERE id = 20"], "DELETE FROM h.patient WHERE id = 20");
    resolve(&o, 0, "missing", &["standby"]).says("is merged");
    assert_eq!(o.rows("SELECT name, id_no FROM h.patient WHERE id = 20"), ["ours|n20"]);
}

#[test]
fn missing_primary_rejects() {
    let o = at_odds(&["UPDATE h.patient SET name = 'ours' WHERE id = 20"], "DELETE FROM h.patient WHERE id = 20");
    resolve(&o, 0, "missing", &["primary"]).says("is rejected");
    assert_eq!(o.rows("SELECT count(*) FROM h.patient WHERE id = 20"), ["0"]);
}

#[test]
fn parent_standby_waits_until_the_parent_is_settled() {
    let o = at_odds(
        &["INSERT INTO h.charge (visit_id, total) VALUES (1, 30)"],
        "UPDATE h.visit SET status = 'cancelled' WHERE id = 1",
    );
    resolve(&o, 4, "parent", &["standby"]).says("it still does not fit");
    assert_eq!(units(&o), json!([0, 1, 0]));
    o.meanwhile("UPDATE h.visit SET status = 'registered' WHERE id = 1");
    resolve(&o, 0, "parent", &["standby"]).says("is merged");
    assert_eq!(o.rows("SELECT visit_id FROM h.charge WHERE total = 30"), ["1"]);
}

#[test]
fn parent_link_goes_to_another_parent() {
    let o = at_odds(
        &[
            "INSERT INTO h.charge (visit_id, total) VALUES (1, 30)",
            "INSERT INTO h.charge (visit_id, total) VALUES (1, 31)",
        ],
        "UPDATE h.visit SET status = 'cancelled' WHERE id = 1",
    );
    let json = o.work.json(0, "his-merge", &["conflicts"]);
    let id = json["conflicts"][0]["id"].to_string();
    o.work
        .run("his-merge", &["resolve", &id, "--take", "link={\"id\":\"2\"}", "--why", "the visit is that one"])
        .expect(0);
    assert_eq!(o.rows("SELECT visit_id FROM h.charge WHERE total = 30"), ["2"]);
    // The other charge was not decided about.
    assert_eq!(units(&o), json!([1, 1, 0]));
}

#[test]
fn rule_standby_is_tried_again_and_rule_primary_rejects() {
    let o = clinic();
    o.window(&[
        "INSERT INTO h.charge (visit_id, total) VALUES (1, 30)",
        "INSERT INTO h.charge (visit_id, total) VALUES (1, 40)",
    ]);
    o.meanwhile("ALTER TABLE h.charge ADD CONSTRAINT odd CHECK (total <> 30)");
    o.merge(3);
    resolve(&o, 4, "rule", &["standby"]).says("SQLSTATE 23514, constraint odd");
    o.meanwhile("ALTER TABLE h.charge DROP CONSTRAINT odd");
    resolve(&o, 0, "rule", &["standby"]).says("is merged");
    assert_eq!(units(&o), json!([2, 0, 0]));
}

#[test]
fn what_waits_for_another_unit_is_not_decided_itself() {
    let o = at_odds(&[REGISTER, "INSERT INTO h.charge (visit_id, total) VALUES (900001, 30)"], REGISTER);
    resolve(&o, 4, "depends", &["standby"]).says("waits for the held unit");
}

#[test]
fn a_decision_is_refused_when_the_primary_has_changed_the_row_since() {
    let o = at_odds(
        &["UPDATE h.patient SET name = 'ours' WHERE id = 1"],
        "UPDATE h.patient SET name = 'theirs' WHERE id = 1",
    );
    let id = conflict(&o, "changed")["id"].to_string();
    o.meanwhile("UPDATE h.patient SET name = 'theirs again' WHERE id = 1");
    resolve(&o, 4, "changed", &["standby"]).says("the primary has changed it meanwhile (name)");
    let shown = o.work.json(0, "his-merge", &["conflicts", &id, "--show-personal"]);
    assert_eq!(shown["primary"]["name"], "theirs again");
    resolve(&o, 0, "changed", &["standby"]);
    // Asked once: the same decision again changes nothing, another is refused.
    let again = ["resolve", &id, "--take", "standby", "--why", "again"];
    o.work.run("his-merge", &again).expect(0);
    o.work
        .run("his-merge", &["resolve", &id, "--take", "primary", "--why", "no"])
        .expect(4)
        .says("it was decided for 'standby' already");
    assert_eq!(o.rows("SELECT name FROM h.patient WHERE id = 1"), ["ours"]);
}

#[test]
fn decisions_survive_later_runs_and_a_dry_run_decides_nothing() {
    let o = at_odds(&[REGISTER], REGISTER);
    let id = conflict(&o, "twin")["id"].to_string();
    o.work
        .run("his-merge", &["resolve", &id, "--take", "standby", "--why", "x", "--dry-run"])
        .expect(0)
        .says("would take standby");
    assert_eq!(units(&o), json!([0, 1, 0]));
    resolve(&o, 0, "twin", &["primary", "--money", "none"]);
    o.window(&[
        "INSERT INTO h.charge (visit_id, total) VALUES (900001, 30)",
        "INSERT INTO h.charge (visit_id, total) VALUES (1, 30)",
    ]);
    o.merge(3);
    assert_eq!(o.conflicts(), ["parent h.charge"]);
    assert_eq!(units(&o), json!([1, 1, 1]));
}

#[test]
fn a_unique_value_is_looked_for_in_the_row_as_it_will_be() {
    let o = Opened::new(
        "CREATE SCHEMA h;
         CREATE TABLE h.bed (id int PRIMARY KEY, ward int NOT NULL, no int NOT NULL, UNIQUE (ward, no));
         INSERT INTO h.bed VALUES (1, 1, 3), (2, 1, 4);",
        "[[table]]\nname = \"h.bed\"\ncapture = true\n",
    );
    // The primary moves bed 1 to another ward, where 2 is free, and gives the 2 of the first ward to a new one; bed 2 is
    // moved where its new number is taken.
    o.meanwhile("UPDATE h.bed SET ward = 2 WHERE id = 1; INSERT INTO h.bed VALUES (3, 1, 2)");
    o.meanwhile("UPDATE h.bed SET ward = 3 WHERE id = 2; INSERT INTO h.bed VALUES (4, 3, 9)");
    o.window(&["UPDATE h.bed SET no = 2 WHERE id = 1"]);
    o.window(&["UPDATE h.bed SET no = 9 WHERE id = 2"]);
    let json = o.merge(3);
    assert_eq!((&json["units"]["merged"], &json["units"]["held"]), (&json!(1), &json!(1)), "{json:#}");
    assert_eq!(o.conflicts(), ["unique h.bed"]);
    assert_eq!(o.rows("SELECT ward, no FROM h.bed WHERE id < 3 ORDER BY id"), ["2|2", "3|4"]);
}

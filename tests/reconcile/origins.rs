//! Rows that triggers write, and rows that move between partitions.

use super::{reconcile, sheet};
use crate::opened::Opened;
use serde_json::json;

const PARTS: &str = "
CREATE SCHEMA h;
CREATE TABLE h.bill (day date NOT NULL, id int NOT NULL, amount numeric(12,2), till text, PRIMARY KEY (day, id)) PARTITION BY LIST (till);
";

#[test]
fn an_amount_that_moves_to_another_partition_is_no_refund_and_no_charge() {
    let schema = PARTS.replace("PRIMARY KEY (day, id)", "PRIMARY KEY (id, till)").replace("till text", "till text NOT NULL")
        + "CREATE TABLE h.bill_a PARTITION OF h.bill FOR VALUES IN ('a'); CREATE TABLE h.bill_b PARTITION OF h.bill FOR VALUES IN ('b');
           INSERT INTO h.bill VALUES ('2026-11-23', 1, 10, 'a')";
    let tables = "[[table]]\nname = \"h.bill\"\ncapture = true\nkey = [\"id\"]\nmoney = [\"amount\"]\n";
    // The key of the profile is the number alone, so a bill that goes to another till stays the same bill.
    let o = Opened::new(
        &format!("{schema}; CREATE UNIQUE INDEX ON h.bill_a (id); CREATE UNIQUE INDEX ON h.bill_b (id)"),
        tables,
    );
    o.window(&[
        "UPDATE h.bill SET till = 'b', amount = 12 WHERE id = 1",
        "INSERT INTO h.bill VALUES ('2026-11-23', 2, 5, 'a')",
    ]);
    o.merge(0);
    let json = reconcile(&o, 0, &[]);
    assert_eq!(sheet(&json), ["h.bill amount  charge 7.00 7.00 0 0 7.00"]);
    assert_eq!(json["rows"], json!({"captured": 3, "merged": 3, "held": 0, "rejected": 0}));
    o.meanwhile("UPDATE h.bill SET amount = 13 WHERE id = 1");
    let found = &reconcile(&o, 3, &[])["differences"][0];
    assert_eq!((&found["group"], &found["expected"], &found["found"]), (&json!(""), &json!("12.00"), &json!("13.00")));
}

const TOTALS: &str = "
CREATE SCHEMA h;
CREATE TABLE h.bill (id int PRIMARY KEY, qty int NOT NULL, total numeric(12,2) NOT NULL DEFAULT 0);
CREATE FUNCTION h.fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE h.bill SET total = qty * 2.5 WHERE id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER fill AFTER INSERT ON h.bill FOR EACH ROW EXECUTE FUNCTION h.fill();";

#[test]
fn a_total_that_a_trigger_fills_is_read_back_whichever_sides_trigger_filled_it() {
    for mode in ["replay", "refire"] {
        let tables = format!(
            "[[table]]\nname = \"h.bill\"\ncapture = true\nmoney = [\"total\"]\nignore = [\"total\"]\ntriggers = \"{mode}\"\n"
        );
        let o = Opened::new(TOTALS, &tables);
        o.window(&["INSERT INTO h.bill VALUES (2, 5)"]);
        o.merge(0);
        assert_eq!(o.rows("SELECT total FROM h.bill"), ["12.50"], "{mode}");
        let json = reconcile(&o, 0, &[]);
        assert_eq!(sheet(&json), ["h.bill total  charge 12.50 12.50 0 0 12.50"], "{mode}");
        o.meanwhile("UPDATE h.bill SET total = 12.51 WHERE id = 2");
        let found = &reconcile(&o, 3, &[])["differences"][0];
        assert_eq!((&found["expected"], &found["found"]), (&json!("12.50"), &json!("12.51")), "{mode}");
    }
}

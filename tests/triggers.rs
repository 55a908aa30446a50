//! P14: what the HIS's own triggers do has happened once on the primary, whichever side's triggers did it.

use crate::opened::Opened;

const SCHEMA: &str = "
CREATE SCHEMA h;
CREATE TABLE h.drug (id int PRIMARY KEY, stock int NOT NULL);
CREATE TABLE h.sale (id bigint PRIMARY KEY, drug_id int REFERENCES h.drug, qty int, unit_price numeric(10,4), total numeric(12,4),
  made_at timestamp DEFAULT localtimestamp, updated_at timestamptz);
CREATE TABLE h.audit (id bigserial PRIMARY KEY, what text, sale_id bigint);
CREATE TABLE h.inbox (id bigint PRIMARY KEY, what text);
CREATE TABLE h.letter (id bigint PRIMARY KEY, what text);
CREATE FUNCTION h.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := clock_timestamp(); NEW.total := NEW.qty * NEW.unit_price; RETURN NEW; END $$;
CREATE FUNCTION h.lower() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE h.drug SET stock = stock - NEW.qty WHERE id = NEW.drug_id; RETURN NULL; END $$;
CREATE FUNCTION h.log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO h.audit (what, sale_id) VALUES (TG_OP, NEW.id); RETURN NULL; END $$;
CREATE FUNCTION h.redirect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO h.letter VALUES (NEW.id, NEW.what || ' sent'); RETURN NULL; END $$;
CREATE TRIGGER a_stamp BEFORE INSERT OR UPDATE ON h.sale FOR EACH ROW EXECUTE FUNCTION h.stamp();
CREATE TRIGGER b_lower AFTER INSERT ON h.sale FOR EACH ROW EXECUTE FUNCTION h.lower();
CREATE TRIGGER c_log AFTER INSERT OR UPDATE ON h.sale FOR EACH ROW EXECUTE FUNCTION h.log();
CREATE TRIGGER a_redirect BEFORE INSERT ON h.inbox FOR EACH ROW EXECUTE FUNCTION h.redirect();
INSERT INTO h.drug VALUES (1, 100), (2, 100);
SELECT setval('h.audit_id_seq', 10);";

fn tables(sale: &str) -> String {
    format!(
        r#"
[[table]]
name = "h.drug"
capture = true
counter = ["stock"]
[[table]]
name = "h.sale"
capture = true
money = ["total"]
ignore = ["updated_at"]
triggers = "{sale}"
[[table]]
name = "h.audit"
capture = true
[[table]]
name = "h.inbox"
capture = true
[[table]]
name = "h.letter"
capture = true
"#
    )
}

const DAY: [&str; 4] = [
    "INSERT INTO h.sale (id, drug_id, qty, unit_price) VALUES (1, 1, 3, 1.25)",
    "INSERT INTO h.sale (id, drug_id, qty, unit_price) VALUES (2, 2, 4, 0.5), (3, 1, 1, 1.25)",
    "UPDATE h.sale SET qty = 2 WHERE id = 1",
    "INSERT INTO h.inbox VALUES (7, 'letter')",
];

/// The same day on the primary, in both modes: each effect is there once.
fn once(mode: &str) -> Opened {
    let o = Opened::new(SCHEMA, &tables(mode));
    o.standby.execute("his", "SELECT setval('h.audit_id_seq', 900000)");
    // A window's clock zone is its own; the local time it wrote must come back as it is.
    o.standby.execute("his", "ALTER ROLE postgres SET timezone = 'America/New_York'");
    o.window(&DAY);
    let written = o.standby.rows("his", "SELECT id, made_at FROM h.sale ORDER BY id");
    o.meanwhile("UPDATE h.drug SET stock = stock - 10 WHERE id = 1");
    let json = o.merge(0);
    assert_eq!(json["balanced"], true);
    assert_eq!(o.rows("SELECT id, qty, total FROM h.sale ORDER BY id"), ["1|2|2.5000", "2|4|2.0000", "3|1|1.2500"]);
    assert_eq!(o.rows("SELECT id, made_at FROM h.sale ORDER BY id"), written);
    assert_eq!(o.rows("SELECT id, stock FROM h.drug ORDER BY id"), ["1|86", "2|96"]);
    assert_eq!(
        o.rows("SELECT what, sale_id, count(*) FROM h.audit GROUP BY 1, 2 ORDER BY 1, 2"),
        ["INSERT|1|1", "INSERT|2|1", "INSERT|3|1", "UPDATE|1|1"]
    );
    assert_eq!(o.rows("SELECT id, what FROM h.letter"), ["7|letter sent"]);
    assert_eq!(o.rows("SELECT count(*) FROM h.inbox"), ["0"]);
    o
}

#[test]
fn p14_triggers_work_once_under_replay() {
    let o = once("replay");
    // The audit rows are those of the standby.
    assert_eq!(o.rows("SELECT min(id) > 900000 FROM h.audit"), ["t"]);
}

#[test]
fn p14_triggers_work_once_under_refire() {
    let o = once("refire");
    // The audit rows were written by the primary's own trigger.
    assert_eq!(o.rows("SELECT min(id), max(id) FROM h.audit"), ["11|14"]);
}

#[test]
fn p14_under_refire_a_statement_over_several_tables_keeps_the_origins_apart() {
    let o = Opened::new(SCHEMA, &tables("refire"));
    o.standby.execute("his", "SELECT setval('h.audit_id_seq', 900000)");
    o.window(&["WITH s AS (INSERT INTO h.sale (id, drug_id, qty, unit_price) VALUES (1, 1, 3, 1) RETURNING id), d AS (UPDATE h.drug SET stock = stock + 50 WHERE id = 2)
         INSERT INTO h.inbox SELECT id + 100, 'l' FROM s"]);
    o.merge(0);
    assert_eq!(o.rows("SELECT id, stock FROM h.drug ORDER BY id"), ["1|97", "2|150"]);
    assert_eq!(o.rows("SELECT id, what FROM h.letter"), ["101|l sent"]);
    assert_eq!(o.rows("SELECT count(*) FROM h.audit"), ["1"]);
}

#[test]
fn a_trigger_of_the_primary_that_rewrites_a_column_under_refire_is_held_not_overlooked() {
    let o = Opened::new(SCHEMA, &tables("refire").replace("ignore = [\"updated_at\"]\n", ""));
    o.window(&[DAY[0]]);
    o.merge(3);
    assert_eq!(o.conflicts(), ["rule h.sale"]);
    assert_eq!(o.rows("SELECT (SELECT count(*) FROM h.sale), (SELECT count(*) FROM h.audit), (SELECT stock FROM h.drug WHERE id = 1)"), ["0|0|100"]);
}

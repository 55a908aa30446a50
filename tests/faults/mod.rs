//! Faults of servers, lines, disks and clocks that need more than one program to be disturbed; what one program meets while it
//! works is in `torture`.

mod clock;
mod failover;
mod line;
mod settings;
mod stores;

use crate::opened::Opened;
use crate::support::workplace::DB;

pub const SCHEMA: &str = "
CREATE SCHEMA h;
CREATE TABLE h.patient (id bigserial PRIMARY KEY, name text NOT NULL);
CREATE TABLE h.charge (id bigserial PRIMARY KEY, patient_id bigint NOT NULL REFERENCES h.patient, total numeric(12,2) NOT NULL);
INSERT INTO h.patient (name) SELECT 'p' || i FROM generate_series(1, 100) i;";

pub const TABLES: &str = r#"
[[table]]
name = "h.patient"
capture = true
[[table]]
name = "h.charge"
capture = true
money = ["total"]
[[numbers]]
sequence = "h.charge_id_seq"
block = [900001, 999999]
[[numbers]]
sequence = "h.patient_id_seq"
block = [900001, 999999]
"#;

/// Both servers, the standby open, its numbers in their own range.
pub fn opened() -> Opened {
    let o = Opened::new(SCHEMA, TABLES);
    for sequence in ["h.charge_id_seq", "h.patient_id_seq"] {
        o.standby.execute(DB, &format!("SELECT setval('{sequence}', 900000)"));
    }
    o
}

/// So many transactions of windows on the standby, of a charge of 1.25 each.
pub fn busy(o: &Opened, units: usize) {
    let one = "INSERT INTO h.charge (patient_id, total) VALUES (1 + i % 100, 1.25)";
    o.standby.execute(DB, &format!("DO $$ BEGIN FOR i IN 1..{units} LOOP {one}; COMMIT; END LOOP; END $$"));
}

/// What so many such transactions come to on the primary.
pub const CHARGES: &str = "SELECT count(*), sum(total), count(DISTINCT id) FROM h.charge WHERE id > 900000";

pub fn charges(units: usize) -> String {
    format!("{units}|{}.{:02}|{units}", units * 125 / 100, units * 125 % 100)
}

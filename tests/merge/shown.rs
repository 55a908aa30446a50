//! Each kind of conflict as the operator sees it, in a terminal of 100 columns. `HIS_WRITE_SHOWN=1` writes the files anew.

use super::conflict;
use super::double::{REGISTER, clinic};
use crate::opened::Opened;
use serde_json::json;
use std::path::Path;

/// What changes from run to run, made equal.
fn settled(o: &Opened, text: &str) -> String {
    let mut text = text.to_owned();
    for (n, xid) in o
        .standby
        .rows(crate::support::workplace::DB, "SELECT xid FROM his_emergency.unit ORDER BY xid")
        .iter()
        .enumerate()
    {
        text = text.replace(&format!("/1-{xid}"), &format!("/1-X{}", n + 1));
    }
    text.lines()
        .map(|line| match line.split_once("done     ") {
            Some((before, after)) => format!("{before}done     <time> by{}", after.split(" by").nth(1).unwrap_or("")),
            None => line.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn assert_shown(o: &Opened, name: &str, text: &str) {
    let shown = settled(o, text) + "\n";
    let wide: Vec<&str> = shown.lines().filter(|l| l.chars().count() > 100).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/merge/shown").join(format!("{name}.txt"));
    if std::env::var_os("HIS_WRITE_SHOWN").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(&file, &shown).expect("written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(shown == expected, "{name}: shown\n{shown}\nexpected\n{expected}");
}

#[test]
fn p17_conflicts_show_no_name_and_no_id_number_unless_somebody_asks_for_them_and_is_written_down() {
    let o = clinic();
    o.window(&["UPDATE h.patient SET name = '张三丰', id_no = '110101199001011237' WHERE id = 1"]);
    o.meanwhile("UPDATE h.patient SET name = '张三' WHERE id = 1");
    o.merge(3);
    let id = conflict(&o, "changed")["id"].to_string();
    let secrets = ["张三", "张三丰", "110101199001011237", "p1", "n1"];
    for args in [&["conflicts"][..], &["conflicts", &id], &["conflicts", "--json"], &["conflicts", &id, "--json"]] {
        let said = o.work.run("his-merge", args).expect(0);
        for secret in secrets {
            assert!(!said.stdout.contains(secret) && !said.stderr.contains(secret), "{secret}: {}", said.shown());
        }
    }
    let json = o.work.json(0, "his-merge", &["conflicts", &id]);
    // The same sign for the same value: what differs can be seen.
    assert_ne!(json["standby"]["new"]["name"], json["primary"]["name"]);
    assert_eq!((&json["standby"]["old"]["id_no"], &json["primary"]["id_no"]), (&json!("***2"), &json!("***2")));
    let shown = o.work.run("his-merge", &["conflicts", &id, "--show-personal", "--by", "Li"]).expect(0).stdout;
    assert!(shown.contains("张三丰") && shown.contains("110101199001011237"), "{shown}");
    let journal = std::fs::read_to_string(o.work.store().join("journal.jsonl")).expect("a journal");
    let asked = journal.lines().find(|l| l.contains("show personal data")).expect("it is written down");
    assert!(asked.contains("\"by\":\"Li\"") && asked.contains(&format!("\"conflict\":{id}")), "{asked}");
    for secret in secrets {
        assert!(!journal.contains(secret), "{secret}: {journal}");
    }
}

#[test]
fn each_kind_is_shown_with_what_both_sides_did_and_what_can_be_decided() {
    let o = clinic();
    o.window(&[
        "INSERT INTO h.patient (id, name, id_no) VALUES (77, '李四', 'x1')",
        "INSERT INTO h.patient (name, id_no) VALUES ('王五', 'same')",
        "UPDATE h.patient SET name = '张三丰' WHERE id = 1",
        "UPDATE h.patient SET name = '赵六' WHERE id = 20",
        "INSERT INTO h.charge (visit_id, total) VALUES (1, 30); INSERT INTO h.payment VALUES (900001, 1, 30)",
        "UPDATE h.schedule SET slots_left = -5 WHERE id = 2",
        REGISTER,
        "INSERT INTO h.charge (visit_id, total) VALUES (900001, 12.5)",
    ]);
    o.meanwhile(
        "INSERT INTO h.patient (id, name) VALUES (77, '李思'), (78, '王武');
         UPDATE h.patient SET id_no = 'same' WHERE id = 78; UPDATE h.patient SET name = '张三' WHERE id = 1; DELETE FROM h.patient WHERE id = 20;
         UPDATE h.visit SET status = 'cancelled' WHERE id = 1; ALTER TABLE h.schedule ADD CONSTRAINT no_oversold CHECK (slots_left >= 0)",
    );
    o.meanwhile(REGISTER);
    o.merge(3);
    let list = o.work.run("his-merge", &["conflicts"]).expect(0);
    assert_shown(&o, "list", &list.stdout);
    for kind in ["exists", "unique", "changed", "missing", "parent", "rule", "twin", "depends"] {
        let id = conflict(&o, kind)["id"].to_string();
        let ran = o.work.run("his-merge", &["conflicts", &id]).expect(0);
        assert_shown(&o, kind, ran.stdout.trim_end());
    }
    o.work.run("his-merge", &["conflicts", "999"]).expect(2).says("the ledger has no such conflict");
}

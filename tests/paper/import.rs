//! One slip, one transaction, once: killed, repeated, keyed twice, keyed at a window as well, in a file of any kind.

use super::PROGRAM;
use super::reference::{Clinic, number, profile};
use crate::support::workplace::DB;
use rust_xlsxwriter::Workbook;
use serde_json::json;
use std::fs;
use std::thread;
use std::time::Duration;

const ALL: &str = "SELECT (SELECT count(*) FROM outpatient.registration), (SELECT count(*) FROM outpatient.patient), (SELECT sum(slots_left) FROM outpatient.schedule), count(*), sum(paid), (SELECT count(*) FROM his_emergency.slip) FROM outpatient.charge";

#[test]
fn p7_an_import_killed_at_any_moment_and_run_again_ends_as_if_it_had_run_once() {
    let (c, undisturbed) = (Clinic::new(), Clinic::new());
    let numbers = c.numbers("registration", 400);
    undisturbed.numbers("registration", 400);
    let text = c.registrations(&numbers);
    let file = undisturbed.file("all.csv", &undisturbed.registrations(&numbers));
    undisturbed.work.json(0, PROGRAM, &["import", &file]);
    let file = c.file("all.csv", &text);
    let mut killed = 0;
    for round in 0..50_u64 {
        let running = c.work.start(PROGRAM, &["import", &file]);
        thread::sleep(Duration::from_millis(round * 7 % 50 * 4));
        let ran = running.kill();
        killed += usize::from(ran.code == 137);
        assert!(matches!(ran.code, 0 | 137), "{}", ran.shown());
    }
    assert!(killed > 10, "only {killed} were killed");
    c.work.json(0, PROGRAM, &["import", &file]);
    let again = c.work.json(0, PROGRAM, &["import", &file]);
    assert_eq!(again["slips"], json!({"read": 400, "imported": 0, "already": 400, "rejected": 0}));
    assert_eq!(c.value(ALL), undisturbed.value(ALL));
    let status = c.work.json(0, PROGRAM, &["status"]);
    assert_eq!((&status["slips"]["keyed"], &status["broken_off"]), (&json!(400), &json!(false)));
}

#[test]
fn what_became_of_a_slip_whose_commit_nobody_saw_is_asked_of_the_database_and_not_guessed() {
    let c = Clinic::new();
    let numbers = c.numbers("registration", 3);
    let file = c.file("all.csv", &c.registrations(&numbers));
    // The third slip waits for a row that somebody holds, and the server goes away.
    let mut holder = c.primary.client(DB);
    holder.batch_execute("BEGIN; UPDATE outpatient.schedule SET status = status WHERE id = (SELECT id FROM outpatient.schedule WHERE work_date = outpatient.today() ORDER BY id OFFSET 2 LIMIT 1)").expect("held");
    let running = c.work.start(PROGRAM, &["import", &file]);
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'his-import-paper' AND wait_event_type = 'Lock'";
    crate::support::wait_until("the third slip waits", Duration::from_secs(20), || c.value(waits) == "1");
    c.primary.stop_immediate();
    let ran = running.wait().expect(6);
    assert_eq!(ran.hint(), "import the same file again: what is in is not written twice.");
    assert_eq!(c.work.json(0, PROGRAM, &["status"])["broken_off"], true);
    c.work.run(PROGRAM, &["import", &file]).expect(6);
    c.primary.start_again();
    let done = c.work.json(0, PROGRAM, &["import", &file]);
    assert_eq!(done["slips"], json!({"read": 3, "imported": 1, "already": 2, "rejected": 0}));
    assert_eq!(c.value("SELECT count(*) FROM outpatient.registration WHERE window_no = 'W01'"), "3");
}

#[test]
fn two_keyings_that_differ_keep_the_slip_out_and_a_large_amount_wants_two() {
    let mut c = Clinic::new();
    let tables = profile().replace("key_twice_above = \"500.00\"", "key_twice_above = \"30.00\"");
    c.work.edit(|p| {
        p.tables(&tables);
    });
    let visits = c.numbers("registration", 3);
    let file = c.file("registrations.csv", &c.registrations(&visits));
    c.work.json(0, PROGRAM, &["import", &file]);
    let numbers = c.numbers("charge", 3);
    let text = c.charges(&numbers, &visits);
    let first = c.file("first.csv", &text);
    // Above the limit, and keyed once.
    let once = c.work.json(3, PROGRAM, &["check", &first]);
    assert_eq!(once["slips"]["rejected"], 3);
    assert_eq!(once["rejects"][0]["field"], "total");
    // Another line's price and a name; what is written otherwise and means the same is no difference.
    let other = text
        .replacen("病人1,", "病人一,", 1)
        .replacen("10.10,1,10.10", "5.05,2,10.1", 1)
        .replace("12.5,2,25.00", "12.50,２,25");
    let second = c.file("second.csv", &other);
    let done = c.work.json(3, PROGRAM, &["import", &first, "--second", &second]);
    assert_eq!(done["slips"], json!({"read": 3, "imported": 1, "already": 0, "rejected": 2}));
    let list = fs::read_to_string(c.work.path().join("first.disagreements.csv")).expect("a list");
    let lines: Vec<&str> = list.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(
        lines,
        [
            "应急单号,栏目,第一遍,行,第二遍,第二遍的行".to_owned(),
            format!("{},单价,10.1,3,5.05,3", numbers[0]),
            format!("{},数量,1,3,2,3", numbers[0]),
            format!("{},姓名,病人1,4,病人一,4", numbers[1]),
        ]
    );
    // Corrected in both, the rest goes in.
    let done = c.work.json(0, PROGRAM, &["import", &first, "--second", &first]);
    assert_eq!(done["slips"], json!({"read": 3, "imported": 2, "already": 1, "rejected": 0}));
}

#[test]
fn the_file_of_refused_slips_is_corrected_and_imported_again() {
    let c = Clinic::new();
    let numbers = c.numbers("registration", 3);
    let text = c.registrations(&numbers).replacen("病人1", "=cmd|x", 1).replacen("病人2,男", "病人2,公", 1);
    let file = c.file("morning.csv", &text);
    let done = c.work.json(3, PROGRAM, &["import", &file]);
    assert_eq!(done["slips"], json!({"read": 3, "imported": 1, "already": 0, "rejected": 2}));
    assert_eq!(
        done["rejects"],
        json!([
            {"line": 3, "slip_no": numbers[1], "field": "patient_name", "reason": "单元格是公式"},
            {"line": 4, "slip_no": numbers[2], "field": "sex", "reason": "不在可填的值之内"},
        ])
    );
    let path = c.work.path().join("morning.rejects.csv");
    let refused = fs::read_to_string(&path).expect("a file");
    let lines: Vec<&str> = refused.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].ends_with(",窗口,原因") && lines[1].contains(",'=cmd|x,"), "{refused}");
    assert!(lines[2].ends_with(",sex: 不在可填的值之内"), "{refused}");
    let corrected = refused.replace("'=cmd|x", "病人甲").replace(",公,", ",女,");
    let file = c.file("corrected.csv", &corrected);
    let done = c.work.json(0, PROGRAM, &["import", &file]);
    assert_eq!(done["slips"], json!({"read": 2, "imported": 2, "already": 0, "rejected": 0}));
    assert_eq!(c.work.json(0, PROGRAM, &["status"])["slips"]["outstanding"], 0);
}

#[test]
fn p11_the_same_number_with_other_content_and_numbers_that_nobody_has_are_refused() {
    let c = Clinic::new();
    let numbers = c.numbers("registration", 2);
    let text = c.registrations(&numbers);
    let file = c.file("all.csv", &text);
    c.work.json(0, PROGRAM, &["import", &file]);
    let (before, never) = (c.value(ALL), number("G", 77));
    let other = format!(
        "{}{}",
        text.replacen("病人0", "病人零", 1),
        text.lines().nth(2).expect("a slip").replace(&numbers[1], &never)
    );
    let file = c.file("other.csv", &other);
    let done = c.work.json(3, PROGRAM, &["import", &file]);
    assert_eq!(done["slips"], json!({"read": 3, "imported": 0, "already": 1, "rejected": 2}));
    assert_eq!(
        done["rejects"][0],
        json!({"line": 2, "slip_no": numbers[0], "field": "slip_no", "reason": "此单号已补录，内容不同"})
    );
    assert_eq!(
        done["rejects"][1],
        json!({"line": 4, "slip_no": never, "field": "slip_no", "reason": "此单号未曾发放"})
    );
    assert_eq!(c.value(ALL), before);
    // A register that has forgotten: the database has not. Alone it would be missed by where it ended.
    fs::remove_file(c.work.store().join("paper/numbers.jsonl")).expect("removed");
    c.work.run(PROGRAM, &["import", &file]).expect(5).says("numbers.jsonl': line 1 is missing");
    fs::remove_file(c.work.store().join("paper/numbers.jsonl.head")).expect("removed");
    c.numbers("registration", 2);
    let done = c.work.json(3, PROGRAM, &["import", &file]);
    assert_eq!(done["slips"], json!({"read": 3, "imported": 0, "already": 1, "rejected": 2}));
    assert_eq!(done["rejects"][0]["reason"], "此单号已补录，内容不同（patient_name）");
    assert_eq!(c.value(ALL), before);
}

#[test]
fn a_slip_of_a_patient_who_was_registered_at_a_window_too_is_flagged_until_somebody_wants_both() {
    let c = Clinic::new();
    let numbers = c.numbers("registration", 1);
    let known = c.value("SELECT medical_record_no FROM outpatient.patient WHERE id = 7");
    let text = c.registrations(&numbers).replacen("应急单号,", "门诊号,应急单号,", 1).replacen(
        "\nG",
        &format!("\n{known},G"),
        1,
    );
    let file = c.file("all.csv", &text);
    c.primary.execute(
        DB,
        "INSERT INTO outpatient.registration (visit_date, visit_seq, schedule_id, department_id, doctor_id, level_id, patient_id, patient_name, patient_sex, patient_age, settlement_category_id, registration_fee, consultation_fee, operator_id)
         SELECT work_date, 999, s.id, department_id, doctor_id, level_id, 7, 'x', '1', '1', 1, 0, 0, doctor_id FROM outpatient.schedule s WHERE work_date = outpatient.today() ORDER BY s.id LIMIT 1",
    );
    let before = c.value("SELECT count(*) FROM outpatient.registration");
    let done = c.work.json(3, PROGRAM, &["import", &file]);
    let reason = done["rejects"][0]["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("outpatient.registration 中已有相同的业务（id = "), "{reason}");
    assert_eq!(c.value("SELECT count(*) FROM outpatient.registration"), before);
    c.work.run(PROGRAM, &["import", &file, "--both", &numbers[0]]).expect(2);
    let done = c.work.json(0, PROGRAM, &["import", &file, "--both", &numbers[0], "--why", "two visits"]);
    assert_eq!(done["slips"]["imported"], 1);
}

#[test]
fn a_file_in_gb18030_arrives_with_its_rare_names_and_a_wrong_encoding_is_refused_at_its_byte() {
    let c = Clinic::new();
    let numbers = c.numbers("registration", 2);
    // 㛃 and 𠮷 are of four bytes there.
    let text = c.registrations(&numbers).replace("病人0", "李㛃").replace("病人1", "𠮷田");
    let (bytes, _, lossy) = encoding_rs::GB18030.encode(&text);
    assert!(!lossy);
    fs::write(c.work.path().join("gb.csv"), &bytes).expect("written");
    let done = c.work.json(0, PROGRAM, &["import", "gb.csv"]);
    assert_eq!((&done["encoding"], &done["slips"]["imported"]), (&json!("GB18030"), &json!(2)));
    assert_eq!(
        c.primary.rows(DB, "SELECT patient_name FROM outpatient.registration WHERE window_no = 'W01' ORDER BY id"),
        ["李㛃", "𠮷田"]
    );
    let mut broken = bytes.to_vec();
    let at = broken.iter().position(|b| *b == b'\n').expect("a line") + 5;
    broken[at] = 0xff;
    fs::write(c.work.path().join("gb.csv"), &broken).expect("written");
    c.work.run(PROGRAM, &["check", "gb.csv"]).expect(2).says("line 2, byte 5: neither UTF-8 nor GB18030");
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    fs::write(c.work.path().join("wide.csv"), &utf16).expect("written");
    c.work.run(PROGRAM, &["check", "wide.csv"]).expect(2).says("line 1, byte 1: it is UTF-16");
    let done = {
        fs::write(c.work.path().join("bom.csv"), format!("\u{feff}{text}")).expect("written");
        c.work.json(0, PROGRAM, &["check", "bom.csv"])
    };
    assert_eq!((&done["encoding"], &done["slips"]["already"]), (&json!("UTF-8 with BOM"), &json!(2)));
}

#[test]
fn a_spreadsheet_is_read_with_its_dates_and_a_formula_or_a_rounded_number_in_it_is_told() {
    let c = Clinic::new();
    let numbers = c.numbers("registration", 4);
    let text = c.registrations(&numbers).replacen("性别,", "性别,身份证号,", 1);
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (at, line) in (0_u32..).zip(text.lines()) {
        let mut cells: Vec<&str> = line.split(',').collect();
        if at > 0 {
            cells.insert(4, if at == 2 { "11010519491231002X" } else { "" });
        }
        for (column, cell) in (0_u16..).zip(&cells) {
            sheet.write_string(at, column, *cell).expect("a cell");
        }
    }
    // A day and a time as a spreadsheet keeps them, an amount as a number, an identity number as a number, a formula.
    let fee: f64 = c.doctors()[0].2.parse().expect("an amount");
    let day: f64 = c.value("SELECT outpatient.today() - date '1899-12-30'").parse().expect("a number");
    sheet.write_number(1, 1, day + 0.375).expect("a cell");
    sheet.write_number(1, 8, fee).expect("a cell");
    sheet.write_number(3, 4, 110_105_194_912_310_020.0).expect("a cell");
    sheet.write_formula(4, 8, "=1+1").expect("a cell");
    book.save(c.work.path().join("all.xlsx")).expect("saved");
    let checked = c.work.json(3, PROGRAM, &["check", "all.xlsx"]);
    assert_eq!(checked["encoding"], "XLSX");
    let rejects: Vec<String> = checked["rejects"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|r| format!("{} {}", r["line"], r["field"]))
        .collect();
    assert_eq!(rejects, ["4 \"id_no\"", "5 \"fee\""]);
    assert_eq!(checked["slips"], json!({"read": 4, "imported": 0, "already": 0, "rejected": 2}));
    let done = c.work.json(3, PROGRAM, &["import", "all.xlsx"]);
    assert_eq!(done["slips"]["imported"], 2);
    assert_eq!(c.primary.rows(DB, "SELECT to_char(registered_at AT TIME ZONE 'Asia/Shanghai', 'HH24:MI') FROM outpatient.registration WHERE window_no = 'W01' ORDER BY 1"), ["09:00", "09:01"]);
    // Corrected in a text file, whose identity number is what was meant.
    let refused = fs::read_to_string(c.work.path().join("all.rejects.csv")).expect("refused");
    assert_eq!(refused.lines().count(), 3, "{refused}");
}

#[test]
fn slips_keyed_into_the_open_standby_come_back_with_the_queue_and_count_once() {
    let c = Clinic::open();
    let numbers = c.numbers("registration", 3);
    let file = c.file("all.csv", &c.registrations(&numbers));
    let done = c.work.json(0, PROGRAM, &["import", &file]);
    assert_eq!(done["slips"]["imported"], 3);
    assert_eq!(
        c.value("SELECT count(*) FROM outpatient.registration WHERE window_no = 'W01' AND emergency_event = '01-0001'"),
        "0"
    );
    c.work.run("his-export-queue", &[]).expect(0);
    let merged = c.work.json(0, "his-merge", &["--early"]);
    assert_eq!((&merged["units"]["merged"], &merged["balanced"]), (&json!(3), &json!(true)));
    assert_eq!(
        c.value("SELECT count(*) FROM outpatient.registration WHERE window_no = 'W01' AND emergency_event = '01-0001'"),
        "3"
    );
    // The windows are back; the same file again is known, though the primary's own record of slips is empty.
    c.mode("normal");
    let again = c.work.json(0, PROGRAM, &["import", &file]);
    assert_eq!(again["slips"], json!({"read": 3, "imported": 0, "already": 3, "rejected": 0}));
    assert_eq!(c.value("SELECT count(*) FROM outpatient.registration WHERE window_no = 'W01'"), "3");
}

#[test]
fn while_the_windows_are_on_paper_a_file_can_be_checked_and_nothing_is_imported() {
    let c = Clinic::open();
    let numbers = c.numbers("registration", 1);
    let file = c.file("all.csv", &c.registrations(&numbers));
    c.mode("paper");
    let ran = c.work.run(PROGRAM, &["check", &file]).expect(0).says("1 can be imported");
    assert!(ran.stderr.contains("WARNING: the windows are on paper: nothing was looked up"), "{}", ran.stderr);
    let ran = c
        .work
        .run(PROGRAM, &["import", &file])
        .expect(4)
        .says("the windows are in mode 'paper' (expected normal or standby)");
    assert!(ran.hint().contains("his-switch standby or his-switch primary first"), "{}", ran.hint());
}

#[test]
fn p10_paper_slips_are_on_the_sheet_of_the_event_which_is_not_signed_off_while_one_is_outstanding() {
    let c = Clinic::open();
    let visits = c.numbers("registration", 2);
    let file = c.file("all.csv", &c.registrations(&visits[..1]));
    c.work.json(0, PROGRAM, &["import", &file]);
    c.work.run("his-switch", &["primary"]).expect(0);
    let charge = c.numbers("charge", 1);
    let file = c.file("charges.csv", &c.charges(&charge, &visits[..1]).replace(&visits[0], &c.record_no()));
    assert_eq!(c.work.json(0, PROGRAM, &["import", &file])["slips"]["imported"], 1);
    let sheet = c.work.json(0, "his-merge", &["reconcile"]);
    assert_eq!(
        sheet["paper"],
        json!([
            {"kind": "registration", "primary": 0, "standby": 1, "filed": 0, "outstanding": 1, "money": []},
            {"kind": "charge", "primary": 1, "standby": 0, "filed": 0, "outstanding": 0, "money": [{"field": "total", "amount": "35.10"}]},
        ])
    );
    c.work.run("his-merge", &["reconcile"]).expect(0).says("charge: 1 keyed into the primary (total 35.10)");
    let ran = c
        .work
        .run("his-merge", &["sign-off", "01-0001", "--as", "finance"])
        .expect(4)
        .says("1 paper slips are outstanding");
    assert!(ran.hint().contains("his-import-paper status lists them"), "{}", ran.hint());
    c.work.json(0, PROGRAM, &["numbers", "missing", &visits[1], "--why", "looked for everywhere"]);
    c.work.run("his-merge", &["sign-off", "01-0001", "--as", "finance"]).expect(0);
    // A primary that has forgotten a slip which the register knows.
    c.primary.execute(DB, "DELETE FROM his_emergency.slip_value; DELETE FROM his_emergency.slip");
    let sheet = c.work.json(3, "his-merge", &["reconcile"]);
    let fault = sheet["faults"][0].as_str().expect("a fault");
    assert!(fault.starts_with("the register has 1 slips 'charge' keyed into the primary, which has 0"), "{fault}");
}

#[test]
fn an_import_into_the_standby_that_was_broken_off_is_asked_of_the_standby_before_the_primary_gets_a_slip() {
    let c = Clinic::open();
    let numbers = c.numbers("registration", 2);
    let file = c.file("all.csv", &c.registrations(&numbers));
    c.work.json(0, PROGRAM, &["import", &file]);
    // As it is when the run was killed after its last commit: what it was about to do is noted, and nothing after that.
    let register = c.work.store().join("paper/numbers.jsonl");
    let text = fs::read_to_string(&register).expect("a register");
    let lines: Vec<&str> = text.lines().take_while(|l| !l.contains("\"act\":\"keyed\"")).collect();
    assert!(lines.last().is_some_and(|l| l.contains("\"act\":\"begin\"")), "{text}");
    fs::write(&register, lines.join("\n") + "\n").expect("written");
    fs::remove_file(c.work.store().join("paper/numbers.jsonl.head")).expect("removed");
    c.mode("normal");
    // While the standby does not answer, they wait; another slip does not.
    c.standby.stop_immediate();
    let more = c.numbers("registration", 1);
    let other = c.file("more.csv", &c.registrations(&[&numbers[..], &more[..]].concat()));
    let done = c.work.json(3, PROGRAM, &["import", &other]);
    assert_eq!(done["slips"], json!({"read": 3, "imported": 1, "already": 0, "rejected": 2}));
    assert!(done["rejects"][0]["reason"].as_str().expect("a reason").starts_with("上次导入中断"), "{done}");
    assert_eq!(c.work.json(0, PROGRAM, &["status"])["broken_off"], true);
    c.standby.start_again();
    let done = c.work.json(0, PROGRAM, &["import", &file]);
    assert_eq!(done["slips"], json!({"read": 2, "imported": 0, "already": 2, "rejected": 0}));
    assert_eq!(c.value("SELECT count(*) FROM outpatient.registration WHERE window_no = 'W01'"), "1");
}

#[test]
fn p11_a_number_that_was_registered_as_void_is_not_keyed_and_one_that_was_missing_and_turned_up_is() {
    let c = Clinic::new();
    let numbers = c.numbers("registration", 2);
    let file = c.file("all.csv", &c.registrations(&numbers));
    c.work.json(0, PROGRAM, &["numbers", "void", &numbers[0], "--why", "spoiled"]);
    c.work.json(0, PROGRAM, &["numbers", "missing", &numbers[1], "--why", "looked for"]);
    let done = c.work.json(3, PROGRAM, &["import", &file]);
    assert_eq!(done["slips"], json!({"read": 2, "imported": 1, "already": 0, "rejected": 1}));
    assert_eq!(done["rejects"][0]["reason"], "此单号已登记作废（如有误：numbers reopen）");
    assert_eq!(
        c.work.json(0, PROGRAM, &["status"])["slips"],
        json!({"issued": 2, "keyed": 1, "void": 1, "missing": 0, "outstanding": 0})
    );
    c.work.run(PROGRAM, &["numbers", "void", &numbers[1], "--why", "x"]).expect(4).says("1 of them are keyed");
}

#[test]
fn a_standby_that_was_restarted_while_open_takes_no_slip_until_it_is_confirmed_and_blames_none() {
    let c = Clinic::open();
    let numbers = c.numbers("registration", 2);
    let file = c.file("all.csv", &c.registrations(&numbers));
    c.standby.stop_immediate();
    c.standby.start_again();
    let ran = c.work.run(PROGRAM, &["import", &file]).expect(4).says("the emergency standby was restarted while open");
    assert!(ran.hint().starts_with("his-switch status says how the standby stands;"), "{}", ran.hint());
    assert!(
        ran.hint().ends_with("Then import the same file again: what is in is not written twice."),
        "{}",
        ran.hint()
    );
    assert!(!c.work.path().join("all.rejects.csv").exists());
    c.work.run("his-switch", &["standby", "--reason", "it was restarted"]).expect(0);
    assert_eq!(c.work.json(0, PROGRAM, &["import", &file])["slips"]["imported"], 2);
}

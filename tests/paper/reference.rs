//! A paper morning of the reference HIS: issued, keyed, imported, corrected, and imported again.

use super::PROGRAM;
use crate::opened::Opened;
use crate::support::workplace::DB;
use crate::support::{Cluster, Workplace};
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/his")
}

/// The tables and slips of the reference HIS's profile.
pub fn profile() -> String {
    let profile = fs::read_to_string(samples().join("his.toml")).expect("the sample's profile");
    profile[profile.find("[[table]]").expect("tables")..].to_owned()
}

/// The reference HIS on the primary, and a workplace with its slips.
pub struct Clinic {
    pub primary: Cluster,
    pub standby: Cluster,
    pub work: Workplace,
}

pub fn fill(cluster: &Cluster, patients: u32, visits: u32) {
    cluster.create_database(DB);
    cluster.psql_file(DB, &samples().join("schema.sql")).expect(0);
    let generate = samples().join("generate.sql");
    cluster.psql(DB, &format!("\\set patients {patients}\n\\set visits {visits}\n\\i {}\n", generate.display()));
}

impl Clinic {
    pub fn new() -> Clinic {
        let (primary, standby) = Cluster::pair();
        fill(&primary, 500, 40);
        let work = Workplace::new(&primary, &standby, &profile());
        Clinic::over(primary, standby, work)
    }

    pub fn over(primary: Cluster, standby: Cluster, work: Workplace) -> Clinic {
        fs::create_dir_all(work.path().join("paper")).expect("made");
        for file in fs::read_dir(samples().join("paper")).expect("the sample's slips") {
            let file = file.expect("a file");
            fs::copy(file.path(), work.path().join("paper").join(file.file_name())).expect("copied");
        }
        crate::support::copy_sample_reports(work.path());
        Clinic { primary, standby, work }
    }

    /// With the standby open, its numbers in their own range.
    pub fn open() -> Clinic {
        let (primary, standby) = Cluster::pair();
        fill(&primary, 500, 40);
        fill(&standby, 500, 40);
        // As a load does it.
        standby.execute(
            DB,
            "SELECT setval(s.seqrelid::regclass, 900000000, false) FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'outpatient';
             UPDATE outpatient.receipt_counter SET last_no = 900000000; UPDATE outpatient.schedule SET current_no = current_no + 500",
        );
        let Opened { primary, standby, work } = Opened::over(primary, standby, &profile());
        Clinic::over(primary, standby, work)
    }

    /// The mode that the store says the windows are in.
    pub fn mode(&self, mode: &str) {
        let path = self.work.store().join("state.json");
        let text = fs::read_to_string(&path)
            .expect("a state")
            .replace("\"mode\": \"standby\"", &format!("\"mode\": \"{mode}\""));
        fs::write(&path, text).expect("written");
    }

    pub fn value(&self, sql: &str) -> String {
        self.primary.value(DB, sql)
    }

    /// Numbers handed out to window W01.
    pub fn numbers(&self, kind: &str, count: usize) -> Vec<String> {
        let args = ["numbers", "issue", kind, "--count", &count.to_string(), "--to", "W01"];
        let first = self.work.json(0, PROGRAM, &args)["first"].as_str().expect("a number").to_owned();
        let running: u64 = first[4..10].parse().expect("digits");
        (running..running + count as u64).map(|n| number(&first[..1], n)).collect()
    }

    pub fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.work.path().join(name), text).expect("written");
        name.to_owned()
    }

    /// Today's time at this clock, as the slips say it.
    pub fn at(&self, clock: &str) -> String {
        self.value("SELECT outpatient.today()") + " " + clock
    }

    /// Session and staff number of doctors who work today, and their fees.
    pub fn doctors(&self) -> Vec<(String, String, String)> {
        let rows = self.primary.rows(
            DB,
            "SELECT CASE session WHEN 'am' THEN '上午' WHEN 'pm' THEN '下午' ELSE '夜间' END, t.staff_no, l.registration_fee + l.consultation_fee
             FROM outpatient.schedule s JOIN base.staff t ON t.id = s.doctor_id JOIN base.registration_level l ON l.id = s.level_id
             WHERE work_date = outpatient.today() ORDER BY s.id",
        );
        let parts = rows.iter().map(|r| r.split('|').map(str::to_owned).collect::<Vec<_>>());
        parts.map(|p| (p[0].clone(), p[1].clone(), p[2].clone())).collect()
    }

    /// Of the patient who was registered last.
    pub fn record_no(&self) -> String {
        self.value("SELECT medical_record_no FROM outpatient.patient WHERE id = (SELECT patient_id FROM outpatient.registration ORDER BY id DESC LIMIT 1)")
    }

    pub fn cashier(&self) -> String {
        self.value("SELECT min(staff_no) FROM base.staff WHERE role = 'cashier'")
    }

    /// Registration slips of new patients, one for each number.
    pub fn registrations(&self, numbers: &[String]) -> String {
        let (doctors, cashier) = (self.doctors(), self.cashier());
        let category = self.value("SELECT min(code) FROM base.settlement_category WHERE discount_rate = 0");
        let mut text = "应急单号,开单时间,姓名,性别,费别,医生工号,班次,实收金额,支付方式,收费员工号,窗口\n".to_owned();
        for (n, number) in numbers.iter().enumerate() {
            let (session, doctor, fee) = &doctors[n % doctors.len()];
            let at = self.at(&format!("9:{:02}", n % 60));
            let _ = writeln!(text, "{number},{at},病人{n},男,{category},{doctor},{session},{fee},现金,{cashier},W01");
        }
        text
    }

    /// Charge slips with two lines each, for these registrations.
    pub fn charges(&self, numbers: &[String], visits: &[String]) -> String {
        let (doctors, cashier) = (self.doctors(), self.cashier());
        let items = self
            .primary
            .rows(DB, "SELECT code FROM base.charge_item WHERE class = 'treatment' AND is_active ORDER BY id LIMIT 2");
        let mut text =
            "应急单号,开单时间,挂号单号或门诊号,姓名,开单医生工号,项目编码,单价,数量,金额,合计金额,支付方式,收费员工号\n".to_owned();
        for (n, (number, visit)) in numbers.iter().zip(visits).enumerate() {
            let (doctor, at) = (&doctors[n % doctors.len()].1, self.at("10:30"));
            let _ =
                writeln!(text, "{number},{at},{visit},病人{n},{doctor},{},12.5,2,25.00,35.10,现金,{cashier}", items[0]);
            let _ = writeln!(text, ",,,,,{},10.10,1,10.10,,,", items[1]);
        }
        text
    }
}

pub fn number(prefix: &str, running: u64) -> String {
    his_emergency::paper::Number::new(prefix, "01", running).to_string()
}

fn slips(json: &Value) -> [u64; 4] {
    ["read", "imported", "already", "rejected"].map(|k| json["slips"][k].as_u64().expect("a number"))
}

#[test]
fn p11_a_paper_morning_ends_with_every_number_keyed_or_void_and_totals_to_the_cent() {
    let c = Clinic::new();
    let before = c.value("SELECT count(*), sum(paid) FROM outpatient.charge");
    let visits = c.numbers("registration", 6);
    let registrations = c.file("registrations.csv", &c.registrations(&visits[..5]));
    let checked = c.work.json(0, PROGRAM, &["check", &registrations]);
    assert_eq!(slips(&checked), [5, 0, 0, 0]);
    assert_eq!(c.value("SELECT count(*), sum(paid) FROM outpatient.charge"), before);
    let done = c.work.json(0, PROGRAM, &["import", &registrations, "--expect-count", "5"]);
    assert_eq!(slips(&done), [5, 5, 0, 0]);
    let numbers = c.numbers("charge", 5);
    let charges = c.file("charges.csv", &c.charges(&numbers, &visits[..5]));
    // The cover sheet is a cent off: nothing goes in.
    let off = c.work.json(3, PROGRAM, &["import", &charges, "--expect-count", "5", "--expect-total", "175.51"]);
    assert_eq!(off["cover"], json!(["the cover sheet says 175.51, the file comes to 175.50 in 'total'"]));
    let done = c.work.json(0, PROGRAM, &["import", &charges, "--expect-count", "5", "--expect-total", "175.50"]);
    assert_eq!(slips(&done), [5, 5, 0, 0]);
    assert_eq!(
        done["money"],
        json!([{"field": "total", "read": "175.50", "imported": "175.50", "already": "0", "rejected": "0"}])
    );
    assert_eq!(
        c.value("SELECT count(*), sum(c.paid), (SELECT sum(amount) FROM outpatient.charge_line l JOIN outpatient.charge x ON x.id = l.charge_id WHERE x.window_no IS NULL) FROM outpatient.charge c WHERE c.window_no IS NULL AND kind = 'order'"),
        "5|175.50|175.50"
    );
    let receipt = c.value("SELECT max(receipt_no) FROM outpatient.charge WHERE kind = 'order' AND window_no IS NULL");
    let refund = c.numbers("refund", 1);
    let cashiers =
        c.primary.rows(DB, "SELECT staff_no FROM base.staff WHERE role = 'cashier' ORDER BY staff_no LIMIT 2");
    let refunds = format!(
        "Slip no,Written at,Original receipt no,Name,Refunded,Reason,Cashier,Approved by\n{},{},{receipt},病人4,35.1,患者要求,{},{}\n",
        refund[0],
        c.at("11:00"),
        cashiers[0],
        cashiers[1]
    );
    let refunds = c.file("refunds.csv", &refunds);
    assert_eq!(slips(&c.work.json(0, PROGRAM, &["import", &refunds])), [1, 1, 0, 0]);
    assert_eq!(c.value(&format!("SELECT status, (SELECT paid FROM outpatient.charge r WHERE r.refund_of = c.id) FROM outpatient.charge c WHERE receipt_no = {receipt}")), "1|-35.10");
    c.work.json(0, PROGRAM, &["numbers", "void", &visits[5], "--why", "spoiled"]);
    let status = c.work.json(0, PROGRAM, &["status"]);
    assert_eq!(status["slips"], json!({"issued": 12, "keyed": 11, "void": 1, "missing": 0, "outstanding": 0}));
    // All of it again changes nothing.
    let all = "SELECT (SELECT count(*) FROM outpatient.registration), (SELECT count(*) FROM outpatient.patient), (SELECT sum(slots_left) FROM outpatient.schedule), count(*), sum(paid) FROM outpatient.charge";
    let after = c.value(all);
    for (file, count) in [(&registrations, 5), (&charges, 5), (&refunds, 1)] {
        assert_eq!(slips(&c.work.json(0, PROGRAM, &["import", file])), [count, 0, count, 0]);
    }
    assert_eq!(c.value(all), after);
}

//! Fifty scripted windows on one standby whose connections are killed all the time: nothing oversold, repeated, skipped or
//! done twice, and to the cent.

use super::Hospital;
use super::hospital::{Desk, approved};
use crate::support::aloud;
use crate::support::workplace::DB;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const WINDOWS: usize = 50;

/// What of the day depends on the HIS: everything else is the contract.
pub struct Site {
    /// What finds more than twenty items.
    pub items: &'static [&'static str],
    /// Patients 1 to this were known before the outage.
    pub known: usize,
    /// May one charge be paid in several ways?
    pub splits: bool,
    /// Schedules with what is left of each, and with how many the desk took and did not give back.
    pub free: &'static str,
    pub taken: &'static str,
    /// Money that the desk took, of all its charges.
    pub paid: &'static str,
    /// What must be nothing: a number repeated or skipped, books that do not agree.
    pub wrong: &'static [&'static str],
}

/// Windows whose vouchers are not numbered from 1 to the last.
const VOUCHERS: &str = "SELECT count(*) FROM desk.window_number AS n JOIN (SELECT window_no, count(*) AS count, max(right(number, 5)::int) AS last FROM desk.voucher GROUP BY 1) AS v USING (window_no) WHERE n.last_no <> v.count OR n.last_no <> v.last";

const REFERENCE: Site = Site {
    items: &["YP", "LA", "EX", "TR"],
    known: 2000,
    splits: true,
    free: "SELECT id, slots_left FROM outpatient.schedule ORDER BY id",
    taken: "SELECT s.id, count(r.id) FROM outpatient.schedule AS s LEFT JOIN outpatient.registration AS r
              ON r.schedule_id = s.id AND r.id >= 900000000 AND r.status <> 2 AND r.appointment_id IS NULL GROUP BY s.id ORDER BY s.id",
    paid: "SELECT sum(paid) FROM outpatient.charge WHERE id >= 900000000",
    wrong: &[
        "SELECT count(*) FROM outpatient.schedule WHERE slots_left < 0",
        "SELECT count(*) FROM outpatient.receipt_segment AS s JOIN (SELECT segment_id, count(*) AS count, min(printed_no) AS first, max(printed_no) AS last FROM outpatient.receipt WHERE charge_id >= 900000000 GROUP BY 1) AS r ON r.segment_id = s.id WHERE r.last <> s.current_no OR r.last - r.first + 1 <> r.count",
        "SELECT count(*) FROM outpatient.registration WHERE id >= 900000000 AND visit_seq <= 500",
    ],
};

/// The sample has thirty cashiers; these are twenty more, with rolls of their own. Some doctors see so few patients that
/// their numbers run out.
const MORE: &str = "
INSERT INTO base.staff (id, staff_no, name, name_phonetic, role, department_id)
SELECT i, 'S' || to_char(i, 'FM00000'), '临时' || i, 'LS', 'cashier', 401 FROM generate_series(2031, 2050) AS i;
INSERT INTO desk.secret (staff_id, salt, verifier, may_approve)
SELECT id, staff_no, encode(sha256(convert_to(staff_no || ':demo-' || staff_no, 'UTF8')), 'hex'), false FROM base.staff WHERE id BETWEEN 2031 AND 2050;
INSERT INTO outpatient.receipt_segment (id, cashier_id, prefix, start_no, end_no, current_no)
SELECT 100 + id - 2000, id, 'B' || to_char(id - 2000, 'FM00'), (id - 2000) * 1000000 + 1, (id - 2000 + 1) * 1000000, (id - 2000) * 1000000
  FROM base.staff WHERE id BETWEEN 2031 AND 2050;
UPDATE outpatient.schedule SET slot_limit = slot_limit + 1000, slots_left = slots_left + 1000 WHERE id % 3 <> 0;
UPDATE outpatient.schedule SET slot_limit = slot_limit - slots_left + 2, slots_left = 2 WHERE id % 3 = 0;";

/// What all windows know: choices from a seed, and every request that was answered.
struct Shared {
    seed: AtomicU64,
    answered: Mutex<BTreeSet<String>>,
    oversold: AtomicU64,
    site: &'static Site,
}

impl Shared {
    fn dice(&self, sides: usize) -> usize {
        let n = self.seed.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        usize::try_from((n ^ (n >> 27)) % sides as u64).expect("small")
    }

    /// Asks under a request id; now and then a second time, as an impatient client does, and must get the same answer.
    fn done(&self, desk: &mut Desk, act: &str, mut ask: Value) -> Result<Value, String> {
        let id = uuid::Uuid::new_v4().to_string();
        ask["request"] = json!(id);
        let answer = desk.ask(act, &ask)?;
        if self.dice(6) == 0 {
            let again = desk.ask(act, &ask).expect("a request that was answered is answered again");
            let mut same = answer.clone();
            same["again"] = json!(true);
            assert_eq!(again, same, "{act}");
        }
        assert!(self.answered.lock().expect("sound").insert(id));
        Ok(answer)
    }
}

#[test]
fn fifty_windows_whose_connections_are_killed_oversell_repeat_skip_and_double_nothing() {
    let h = Hospital::new(2000, 300, MORE);
    let samples = super::hospital::samples();
    let check = samples.join("check.sql");
    // On the standby receipt numbers are of the emergency's range, and get theirs at the merge.
    let on_standby = format!("\\set gapless 0\n\\i {}\n", check.display());
    a_day(&h, &REFERENCE, || {
        h.standby.psql(DB, &on_standby);
    });
    h.primary.psql_file(DB, &check).expect(0);
}

/// The day of all windows, from the switch to the return; `look` at the standby's books in between.
pub fn a_day(h: &Hospital, site: &'static Site, look: impl FnOnce()) {
    let acts: usize = std::env::var("HIS_ACTS").ok().and_then(|n| n.parse().ok()).unwrap_or(600);
    h.to_standby();
    let before = h.standby.rows(DB, site.free);
    let shared =
        Shared { seed: AtomicU64::new(20_261_123), answered: Mutex::default(), oversold: AtomicU64::new(0), site };
    let over = AtomicBool::new(false);

    let killed = std::thread::scope(|scope| {
        let attacker = scope.spawn(|| {
            let mut killed = 0;
            let mut next = 10;
            // By what was done and not by the clock: on a slow machine nobody would get through at all.
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
                let done = shared.answered.lock().expect("sound").len();
                if done < next {
                    continue;
                }
                next = done + 10;
                killed += h.standby.rows(DB, "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'his-desk%' ORDER BY random() LIMIT 3) AS p").len();
            }
            killed
        });
        let windows: Vec<_> = (1..=WINDOWS)
            .map(|n| {
                let shared = &shared;
                scope.spawn(move || window(h, shared, n, acts.div_ceil(WINDOWS)))
            })
            .collect();
        let ended: Vec<_> = windows.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        let killed = attacker.join().expect("the killer ends");
        assert!(ended.iter().all(Result::is_ok), "a window did not end as it should");
        killed
    });

    // Every request once: what was answered is what was recorded, no more and no less.
    let recorded: BTreeSet<String> = h.standby.rows(DB, "SELECT request_id FROM desk.request").into_iter().collect();
    assert_eq!(recorded, *shared.answered.lock().expect("sound"));
    assert!(killed >= 30, "only {killed} connections were killed");
    // No slot oversold: what is left is what was left, less who came and did not cancel.
    assert!(shared.oversold.load(Ordering::Relaxed) > 0, "no doctor's numbers ran out");
    let count = |row: &str| row.split_once('|').and_then(|(_, n)| n.parse::<i64>().ok()).expect("a number");
    let expected: Vec<i64> =
        before.iter().zip(h.standby.rows(DB, site.taken)).map(|(left, taken)| count(left) - count(&taken)).collect();
    assert_eq!(h.standby.rows(DB, site.free).iter().map(|row| count(row)).collect::<Vec<_>>(), expected);
    // No number repeated or skipped.
    for wrong in site.wrong.iter().chain(&[VOUCHERS]) {
        assert_eq!(h.standby.value(DB, wrong), "0", "{wrong}");
    }
    look();
    // The shift closes say what was taken, to the cent, and so does what is merged.
    let closes = "SELECT count(*), sum((figures->>'paid')::numeric), sum(cash_counted - cash_expected) FROM desk.shift WHERE closed_at IS NOT NULL";
    let shifts = h.standby.value(DB, closes);
    let taken = h.standby.value(DB, site.paid);
    assert_eq!(shifts, format!("{WINDOWS}|{taken}|0.00"));
    h.to_primary(0);
    assert_eq!(h.primary.value(DB, site.paid), taken);
    assert_eq!(h.primary.value(DB, closes), shifts);
    let sheet = h.work.json(0, "his-merge", &["reconcile"]);
    assert_eq!((&sheet["balanced"], &sheet["differences"]), (&json!(true), &json!([])));
    let answered = shared.answered.lock().expect("sound").len();
    aloud(&format!("{answered} requests of {WINDOWS} windows, {killed} connections killed, {taken} taken"));
}

/// One window from the opening of its shift to its close.
fn window(h: &Hospital, shared: &Shared, n: usize, acts: usize) {
    let mut desk = h.scripted(&format!("S{:05}", 2000 + n), &format!("W{n:02}"));
    shared.done(&mut desk, "open_shift", json!({ "last_printed": 1 })).expect("the shift opens");
    let list = |answer: Value, key: &str| answer[key].as_array().cloned().unwrap_or_default();
    let doctors = list(desk.must("list_schedules", json!({})), "schedules");
    let items: Vec<Value> = shared
        .site
        .items
        .iter()
        .flat_map(|code| list(desk.must("price_search", json!({ "text": code })), "items"))
        .collect();
    assert!(items.len() > 20, "{}", items.len());
    let mut charged: Vec<Value> = Vec::new();
    let mut visits: Vec<(Value, Value)> = Vec::new();
    for turn in 0..acts {
        match shared.dice(10) {
            0..4 => visits.extend(register(shared, &mut desk, &doctors, n, turn)),
            4..8 => {
                let Some((patient, visit)) = pick(shared, &visits) else { continue };
                // What a doctor ordered before the outage for somebody, first of all.
                let known = json!({ "patient": 1 + shared.dice(shared.site.known) });
                let waiting = list(desk.must("find_orders", known.clone()), "orders");
                let ask = if let Some(order) = waiting.first() {
                    json!({ "registration": order["registration"], "orders": [order["order"]], "payments": payment(shared, n, turn) })
                } else {
                    let chosen: Vec<Value> = (0..=shared.dice(3))
                        .map(|_| json!({ "code": items[shared.dice(items.len())]["code"], "quantity": 1 + shared.dice(3) }))
                        .collect();
                    json!({ "registration": visit, "items": chosen, "payments": payment(shared, n, turn), "tendered": "100000" })
                };
                // Another window may charge the order meanwhile; the items are this window's own.
                let told = match desk.ask("quote", &ask) {
                    Ok(told) => told,
                    Err(why) => {
                        assert!(why.contains("已收费") && ask["orders"].is_array(), "{why}");
                        continue;
                    }
                };
                let mut ask = ask;
                ask["expect"] = told["paid"].clone();
                if let Ok(answer) = shared.done(&mut desk, "charge", ask) {
                    assert_eq!(answer["paid"], told["paid"]);
                    charged.extend(list(answer, "charges").into_iter().map(|c| json!([c["charge"], patient])));
                }
            }
            8 => {
                let Some(place) = (!charged.is_empty()).then(|| shared.dice(charged.len())) else { continue };
                let charge = charged.swap_remove(place);
                let lines = if shared.dice(2) == 0 { json!([1]) } else { Value::Null };
                let ask = approved(json!({ "charge": charge[0], "lines": lines, "reason": "患者要求" }));
                shared.done(&mut desk, "refund", ask).expect("a charge of this window can be refunded");
            }
            _ => {
                let Some(place) = (!visits.is_empty()).then(|| shared.dice(visits.len())) else { continue };
                let (_, visit) = visits.swap_remove(place);
                // With orders it is refused, and that is right.
                let _ = shared.done(
                    &mut desk,
                    "cancel_registration",
                    approved(json!({ "registration": visit, "reason": "不看了" })),
                );
            }
        }
    }
    let drawer = desk.must("shift", json!({}));
    let closed = shared.done(&mut desk, "close_shift", json!({ "counted": drawer["cash"] })).expect("the shift closes");
    assert_eq!(closed["over"], "0.00");
    desk.end();
}

fn pick(shared: &Shared, visits: &[(Value, Value)]) -> Option<(Value, Value)> {
    (!visits.is_empty()).then(|| visits[shared.dice(visits.len())].clone())
}

/// Cash mostly; else a part by telephone with its number, and the rest in cash.
fn payment(shared: &Shared, n: usize, turn: usize) -> Value {
    match shared.dice(4) {
        0 => json!([{ "method": "WECHAT", "reference": format!("wx-{n}-{turn}") }]),
        1 if shared.site.splits => {
            json!([{ "method": "ALIPAY", "amount": "0.55", "reference": format!("ali-{n}-{turn}") }, { "method": "CASH" }])
        }
        _ => json!([{ "method": "CASH" }]),
    }
}

/// A patient, new or known, at a doctor who has a number left.
fn register(shared: &Shared, desk: &mut Desk, doctors: &[Value], n: usize, turn: usize) -> Option<(Value, Value)> {
    let patient = if shared.dice(2) == 0 {
        let phone = format!("100{n:04}{turn:04}");
        let entered = shared.done(
            desk,
            "new_patient",
            json!({ "name": "新患者", "sex": "2", "phone": phone, "initials": "XHZ" }),
        );
        let entered = entered.expect("a new patient can be entered");
        let found = desk.must("find_patient", json!({ "text": phone }));
        assert_eq!(found["patients"][0]["patient"], entered["patient"]);
        entered["patient"].clone()
    } else {
        json!(1 + shared.dice(shared.site.known))
    };
    for _ in 0..5 {
        let doctor = &doctors[shared.dice(doctors.len())];
        let ask = json!({ "patient": patient, "schedule": doctor["schedule"], "insured": "self_paid" });
        match shared.done(desk, "register", ask) {
            Ok(visit) => {
                assert!(visit["queue_no"].as_i64() > Some(500), "{visit}");
                return Some((patient, visit["registration"].clone()));
            }
            Err(why) if why.contains("已满") => shared.oversold.fetch_add(1, Ordering::Relaxed),
            Err(why) => {
                assert!(why.contains("已挂过"), "{why}");
                0
            }
        };
    }
    None
}

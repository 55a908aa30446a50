//! The paper tier: every number handed out ends as keyed, void or missing, and every slip counts once (P11).

mod forms;
mod import;
mod numbers;
mod planted;
mod real;
pub mod reference;

use crate::support::{Cluster, Workplace};

pub const PROGRAM: &str = "his-import-paper";

/// Slips of two kinds, one of which is filed only; no database is asked.
pub const FILED: &str = r#"
[[slip]]
kind = "charge"
prefix = "S"
title = { zh = "应急收费凭证", en = "Emergency charge slip" }
[[slip.column]]
field = "total"
header = { zh = "合计金额", en = "Total" }
type = "money"
required = true
[[slip]]
kind = "callback"
prefix = "H"
title = { zh = "结果电话回访登记表", en = "Call-back register" }
call_back = "called_at"
[[slip.column]]
field = "called_at"
header = { zh = "回访时间", en = "Called at" }
type = "datetime"
"#;

/// A workplace whose two servers are stopped.
pub fn without_servers(tables: &str) -> (Cluster, Cluster, Workplace) {
    let (primary, standby) = Cluster::pair();
    let work = Workplace::new(&primary, &standby, tables);
    primary.stop_immediate();
    standby.stop_immediate();
    (primary, standby, work)
}

//! Amounts of money in SQL: one expression, used on the standby, in the staging tables and on the primary alike.

/// `value` (an SQL expression of type `type_name`) as a numeric amount. What is no number counts 0: a text column may
/// hold anything, and one odd row must not stop a whole export; `his-snapshot check` names such columns.
#[must_use]
pub fn amount(type_name: &str, value: &str) -> String {
    match type_name {
        "money" | "smallint" | "integer" | "bigint" => format!("coalesce(({value})::numeric, 0)"),
        // NaN and the infinities are no numbers to count with.
        _ if is_numeric(type_name) => format!("CASE WHEN ({value}) - ({value}) = 0 THEN ({value})::numeric ELSE 0 END"),
        // Through text, so that a float counts as the shortest decimal that names it, not as its binary expansion.
        _ => format!(
            "CASE WHEN ({value})::text ~ '^ *[-+]?[0-9]+([.][0-9]*)?([eE][-+]?[0-9]+)? *$' THEN ({value})::text::numeric ELSE 0 END"
        ),
    }
}

fn is_numeric(type_name: &str) -> bool {
    type_name
        .strip_prefix("numeric")
        .is_some_and(|rest| rest.is_empty() || (rest.starts_with('(') && rest.ends_with(')')))
}

/// New minus old.
#[must_use]
pub fn difference(type_name: &str, old: &str, new: &str) -> String {
    format!("({} - {})", amount(type_name, new), amount(type_name, old))
}

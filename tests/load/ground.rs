//! Tables of random histories: of every kind of key, and what can be done to them.

use crate::support::random::Random;

/// What the tables stand on.
pub const BEFORE: &str = "
CREATE EXTENSION citext; CREATE SCHEMA h;
CREATE TYPE h.sex AS ENUM ('男', '女', '未知');
CREATE DOMAIN h.code AS int CHECK (VALUE <> 13);
CREATE DOMAIN h.name AS text COLLATE \"C\" CHECK (VALUE <> '');
CREATE COLLATION h.nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE h.clock (id int PRIMARY KEY, t int); INSERT INTO h.clock VALUES (1, 0);";

/// Columns that every table has.
const PAYLOAD: &str =
    "v text, big text, n int, j json, a int[], e h.sex, photo bytea, g text GENERATED ALWAYS AS (upper(v)) STORED";

/// A kind of key: its name, its columns, what they are called, their values for a number `{k}` and anything `{n}`, and what
/// comes after the columns.
#[derive(Debug)]
struct Key {
    name: &'static str,
    columns: &'static str,
    names: &'static str,
    values: &'static str,
    constraint: &'static str,
    after: &'static str,
}

const fn key(name: &'static str, columns: &'static str, values: &'static str) -> Key {
    Key { name, columns, names: "id", values, constraint: "PRIMARY KEY (id)", after: "" }
}

const KEYS: [Key; 26] = [
    key("int", "id int", "{k}"),
    key("negative", "id bigint", "{k} * (CASE WHEN {k} % 2 = 0 THEN 1 ELSE -1 END)"),
    key("far", "id bigint", "{k}::bigint * 100000000000 - 9000000000000000000"),
    key("identity", "id bigint GENERATED ALWAYS AS IDENTITY", "{k}"),
    key("small", "id smallint", "{k}"),
    key("domain", "id h.code", "{k}"),
    key("uuid", "id uuid", "md5({k}::text)::uuid"),
    key("text", "id text COLLATE \"zh-x-icu\"", "'键\\x1f,\"' || {k}"),
    key("nocase", "id text COLLATE h.nocase", "(CASE WHEN {n} % 2 = 0 THEN 'KEY' ELSE 'key' END) || {k}"),
    key("named", "id h.name", "'k' || {k}"),
    key("citext", "id citext", "((CASE WHEN {n} % 2 = 0 THEN 'KEY' ELSE 'key' END) || {k})::citext"),
    key("numeric", "id numeric", "CASE WHEN {n} % 2 = 0 THEN {k} + 0.5 ELSE ({k} + 0.5)::numeric(20,4) END"),
    key(
        "float",
        "id float8",
        "CASE {k} WHEN 1 THEN float8 'NaN' WHEN 2 THEN (CASE WHEN {n} % 2 = 0 THEN float8 '-0' ELSE 0 END) ELSE {k} / 3.0::float8 END",
    ),
    key("time", "id timestamptz", "timestamptz '2026-01-01 00:00:00.000001+08' + {k} * interval '1 hour'"),
    key("span", "id interval", "CASE WHEN {n} % 2 = 0 THEN {k} * interval '1 day' ELSE {k} * interval '24 hours' END"),
    key("bytes", "id bytea", "('\\x00' || lpad(to_hex({k}), 4, '0'))::bytea"),
    key("array", "id int[]", "ARRAY[{k}, NULL, 2]"),
    key("padded", "id char(5)", "'c' || {k}"),
    Key {
        names: "id, day",
        constraint: "PRIMARY KEY (id, day)",
        ..key("pair", "id int, day date", "{k} % 10, date '2026-01-01' + {k}")
    },
    Key {
        names: "id, s",
        constraint: "PRIMARY KEY (s, id)",
        ..key("pair_of_texts", "id text, s h.sex", "'x' || {k}, (CASE WHEN {k} % 2 = 0 THEN '男' ELSE '女' END)::h.sex")
    },
    Key {
        names: "id, u",
        constraint: "PRIMARY KEY (u), UNIQUE (id)",
        ..key("two_keys", "id int NOT NULL, u uuid", "{k}, md5({k}::text || {n})::uuid")
    },
    Key { constraint: "", ..key("keyless", "id int", "{k}") },
    Key {
        names: "id, part",
        constraint: "PRIMARY KEY (id, part)",
        after: "PARTITION BY LIST (part)",
        ..key("moving", "id int, part int", "{k}, ({k} + {n}) % 3")
    },
    Key { after: "PARTITION BY HASH (id)", ..key("hashed", "id int", "{k}") },
    Key { after: "PARTITION BY RANGE (id)", ..key("ranged", "id date", "date '2026-01-01' + {k}") },
    key("inherited", "id int", "{k}"),
];

/// A row filter, on the number in the row, on another table and on the clock.
const FILTERS: [&str; 3] = [
    "n % 4 <> 1",
    "n % 50 + 5 >= (SELECT t FROM h.clock)",
    "timestamptz '2000-01-01' + (n % 7) * interval '1 s' + (SELECT t FROM h.clock) * interval '1 s' <= now()",
];
/// Of rows whose time is just passing.
const PASSING: &str = "at > now() - interval '1 hour'";

/// One table.
#[derive(Debug, Clone)]
pub struct Table {
    /// As SQL and the profile write it.
    pub name: String,
    key: &'static Key,
    filter: Option<&'static str>,
    omit: bool,
    capture: bool,
}

/// Some tables, of different keys.
pub fn tables(random: &mut Random, count: usize) -> Vec<Table> {
    let mut keys: Vec<&'static Key> = KEYS.iter().collect();
    let mut tables: Vec<Table> = Vec::new();
    while tables.len() < count {
        let key = keys.swap_remove(random.below(keys.len()));
        let filter = match random.below(10) {
            0..3 => Some(FILTERS[random.below(FILTERS.len())]),
            3 => Some(PASSING),
            _ => None,
        };
        let capture = !key.constraint.is_empty() && random.percent(50);
        tables.push(Table { name: format!("h.{}", key.name), key, filter, omit: random.percent(30), capture });
    }
    tables
}

impl Table {
    pub fn create(&self) -> String {
        let Key { name, columns, constraint, after, .. } = self.key;
        let constraint = if constraint.is_empty() { String::new() } else { format!(", {constraint}") };
        let table =
            format!("CREATE TABLE {} ({columns}, {PAYLOAD}, at timestamptz, w text{constraint}) {after}", self.name);
        let below = match *name {
            "moving" => {
                "CREATE TABLE h.moving0 PARTITION OF h.moving FOR VALUES IN (0); CREATE TABLE h.moving1 PARTITION OF h.moving FOR VALUES IN (1); CREATE TABLE h.moving_rest PARTITION OF h.moving DEFAULT"
            }
            "hashed" => {
                "CREATE TABLE h.hashed0 PARTITION OF h.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE h.hashed1 PARTITION OF h.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1)"
            }
            "ranged" => {
                "CREATE TABLE h.ranged0 PARTITION OF h.ranged FOR VALUES FROM (MINVALUE) TO ('2026-01-20'); CREATE TABLE h.ranged1 PARTITION OF h.ranged FOR VALUES FROM ('2026-01-20') TO (MAXVALUE) PARTITION BY LIST (id); CREATE TABLE h.ranged2 PARTITION OF h.ranged1 DEFAULT"
            }
            "inherited" => {
                "CREATE TABLE h.heir (PRIMARY KEY (id)) INHERITS (h.inherited); INSERT INTO h.heir (id, v) SELECT g, 'heir' FROM generate_series(1, 60) g"
            }
            _ => "",
        };
        format!("{table}; {below}")
    }

    pub fn toml(&self) -> String {
        let mut toml = String::new();
        if self.key.name == "inherited" {
            toml += "[[table]]\nname = \"h.heir\"\n";
        }
        toml += &format!("[[table]]\nname = \"{}\"\ncapture = {}\n", self.name, self.capture);
        if let Some(filter) = self.filter {
            toml += &format!("where = \"{filter}\"\n");
        }
        if self.omit {
            toml += "omit = [\"photo\"]\n";
        }
        toml
    }

    /// The query of its rows: on the primary what the filter lets through at some time, on the standby all.
    pub fn rows(&self, columns: &str, now: Option<&str>) -> String {
        let columns = columns.split_once(' ').map_or(columns, |(_, rest)| rest);
        let filter = match (self.filter, now) {
            (Some(filter), Some(now)) => filter.replace("now()", &format!("timestamptz '{now}'")),
            _ => "true".to_owned(),
        };
        let heirs = if self.key.name == "inherited" {
            // Not by the parent's filter; `false` on the one side and on the other, unless a delta took them.
            " UNION ALL SELECT ROW(id, v)::text FROM h.heir"
        } else {
            ""
        };
        format!("SELECT ROW({columns})::text FROM {}{} WHERE ({filter}){heirs}", self.only(), self.name)
    }

    /// What inherits from a table is left alone; partitions are the table.
    pub fn only(&self) -> &'static str {
        if self.key.after.is_empty() { "ONLY " } else { "" }
    }

    fn values(&self, k: &str, n: &str) -> String {
        self.key.values.replace("{k}", k).replace("{n}", n)
    }

    fn payload(n: &str) -> String {
        format!(
            "CASE {n} % 5 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE E'v\\n\"' || {n} END, CASE WHEN {n} % 3 = 0 THEN (SELECT string_agg(md5(i::text || {n}), '') FROM generate_series(1, 120) i) END, {n}, ('{{\"a\":  ' || {n} || '}}')::json, ARRAY[{n}, NULL], '未知'::h.sex, '\\x01'::bytea, now() - interval '1 hour' + ({n} % 4) * interval '2 s', 'w' || {n}"
        )
    }

    /// Rows of these numbers; what is there already stays.
    pub fn insert_many(&self, first: usize, last: usize, n: usize) -> String {
        let (name, names) = (&self.name, self.key.names);
        let n = format!("({n} + g)");
        format!(
            "INSERT INTO {name} ({names}, v, big, n, j, a, e, photo, at, w) OVERRIDING SYSTEM VALUE SELECT {}, {} FROM generate_series({first}, {last}) g WHERE g <> 13 ON CONFLICT DO NOTHING",
            self.values("g", &n),
            Self::payload(&n)
        )
    }

    /// Rows with this number.
    fn with(&self, k: usize, n: usize) -> String {
        let k = if k == 13 { 14 } else { k };
        format!("({}) = ({})", self.key.names, self.values(&k.to_string(), &n.to_string()))
    }

    /// Anything that may happen to its rows.
    pub fn statement(&self, random: &mut Random, n: usize) -> String {
        let name = &self.name;
        let (k, other) = (1 + random.below(70), 1 + random.below(70));
        // Keys of some tables have `n` in them too, and one in two fits.
        let one = self.with(k, n);
        let some = format!("n % 11 = {}", random.below(11));
        let what = if random.percent(50) { &one } else { &some };
        match random.below(16) {
            0 => self.insert_many(k, k, n),
            1 => self.insert_many(k, k + random.below(20), n),
            2 | 3 => format!("UPDATE {name} SET v = 'u{n}', n = n + {} WHERE {what}", random.below(3)),
            4 => format!("UPDATE {name} SET v = v WHERE {what}"),
            5 => format!(
                "UPDATE {name} SET big = repeat('{n}', 3000), at = now() - interval '1 hour' + interval '1 s' WHERE {what}"
            ),
            6 => format!("DELETE FROM {name} WHERE {what}"),
            7 => format!("DELETE FROM {name} WHERE {one}; {}", self.insert_many(k, k, n)),
            8 | 9 => {
                let other = if other == 13 { 14 } else { other };
                let to = self.values(&other.to_string(), &(n + 1).to_string());
                format!("UPDATE {name} SET ({}) = ROW({to}) WHERE {one}", self.key.names)
            }
            // The same key, as a value that is equal and looks different.
            10 => {
                let to = self.values(&k.min(12).to_string(), &(n + 1).to_string());
                format!("UPDATE {name} SET ({}) = ROW({to}) WHERE {}", self.key.names, self.with(k.min(12), n))
            }
            11 => format!("SELECT FROM {name} WHERE {what} FOR {}", ["UPDATE", "SHARE", "KEY SHARE"][random.below(3)]),
            12 if random.percent(30) => format!("TRUNCATE {name}; {}", self.insert_many(1, 20, n)),
            13 if random.percent(20) => format!("TRUNCATE {name}"),
            14 if random.percent(20) => format!("DELETE FROM {name}"),
            _ => format!(
                "UPDATE {name} SET e = '女', a = ARRAY[{n}] WHERE {what}; UPDATE {name} SET v = NULL WHERE {what}"
            ),
        }
    }
}

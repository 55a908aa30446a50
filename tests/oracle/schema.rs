//! The tables of the histories, described once: as DDL and as a profile for the programs, and as data for the model of
//! a server and for the oracle.

use std::env;
use std::fmt::Write;
use std::sync::LazyLock;

/// What a column holds, and so how a value that belongs to one case is told from those of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A key: each case has a range of its own.
    Id,
    /// A unique text: it names its case.
    Code,
    Int,
    Word,
    Cents,
}

#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub null: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    Refuse,
    Cascade,
    SetNull,
}

/// A foreign key of one column to the one key column of another table.
#[derive(Debug)]
pub struct Reference {
    pub column: usize,
    pub to: usize,
    pub on_delete: OnDelete,
    pub deferred: bool,
    to_name: &'static str,
}

/// What a table may have to bring in [`Table::counter`] and its like: positions of columns.
#[derive(Debug, Default)]
pub struct Table {
    pub name: &'static str,
    /// Tables of one group refer to each other; a history works on a group or two.
    pub group: usize,
    pub columns: Vec<Column>,
    pub key: Vec<usize>,
    pub uniques: Vec<Vec<usize>>,
    pub references: Vec<Reference>,
    pub counter: Vec<usize>,
    pub ignore: Vec<usize>,
    pub number: Vec<usize>,
    pub money: Vec<usize>,
    pub same_as: Vec<usize>,
    pub once: Vec<usize>,
    /// Column of a reference, and columns of the row it references.
    pub guard: Vec<(usize, Vec<usize>)>,
    /// Column of the reference to the document's header.
    pub part_of: Option<usize>,
    /// Never below 0, on both sides.
    pub not_negative: Option<usize>,
    /// The primary, and only it, refuses [`REFUSED`] here.
    pub refuses: Option<usize>,
}

#[derive(Debug)]
pub struct Schema {
    pub tables: Vec<Table>,
    pub groups: usize,
}

/// The texts that histories write, awkward ones among them.
pub const WORDS: [&str; 8] = ["amber", "birch", "cedar", "delta", "", "a,\"b'\\", "line\nbreak", "急诊"];
/// A text that a check of the primary refuses.
pub const REFUSED: usize = WORDS.len();

/// The text of a word by its number.
pub fn word(number: usize) -> &'static str {
    WORDS.get(number).copied().unwrap_or("refused")
}

/// What histories do and profiles say; `HIS_WITHOUT=twin,guard` leaves some out.
pub fn with(feature: &str) -> bool {
    static WITHOUT: LazyLock<Vec<String>> = LazyLock::new(|| {
        let text = env::var("HIS_WITHOUT").unwrap_or_default();
        let named: Vec<String> = text.split(',').map(str::to_owned).filter(|f| !f.is_empty()).collect();
        for feature in &named {
            assert!(FEATURES.contains(&feature.as_str()), "HIS_WITHOUT names '{feature}' (expected {FEATURES:?})");
        }
        named
    });
    debug_assert!(FEATURES.contains(&feature), "{feature}");
    !WITHOUT.iter().any(|w| w == feature)
}

const FEATURES: [&str; 15] = [
    "twin",
    "once",
    "guard",
    "documents",
    "batches",
    "checks",
    "key-changes",
    "cascades",
    "deferred",
    "swaps",
    "ignore",
    "numbers",
    "undone",
    "no-change",
    "already",
];

pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let tables = [chain(), own(), ring(), cascade(), counters(), clinic()];
    let groups = tables.len();
    let mut tables: Vec<Table> =
        (0..).zip(tables).flat_map(|(group, tables)| tables.into_iter().map(move |t| Table { group, ..t })).collect();
    let names: Vec<&str> = tables.iter().map(|t| t.name).collect();
    for reference in tables.iter_mut().flat_map(|t| &mut t.references) {
        reference.to = names.iter().position(|n| *n == reference.to_name).expect("the table is described");
    }
    Schema { tables, groups }
});

/// A number of a table by its name.
pub fn table(name: &str) -> usize {
    SCHEMA.tables.iter().position(|t| t.name == name).expect("the table is described")
}

fn chain() -> Vec<Table> {
    let region = named("region").id().code("code").word("name").word("note").refuses("note");
    let branch = named("branch").id().to("region_id", "region").code("code").word("name").word("note");
    let leaf = named("leaf").id().may("branch_id", "branch").int("no").word("word").unique(&["branch_id", "no"]);
    vec![region, branch, leaf]
}

fn own() -> Vec<Table> {
    vec![named("node").id().may("up", "node").word("name").code("rank")]
}

fn ring() -> Vec<Table> {
    if !with("deferred") {
        return Vec::new();
    }
    vec![
        named("ring_a").id().may("b_id", "ring_b").deferred().word("word"),
        named("ring_b").id().to("a_id", "ring_a").deferred().word("word"),
    ]
}

fn cascade() -> Vec<Table> {
    if !with("cascades") {
        return Vec::new();
    }
    vec![
        named("stem").id().word("word").word("note"),
        named("twig").id().to("stem_id", "stem").on_delete(OnDelete::Cascade).word("word"),
        named("bud").id().to("twig_id", "twig").on_delete(OnDelete::Cascade).word("word"),
        named("memo").id().may("stem_id", "stem").on_delete(OnDelete::SetNull).word("word"),
    ]
}

fn counters() -> Vec<Table> {
    let mut schedule = named("schedule").id().int("slots_left").word("note");
    schedule.counter = vec![1];
    if with("ignore") {
        schedule = schedule.word("seen");
        schedule.ignore = vec![schedule.at("seen")];
    }
    if with("numbers") {
        schedule = schedule.int("current_no");
        schedule.number = vec![schedule.at("current_no")];
    }
    let mut stock = named("stock").id().may("schedule_id", "schedule").int("amount").word("note");
    stock.counter = vec![2];
    stock.not_negative = with("checks").then_some(2);
    vec![schedule, stock]
}

fn clinic() -> Vec<Table> {
    let patient = named("patient").id().code("id_no").word("name");
    let mut visit = named("visit").id().to("patient_id", "patient").int("day").int("dept").cents("fee").word("status");
    if with("twin") {
        visit.same_as = vec![1, 2, 3];
    }
    let mut charge =
        named("charge").id().may("visit_id", "visit").cents("total").may("refund_of", "charge").word("note");
    charge = charge.code("receipt_no");
    if with("once") {
        charge.once = vec![3];
    }
    if with("guard") {
        charge.guard = vec![(1, vec![visit.at("status")])];
    }
    let mut line = named("line").id().to("charge_id", "charge").cents("amount").word("word");
    let mut payment = named("payment").to("charge_id", "charge").int("no").cents("amount");
    payment.key = vec![0, 1];
    if with("documents") {
        line.part_of = Some(1);
        payment.part_of = Some(0);
    }
    vec![patient, visit, charge, line, payment]
}

fn named(name: &'static str) -> Table {
    Table { name, ..Table::default() }
}

impl Table {
    /// A column by its name.
    pub fn at(&self, name: &str) -> usize {
        self.columns.iter().position(|c| c.name == name).expect("the column is described")
    }

    /// Merged neither as a difference nor not at all, and compared.
    pub fn guarded(&self, column: usize) -> bool {
        ![&self.counter, &self.ignore, &self.number].iter().any(|list| list.contains(&column))
    }

    pub fn reference(&self, column: usize) -> Option<&Reference> {
        self.references.iter().find(|r| r.column == column)
    }

    fn column(mut self, name: &'static str, kind: Kind, null: bool) -> Self {
        self.columns.push(Column { name, kind, null });
        self
    }

    fn id(mut self) -> Self {
        self.key = vec![0];
        self.column("id", Kind::Id, false)
    }

    fn code(mut self, name: &'static str) -> Self {
        self.uniques.push(vec![self.columns.len()]);
        self.column(name, Kind::Code, true)
    }

    fn word(self, name: &'static str) -> Self {
        self.column(name, Kind::Word, true)
    }

    fn int(self, name: &'static str) -> Self {
        self.column(name, Kind::Int, false)
    }

    fn cents(mut self, name: &'static str) -> Self {
        self.money.push(self.columns.len());
        self.column(name, Kind::Cents, false)
    }

    fn to(mut self, name: &'static str, to_name: &'static str) -> Self {
        let column = self.columns.len();
        self.references.push(Reference { column, to: 0, on_delete: OnDelete::Refuse, deferred: false, to_name });
        self.column(name, Kind::Id, false)
    }

    fn may(self, name: &'static str, to: &'static str) -> Self {
        let mut table = self.to(name, to);
        table.columns.last_mut().expect("one was just added").null = true;
        table
    }

    fn deferred(mut self) -> Self {
        self.references.last_mut().expect("it follows a reference").deferred = true;
        self
    }

    fn on_delete(mut self, what: OnDelete) -> Self {
        self.references.last_mut().expect("it follows a reference").on_delete = what;
        self
    }

    fn unique(mut self, columns: &[&str]) -> Self {
        self.uniques.push(columns.iter().map(|c| self.at(c)).collect());
        self
    }

    fn refuses(mut self, column: &str) -> Self {
        self.refuses = with("checks").then(|| self.at(column));
        self
    }

    fn names(&self, columns: &[usize]) -> Vec<&'static str> {
        columns.iter().map(|c| self.columns[*c].name).collect()
    }
}

impl Schema {
    /// What makes the tables, on both sides.
    pub fn ddl(&self) -> String {
        let mut sql = "CREATE SCHEMA o;\n".to_owned();
        for table in &self.tables {
            let columns = table.columns.iter().map(|c| {
                let kind = match c.kind {
                    Kind::Id => "bigint",
                    Kind::Code | Kind::Word => "text",
                    Kind::Int => "integer",
                    Kind::Cents => "numeric(12,2)",
                };
                format!("{} {kind}{}", c.name, if c.null { "" } else { " NOT NULL" })
            });
            let key = std::iter::once(format!("PRIMARY KEY ({})", table.names(&table.key).join(", ")));
            let uniques = table.uniques.iter().map(|u| format!("UNIQUE ({})", table.names(u).join(", ")));
            let check = table.not_negative.map(|c| format!("CHECK ({} >= 0)", table.columns[c].name));
            let all: Vec<String> = columns.chain(key).chain(uniques).chain(check).collect();
            let _ = writeln!(sql, "CREATE TABLE o.{} ({});", table.name, all.join(", "));
        }
        for table in &self.tables {
            for reference in &table.references {
                let then = match reference.on_delete {
                    OnDelete::Refuse => "",
                    OnDelete::Cascade => " ON DELETE CASCADE",
                    OnDelete::SetNull => " ON DELETE SET NULL",
                };
                let (name, column) = (table.name, table.columns[reference.column].name);
                let deferred = if reference.deferred { " DEFERRABLE INITIALLY DEFERRED" } else { "" };
                let _ = writeln!(
                    sql,
                    "ALTER TABLE o.{name} ADD FOREIGN KEY ({column}) REFERENCES o.{}{then}{deferred};",
                    reference.to_name
                );
            }
        }
        sql
    }

    /// What only the primary has: checks that came after the snapshot.
    pub fn ddl_of_the_primary(&self) -> String {
        let check = |table: &Table| {
            let column = table.columns[table.refuses?].name;
            Some(format!("ALTER TABLE o.{} ADD CHECK ({column} <> '{}') NOT VALID;\n", table.name, word(REFUSED)))
        };
        self.tables.iter().filter_map(check).collect()
    }

    /// The part of `his.toml` about the tables.
    pub fn profile(&self) -> String {
        let mut toml = String::new();
        for table in &self.tables {
            let _ = writeln!(toml, "[[table]]\nname = \"o.{}\"\ncapture = true", table.name);
            let lists = [
                ("money", &table.money),
                ("counter", &table.counter),
                ("ignore", &table.ignore),
                ("same_as", &table.same_as),
                ("once", &table.once),
            ];
            for (name, columns) in lists.iter().filter(|(_, columns)| !columns.is_empty()) {
                let _ = writeln!(toml, "{name} = {:?}", table.names(columns));
            }
            for (column, of) in &table.guard {
                let to = &self.tables[table.reference(*column).expect("a guard goes through a reference").to];
                let _ = writeln!(toml, "guard = {{ {} = {:?} }}", table.columns[*column].name, to.names(of));
            }
            if let Some(reference) = table.part_of.and_then(|column| table.reference(column)) {
                let _ = writeln!(toml, "part_of = \"o.{}\"", reference.to_name);
            }
        }
        for table in &self.tables {
            for column in table.names(&table.number) {
                let _ = writeln!(toml, "[[numbers]]\ncolumn = \"o.{}.{column}\"\njump = 500", table.name);
            }
        }
        toml
    }
}

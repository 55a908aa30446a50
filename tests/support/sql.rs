//! Talking to a server: connection strings, `psql`, and answers as text.

use std::path::Path;

use his_emergency::db::{Client, Failed};
use tokio_postgres::SimpleQueryMessage;

use super::cluster::Cluster;
use super::program::{Program, Ran};

impl Cluster {
    /// The URL of a database for the superuser.
    pub fn url(&self, db: &str) -> String {
        self.url_as("postgres", db)
    }

    /// The URL of a database for a role.
    pub fn url_as(&self, role: &str, db: &str) -> String {
        url(&self.socket_dir().to_string_lossy(), self.port(), role, db)
    }

    /// The connection string of a database in libpq's other form, for the superuser.
    pub fn libpq(&self, db: &str) -> String {
        let word = |text: &str| format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"));
        format!("host={} port={} user=postgres dbname={}", self.socket_dir().display(), self.port(), word(db))
    }

    /// A connection as superuser.
    pub fn client(&self, db: &str) -> Client {
        self.client_as("postgres", db)
    }

    /// A connection as a role.
    pub fn client_as(&self, role: &str, db: &str) -> Client {
        self.connect(role, db)
            .unwrap_or_else(|e| panic!("no connection to '{db}' of the {}: {e:?}", self.kind().name()))
    }

    /// A connection as a role, or why there is none.
    pub fn connect(&self, role: &str, db: &str) -> Result<Client, tokio_postgres::Error> {
        match Client::plain(&self.url_as(role, db)) {
            Ok(client) => Ok(client),
            Err(Failed::Driver(e)) => Err(e),
            Err(Failed::Runtime(e)) => panic!("no session: {e}"),
        }
    }

    /// Runs a script in `psql` as superuser and gives what it prints; panics with its errors.
    #[track_caller]
    pub fn psql(&self, db: &str, sql: &str) -> String {
        match self.try_psql(db, sql) {
            Ok(printed) => printed,
            Err(said) => panic!("psql on '{db}' of the {} failed: {said}\n--- script\n{sql}", self.kind().name()),
        }
    }

    /// Runs a script in `psql` as superuser and gives what it prints, or its errors.
    pub fn try_psql(&self, db: &str, sql: &str) -> Result<String, String> {
        let ran = Program::psql(&self.url(db)).stdin(sql).run();
        if ran.code == 0 { Ok(ran.stdout.trim_end_matches('\n').to_owned()) } else { Err(ran.stderr) }
    }

    /// Runs a file in `psql` as superuser; panics with its errors.
    #[track_caller]
    pub fn psql_file(&self, db: &str, file: &Path) -> Ran {
        let file = file.canonicalize().unwrap_or_else(|e| panic!("cannot find {}: {e}", file.display()));
        let dir = file.parent().expect("a file lies in a directory");
        Program::psql(&self.url(db)).dir(dir).args([Path::new("-f"), &file]).run().expect(0)
    }

    /// Creates an empty database.
    pub fn create_database(&self, db: &str) {
        self.execute("postgres", &format!("CREATE DATABASE {}", quoted(db)));
    }

    /// Runs statements as superuser on a connection of their own.
    #[track_caller]
    pub fn execute(&self, db: &str, sql: &str) {
        if let Err(e) = self.client(db).batch_execute(sql) {
            panic!("on '{db}' of the {}: {e:?}\n--- script\n{sql}", self.kind().name());
        }
    }

    /// The rows of a query as text, columns joined by `|`, NULL as nothing, in the manner of `psql -At`.
    #[track_caller]
    pub fn rows(&self, db: &str, sql: &str) -> Vec<String> {
        match self.client(db).simple_query(sql) {
            Ok(messages) => text_rows(&messages),
            Err(e) => panic!("on '{db}' of the {}: {e:?}\n--- query\n{sql}", self.kind().name()),
        }
    }

    /// The one value of a query as text.
    #[track_caller]
    pub fn value(&self, db: &str, sql: &str) -> String {
        let mut rows = self.rows(db, sql);
        assert_eq!(rows.len(), 1, "one row is expected of: {sql}");
        rows.remove(0)
    }
}

/// A URL for a socket directory (or host), a port, a role and a database.
pub fn url(host: &str, port: u16, role: &str, db: &str) -> String {
    format!("postgresql://{}@/{}?host={}&port={port}", percent(role), percent(db), percent(host))
}

/// An identifier in double quotes.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The rows of an answer as text, columns joined by `|`.
pub fn text_rows(messages: &[SimpleQueryMessage]) -> Vec<String> {
    let row = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            let columns: Vec<&str> = (0..row.len()).map(|i| row.get(i).unwrap_or_default()).collect();
            Some(columns.join("|"))
        }
        _ => None,
    };
    messages.iter().filter_map(row).collect()
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}

//! Sessions for code that waits: a thin cover over the asynchronous driver.
//!
//! The driver's own cover (the crate `postgres`) enters its runtime for every row of a COPY, which costs more than all that
//! is done with the row; here a COPY is read in blocks of many rows.

use super::copy::{CopyIn, CopyOut};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, Error, IsolationLevel, NoTls, Row, SimpleQueryMessage, Socket, ToStatement};

type Driven = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// The line under a session. Nothing moves on it but while somebody waits in [`Wire::wait`].
pub(super) struct Wire {
    runtime: Runtime,
    /// `None` when it has ended.
    line: Option<Driven>,
}

impl Wire {
    /// Waits for `work`, moving bytes meanwhile. An error of the line itself tells more than what it does to the work.
    pub(super) fn wait<T>(&mut self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let (mut work, line) = (pin!(work), &mut self.line);
        self.runtime.block_on(poll_fn(|cx| {
            if let Some(going) = line
                && let Poll::Ready(ended) = going.as_mut().poll(cx)
            {
                *line = None;
                if let Err(e) = ended {
                    return Poll::Ready(Err(e));
                }
            }
            work.as_mut().poll(cx)
        }))
    }

    /// Waits until the server has been told that the session ends.
    fn end(&mut self) {
        if let Some(line) = self.line.take() {
            let _ = self.runtime.block_on(line);
        }
    }
}

/// A session. Dropping it ends it.
pub struct Client {
    wire: Wire,
    /// `None` only while it is dropped.
    client: Option<tokio_postgres::Client>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The line ends by itself once nobody can ask for anything.
        self.client = None;
        self.wire.end();
    }
}

/// Why there is no session.
#[derive(Debug)]
pub enum Failed {
    /// What the server or the way to it said.
    Driver(Error),
    /// This machine has no room for it.
    Runtime(io::Error),
}

/// Opens a session.
pub(super) fn connect<T>(config: &Config, tls: T) -> Result<Client, Failed>
where
    T: MakeTlsConnect<Socket> + 'static + Send,
    T::TlsConnect: Send,
    T::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Failed::Runtime)?;
    let (client, connection) = runtime.block_on(config.connect(tls)).map_err(Failed::Driver)?;
    Ok(Client { wire: Wire { runtime, line: Some(Box::pin(connection)) }, client: Some(client) })
}

/// The statements that a session and a transaction both take.
macro_rules! statements {
    () => {
        pub fn execute<T: ?Sized + ToStatement>(
            &mut self,
            query: &T,
            parameters: &[&(dyn ToSql + Sync)],
        ) -> Result<u64, Error> {
            let (wire, driver) = self.parts();
            wire.wait(driver.execute(query, parameters))
        }

        pub fn query<T: ?Sized + ToStatement>(
            &mut self,
            query: &T,
            parameters: &[&(dyn ToSql + Sync)],
        ) -> Result<Vec<Row>, Error> {
            let (wire, driver) = self.parts();
            wire.wait(driver.query(query, parameters))
        }

        pub fn query_one<T: ?Sized + ToStatement>(
            &mut self,
            query: &T,
            parameters: &[&(dyn ToSql + Sync)],
        ) -> Result<Row, Error> {
            let (wire, driver) = self.parts();
            wire.wait(driver.query_one(query, parameters))
        }

        pub fn query_opt<T: ?Sized + ToStatement>(
            &mut self,
            query: &T,
            parameters: &[&(dyn ToSql + Sync)],
        ) -> Result<Option<Row>, Error> {
            let (wire, driver) = self.parts();
            wire.wait(driver.query_opt(query, parameters))
        }

        pub fn prepare(&mut self, query: &str) -> Result<tokio_postgres::Statement, Error> {
            let (wire, driver) = self.parts();
            wire.wait(driver.prepare(query))
        }

        pub fn simple_query(&mut self, query: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
            let (wire, driver) = self.parts();
            wire.wait(driver.simple_query(query))
        }

        pub fn batch_execute(&mut self, query: &str) -> Result<(), Error> {
            let (wire, driver) = self.parts();
            wire.wait(driver.batch_execute(query))
        }

        /// Rows from the server, as a COPY sends them.
        pub fn copy_out<T: ?Sized + ToStatement>(&mut self, query: &T) -> Result<CopyOut<'_>, Error> {
            let (wire, driver) = self.parts();
            let stream = wire.wait(driver.copy_out(query))?;
            Ok(CopyOut::new(wire, stream))
        }

        /// Rows to the server, as a COPY takes them.
        pub fn copy_in<T: ?Sized + ToStatement>(&mut self, query: &T) -> Result<CopyIn<'_>, Error> {
            let (wire, driver) = self.parts();
            let sink = wire.wait(driver.copy_in(query))?;
            Ok(CopyIn::new(wire, sink))
        }
    };
}

impl Client {
    statements!();

    /// A session as any client opens it: of a URL, without TLS, with no settings of ours.
    pub fn plain(url: &str) -> Result<Client, Failed> {
        connect(&url.parse().map_err(Failed::Driver)?, NoTls)
    }

    fn parts(&mut self) -> (&mut Wire, &tokio_postgres::Client) {
        let (wire, client) = self.split();
        (wire, client)
    }

    fn split(&mut self) -> (&mut Wire, &mut tokio_postgres::Client) {
        match &mut self.client {
            Some(client) => (&mut self.wire, client),
            None => unreachable!("a session is used after its end"),
        }
    }

    pub fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        let (wire, client) = self.split();
        let transaction = wire.wait(client.transaction())?;
        Ok(Transaction { wire, transaction: Some(transaction) })
    }

    pub fn build_transaction(&mut self) -> TransactionBuilder<'_> {
        let (wire, client) = self.split();
        TransactionBuilder { wire, builder: client.build_transaction() }
    }

    /// True when the session is known to have ended.
    pub fn is_closed(&self) -> bool {
        self.client.as_ref().is_none_or(tokio_postgres::Client::is_closed)
    }
}

/// A transaction that is yet to begin.
pub struct TransactionBuilder<'a> {
    wire: &'a mut Wire,
    builder: tokio_postgres::TransactionBuilder<'a>,
}

impl<'a> TransactionBuilder<'a> {
    #[must_use]
    pub fn isolation_level(mut self, level: IsolationLevel) -> Self {
        self.builder = self.builder.isolation_level(level);
        self
    }

    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.builder = self.builder.read_only(read_only);
        self
    }

    pub fn start(self) -> Result<Transaction<'a>, Error> {
        let transaction = self.wire.wait(self.builder.start())?;
        Ok(Transaction { wire: self.wire, transaction: Some(transaction) })
    }
}

/// A transaction, or a savepoint in one. What is not committed is rolled back, at the latest when it is dropped.
pub struct Transaction<'a> {
    wire: &'a mut Wire,
    /// `None` when it has ended.
    transaction: Option<tokio_postgres::Transaction<'a>>,
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            let _ = self.wire.wait(transaction.rollback());
        }
    }
}

impl<'a> Transaction<'a> {
    statements!();

    fn parts(&mut self) -> (&mut Wire, &tokio_postgres::Transaction<'a>) {
        match &self.transaction {
            Some(transaction) => (self.wire, transaction),
            None => unreachable!("a transaction is used after its end"),
        }
    }

    pub fn commit(mut self) -> Result<(), Error> {
        match self.transaction.take() {
            Some(transaction) => self.wire.wait(transaction.commit()),
            None => Ok(()),
        }
    }

    pub fn rollback(mut self) -> Result<(), Error> {
        match self.transaction.take() {
            Some(transaction) => self.wire.wait(transaction.rollback()),
            None => Ok(()),
        }
    }

    /// A savepoint.
    pub fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        match &mut self.transaction {
            Some(transaction) => {
                let inner = self.wire.wait(transaction.transaction())?;
                Ok(Transaction { wire: self.wire, transaction: Some(inner) })
            }
            None => unreachable!("a transaction is used after its end"),
        }
    }

    pub fn savepoint(&mut self, name: &str) -> Result<Transaction<'_>, Error> {
        match &mut self.transaction {
            Some(transaction) => {
                let inner = self.wire.wait(transaction.savepoint(name))?;
                Ok(Transaction { wire: self.wire, transaction: Some(inner) })
            }
            None => unreachable!("a transaction is used after its end"),
        }
    }
}

/// A session or a transaction.
pub trait GenericClient {
    fn execute<T: ?Sized + ToStatement>(&mut self, query: &T, parameters: &[&(dyn ToSql + Sync)])
    -> Result<u64, Error>;
    fn query<T: ?Sized + ToStatement>(
        &mut self,
        query: &T,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error>;
    fn query_one<T: ?Sized + ToStatement>(
        &mut self,
        query: &T,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Error>;
    fn query_opt<T: ?Sized + ToStatement>(
        &mut self,
        query: &T,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Error>;
    fn batch_execute(&mut self, query: &str) -> Result<(), Error>;
    /// A transaction; within one, a savepoint.
    fn transaction(&mut self) -> Result<Transaction<'_>, Error>;
}

macro_rules! generic {
    ($for:ty) => {
        impl GenericClient for $for {
            fn execute<T: ?Sized + ToStatement>(
                &mut self,
                query: &T,
                parameters: &[&(dyn ToSql + Sync)],
            ) -> Result<u64, Error> {
                self.execute(query, parameters)
            }
            fn query<T: ?Sized + ToStatement>(
                &mut self,
                query: &T,
                parameters: &[&(dyn ToSql + Sync)],
            ) -> Result<Vec<Row>, Error> {
                self.query(query, parameters)
            }
            fn query_one<T: ?Sized + ToStatement>(
                &mut self,
                query: &T,
                parameters: &[&(dyn ToSql + Sync)],
            ) -> Result<Row, Error> {
                self.query_one(query, parameters)
            }
            fn query_opt<T: ?Sized + ToStatement>(
                &mut self,
                query: &T,
                parameters: &[&(dyn ToSql + Sync)],
            ) -> Result<Option<Row>, Error> {
                self.query_opt(query, parameters)
            }
            fn batch_execute(&mut self, query: &str) -> Result<(), Error> {
                self.batch_execute(query)
            }
            fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
                self.transaction()
            }
        }
    };
}

generic!(Client);
generic!(Transaction<'_>);

//! TLS to the servers: `verify-full` or none. The modes in between encrypt without knowing to whom, so they are refused.

use super::session::{self, Client, Failed};
use crate::error::{Cannot, Error};

type Result<T, E = Error> = std::result::Result<T, E>;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::path::Path;
use std::sync::Arc;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};

/// How a connection is secured; `sslmode` and `sslrootcert` of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Plain; for a Unix socket or the loopback, or where the URL says `sslmode=disable`.
    Disable,
    /// Encrypted, certificate and host name verified against this file, else against the system's authorities.
    VerifyFull(Option<String>),
}

impl Tls {
    /// Without an `sslmode`, whatever is not local is verified in full.
    pub fn choose(mode: Option<&str>, root: Option<String>, local: bool) -> Result<Tls> {
        match mode {
            None if local => Ok(Tls::Disable),
            None | Some("verify-full") => Ok(Tls::VerifyFull(root)),
            Some("disable") => Ok(Tls::Disable),
            Some(other) => Err(Error::usage("read a database URL", format!("sslmode '{other}' does not verify the server (expected verify-full or disable)"))
                .hint("use sslmode=verify-full&sslrootcert=/path/ca.pem; sslmode=disable only on a line that nobody else can reach.")),
        }
    }

    /// The value that libpq programs get as PGSSLMODE.
    #[must_use]
    pub fn libpq(&self) -> (&'static str, Option<&str>) {
        match self {
            Tls::Disable => ("disable", None),
            Tls::VerifyFull(root) => ("verify-full", Some(root.as_deref().unwrap_or("system"))),
        }
    }

    pub(super) fn connect(&self, config: &Config) -> Result<Client> {
        let mut config = config.clone();
        match self {
            Tls::Disable => opened(session::connect(config.ssl_mode(SslMode::Disable), NoTls), "open a session"),
            Tls::VerifyFull(root) => {
                let connector = tokio_postgres_rustls::MakeRustlsConnect::new(client_config(root.as_deref())?);
                opened(session::connect(config.ssl_mode(SslMode::Require), connector), "open a TLS session")
            }
        }
    }
}

fn opened(outcome: Result<Client, Failed>, doing: &str) -> Result<Client> {
    match outcome {
        Err(Failed::Driver(e)) => Err(e).cannot(doing),
        Err(Failed::Runtime(e)) => Err(e).cannot(doing),
        Ok(client) => Ok(client),
    }
}

fn client_config(root: Option<&str>) -> Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    match root {
        Some(file) => {
            let doing = || format!("read the certificates of '{file}'");
            let certificates = CertificateDer::pem_file_iter(Path::new(file)).map_err(|e| Error::usage(doing(), e))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|e| Error::usage(doing(), e))?;
                roots.add(certificate).map_err(|e| Error::usage(doing(), e))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::failed("set up TLS", e))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

//! When the certificate that a server shows ends, whether or not it would be trusted.

use super::tls::Tls;
use chrono::{DateTime, Utc};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::CertificateDer;
use rustls::{DigitallySignedStruct, SignatureScheme};
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The first message of a PostgreSQL client that wants TLS; the server answers with one byte.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// When the certificate of the server at this place expires; `None` when it is not asked for one. Read by the probe, so it
/// is not verified: an expired one is exactly what is looked for.
pub(super) fn ends(
    tls: &Tls,
    host: &str,
    port: u16,
    limit: Duration,
) -> std::result::Result<Option<DateTime<Utc>>, String> {
    if *tls == Tls::Disable {
        return Ok(None);
    }
    let text = |e: std::io::Error| e.to_string();
    let address = (host, port).to_socket_addrs().map_err(text)?.next().ok_or("its name has no address")?;
    let mut stream = TcpStream::connect_timeout(&address, limit).map_err(text)?;
    stream.set_read_timeout(Some(limit)).and_then(|()| stream.set_write_timeout(Some(limit))).map_err(text)?;
    stream.write_all(&SSL_REQUEST).map_err(text)?;
    let mut answer = [0];
    stream.read_exact(&mut answer).map_err(text)?;
    if answer != *b"S" {
        return Err("it speaks no TLS".to_owned());
    }
    let seen = Arc::new(Seen::default());
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(seen.clone())
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(|e| e.to_string())?;
    let mut session = rustls::ClientConnection::new(Arc::new(config), name).map_err(|e| e.to_string())?;
    // The verifier refuses whatever it has seen: nothing is ever sent over a session that was not verified.
    let _ = session.complete_io(&mut stream);
    let ends = *seen.ends.lock().unwrap_or_else(PoisonError::into_inner);
    ends.map(Some).ok_or_else(|| "it showed no certificate that can be read".to_owned())
}

/// Notes when a certificate ends, and trusts none.
#[derive(Debug, Default)]
struct Seen {
    ends: Mutex<Option<DateTime<Utc>>>,
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        if let Ok((_, certificate)) = x509_parser::parse_x509_certificate(end_entity) {
            let ends = DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0);
            *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = ends;
        }
        Err(untrusted())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Err(untrusted())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Err(untrusted())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn untrusted() -> rustls::Error {
    rustls::Error::General("looked at, and not trusted".to_owned())
}

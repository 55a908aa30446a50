//! TLS to the servers: verified in full by default for whatever is not local, with a real private authority.

use crate::support::Place;
use crate::switch::Hospital;
use crate::watch::beside::{address, certify, put};

#[test]
fn a_server_that_is_not_local_must_show_a_certificate_of_its_own_name_from_a_known_authority_that_is_valid_today() {
    let mut hospital = Hospital::new();
    let folder = Place::new("tls");
    certify(folder.path(), "400", None);
    put(&hospital.primary, folder.path());
    for setting in [&format!("listen_addresses = '{}'", address()), "ssl = on"] {
        hospital.primary.execute("postgres", &format!("ALTER SYSTEM SET {setting}"));
    }
    let again = |hospital: &Hospital| {
        hospital.primary.stop_fast();
        hospital.primary.start_again();
    };
    again(&hospital);
    let (host, port) = (address(), hospital.primary.port());
    let ca = folder.path().join("ca.crt").display().to_string();
    let with = |hospital: &mut Hospital, host: &str, more: &str| {
        let url = format!("postgresql://postgres@{host}:{port}/his{more}");
        hospital.work.set("primary", "url", &format!("{url:?}"));
        // The snapshot takes both ways: the driver's for the rows, libpq's for pg_dump.
        hospital.work.run("his-snapshot", &["-q"])
    };
    let verified = format!("?sslmode=verify-full&sslrootcert={ca}");
    with(&mut hospital, &host, &verified).expect(0);
    // Without a mode it is verified too, and our authority is not one that the system knows.
    with(&mut hospital, &host, "").expect(6).says("invalid peer certificate: UnknownIssuer");
    with(&mut hospital, &host, &format!("?sslrootcert={ca}")).expect(0);
    for weak in ["allow", "prefer", "require", "verify-ca"] {
        let ran = with(&mut hospital, &host, &format!("?sslmode={weak}&sslrootcert={ca}")).expect(2);
        ran.says(&format!("sslmode '{weak}' does not verify the server (expected verify-full or disable)"));
    }
    // Another name for the same server: the certificate is not of it.
    let other = format!("127.8.{}", &host["127.9.".len()..]);
    hospital.primary.execute("postgres", &format!("ALTER SYSTEM SET listen_addresses = '{host}, {other}'"));
    again(&hospital);
    with(&mut hospital, &other, &verified).expect(6).says("invalid peer certificate");
    with(&mut hospital, &host, &verified).expect(0);
    certify(folder.path(), "30", Some("2020-01-01 00:00:00"));
    put(&hospital.primary, folder.path());
    again(&hospital);
    with(&mut hospital, &host, &verified).expect(6).says("invalid peer certificate: certificate expired");
    // No TLS at all, for a line that nobody else can reach, is what somebody has written down.
    with(&mut hospital, &host, "?sslmode=disable").expect(0);
}

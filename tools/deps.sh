#!/bin/sh
# Installs what `make demo` and `make test` need, on Debian and Ubuntu through apt; elsewhere it says what is missing.
# Silent, and done in an instant, when everything is there. Usage: tools/deps.sh [--check]
# (--check installs nothing, and ends in 1 when something is missing).
set -eu

rust_needed=1.89

# The packages that are missing, for apt, and the same in words for other systems.
packages=
words=
need() { # need PACKAGE WORDS
    packages="$packages $1"
    words="$words
  - $2"
}
have() { command -v "$1" >/dev/null 2>&1; }

server=
for dir in $(printf %s "$PATH" | tr ':' ' ') /usr/lib/postgresql/*/bin; do
    if [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ]; then server=$dir; fi
done
[ -n "$server" ] || need postgresql "the PostgreSQL server, 15 or newer (initdb and postgres on PATH)"
if ! { have psql && have pg_dump && have pg_restore; }; then
    need postgresql-client "the PostgreSQL client programs (psql, pg_dump, pg_restore)"
fi
contrib=
for file in /usr/share/postgresql/*/extension/citext.control \
    ${server:+"$server/../share/extension/citext.control" "$server/../share/postgresql/extension/citext.control"}; do
    if [ -f "$file" ]; then contrib=$file; fi
done
[ -n "$contrib" ] || need postgresql-contrib "PostgreSQL's contrib extensions (citext, pgcrypto)"
have cc || need build-essential "a C compiler and its headers (cc)"
have make || need make "make"
have patch || need patch "patch"
have zstd || need zstd "zstd"
have strace || need strace "strace"
have setpriv || need util-linux "util-linux (setpriv)"
have ps || need procps "procps (ps)"
[ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/ssl/cert.pem ] || [ -d /etc/pki ] ||
    need ca-certificates "the certificates of the public authorities"

faketime=
for file in /usr/lib/*/faketime/libfaketime.so.1; do
    if [ -f "$file" ]; then faketime=$file; fi
done
{ [ -n "$faketime" ] && have faketime; } || need faketime "faketime and its library"
have openssl || need openssl "openssl"
have minisign || need minisign "minisign"
have age || need age "age"
have pgbouncer || [ -x /usr/sbin/pgbouncer ] || need pgbouncer "pgbouncer"
have systemd-analyze || need systemd "systemd-analyze"

# The drivers that HIS programs are written on, and what runs a program on each.
python=/usr/lib/python3/dist-packages
first() { # first FILE...: whether the first of what a pattern gave is there
    [ -e "$1" ]
}
[ -e "$(pg_config --includedir 2>/dev/null || true)/libpq-fe.h" ] || need libpq-dev "libpq's headers (libpq-fe.h, pg_config)"
[ -x /usr/bin/python3 ] || need python3 "Python 3, as /usr/bin/python3"
[ -e $python/psycopg2 ] || need python3-psycopg2 "psycopg2"
first $python/pyodbc*.so || need python3-pyodbc "pyodbc"
[ -e $python/pip ] || need python3-pip "pip"
first /usr/lib/*/odbc/psqlodbcw.so || need odbc-postgresql "psqlODBC, known to unixODBC as 'PostgreSQL Unicode'"
have javac || need default-jdk-headless "a Java compiler (javac)"
jars=/usr/share/java
[ -e $jars/postgresql.jar ] || need libpostgresql-jdbc-java "pgJDBC ($jars/postgresql.jar)"
[ -e $jars/HikariCP.jar ] || need libhikaricp-java "HikariCP ($jars/HikariCP.jar)"
[ -e $jars/slf4j-nop.jar ] || need libslf4j-java "SLF4J ($jars/slf4j-nop.jar)"
have node || need nodejs "Node.js"
have npm || need npm "npm"
have dpkg-deb || have promtool || need prometheus "promtool of Prometheus"

# Rust: what apt has is too old on most systems, so it is named and not installed.
rust=$(cargo --version 2>/dev/null | cut -d ' ' -f 2 || true)
rust_fits=$(printf '%s\n%s\n' "$rust_needed" "${rust:-0}" | sort -V | head -n 1)
rust_fits=$([ "$rust_fits" = "$rust_needed" ] && echo yes || echo no)
say_rust() {
    if [ -n "$rust" ]; then there="there is only $rust"; else there="there is none"; fi
    echo "Rust $rust_needed or newer is needed; $there." >&2
    echo "HINT: install it with rustup (https://rustup.rs), or with apt where 'apt-cache policy cargo' shows one that new." >&2
}

if [ -n "$packages" ]; then
    if [ "${1:-}" = --check ] || ! have apt-get; then
        echo "Not installed, and needed:$words" >&2
        if have apt-get; then
            echo "HINT: tools/deps.sh installs it (make deps)." >&2
        else
            echo "HINT: there is no apt here; install it with the packages of this system, then try again." >&2
        fi
        [ "$rust_fits" = yes ] || say_rust
        exit 1
    fi
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        have sudo || {
            echo "Not installed, and needed:$words" >&2
            echo "HINT: neither root nor sudo; have root run: apt-get update && apt-get install$packages" >&2
            exit 1
        }
        as_root=sudo
    fi
    echo "Installing with apt:$packages" >&2
    # We start servers of our own. A default one that nobody asked for would be started, and listen, at installation.
    case "$packages " in
    *" postgresql "*)
        if [ ! -e /usr/share/postgresql-common/maintscripts-functions ]; then
            conf=/etc/postgresql-common/createcluster.d/no-main-cluster.conf
            echo "No default cluster will be created ($conf says so; remove it if you want one later)." >&2
            $as_root mkdir -p "${conf%/*}"
            echo "create_main_cluster = false" | $as_root tee "$conf" >/dev/null
        fi
        ;;
    esac
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update </dev/null >&2
    # shellcheck disable=SC2086 # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $packages </dev/null >&2
fi

if [ "$rust_fits" = no ]; then
    say_rust
    exit 1
fi

# His-watch's metrics are checked with it; it is taken out of its package, which would start a server.
if [ "${1:-}" != --check ]; then "$(dirname "$0")/promtool.sh" >/dev/null; fi

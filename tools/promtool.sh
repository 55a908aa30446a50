#!/bin/sh
# Prints where Debian's promtool is, which checks the metrics of his-watch: on PATH, or taken out of its package into
# target/tools. The package itself is not installed, because it starts a server.
set -eu

found=$(command -v promtool || true)
if [ -n "$found" ]; then
    echo "$found"
    exit
fi
tools=$(cd "$(dirname "$0")/.." && pwd)/target/tools
if [ ! -x "$tools/promtool" ]; then
    mkdir -p "$tools"
    work=$(mktemp -d "$tools/promtool.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    if ! apt-get -q download prometheus >log 2>&1; then
        as_root=
        [ "$(id -u)" -eq 0 ] || as_root=sudo
        $as_root apt-get -q update >>log 2>&1
        apt-get -q download prometheus >>log 2>&1 || {
            cat log >&2
            echo "HINT: promtool (package prometheus) is needed; install it, then try again." >&2
            exit 1
        }
    fi
    dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
    mv usr/bin/promtool "$tools/promtool"
fi
echo "$tools/promtool"

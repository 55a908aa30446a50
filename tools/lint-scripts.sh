#!/bin/sh
# Checks every shell script of the project: its syntax always, and what shellcheck finds where shellcheck is installed.
set -eu
cd "$(dirname "$0")/.."

failed=0
scripts=$(git ls-files --cached --others --exclude-standard | while IFS= read -r file; do
    [ -f "$file" ] || continue
    case "$(head -c 64 "$file" | head -n 1 | tr -d '\0')" in
    '#!/bin/sh'* | '#!/usr/bin/env sh'*) echo "sh $file" ;;
    '#!/bin/bash'* | '#!/usr/bin/env bash'*) echo "bash $file" ;;
    esac
done)
[ -n "$scripts" ] || exit 0

while read -r shell file; do
    "$shell" -n "$file" || failed=1
    if command -v shellcheck >/dev/null 2>&1; then
        shellcheck --severity=warning "$file" || failed=1
    fi
    [ -x "$file" ] || {
        echo "lint-scripts: $file is a script and not executable" >&2
        failed=1
    }
done <<EOF
$scripts
EOF
exit "$failed"

#!/usr/bin/env bash
# Draws some of the printed forms as pictures for the README, in docs/forms: what a window gets on paper.
# Installs Chromium, fonts and poppler where apt is (Debian, Ubuntu).
set -euo pipefail
cd "$(dirname "$0")/.."
tools/chromium.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r samples/his/paper "$work/"
sed -e 's#env:HIS_PRIMARY_URL#postgresql://nobody@/his#' -e 's#env:HIS_STANDBY_URL#postgresql://nobody@/standby#' samples/his/his.toml >"$work/his.toml"
export HIS_CONFIG=$work/his.toml
mkdir -p docs/forms
for kind in registration charge prescription record; do
    first=$("$HIS_BIN/his-import-paper" --json numbers issue "$kind" --count 1 --to W01 | grep -o '"first":"[^"]*"' | cut -d'"' -f4)
    "$HIS_BIN/his-import-paper" -q forms "$kind" "$first" --output "$work/$kind.html"
    chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --user-data-dir="$work/browser" \
        --no-pdf-header-footer --print-to-pdf="$work/$kind.pdf" "file://$work/$kind.html" 2>/dev/null
    # Gray, and large enough to be read on a page.
    pdftoppm -r 70 -gray -png -singlefile "$work/$kind.pdf" "docs/forms/$kind"
done
ls -l docs/forms

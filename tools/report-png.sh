#!/usr/bin/env bash
# Draws the report of the demo's emergency for the README, in docs/report: at the size of a screen and of paper, in both
# languages; and a card, a notice. Run `make demo` before. Installs Chromium, fonts and poppler where apt is.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/chromium.sh
report=${REPORT:-target/demo-report}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p docs/report
browser() {
    chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --hide-scrollbars \
        --disable-component-update --disable-sync --user-data-dir="$work/browser" "$@" 2>/dev/null
}
for language in zh en; do
    page=$(ls "$PWD/$report"/*."$language".html | tail -n 1)
    browser --window-size=900,1250 --screenshot="$PWD/docs/report/screen-$language.png" "file://$page"
    browser --no-pdf-header-footer --print-to-pdf="$work/$language.pdf" "file://$page"
    pdftoppm -r 60 -png -f 1 -l 1 -singlefile "$work/$language.pdf" "docs/report/print-$language"
done
sed -e 's#env:HIS_PRIMARY_URL#postgresql://nobody@/his#' -e 's#env:HIS_STANDBY_URL#postgresql://nobody@/standby#' \
    -e "s#\"../plan/#\"$PWD/samples/plan/#" samples/his/his.toml >"$work/his.toml"
HIS_CONFIG=$work/his.toml "$HIS_BIN/his-incident" -q plan --cards "$work/cards.html"
browser --no-pdf-header-footer --print-to-pdf="$work/cards.pdf" "file://$work/cards.html"
pdftoppm -r 60 -gray -png -f 2 -l 2 -singlefile "$work/cards.pdf" docs/report/card
ls -l docs/report

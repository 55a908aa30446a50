#!/usr/bin/env bash
# Draws some of his-desk's screens as pictures for the README, in docs/screens, as the tests see them (80 columns, 24 lines).
# Installs Chromium and fonts where apt is (Debian, Ubuntu).
set -euo pipefail
cd "$(dirname "$0")/.."
missing=()
command -v chromium >/dev/null || missing+=(chromium)
fc-list 2>/dev/null | grep -q 'Noto Sans Mono CJK' || missing+=(fonts-noto-cjk)
if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || { echo "install these first: ${missing[*]}" >&2; exit 1; }
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get install -y -q "${missing[@]}"
fi

HIS_WRITE_SCREENS=1 cargo test --locked --test chain desk::screen
pages=$(cargo metadata --format-version 1 --no-deps | grep -o '"target_directory":"[^"]*"' | cut -d'"' -f4)/tmp/screens
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p docs/screens
for screen in zh-home zh-bill zh-charged zh-shift en-bill; do
    chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --user-data-dir="$work/browser" --hide-scrollbars \
        --window-size=736,496 --screenshot="docs/screens/$screen.png" "file://$pages/$screen.html" 2>/dev/null
done
ls -l docs/screens

#!/usr/bin/env bash
# Installs what the pictures of the README are drawn with, where apt is: Chromium, Chinese fonts, poppler.
set -euo pipefail
missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v pdftoppm >/dev/null || missing+=(poppler-utils)
{ command -v fc-list >/dev/null && fc-list | grep -q 'Noto Sans CJK'; } || missing+=(fonts-noto-cjk)
if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || { echo "install these first: ${missing[*]}" >&2; exit 1; }
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get install -y -q "${missing[@]}"
fi

#!/bin/sh
# Checks that documents lead somewhere: relative links in *.md name files that exist, each test that README's table of
# promises names is in the sources, and man pages are without an error where a man formatter is installed.
set -eu
cd "$(dirname "$0")/.."

failed=0
wrong() {
    echo "check-docs: $1" >&2
    failed=1
}

for page in *.md samples/*.md samples/*/*.md; do
    [ -f "$page" ] || continue
    links=$(sed -e '/^```/,/^```/d' "$page" | grep -o '](\([^)]*\))' | sed -e 's/^](//' -e 's/)$//' -e 's/#.*//' -e 's/ .*//' || true)
    for link in $links; do
        case "$link" in
        http://* | https://* | mailto:*) ;;
        *) [ -e "$(dirname "$page")/$link" ] || wrong "$page links to $link, which is not there" ;;
        esac
    done
done

# Rows such as: | P7 once | `killed_at_any_moment_and_run_again_ends_the_same` |
for page in README.md README.zh-CN.md; do
    [ -f "$page" ] || continue
    names=$(grep -E '^\| *\**P[0-9]+' "$page" | grep -oE '`[a-z0-9_:]+`' | tr -d '`' | sed 's/.*:://' | grep _ | sort -u || true)
    for name in $names; do
        grep -rqE "fn $name\b" tests src || wrong "$page names the test $name, which is not there"
    done
done

if command -v groff >/dev/null 2>&1; then
    for page in man/*.[1-8]; do
        [ -f "$page" ] || continue
        said=$(groff -man -Tutf8 -Kutf8 -ww -z "$page" 2>&1 || true)
        [ -z "$said" ] || wrong "$page: $said"
    done
fi
exit "$failed"

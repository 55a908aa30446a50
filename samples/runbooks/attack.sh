#!/bin/sh
# 病毒、勒索、攻击 · Virus, ransom or attack: isolate first, clean PCs only, restore from the offline copy.
#
#   sudo -u his samples/runbooks/attack.sh OFFLINE-COPY "why" [options of his-switch standby]
#
# OFFLINE-COPY is the directory of a snapshot on the medium that lay outside the house. Run this on a clean machine with a
# clean standby server: $HIS_CONFIG names them. Nothing is read from the primary.
set -u

[ "$(id -u)" -ne 0 ] || { echo "run this as the user that owns the store: sudo -u his $0" >&2; exit 2; }
[ $# -ge 2 ] || { echo "usage: $0 OFFLINE-COPY \"why\" [options of his-switch standby]" >&2; exit 2; }
copy=$1
reason=$2
shift 2

# 1. Isolate. No program does this for you: pull the cable of the primary, and of every PC that behaves strangely.
echo ">> Is the primary's cable pulled, and are the windows' PCs clean? Stop the timers: systemctl stop 'his-*.timer'"

# 2. Nothing of the last hours is trusted: the offline copy, and only if every byte of it is as it was written.
[ -f "$copy/manifest.json" ] || { echo ">> '$copy' is no snapshot: it has no manifest.json" >&2; exit 2; }
(cd "$copy" && sha256sum --quiet -c SHA256SUMS) || { echo ">> the offline copy is damaged: take an older one" >&2; exit 5; }
id=$(basename "$copy")
store=$(his-switch status --json | grep -o '"mode"' >/dev/null && sed -n 's/^dir *= *"\(.*\)".*/\1/p' "${HIS_CONFIG:-/etc/his/his.toml}" | head -n 1)
case $store in
/*) ;;
*) store=$(dirname "${HIS_CONFIG:-/etc/his/his.toml}")/$store ;;
esac
if [ ! -d "$store/snapshots/$id" ]; then
    cp -R "$copy" "$store/snapshots/.unfinished-$id" && mv "$store/snapshots/.unfinished-$id" "$store/snapshots/$id" || exit 1
fi
his-snapshot verify "$id" || exit $?

# 3. A clean standby from it. max_shrink and max_change may ask: compared with damaged rows, sound ones look changed.
his-load-standby init || exit $?
his-load-standby "$id" --accept-shrink --accept-change || exit $?

# 4. The windows, on clean PCs.
his-switch standby --accept-stale --reason "$reason" "$@"
code=$?
case $code in
0 | 3) ;;
*) exit $code ;;
esac
his-export-queue || echo ">> The export ended with $?: see above, and try again: his-export-queue" >&2
his-switch status
echo ">> Report to the police, keep every log. When a clean primary has been rebuilt: data-loss.sh, then back-to-normal.sh"
exit $code

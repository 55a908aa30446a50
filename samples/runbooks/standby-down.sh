#!/bin/sh
# 应急库也不能用 · The standby is down too: the windows go to paper, and come back from it.
#
#   sudo -u his samples/runbooks/standby-down.sh "why" [--standby-lost]
#
# --standby-lost: the open standby is gone for good, not only unreachable. What was exported is merged later, the rest is
# named. Works with both servers off. Can be run again at any time.
set -u

[ "$(id -u)" -ne 0 ] || { echo "run this as the user that owns the store: sudo -u his $0" >&2; exit 2; }
[ $# -ge 1 ] || { echo "usage: $0 \"why\" [--standby-lost]" >&2; exit 2; }
reason=$1
lost=${2:-}

# 1. What of it has been exported? Every unit in a batch is safe, whatever becomes of the server.
his-switch status
his-export-queue || echo ">> the last units could not be exported (exit $?)" >&2

# 2. Paper.
if [ "$lost" = --standby-lost ]; then
    his-switch paper --reason "$reason" --standby-lost --why "$reason"
else
    his-switch paper --reason "$reason"
fi
code=$?
case $code in
0 | 3) ;;
6)
    echo ">> The standby was open and cannot be reached. Start it; if it is lost for good: $0 \"$reason\" --standby-lost" >&2
    exit $code
    ;;
*) exit $code ;;
esac

# 3. The windows open their emergency boxes; numbers are in the print pack, and more of them here.
his-incident notice staff-paper || echo ">> tell the windows by telephone: emergency box, numbered slips" >&2
his-import-paper status || true
echo ">> More slips: his-import-paper numbers issue KIND --count N --to WINDOW, then his-import-paper forms."
echo ">> When the standby is back: his-switch standby. When the primary is back: back-to-normal.sh, then key the slips."
exit $code

#!/bin/sh
# 系统变慢或停止响应 · The HIS is slow, or hangs: warn first, switch only when it stands still.
#
#   sudo -u his samples/runbooks/slow-or-hung.sh "why" [options of his-switch standby]
#
# Can be run again at any time. A hung server keeps the windows' sessions: after the switch every window closes and reopens
# its program (关闭并重新打开收费程序).
set -u

[ "$(id -u)" -ne 0 ] || { echo "run this as the user that owns the store: sudo -u his $0" >&2; exit 2; }
[ $# -ge 1 ] || { echo "usage: $0 \"why\" [options of his-switch standby]" >&2; exit 2; }
reason=$1
shift

# 1. Slow, hung or dead? Two signals, asked twice.
his-watch --nagios
state=$(his-watch --json | grep -o '"check":"primary","state":"[a-z]*"' | cut -d '"' -f 8)

# 2. Departments are told, whatever comes of it.
his-incident warn --department "IT" "$reason" >/dev/null || echo ">> no warning was written: see above" >&2
his-incident notice staff-slow || echo ">> tell the windows by telephone: save your work, do not click again and again" >&2

if [ "$state" = ok ]; then
    echo ">> The primary answers. Look at its locks, its disk and its load; run this again in a minute."
    echo ">> If the windows stand still all the same: his-switch standby --reason \"$reason\""
    exit 0
fi

# 3. It gave no answer: one more minute, then the windows go to the standby.
echo ">> The primary gives no answer. Looking again in 60 seconds; end this with Ctrl-C to wait longer."
sleep "${WAIT:-60}"
again=$(his-watch --json | grep -o '"check":"primary","state":"[a-z]*"' | cut -d '"' -f 8)
if [ "$again" = ok ]; then
    echo ">> It answers again. Nothing was moved."
    exit 0
fi
his-switch standby --reason "$reason" "$@"
code=$?
case $code in
0 | 3) ;;
*)
    echo ">> Not opened: read the HINT above; paper is: his-switch paper --reason \"$reason\"" >&2
    exit $code
    ;;
esac
his-incident notice staff-switch || echo ">> tell every window by telephone: close the program and open it again" >&2
his-export-queue || echo ">> The export ended with $?: see above, and try again: his-export-queue" >&2
his-switch status
echo ">> Do not restart the hung server before the windows have reopened their programs. When it is sound: back-to-normal.sh"
exit $code

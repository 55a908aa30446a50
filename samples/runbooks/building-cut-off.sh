#!/bin/sh
# 部分楼宇断网 · One building or floor is cut off from the primary, and reaches the standby. The others go on at the primary.
#
#   sudo -u his samples/runbooks/building-cut-off.sh "why" [options of his-switch standby]
#
# Both sides really work (--both-live): what both change is a conflict at the merge, and held. One workstation is no
# emergency: swap the machine.
set -u

[ "$(id -u)" -ne 0 ] || { echo "run this as the user that owns the store: sudo -u his $0" >&2; exit 2; }
[ $# -ge 1 ] || { echo "usage: $0 \"why\" [options of his-switch standby]" >&2; exit 2; }
reason=$1
shift

# 1. Is it the line, and not the primary? Then this is the wrong runbook.
his-watch
state=$(his-watch --json | grep -o '"check":"primary","state":"[a-z]*"' | cut -d '"' -f 8)
if [ "$state" != ok ]; then
    echo ">> The primary itself does not answer from here: primary-down.sh or slow-or-hung.sh." >&2
    exit 4
fi

# 2. The standby opens beside the primary, which is not fenced.
his-switch standby --both-live --reason "$reason" "$@"
code=$?
case $code in
0 | 3) ;;
*) exit $code ;;
esac
his-export-queue || echo ">> The export ended with $?: see above, and try again: his-export-queue" >&2
his-switch status
echo ">> Windows of the building: close and reopen the program. They land on the standby because they try it first;"
echo ">> so would any other window that reconnects and can reach it: keep the standby's line to that building only."
echo ">> When the line is mended: back-to-normal.sh"
exit $code

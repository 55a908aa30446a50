#!/bin/sh
# 回传期间再次中断 · The primary fails again during the merge, or soon after the return.
#
#   sudo -u his samples/runbooks/second-outage.sh "why" [options of his-switch standby]
#
# Whatever was merged stays merged: the ledger and the rows are of one transaction. The windows go on at the generation that
# they wrote before, with its queue. Can be run again at any time.
set -u

[ "$(id -u)" -ne 0 ] || { echo "run this as the user that owns the store: sudo -u his $0" >&2; exit 2; }
[ $# -ge 1 ] || { echo "usage: $0 \"why\" [options of his-switch standby]" >&2; exit 2; }
reason=$1
shift

# 1. Where did it stop?
his-switch status

# 2. --accept-stale: the standby knows what its own windows did, and nothing that was done on the primary since.
his-switch standby --accept-stale --reason "$reason" "$@"
code=$?
case $code in
0 | 3) ;;
*)
    echo ">> Not opened: read the HINT above; paper is: his-switch paper --reason \"$reason\"" >&2
    exit $code
    ;;
esac
his-export-queue || echo ">> The export ended with $?: see above, and try again: his-export-queue" >&2
his-switch status
echo ">> Windows: what was registered and paid on the primary since the return is not here; look at what patients have in their hands."
echo ">> When the primary is sound: back-to-normal.sh merges what is left of both."
exit $code

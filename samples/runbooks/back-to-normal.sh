#!/bin/sh
# The primary is sound again: what the windows did comes back to it, then the windows do.
#
#   sudo -u his samples/runbooks/back-to-normal.sh [options of his-switch primary]
#
# Can be run again at any time: it goes on where it was.
set -u

[ "$(id -u)" -ne 0 ] || { echo "run this as the user that owns the store: sudo -u his $0" >&2; exit 2; }

# 1. What would be done. Exit 4 or 6 here: the windows stay where they are, and nothing was changed.
his-switch status
his-switch primary --dry-run "$@" || exit $?

# 2. Merge while the windows work, close, merge the tail, lift the fence. The windows wait for the tail only.
his-switch primary "$@"
code=$?
case $code in
0) ;;
3) echo ">> The windows are back. Something waits for a person: see below." ;;
*)
    echo ">> The windows are not back. Run this again when the HINT above is done; if that takes long:" >&2
    echo ">>   his-switch standby   (the windows work on the standby again)" >&2
    exit $code
    ;;
esac

# 3. Pharmacy and laboratory tidy nothing up before this is done. Is everything accounted for? captured = merged + held + rejected, in units, rows and every money column.
his-merge status
his-merge conflicts

# 4. The standby is ready for the next time only after a snapshot that knows of this merge has been loaded.
his-snapshot -q >/dev/null && his-load-standby -q
loaded=$?
[ $loaded -eq 0 ] || echo ">> The standby is NOT ready again (exit $loaded): run his-snapshot, then his-load-standby." >&2

his-switch status
[ $code -ne 0 ] || code=$loaded
exit $code

#!/bin/sh
# The primary is to be stopped for maintenance: the windows go to the standby without a gap.
#
#   sudo -u his samples/runbooks/planned-maintenance.sh "why" [--ordered-by NAME]
#
# The windows wait while the last snapshot is taken and loaded: try how long that is with `his-switch drill` some day
# before, and choose a quiet hour. Can be run again at any time.
set -u

[ "$(id -u)" -ne 0 ] || { echo "run this as the user that owns the store: sudo -u his $0" >&2; exit 2; }
[ $# -ge 1 ] || { echo "usage: $0 \"why\" [options of his-switch standby]" >&2; exit 2; }
reason=$1
shift

# 1. Whatever would be in the way is found while the windows still work.
his-snapshot check -q >/dev/null || { echo ">> his-snapshot check ended with $?: mend that first" >&2; exit 4; }
his-load-standby check || { echo ">> his-load-standby check ended with $?: mend that first" >&2; exit 4; }

# 2. Fence, last snapshot, load, open. If anything fails before the opening, the fence is lifted again.
his-switch standby --planned --reason "$reason" "$@"
code=$?
case $code in
0 | 3) ;;
*)
    echo ">> Not opened; his-switch status says where the windows are." >&2
    his-switch status
    exit $code
    ;;
esac

# 3. Everything that the windows do from now on is captured.
his-export-queue || echo ">> The export ended with $?: see above, and try again: his-export-queue" >&2
his-switch status
echo ">> Now the maintenance. Do not let the primary come back with another system identifier (no dump and restore)."
echo ">> When the primary is sound again: back-to-normal.sh"

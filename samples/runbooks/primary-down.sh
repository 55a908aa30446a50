#!/bin/sh
# The HIS database, its network or its server is down: the windows go to the standby.
#
#   sudo -u his samples/runbooks/primary-down.sh "why" [--accept-stale] [--ordered-by NAME] [--level 1]
#
# Can be run again at any time: it goes on where it was. Nothing is asked; what it refuses, it says with the next step.
set -u

[ "$(id -u)" -ne 0 ] || { echo "run this as the user that owns the store: sudo -u his $0" >&2; exit 2; }
[ $# -ge 1 ] || { echo "usage: $0 \"why\" [options of his-switch standby]" >&2; exit 2; }
reason=$1
shift

# 1. How does everything stand? One workstation that is down is no emergency: swap the machine.
his-switch status

# 2. The standby opens. It prints its plan, with the time of day at which its data ends: tell the windows that time.
his-switch standby --reason "$reason" "$@"
code=$?
case $code in
0) ;;
3) echo ">> The standby is open, but a person must look at what is said above (a hook, for instance)." ;;
4)
    echo ">> Refused. Read the HINT above and decide: run this again with the flag it names, or go to paper:" >&2
    echo ">>   his-switch paper --reason \"$reason\"" >&2
    exit $code
    ;;
7)
    echo ">> Somebody else is switching right now. Wait for them; then: his-switch status" >&2
    exit $code
    ;;
*)
    echo ">> The standby could not be opened. If the HINT above does not help at once, go to paper:" >&2
    echo ">>   his-switch paper --reason \"$reason\"" >&2
    exit $code
    ;;
esac

# 3. The first export, so that it is known to work; cron does the next ones, each minute.
his-export-queue || echo ">> The export ended with $?: see above, and try again: his-export-queue" >&2

# 4. How it stands now. New connections of the windows land on the standby; programs that hang are closed and reopened.
his-switch status
echo ">> When the primary is sound again: back-to-normal.sh"

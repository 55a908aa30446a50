#!/bin/sh
# 数据丢失或损坏 · The primary was restored from a backup, or rebuilt: what it has forgotten is brought back before the windows.
#
#   sudo -u his samples/runbooks/data-loss.sh SNAPSHOT [--rebuilt]
#
# SNAPSHOT is the newest sound one of the store (his-snapshot list). --rebuilt: the database was made anew (dump and
# restore, another server), not restored in place. Can be run again at any time.
set -u

[ "$(id -u)" -ne 0 ] || { echo "run this as the user that owns the store: sudo -u his $0" >&2; exit 2; }
[ $# -ge 1 ] || { echo "usage: $0 SNAPSHOT [--rebuilt]" >&2; exit 2; }
snapshot=$1
shift

# 1. The snapshot must be whole, every byte.
his-snapshot verify "$snapshot" || exit $?

# 2. What would be brought back: rows that the snapshot has and the primary lacks. Nothing is changed here.
his-merge backfill "$snapshot" "$@" --dry-run || exit $?

# 3. Bring it back, under the same plan, ledger and decisions as any merge.
his-merge backfill "$snapshot" "$@"
code=$?
case $code in
0) ;;
3) echo ">> Something of it waits for a person: his-merge conflicts" ;;
*) exit $code ;;
esac
his-merge status
echo ">> Now the units of the emergency, and the windows: back-to-normal.sh"
exit $code

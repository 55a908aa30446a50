#!/usr/bin/env bash
# A day with a broken primary: two private PostgreSQL servers, ten windows, one crash, and every cent accounted for.
#
#   PATIENTS=200000 VISITS=7300   size of the reference HIS (the defaults)
#   KEEP=1                        leave servers' data, store and logs behind, and say where
#   HIS_BIN=DIR                   where the programs are (default: target/release)
#
# Runs as root (the servers then run as the user postgres) and as an ordinary user. Ends with an error when the balance
# is off, or when a window was ever on the wrong side.
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "$0")" && pwd)
samples=$(dirname "$here")
HIS_BIN=${HIS_BIN:-$(dirname "$samples")/target/release}
PATIENTS=${PATIENTS:-200000} VISITS=${VISITS:-7300} DESKS=${DESKS:-8} CLIENTS=${CLIENTS:-2}
KEEP=${KEEP:-}

pgbin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1 || true)
[ -x "$pgbin/postgres" ] || pgbin=$(dirname "$(command -v postgres || true)")
[ -x "$pgbin/postgres" ] || { echo "demo: no PostgreSQL server found; run: make deps" >&2; exit 1; }
export PATH="$HIS_BIN:$pgbin:$PATH"

place=$(mktemp -d /tmp/his-demo.XXXXXX)
chmod 755 "$place"
if [ "$(id -u)" -eq 0 ]; then
  owner=postgres
  id "$owner" >/dev/null 2>&1 || owner=nobody
  as() { setpriv --reuid="$owner" --regid="$(id -g "$owner")" --clear-groups -- env HOME="$place" "$@"; }
else
  owner=$(id -un)
  as() { "$@"; }
fi

began=$(date +%s.%N)
since() { awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f", b - a }'; }
tell() { printf '%6s s  %s\n' "$(since "$began")" "$*"; }
fail() { printf '\ndemo: FAILED: %s\n' "$*" >&2; KEEP=1; exit 1; }
# The seconds that a command took go into $took, its exit code into $code.
timed() {
  local start
  start=$(date +%s.%N)
  code=0
  "$@" || code=$?
  took=$(since "$start")
}

# Waits until at least one act on the server at this port is committed since then.
wait_for_act() { # port since
  local tries=0
  until [ "$(count "$1" "$2")" -gt 0 ]; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "no window got through to the server at port $1 within a minute"
    sleep 0.1
  done
}

pids=()
finish() {
  code=$?
  touch "$place/stop" "$place/stop-export"
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  for side in primary standby; do
    [ ! -e "$place/$side/data/postmaster.pid" ] || as pg_ctl -D "$place/$side/data" -m immediate -w stop >/dev/null 2>&1 || true
  done
  if [ -n "$KEEP" ]; then
    echo "kept: $place" >&2
  else
    rm -rf "$place"
  fi
  exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

server() { # side port
  install -d -m 700 "$place/$1"
  [ "$(id -u)" -ne 0 ] || chown "$owner" "$place/$1"
  as initdb -D "$place/$1/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$place/$1.initdb.log" 2>&1
  cat <<CONF | as tee -a "$place/$1/data/postgresql.conf" >/dev/null
listen_addresses = ''
unix_socket_directories = '$place/$1'
port = $2
timezone = 'Asia/Shanghai'
max_connections = 100
shared_buffers = 256MB
CONF
  chmod 755 "$place/$1"
}
start() { as pg_ctl -D "$place/$1/data" -l "$place/$1/log" -w start >/dev/null; }
url() { printf 'postgresql://postgres@/his?host=%s&port=%s' "$place/$1" "$2"; }
ask() { # side port sql
  psql -X -At -v ON_ERROR_STOP=1 -d "$(url "$1" "$2")" -c "$3"
}

echo "A day with a broken primary (一天: 主库坏了)"
echo
tell "two private servers: the HIS's primary and the emergency standby"
server primary 54321 & server standby 54322 & wait
start primary
start standby
createdb -h "$place/primary" -p 54321 -U postgres his
timed psql -X -q -v ON_ERROR_STOP=1 -d "$(url primary 54321)" -f "$samples/his/schema.sql" -o /dev/null
psql -X -q -v ON_ERROR_STOP=1 -d "$(url primary 54321)" -f "$samples/his/roles.sql" -o /dev/null
timed psql -X -q -v ON_ERROR_STOP=1 -v patients="$PATIENTS" -v visits="$VISITS" -d "$(url primary 54321)" -f "$samples/his/generate.sql" -o /dev/null
tell "the reference HIS: $PATIENTS patients, $VISITS visits today ($took s)"

export HIS_PRIMARY_URL HIS_STANDBY_URL HIS_CONFIG="$place/his.toml"
HIS_PRIMARY_URL=$(url primary 54321) HIS_STANDBY_URL=$(url standby 54322)
sed -E "s|^dir = .*|dir = \"$place/store\"|" "$samples/his/his.toml" >"$HIS_CONFIG"
cp "$samples"/his/*-*.sql "$place"
cp -R "$samples/his/window" "$place/window"
sed -i -E 's|^file = "../plan/|file = "plan/|' "$HIS_CONFIG"
cp -R "$samples/plan" "$place/plan"

his-snapshot check -q >"$place/check.txt" || fail "the profile does not fit: $(cat "$place/check.txt")"
his-load-standby init -q >/dev/null
tell "the standby is initialised: empty and closed"

connection="host=$place/standby,$place/primary port=54322,54321 dbname=his user=his_app target_session_attrs=read-write connect_timeout=2"
cat >>"$HIS_CONFIG" <<PROFILE
[desk]
url = "$connection"
PROFILE
psql -X -At -d "$(url primary 54321)" -c "SELECT DISTINCT patient_id FROM outpatient.doctor_order WHERE charge_status = 0 ORDER BY 1" >"$place/ordered"
for n in $(seq 0 $((DESKS - 1))); do
  "$here/desk.sh" "$n" "$place/window-desk-$n.log" "$place/stop" "$place/ordered" &
  pids+=($!)
done
for n in $(seq "$DESKS" $((DESKS + CLIENTS - 1))); do
  "$here/window.sh" "$n" "$connection" "$place/window-$n.log" "$place/stop" &
  pids+=($!)
done
tell "$DESKS windows work at his-desk and $CLIENTS with the HIS's own client, all with one connection string for life:"
tell "host=standby,primary target_session_attrs=read-write"

timed his-snapshot -q --json >"$place/snapshot.json" || true
[ "$code" -eq 0 ] || fail "his-snapshot ended with $code"
tell "his-snapshot: $(grep -o '"rows":[0-9]*' "$place/snapshot.json" | tail -1 | cut -d: -f2) rows downloaded under full traffic ($took s)"
timed his-load-standby -q --json >"$place/load.json"
[ "$code" -eq 0 ] || fail "his-load-standby ended with $code"
tell "his-load-standby: a generation loaded and verified byte for byte ($took s)"
sleep 2

count() { cat "$place"/window-*.log 2>/dev/null | awk -v port="$1" -v from="${2:-0}" '$2 == 0 && $4 == port && $1 >= from' | grep -vc ' none *$' || true; }
his-watch --nagios >"$place/watch.txt" || true
tell "his-watch: $(sed -E 's/^HIS ([A-Z ]+) - .*/\1/' "$place/watch.txt") (this machine has no second one, and nobody has held a drill yet)"
before=$(count 54321)
as pg_ctl -D "$place/primary/data" -m immediate stop >/dev/null
killed=$(date +%s.%N)
tell "THE PRIMARY IS KILLED at full traffic, after $before acts at the windows"
post() { his-incident -q "$@" >>"$place/incident.log" || fail "his-incident $1 ended with $?"; }
post warn --department "挂号收费处" "收费程序无响应"

timed his-switch standby --reason "demo: primary killed" --ordered-by demo --level 1 --accept-stale -q >"$place/switch.txt"
[ "$code" -eq 0 ] || fail "his-switch standby ended with $code: $(cat "$place/switch.txt")"
tell "his-switch standby: the standby is open ($took s)"
wait_for_act 54322 "$killed"
tell "the first act on the standby is committed, $(since "$killed") s after the crash"
post start --cause server --level 2 --why "his-watch: $(his-watch --nagios | grep -o 'primary: [^;|]*' | head -1)" --ordered-by "门诊部主任"
post call-list --reached commander
post call-list --reached dba
post task done switch
post notice staff-switch
post notice patients-down
post task done post-notices
tell "his-incident: level 2 declared, posts called, notices written for windows and patients"

( while [ ! -e "$place/stop-export" ]; do his-export-queue -q >>"$place/export.log" 2>&1 || echo "export ended with $?" >>"$place/export.log"; sleep 2; done ) &
exporter=$!
pids+=($exporter)
sleep 8
tell "his-export-queue runs on a timer: $(ls "$place"/store/queue/*/ | wc -l) batches so far, $(count 54322) acts on the standby"

start primary
tell "the primary is back; the windows stay on the standby, because they try it first"
sleep 2
wrong=$(count 54321 "$killed")
[ "$wrong" -eq 0 ] || fail "$wrong acts on the primary while the standby was open"

touch "$place/stop-export"
wait "$exporter" 2>/dev/null || true
returning=$(date +%s.%N)
timed his-switch primary -q --json >"$place/return.json" 2>"$place/return.err"
case $code in
  0 | 3) ;;
  *) fail "his-switch primary ended with $code: $(cat "$place/return.err")" ;;
esac
tell "his-switch primary: merged while the windows worked, closed, merged the tail, windows back ($took s, exit $code)"
wait_for_act 54321 "$returning"
last=$(awk '$2 == 0 && $4 == 54322 { if ($1 > m) m = $1 } END { printf "%.6f", m }' "$place"/window-*.log)
first=$(awk -v from="$returning" '$2 == 0 && $4 == 54321 && $1 >= from { if (!m || $1 < m) m = $1 } END { printf "%.6f", m }' "$place"/window-*.log)
tell "the windows are back on the primary; the pause they felt: $(awk -v a="$last" -v b="$first" 'BEGIN { printf "%.1f", b - a }') s"
sleep 3
touch "$place/stop"
for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
pids=()

closed=$(cat "$place"/window-desk-*.log.closed 2>/dev/null | grep -c '"over":"0.00"' || true)
[ "$closed" -eq "$DESKS" ] || fail "$closed of $DESKS cashiers could close their shift (expected all, to the cent)"
tell "$closed cashiers closed their shifts on the primary: the morning, the emergency and the return, to the cent"
psql -X -q -v ON_ERROR_STOP=1 -d "$(url primary 54321)" -f "$samples/his/check.sql" -o /dev/null || fail "the primary's books do not agree"
tell "every charge on the primary agrees with its lines and payments; official receipt numbers have no gap"

code=0
his-merge status --json >"$place/status.json" || code=$?
[ "$code" -eq 0 ] || fail "his-merge status ended with $code"
echo
his-merge status
echo
his-merge reconcile --csv "$place/reconcile.csv" >"$place/reconcile.txt" || fail "the reconciliation does not balance: $(cat "$place/reconcile.txt")"
tell "his-merge reconcile: every merged row read back from the primary, to the cent"
echo
held=$(ask primary 54321 "
  SELECT format('  %4s %s: %s', count(*), c.kind, CASE
      WHEN c.kind = 'twin' THEN 'a patient was registered on the primary after the snapshot, and again on the standby'
      ELSE CASE c.table_name
      WHEN 'outpatient.order_line' THEN 'an order was charged on the primary after the snapshot, and again on the standby'
      WHEN 'outpatient.appointment' THEN 'an appointment was used on both sides'
      WHEN 'outpatient.charge' THEN 'a charge was refunded on both sides'
      WHEN 'outpatient.registration' THEN 'a registration was changed on both sides'
      WHEN 'outpatient.doctor_order' THEN 'a doctor''s order was changed on both sides'
      ELSE coalesce(c.table_name, 'waits for another held unit') END END)
  FROM his_emergency.conflict c GROUP BY c.kind, c.table_name ORDER BY count(*) DESC")
if [ -n "$held" ]; then
  echo "What is held, because both sides did it in the gap (待核实; his-merge conflicts lists each):"
  echo "$held"
  echo
fi
echo "On the primary now (主库现有):"
ask primary 54321 "
  SELECT format('  %-14s %10s', 'registrations', count(*)) FROM outpatient.registration
  UNION ALL SELECT format('  %-14s %10s', 'charges', count(*)) FROM outpatient.charge
  UNION ALL SELECT format('  %-14s %10s', 'money', sum(total)) FROM outpatient.charge"
grep -q '"balanced":true' "$place/status.json" || fail "captured is not merged + held + rejected"
on_standby=$(count 54322)
captured=$(grep -o '"units":{"captured":[0-9]*' "$place/status.json" | grep -o '[0-9]*$')
# A window whose session was ended in the instant of its commit does not know that it committed; so captured may be a
# little more than what the windows saw answered, and never less.
[ "$captured" -ge "$on_standby" ] || fail "the windows saw $on_standby acts committed on the standby, only $captured were captured"
# The command post ends the emergency and writes its report; its figures are those of the reconciliation.
post task done return
post notice patients-back
his-incident -q end --why "主库恢复，数据已回传" --ordered-by "门诊部主任" >>"$place/incident.log" || [ $? -eq 3 ] || fail "his-incident end"
post review --cause "主库进程被强制终止(演示)"
post review --improvement "主库加装第二电源" --owner "信息科" --due 2027-01-31
report=${REPORT:-$(dirname "$samples")/target/demo-report}
mkdir -p "$report"
code=0
his-incident --json -q report --to "$report" >"$place/report.json" || code=$?
case $code in 0 | 3) ;; *) fail "his-incident report ended with $code: $(cat "$place/report.json")" ;; esac
his-merge reconcile --json >"$place/reconcile.json" || true
for figure in '"units":{[^}]*}' '"rows":{[^}]*}' '"balanced":[a-z]*'; do
  said=$(grep -o "\"reconcile\":{.*" "$place/report.json" | grep -o "$figure" | head -1)
  [ -n "$said" ] && [ "$said" = "$(grep -o "$figure" "$place/reconcile.json" | head -1)" ] || fail "the report says $said, the reconciliation something else"
done
echo
tell "his-incident report: $(ls "$report" | wc -l) files in $report, its figures are those of his-merge reconcile"
tell "done: $on_standby acts seen by the windows on the standby, $captured captured, all accounted for"

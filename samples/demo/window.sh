#!/usr/bin/env bash
# One window of the demo: registers, charges orders and refunds until it is told to stop, as any client would.
#
#   window.sh NUMBER CONNECTION LOGFILE STOPFILE
#
# It knows one connection string for life and never hears of the switch: each act is a fresh session of a real libpq
# client, which finds by itself the server that takes writes. One line an act: time, server's port, what was done.
set -u
number=$1 connection=$2 log=$3 stop=$4
turn=0
while [ ! -e "$stop" ]; do
  turn=$((turn + 1))
  case $((turn % 10)) in
    0) act=window_refund ;;
    [1-5]) act=window_register ;;
    *) act=window_charge_order ;;
  esac
  seed=$((number * 1000003 + turn))
  # The port is asked for in the same statement, so that it names the server that did the work.
  answer=$(PGAPPNAME="window $number" PGOPTIONS='-c client_min_messages=error' psql -X -At -v ON_ERROR_STOP=1 -d "$connection" \
    -c "SELECT current_setting('port') || ' ' || outpatient.$act($number, $seed)" 2>&1)
  code=$?
  printf '%s %s %s %s\n' "$(date +%s.%N)" "$code" "$act" "$(printf '%s' "$answer" | tr '\n' ' ')" >>"$log"
  [ $code -eq 0 ] || sleep 0.2
done

#!/usr/bin/env bash
# One window of the demo at his-desk: registers, checks booked patients in, charges what doctors ordered and refunds, until it
# is told to stop; then it closes its shift.
#
#   desk.sh NUMBER LOGFILE STOPFILE PATIENTS
#
# PATIENTS names a file of patients with unpaid orders. his-desk finds by itself the server that takes writes, logs in again
# there, and asks an unanswered request again under the same id. One line an act: time, code, act, server's port, answer.
set -u
number=$1 log=$2 stop=$3
export HIS_DESK_SECRET HIS_DESK_STAFF HIS_DESK_WINDOW
HIS_DESK_STAFF=$(printf 'S%05d' $((2001 + number)))
HIS_DESK_WINDOW=$(printf 'D%02d' "$number")
HIS_DESK_SECRET=demo-$HIS_DESK_STAFF
RANDOM=$((number + 1))
mapfile -t ordered <"$4"
charges=()

ask() { # act fields
  printf '{"act":"%s"%s}\n' "$1" "${2:+,$2}" >&"${DESK[1]}" || return 1
  IFS= read -r answer <&"${DESK[0]}"
}
# The number of a voucher says where it was given: that of a shift on the primary begins with N, one of an event does not.
act() { # act fields
  local code=1 port=none
  ask "$1" "$2" || return 1
  case $answer in
    *'请先开班'*)
      ask open_shift '"last_printed":0' || return 1
      ask "$1" "$2" || return 1
      ;;
  esac
  case $answer in *'"ok":true'*) code=0 ;; esac
  case $answer in *'"number":"N'*) port=54321 ;; *'"number":"'*) port=54322 ;; esac
  printf '%s %s desk_%s %s\n' "$(date +%s.%N)" "$code" "$1" "$port" >>"$log"
  [ $code -eq 0 ]
}
of() { printf '%s' "$answer" | grep -o "\"$1\":[0-9]*" | cut -d: -f2; }

window() {
  local turn=0 place
  ask list_schedules && mapfile -t schedules < <(of schedule)
  ask list_appointments && mapfile -t booked < <(printf '%s' "$answer" | grep -o '"appointment":[0-9]*\|"patient":[0-9]*')
  while [ ! -e "$stop" ]; do
    turn=$((turn + 1))
    case $((turn % 10)) in
      0)
        [ ${#charges[@]} -gt 0 ] || continue
        place=$((RANDOM % ${#charges[@]}))
        act refund "\"charge\":${charges[$place]},\"reason\":\"患者要求\",\"approver\":\"S02301\",\"approver_secret\":\"demo-S02301\""
        unset "charges[$place]" && charges=("${charges[@]}")
        ;;
      5)
        place=$((RANDOM % (${#booked[@]} / 2) * 2))
        act register "${booked[$place]},${booked[$((place + 1))]}"
        ;;
      [1-4])
        act register "\"patient\":$((RANDOM * 6 % 100000 + 1)),\"schedule\":${schedules[$((RANDOM % ${#schedules[@]}))]}"
        ;;
      *)
        ask find_orders "\"patient\":${ordered[$((RANDOM % ${#ordered[@]}))]}" || return 1
        [[ $answer =~ \"order\":([0-9]+),\"registration\":([0-9]+) ]] || continue
        if act charge "\"registration\":${BASH_REMATCH[2]},\"orders\":[${BASH_REMATCH[1]}]"; then
          charges+=("$(of charge | head -1)")
        fi
        ;;
    esac
    [ -e "/proc/$DESK_PID" ] || return 1
    sleep 0.05
  done
  # Back on the primary: the close covers the morning, the emergency and what came after it.
  ask shift
  [[ $answer =~ \"cash\":\"([-0-9.]+)\" ]] && ask close_shift "\"counted\":\"${BASH_REMATCH[1]}\"" && printf '%s\n' "$answer" >"$log.closed"
  return 0
}

while [ ! -e "$stop" ]; do
  coproc DESK { exec his-desk script 2>>"$log.err"; }
  window && break
  wait "$DESK_PID" 2>/dev/null
  sleep 0.2
done
exec {DESK[1]}>&- 2>/dev/null
wait

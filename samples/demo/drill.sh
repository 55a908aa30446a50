#!/usr/bin/env bash
# A drill beside a working hospital: two private servers with the reference HIS, three windows that work on the primary, and
# his-drill run next to them; afterwards the primary is asked whether anything of the drill is there.
#
#   PATIENTS=20000 VISITS=700     size of the reference HIS
#   SCENARIO=primary-down         see his-drill(1)
#   HIS_BIN=DIR                   where the programs are (default: target/release)
set -euo pipefail
export LC_ALL=C.UTF-8
samples=$(cd "$(dirname "$0")/.." && pwd)
HIS_BIN=${HIS_BIN:-$(dirname "$samples")/target/release}
pgbin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1 || true)
[ -x "$pgbin/postgres" ] || pgbin=$(dirname "$(command -v postgres)")
export PATH="$HIS_BIN:$pgbin:$PATH"
place=$(mktemp -d /tmp/his-drill-demo.XXXXXX)
chmod 755 "$place"
if [ "$(id -u)" -eq 0 ]; then
  as() { setpriv --reuid=postgres --regid=postgres --clear-groups -- env HOME="$place" "$@"; }
else
  as() { "$@"; }
fi
finish() {
  code=$?
  rm -f "$place/work"
  wait 2>/dev/null || true
  for side in primary standby; do as pg_ctl -D "$place/$side/data" -m immediate -w stop >/dev/null 2>&1 || true; done
  rm -rf "$place"
  exit $code
}
trap finish EXIT

for side in primary:54331 standby:54332; do
  name=${side%:*}
  install -d -m 700 "$place/$name"
  [ "$(id -u)" -ne 0 ] || chown postgres "$place/$name"
  as initdb -D "$place/$name/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >/dev/null 2>&1
  printf "listen_addresses = ''\nunix_socket_directories = '%s'\nport = %s\ntimezone = 'Asia/Shanghai'\n" \
    "$place/$name" "${side#*:}" | as tee -a "$place/$name/data/postgresql.conf" >/dev/null
  chmod 755 "$place/$name"
  as pg_ctl -D "$place/$name/data" -l "$place/$name/log" -w start >/dev/null
done
url="postgresql://postgres@/his?host=$place/primary&port=54331"
createdb -h "$place/primary" -p 54331 -U postgres his
for file in schema roles; do psql -X -q -v ON_ERROR_STOP=1 -d "$url" -f "$samples/his/$file.sql" -o /dev/null; done
psql -X -q -v ON_ERROR_STOP=1 -v patients="${PATIENTS:-20000}" -v visits="${VISITS:-700}" -d "$url" \
  -f "$samples/his/generate.sql" -o /dev/null
export HIS_PRIMARY_URL=$url HIS_STANDBY_URL="postgresql://postgres@/his?host=$place/standby&port=54332" HIS_CONFIG=$place/his.toml
cp -R "$samples"/his/*.sql "$samples/his/window" "$samples/his/paper" "$samples/plan" "$place/"
sed -E "s|^dir = .*|dir = \"$place/store\"|; s|\.\./plan/|plan/|" "$samples/his/his.toml" >"$HIS_CONFIG"
his-load-standby init -q >/dev/null
his-snapshot -q >/dev/null
his-load-standby -q >/dev/null

touch "$place/work"
for window in 0 1 2; do
  while [ -e "$place/work" ]; do
    psql -X -q -At -d "$url" -v client_id=$window -v random_seed=0 \
      -f "$samples/his/window/register.sql" -f "$samples/his/window/charge_order.sql" >>"$place/window-$window.log" 2>&1 || true
  done &
done
before=$(cat "$place"/window-*.log 2>/dev/null | wc -l)
code=0
his-drill run --scenario "${SCENARIO:-primary-down}" || code=$?
rm "$place/work"
wait
echo "meanwhile $(($(cat "$place"/window-*.log | wc -l) - before)) acts at the windows of the live primary"
left=$(psql -X -At -d "$url" -c "SELECT count(*) FROM outpatient.charge WHERE id >= 900000000")
echo "emergency numbers on the live primary: $left"
[ "$left" -eq 0 ] || code=1
exit $code

#!/usr/bin/env bash
# ceph-rgw.sh: a throw-away Ceph RADOS Gateway for tests, as an ordinary user's
# foreground daemons: no systemd, no root services, loopback only, data in memory.
#
#   ceph-rgw.sh start  [options]   make a fresh cluster, wait until S3 answers
#   ceph-rgw.sh status [options]   0 if it runs and answers, 3 if not
#   ceph-rgw.sh stop   [options]   stop the daemons by their pid files
#   ceph-rgw.sh run    [options] -- COMMAND [ARG…]
#                                  start one on free ports, with its state in a new temporary folder, run COMMAND with
#                                  DROVER_TEST_S3 set to it, and stop it, however COMMAND or this script ends. When
#                                  DROVER_TEST_S3 is set already, or where Ceph is not installed, just run COMMAND.
#                                  Exits as COMMAND does.
#
# Options (or the environment variable in brackets):
#   --data DIR          state, logs, pid files   [RGW_DATA]        default ./.ceph-rgw
#   --port N            S3 endpoint              [RGW_PORT]        default 7480
#   --mon-port N        monitor                  [RGW_MON_PORT]    default port+1
#   --access-key K      of the user made         [RGW_ACCESS_KEY]  default test
#   --secret-key K                               [RGW_SECRET_KEY]  default testtest
#   --uid NAME          of that user; a second one, [RGW_UID]      default test
#                       NAME-other, is there to be granted rights
#   --classes "A B C"   storage classes besides STANDARD; "" = none
#                                                [RGW_CLASSES]     default "STANDARD_IA GLACIER DEEP_ARCHIVE"
#   --memory BYTES      size of the memory store [RGW_MEMORY]      default 4 GiB
#   --wait SECONDS      limit of each wait       [RGW_WAIT]        default 60
#
# Two clusters can run at once if data, port and mon-port differ. start on a running
# cluster and stop on a stopped one do nothing and return 0.
# The key management is Ceph's own for tests; it knows one key, "drover-key".
set -euo pipefail

usage() { sed -n '/^set /q; 2,$ s/^# \{0,1\}//p' "$0"; }
die() { echo "ceph-rgw: $*" >&2; exit 1; }

[ $# -ge 1 ] || { usage >&2; exit 2; }
again=("$0" "$@") try=${RGW_TRY:-1}
cmd=$1; shift

data=${RGW_DATA:-./.ceph-rgw} port=${RGW_PORT:-7480} mon_port=${RGW_MON_PORT:-}
access=${RGW_ACCESS_KEY:-test} secret=${RGW_SECRET_KEY:-testtest} uid=${RGW_UID:-test}
classes=${RGW_CLASSES-"STANDARD_IA GLACIER DEEP_ARCHIVE"}
memory=${RGW_MEMORY:-4294967296} wait_s=${RGW_WAIT:-60}

while [ $# -gt 0 ] && [ "$1" != -- ]; do
  [ $# -ge 2 ] || die "option $1 needs a value"
  case $1 in
    --data) data=$2 ;; --port) port=$2 ;; --mon-port) mon_port=$2 ;;
    --access-key) access=$2 ;; --secret-key) secret=$2 ;; --uid) uid=$2 ;;
    --classes) classes=$2 ;; --memory) memory=$2 ;; --wait) wait_s=$2 ;;
    *) echo "ceph-rgw: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift 2
done
[ "${1:-}" != -- ] || shift

# locate: what follows from the options.
locate() {
  mon_port=${mon_port:-$((port + 1))}
  data=$(realpath -m -- "$data")
  conf=$data/ceph.conf
  export CEPH_CONF=$conf
  url=http://127.0.0.1:$port
}

# alive NAME: the pid file's process lives and was started with our configuration file
# (a pid that another program got meanwhile is never touched).
alive() {
  local f=$data/$1.pid p
  [ -s "$f" ] || return 1
  p=$(cat "$f")
  [ -r "/proc/$p/cmdline" ] && tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -qF -- "$conf "
}

# listener: the inode of the socket that listens on the port.
listener() { awk -v port="$(printf ':%04X' "$port")" '$2 ~ port "$" && $4 == "0A" { print $10; n = 1 } END { exit !n }' /proc/net/tcp; }

# owned: that socket is our gateway's. One that could not bind its port lives on for a while.
owned() { ls -l "/proc/$(cat "$data/rgw.pid")/fd" 2>/dev/null | grep -qF "socket:[$(listener)]"; }

tied=() # before a daemon's command, to end it when this script is killed

answers() { curl -s -o /dev/null --noproxy '*' --max-time 2 "$url/"; }

# launch NAME COMMAND…: run a daemon in its own session and keep its pid.
launch() {
  local name=$1; shift
  setsid "${tied[@]}" "$@" >"$data/$name.out" 2>&1 </dev/null &
  echo $! >"$data/$name.pid"
}

# until_ok WHAT DAEMON COMMAND…: poll until the command succeeds, as long as the daemon lives.
until_ok() {
  local what=$1 daemon=$2 end=$((SECONDS + wait_s)); shift 2
  until "$@" >/dev/null 2>&1; do
    kill -0 "$(cat "$data/$daemon.pid")" 2>/dev/null || give_up "$what ended"
    [ $SECONDS -lt $end ] || give_up "$what did not come up in ${wait_s}s"
    sleep 0.2
  done
}

# give_up WHY: stop what was started. With run, whose ports another program may have taken meanwhile, try others.
give_up() {
  echo "ceph-rgw: $1" >&2
  tail -n 5 "$data"/*.out >&2 || true
  stop
  if [ "$cmd" = run ] && [ "$try" -lt 3 ]; then
    rm -rf -- "$data"
    RGW_TRY=$((try + 1)) exec "${again[@]}"
  fi
  exit 1
}

stop_one() {
  local name=$1 p i
  if alive "$name"; then
    p=$(cat "$data/$name.pid")
    kill "$p" 2>/dev/null || true
    for ((i = 0; i < 50; i++)); do alive "$name" || break; sleep 0.1; done
    if alive "$name"; then kill -9 "$p" 2>/dev/null || true; fi
  fi
  rm -f "$data/$name.pid"
}

stop() { stop_one rgw; stop_one osd; stop_one mon; }

start_rgw() {
  launch rgw radosgw -c "$conf" -n client.admin -f --log-file "$data/rgw.log"
  until_ok "the gateway" rgw listener
  owned || give_up "port $port was taken by something else"
  until_ok "the gateway" rgw answers
}

packages="radosgw ceph-mon ceph-osd ceph-common curl"

lacking() {
  local b
  for b in ceph ceph-mon ceph-osd radosgw radosgw-admin monmaptool ceph-authtool curl setsid setpriv; do
    command -v "$b" >/dev/null || printf '%s ' "$b"
  done
}

start() {
  if alive mon && alive osd && alive rgw && answers; then
    echo "already running: $url"
    return
  fi
  [ -z "$(lacking)" ] || die "not installed: $(lacking): apt-get install --no-install-recommends $packages"
  [ ! -e "$data" ] || [ -f "$data/.ceph-rgw" ] || [ -z "$(ls -A "$data")" ] || die "$data holds other files; choose an empty folder"
  stop
  if answers; then give_up "port $port is taken by something else"; fi
  rm -rf -- "$data"
  mkdir -p "$data/mon" "$data/osd" "$data/rgw"
  touch "$data/.ceph-rgw"

  local fsid osd_uuid
  fsid=$(cat /proc/sys/kernel/random/uuid)
  osd_uuid=$(cat /proc/sys/kernel/random/uuid)
  # v1 messenger only: with msgr2 the admin client hung while connecting.
  # No "update on start": the OSD sends that command before it has learned the cluster's fsid and
  # exits with "wrong fsid", a race that fast machines lose. We place it in the CRUSH map ourselves.
  cat >"$conf" <<CONF
[global]
fsid = $fsid
mon host = v1:127.0.0.1:$mon_port
ms bind msgr2 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
run dir = $data
admin socket = $data/\$name.\$pid.asok
log file = /dev/null
pid file = $data/\$name.\$pid.daemon
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 2000
[mon.a]
mon data = $data/mon
[osd.0]
osd class update on start = false
osd crush update on start = false
osd data = $data/osd
osd objectstore = memstore
memstore device bytes = $memory
osd max object name len = 2048
[client.admin]
rgw frontends = beast endpoint=127.0.0.1:$port
rgw data = $data/rgw
rgw override bucket index max shards = 1
rgw dns name = localhost
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = drover-key=$(head -c 32 /dev/urandom | base64 -w0)
CONF

  monmaptool --create --addv a "[v1:127.0.0.1:$mon_port]" --fsid "$fsid" "$data/monmap" >/dev/null
  ceph-authtool --create-keyring "$data/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
  ceph-mon -c "$conf" --mkfs -i a --monmap "$data/monmap" --keyring "$data/keyring"
  launch mon ceph-mon -c "$conf" -i a -f --log-file "$data/mon.log"
  until_ok "the monitor" mon ceph -c "$conf" --connect-timeout 5 mon stat

  # The OSD must be formatted with the very uuid that the monitor was told, or it never boots.
  ceph -c "$conf" --connect-timeout 20 osd new "$osd_uuid" >/dev/null
  ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$osd_uuid" >/dev/null 2>&1
  ceph -c "$conf" osd crush add osd.0 1.0 root=default host=local >/dev/null 2>&1
  launch osd ceph-osd -c "$conf" -i 0 -f --log-file "$data/osd.log"
  until_ok "the OSD" osd osd_up

  start_rgw
  radosgw-admin -c "$conf" -n client.admin user create --uid="$uid" --display-name="$uid" \
    --access-key="$access" --secret-key="$secret" >/dev/null
  radosgw-admin -c "$conf" -n client.admin user create --uid="$uid-other" --display-name="$uid-other" >/dev/null
  if [ -n "$classes" ]; then
    local c
    for c in $classes; do
      radosgw-admin -c "$conf" -n client.admin zonegroup placement add --rgw-zonegroup default \
        --placement-id default-placement --storage-class "$c" >/dev/null
      radosgw-admin -c "$conf" -n client.admin zone placement add --rgw-zone default \
        --placement-id default-placement --storage-class "$c" --data-pool default.rgw.buckets.data >/dev/null
    done
    stop_one rgw # it reads the classes at start only
    start_rgw
  fi
  echo "running: $url access-key=$access secret-key=$secret data=$data"
}

osd_up() { ceph -c "$conf" --connect-timeout 5 osd stat | grep -q '1 up'; }

status() {
  local n rc=0
  for n in mon osd rgw; do
    if alive "$n"; then echo "$n: running, pid $(cat "$data/$n.pid")"; else echo "$n: not running"; rc=3; fi
  done
  if answers && [ $rc = 0 ]; then echo "endpoint: $url answers"; else echo "endpoint: $url not ours or no answer"; rc=3; fi
  return $rc
}

# free_port: one that nothing listens on, below those that the kernel gives to clients and to listeners on port 0.
free_port() {
  local p i
  for ((i = 0; i < 100; i++)); do
    p=$((20000 + RANDOM % 12000))
    [ "$p" != "$1" ] && ! (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null && { echo "$p"; return; }
  done
  die "no free port was found"
}

run() {
  [ $# -gt 0 ] || die "run needs a command after --"
  if [ -n "${DROVER_TEST_S3:-}" ]; then exec "$@"; fi
  if [ -n "$(lacking)" ]; then
    echo "ceph-rgw: no gateway is started, not installed: $(lacking)" >&2
    exec "$@"
  fi
  port=$(free_port 0) mon_port=$(free_port "$port")
  data=$(mktemp -d "${TMPDIR:-/tmp}/drover-ceph.XXXXXX")
  locate
  trap 'stop; rm -rf -- "$data"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  tied=(setpriv --pdeathsig KILL)
  start
  local rc=0
  DROVER_TEST_S3=$url DROVER_TEST_S3_ACCESS_KEY=$access DROVER_TEST_S3_SECRET_KEY=$secret "$@" || rc=$?
  exit $rc
}

locate
case $cmd in
  start) start ;;
  run) run "$@" ;;
  stop) stop; echo "stopped" ;;
  status) status ;;
  help | -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac

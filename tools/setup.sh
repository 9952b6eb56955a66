#!/usr/bin/env bash
# Installs what the tests use beyond Go: gcc for the race detector, the AWS CLI as an independent client of the store,
# Ceph's gateway as an independent store, and chromium and npm (for axe-core) for the console.
# On Debian as root it installs them. Elsewhere it says what is missing; with CI=true a missing piece is a failure.
set -uo pipefail

missing=()
command -v gcc >/dev/null || missing+=(gcc)
command -v aws >/dev/null || missing+=(awscli)
command -v ip >/dev/null || missing+=(iproute2)
[ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null || missing+=(chromium)
command -v npm >/dev/null || missing+=(npm)
# Without a font for Chinese, pages in Chinese are boxes.
[ -e /usr/share/fonts/truetype/wqy ] || [ -e /usr/share/fonts/opentype/noto ] || ! command -v dpkg >/dev/null || missing+=(fonts-wqy-microhei)
for c in radosgw ceph-mon ceph-osd; do command -v "$c" >/dev/null || missing+=("$c"); done
command -v ceph >/dev/null || missing+=(ceph-common)
command -v curl >/dev/null || missing+=(curl)
if [ "${#missing[@]}" -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	apt() { apt-get -o DPkg::Lock::Timeout=600 "$@"; }
	if ! apt install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
		apt update -q >/dev/null && apt install -y -q --no-install-recommends "${missing[@]}" >/dev/null
	fi
fi

code=0
need() { # command, what goes without it
	command -v "$1" >/dev/null && return
	if [ "${CI:-}" = true ]; then
		echo "setup: $1 is missing: $2; install it or let this run as root on Debian" >&2
		code=1
	else
		echo "setup: $1 is missing: $2 is skipped" >&2
	fi
}
need gcc "the tests under the race detector"
need aws "the AWS CLI test of the embedded store"
need "${CHROMIUM:-chromium}" "the tests of the console in a browser"
need npm "axe-core's look at the console's pages, and with it the tests of the console in a browser,"
for c in radosgw ceph-mon ceph-osd ceph curl; do need "$c" "what the tests do on Ceph's gateway"; done
exit "$code"

#!/bin/sh
# Install packages of a Debian system, when we are root on one; says what to type otherwise.
#   system_packages.sh PACKAGE...        all of them, or exit 1
# Services of a package are not started.
set -eu

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    printf 'Needed and missing here; as root type:  apt-get install %s\n' "$*" >&2
    exit 1
fi

printf 'Installing %s from the system'"'"'s packages ...\n' "$*" >&2
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy" "$log"' EXIT
else
    trap 'rm -f "$log"' EXIT
fi
apt-get update -qq >"$log" 2>&1 || true # an old list may still do
if ! apt-get install -qq -y --no-install-recommends "$@" >>"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    exit 1
fi

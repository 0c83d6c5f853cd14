#!/bin/bash
# install-deps.sh: install what is missing, with apt.
#
#   conf/install-deps.sh run [test] [bench] [lint] [fuzz]
#
# run: to build and run the service; test: for make check; bench: for make bench; lint:
# for make lint; fuzz: for make fuzz. When all is there, nothing is done, and neither root
# nor network is needed.
#
# Debian's packages of servers start them at once, and again at each boot: Redis on 6379,
# lighttpd and nginx on port 80, Prometheus on 9090. Nobody asked for that: for the time of the installation
# a policy forbids starting, and where systemd runs, those that were installed here are
# disabled. A server that was there before is left as it is.
set -eu

declare -A sets=(
    [run]="gcc make libc6-dev lighttpd redis-server libfcgi-dev libhiredis-dev libjansson-dev
          libdeflate-dev libsnappy-dev libcurl4-gnutls-dev ca-certificates nodejs npm"
    [test]="libcmocka-dev curl nginx-light spawn-fcgi procps prometheus victoria-metrics
           python3-influxdb chromium"
    [bench]="wrk curl procps"
    [lint]="clang-format clang-tidy cppcheck shellcheck"
    [fuzz]="clang libclang-rt-dev"
)
readonly servers="lighttpd redis-server nginx prometheus victoria-metrics"
readonly policy=/usr/sbin/policy-rc.d

is_installed() {
    [[ $(dpkg-query -W -f='${Status}' "$1" 2>/dev/null) == *" installed" ]]
}

# Node often comes from elsewhere, and such a package will not have Debian's npm beside it.
is_there() {
    is_installed "$1" || { [[ $1 == nodejs || $1 == npm ]] && command -v npm >/dev/null; }
}

wanted=
for set; do
    [[ ${sets[$set]:-} ]] || {
        echo "install-deps.sh: no set \"$set\"; there are: ${!sets[*]}" >&2
        exit 2
    }
    wanted+=" ${sets[$set]}"
done

command -v dpkg-query >/dev/null || {
    echo "install-deps.sh: no Debian or Ubuntu; install the equivalents of:$wanted" >&2
    exit 1
}
missing=()
for package in $wanted; do
    is_there "$package" || missing+=("$package")
done
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
    command -v sudo >/dev/null || {
        echo "install-deps.sh: packages are missing and there is no sudo; as root, run" >&2
        echo "    apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
        exit 1
    }
    as_root=(sudo)
fi

new_servers=()
for server in $servers; do
    is_installed "$server" || new_servers+=("$server")
done

if [[ ! -e $policy ]]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod +x "$policy"
fi

echo "installing: ${missing[*]}"
log=$(mktemp)
{
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}"
} >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    echo "install-deps.sh: apt failed, see above and $log" >&2
    exit 1
}
rm -f "$log"

if [[ -d /run/systemd/system ]]; then
    for server in "${new_servers[@]}"; do
        is_installed "$server" || continue
        "${as_root[@]}" systemctl disable --quiet "$server" 2>/dev/null || true
        echo "installed $server, not started as a service of the system"
    done
fi

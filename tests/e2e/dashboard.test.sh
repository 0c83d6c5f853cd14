#!/bin/bash
# The dashboard and the documentation in a real browser, against services of their own.
#
# The browser is Debian's chromium, driven by the scripts in browser/, which print TAP.
set -u
. "$(dirname "$0")/lib.sh"

scripts=$root/build/browser

# They have been where the suite ran before, or `make browser`.
install_driver() { env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C "$root" browser >"$work/npm.log" 2>&1; }
install_driver
check "the browser's driver is installed" [ $? = 0 ]
[ "$failures" = 0 ] || finish

# A browser on the same cores makes everything slow.
patience=(REDIS_TIMEOUT_MS=2000 REDIS_WRITE_TIMEOUT_MS=4000)
service_start many RATE_LIMIT_REQUESTS=0 MAX_TYPES=2500 WORKERS=1 "${patience[@]}"
many=$base
service_start locked API_TOKEN=s3cret RATE_LIMIT_REQUESTS=2 RATE_LIMIT_WINDOW_SECONDS=3 WORKERS=1 "${patience[@]}" \
    EXTERNAL_SERVICE_FAILURE_RATE=1 CIRCUIT_BREAKER_FAILURE_THRESHOLD=3 CIRCUIT_BREAKER_RESET_TIMEOUT=10
locked=$base
# The service that is stopped and started is started again as it was.
main=(RATE_LIMIT_REQUESTS=0 WORKERS=1 ADMIN_TOKEN=adm1n EXTERNAL_SERVICE_FAILURE_RATE=0 "${patience[@]}")
service_start main "${main[@]}"

environment=("${main[@]}" APP_HOST=127.0.0.1 APP_PORT="$port" RUN_DIR="$dir" SERVICE="$root/conf/service"
    BASE="$base" MANY="$many" LOCKED="$locked" TOKEN=s3cret ADMIN=adm1n MODE="$mode")
include dashboard env "${environment[@]}" node "$scripts/dashboard.mjs"
include docs env BASE="$base" MODE="$mode" node "$scripts/docs.mjs"
finish

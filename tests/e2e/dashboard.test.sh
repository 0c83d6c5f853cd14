#!/bin/bash
# The dashboard in a real browser, against services of its own: browser/dashboard.mjs prints TAP.
set -u
. "$(dirname "$0")/lib.sh"
. "$root/tests/e2e/driver.sh"

service_start many RATE_LIMIT_REQUESTS=0 MAX_TYPES=2500 WORKERS=1
many=$base
service_start locked API_TOKEN=s3cret RATE_LIMIT_REQUESTS=2 RATE_LIMIT_WINDOW_SECONDS=3 WORKERS=1 \
    EXTERNAL_SERVICE_FAILURE_RATE=1 CIRCUIT_BREAKER_FAILURE_THRESHOLD=3 CIRCUIT_BREAKER_RESET_TIMEOUT=10
locked=$base
# The service that is stopped and started is started again as it was.
main=(RATE_LIMIT_REQUESTS=0 WORKERS=1 ADMIN_TOKEN=adm1n EXTERNAL_SERVICE_FAILURE_RATE=0 "${patience[@]}")
service_start main "${main[@]}"

environment=("${main[@]}" APP_HOST=127.0.0.1 APP_PORT="$port" RUN_DIR="$dir" SERVICE="$root/conf/service"
    BASE="$base" MANY="$many" LOCKED="$locked" TOKEN=s3cret ADMIN=adm1n MODE="$mode")
include dashboard env "${environment[@]}" node "$scripts/dashboard.mjs"
finish

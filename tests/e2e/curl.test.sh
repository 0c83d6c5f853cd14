#!/bin/bash
# The curl checks against a service started by its own commands, and again on its data.
set -u
. "$(dirname "$0")/lib.sh"

export ADMIN_TOKEN=admin-of-the-test
service_start one RATE_LIMIT_WINDOW_SECONDS=4
include "first run" "$root/tests/e2e/curl_checks.sh" "$base"
include "second run" "$root/tests/e2e/curl_checks.sh" "$base"
service_stop
port=$(free_port)
base=http://127.0.0.1:$port
check "it starts again on its data" eval 'APP_HOST=127.0.0.1 APP_PORT=$port RUN_DIR=$dir \
    RATE_LIMIT_WINDOW_SECONDS=4 ADMIN_TOKEN= "$root/conf/service" start >"$work/start.log"'
ask GET "/api/metrics/list?limit=1000"
check "what was posted before is still there" eval '[ "$(grep -o "\"value\":" "$work/body" | wc -l)" -ge 20 ]'
include "without an administrator" env ADMIN_TOKEN= "$root/tests/e2e/curl_checks.sh" "$base"
finish

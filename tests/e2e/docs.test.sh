#!/bin/bash
# The documentation in a real browser: browser/docs.mjs prints TAP.
set -u
. "$(dirname "$0")/lib.sh"
. "$root/tests/e2e/driver.sh"

service_start one RATE_LIMIT_REQUESTS=0 WORKERS=1 EXTERNAL_SERVICE_FAILURE_RATE=0
include docs env BASE="$base" MODE="$mode" node "$scripts/docs.mjs"
finish

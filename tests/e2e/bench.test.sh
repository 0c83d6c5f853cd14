#!/bin/bash
# The benchmark that fills Redis by itself, past the service, still finds what the service reads.
set -u
. "$(dirname "$0")/lib.sh"

samples=120000
told=$("$root/build/$mode/tests/bench/summary_cold" "$samples" 2>/dev/null)
check "summary_cold has its stages" [ "$(grep -c ' median ' <<<"$told")" = 9 ]
counts() { awk '/^all / { for (i = 2; i < NF; i++) if ($(i + 1) == "samples") print $i }' <<<"$told" | sort -u; }
check "and finds all samples in each of them" eval '[ "$(counts | wc -l)" = 1 ] && [ "$(counts)" -ge "$samples" ]'
finish

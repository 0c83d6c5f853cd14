#!/bin/sh
# bucket_span.sh: compare spans of a bucket, each with a build of its own.
#
#   tests/bench/bucket_span.sh [SECONDS ...]      300 3600 86400 unless given
set -eu
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- 300 3600 86400
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
for seconds; do
    rm -rf "$copy/tree"
    mkdir "$copy/tree"
    git ls-files -co --exclude-standard | tar -cf - -T - | tar -xf - -C "$copy/tree"
    sed -i "s/^#define BUCKET_US .*/#define BUCKET_US INT64_C(${seconds}000000)/" \
        "$copy/tree/lib/metrics/record.h"
    make -s -C "$copy/tree" build/release/tests/bench/bucket_span
    "$copy/tree/build/release/tests/bench/bucket_span" 2>"$copy/log" || { cat "$copy/log" >&2; exit 1; }
done

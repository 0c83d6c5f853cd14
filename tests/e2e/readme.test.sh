#!/bin/bash
# The tour of README.md, its worked example and its words on senders give what they print: their
# commands, one after the other, against a fresh service each. Left out of the comparison is what
# must differ: instants, waits, ids of requests, data of the external service.
set -u
. "$(dirname "$0")/lib.sh"

export ADMIN_TOKEN=admin-of-the-test
cd "$root" || exit 1
unset MAKEFLAGS MAKELEVEL MFLAGS MODE # of the make that runs the tests

normalise() {
    sed -E -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3,6}Z/INSTANT/g' -e 's/"request_id":"[0-9a-f]+"/ID/g' \
        -e 's/"sample_value":[0-9.]+/VALUE/g' -e 's/"generation":[0-9]+/GENERATION/g' \
        -e 's/(t=|Retry-After: |_seconds":)([1-5][0-9]|60)/\1WAIT/g' -e 's/\r$//'
}

# The answer of the external service comes beside the first summary: later ones have it.
has_external() { [ "$(redis-cli -s "$dir/redis.sock" exists "ra:ext:{cpu_usage}")" = 1 ]; }
await_external() {
    [ "$asked" = once ] || return 0
    await 20 has_external
    asked=again
}

# In this shell, as a reader would: what a command defines, later ones use.
try() { # try COMMAND EXPECTED
    printf '%s\n' "${1//localhost:8000/127.0.0.1:$port}" >"$work/command"
    await_external
    # shellcheck source=/dev/null
    . "$work/command" >"$work/said" 2>&1
    normalise <"$work/said" >"$work/body"
    [[ ! $asked && $1 == *'/summary?type=cpu_usage'* ]] && asked=once
    check "README: ${1:0:70}" [ "$(cat "$work/body")" = "$(printf '%s' "$2" | normalise)" ]
}

command='' expected='' is_shown='' asked='' commands=0
while IFS= read -r line; do
    case $line in
    '## A tour with curl') service_start tour EXTERNAL_SERVICE_FAILURE_RATE=0 && is_shown=yes ;;
    '## A worked example') service_start example && is_shown=yes ;;
    '## Senders') service_start senders && is_shown=yes ;;
    '## '*) is_shown='' ;;
    esac
    [[ $is_shown ]] || continue
    if [[ $line == '$ '* || $line == '```'* ]]; then
        [[ $command ]] && try "$command" "$expected"
        command='' expected=''
    fi
    if [[ $line == '$ '* ]]; then
        command=${line#\$ } commands=$((commands + 1))
    elif [[ $command ]]; then
        expected+=$line$'\n'
    fi
done <"$root/README.md"
check "README: all of them have their commands" [ "$commands" -ge 43 ]
finish

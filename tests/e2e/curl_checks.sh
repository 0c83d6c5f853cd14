#!/bin/bash
# curl_checks.sh [BASE_URL]: walk through the service as a client would, with curl alone.
#
# BASE_URL defaults to http://localhost:8000. Prints TAP; exit code 1 when a check fails.
# May be run again on the same data: it uses a type of its own and first waits, by
# /api/rate-limit, until the caller's allowance is whole. Expects the default limit of
# 10 in 60 s, or whatever /api/rate-limit says, up to 50. With ADMIN_TOKEN set, to that of the
# service, it also deletes a type.
set -u

base=${1:-http://localhost:8000}
type="curl_checks_$$_$(date +%s)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/tap.sh"

sample() { # sample SECONDS VALUE [TYPE]
    printf '{"timestamp":"2026-02-21T12:00:%02dZ","value":%s,"type":"%s"}' "$1" "$2" "${3:-$type}"
}
post() { # post SECONDS VALUE [TYPE]
    ask POST /api/metrics -H 'Content-Type: application/json' -d "$(sample "$@")"
}

delete() { # delete TYPE, percent-encoded [CURL OPTION...]
    ask DELETE "/api/metrics?type=$1" "${@:2}"
}

ask GET /health
check "health answers 200" is 200
check "health is healthy" has '"status":"healthy"'
check "health knows Redis" has '"redis_connected":true'

for header in 'x-content-type-options: nosniff' 'x-frame-options: DENY' 'referrer-policy: no-referrer' \
    "content-security-policy: default-src 'none'"; do
    check "each answer carries $header, once" eval '[ "$(grep -ciE "^$header" "$work/head")" = 1 ]'
done

ask GET /
check "the root names the service" has '"name":"Resilient Analytics API"'
ask GET /api/circuit-breaker/status
check "the breaker has a state" eval 'is 200 && has "\"state\":\"" && has "\"failure_count\":" && has "\"success_count\":"'
ask GET /api/external
check "the external service answers, falls back or is named as failing" eval \
    'is 200 && { has "\"status\":\"success\"" || has "\"status\":\"fallback\""; } || is 503'

# The allowance, whole: others may have used this address a moment ago.
await_allowance() {
    for _ in $(seq 90); do
        ask GET /api/rate-limit
        limit=$(number limit)
        [ "$(number remaining)" = "$limit" ] && break
        sleep 1
    done
}

await_allowance
check "the caller's standing is told, free of charge" eval 'is 200 && [ -n "$limit" ]'
if [ -n "${ADMIN_TOKEN:-}" ]; then
    doomed="gone é $type" doomed_encoded=gone%20%C3%A9%20$type admin="Authorization: Bearer $ADMIN_TOKEN"
    post 0 1 "$doomed"
    ask GET "/api/metrics/types?match=gone%20?%20$type"
    check "a type is found by a pattern" eval 'is 200 && has "{\"types\":[{\"type\":\"$doomed\",\"count\":1,"'
    delete "$doomed_encoded" -H "X-Confirm-Delete: $doomed"
    check "its deletion asks for a token" eval 'is 401 && says "www-authenticate: Bearer"'
    delete "$doomed_encoded" -H "X-Confirm-Delete: $doomed" -H "Authorization: Bearer x$ADMIN_TOKEN"
    check "for the right one" is 401
    delete "$doomed_encoded" -H "$admin"
    check "and for a confirmation" eval 'is 428 && has X-Confirm-Delete'
    delete "$doomed_encoded" -H "$admin" -H "X-Confirm-Delete: $doomed"
    check "then it is deleted" eval 'is 200 && has "\"message\":\"Type deleted\""'
    delete "$doomed_encoded" -H "$admin" -H "X-Confirm-Delete: $doomed_encoded"
    check "and no type any more" is 404
    ask GET "/api/metrics/summary?type=$doomed_encoded"
    check "nor has it samples" eval 'is 200 && has "\"count\":0,"'
    await_allowance
else
    delete "$type" -H "X-Confirm-Delete: $type"
    check "without an administrator nothing is deleted" is 404
fi
if [ "${limit:-0}" -lt 1 ] || [ "$limit" -gt 50 ]; then
    echo "# the limit is ${limit:-unknown}: its checks are for 1 to 50"
    limit=0
fi

post 0 10.5
check "a sample is created: 201" is 201
check "its answer names the type" eval 'has "\"message\":\"Metric received\"" && has "\"type\":\"$type\""'
if [ "$limit" -gt 0 ]; then
    check "it says the policy" says "ratelimit-policy: \"post\";q=$limit;w="
    check "it says what remains" says "ratelimit: \"post\";r=$((limit - 1));t="
fi

ask GET "/api/metrics/summary?type=$type"
check "a summary is computed" eval 'is 200 && has "\"count\":1,\"average_value\":10.5,\"min_value\":10.5,\"max_value\":10.5,\"latest_value\":10.5"'
check "the first is a MISS" says 'x-cache: MISS'
ask GET "/api/metrics/summary?type=$type"
check "the second is a HIT" says 'x-cache: HIT'
# The external service's data may come in between, and change it.
for _ in 1 2 3 4 5; do
    etag=$(sed -n 's/^[Ee][Tt]ag: *//p' "$work/head" | tr -d '\r')
    ask GET "/api/metrics/summary?type=$type" -H "If-None-Match: $etag"
    is 304 && break
    sleep 0.2
done
check "an unchanged summary is 304" is 304
window='from=2026-02-21T12:00:00Z&to=2026-02-21T12:00:01Z'
ask GET "/api/metrics/summary?type=$type&$window&percentiles=50,99.9&compare=previous"
check "a window has its percentiles" has '"percentiles":{"p50":10.5,"p999":10.5}'
check "a window is compared with the one before" has '"change":{"count":{"absolute":1,"relative":null}'

# By one curl on one connection: the window may be short.
post_all() { # post_all FIRST LAST: seconds and values; the statuses, a line each
    for i in $(seq "$1" "$2"); do
        [ "$i" = "$1" ] || echo next
        printf 'url = "%s/api/metrics"\nsilent\noutput = "/dev/null"\nwrite-out = "%%{http_code}\\n"\n' "$base"
        printf 'header = "Content-Type: application/json"\ndata = "%s"\n' "$(sample "$i" "$i" | sed 's/"/\\"/g')"
    done | curl -m 20 -K -
}

created=1
if [ "$limit" -gt 0 ]; then
    await_allowance
    statuses=$(post_all 1 $((limit + 1)))
    post $((limit + 2)) 1
    created=$((created + $(grep -cx 201 <<<"$statuses")))
    check "of $((limit + 2)) posts in a row $limit are created" [ "$created" = $((limit + 1)) ]
    check "and 2 refused" eval '[ "$(grep -cx 429 <<<"$statuses")" = 1 ] && is 429'
    check "a refusal says when to come back" says 'retry-after: [1-9]'
    check "a refusal is a problem" eval 'says "content-type: application/problem\\+json" && has "Rate limit exceeded"'
    ask GET "/api/metrics/list?type=$type&limit=1000"
    check "the list shows just the created" eval '[ "$(grep -o "\"value\":" "$work/body" | wc -l)" = "$created" ]'
fi
ask GET "/api/metrics/summary?type=$type"
check "the summary counts the created" eval '[ "$(number count)" = "$created" ]'
check "the summary after a write was computed anew" says 'x-cache: MISS'
ask GET "/api/metrics/summary?type=$type&period=hourly"
check "an hour has no samples of last year" has '"count":0,"average_value":0.0'

ask GET "/api/metrics/types?match=curl_checks_*&limit=1"
check "types are listed by page" eval 'is 200 && has "{\"types\":[{\"type\":\"curl_checks_" && has "\"next\":"'
ask GET "/api/metrics/types?match=$type"
check "a type tells what it holds" eval '[ "$(number count)" = "$created" ] && [ "$(number bytes)" = $((16 * created)) ]'

ask GET /api/stats
check "the service tells what it counts" eval 'is 200 && has "\"path\":\"/api/metrics\",\"count\":" && [ "$(number accepted)" -ge 1 ]'
ask GET /metrics
check "also to Prometheus" eval 'is 200 && has "analytics_http_requests_total{method=\"POST\",route=\"/api/metrics\",status=\"201\"}"'

ask GET /docs
check "documentation is a page" eval 'is 200 && says "content-type: text/html" && has "swagger-ui"'
ask GET /redoc
check "the other documentation is a page without scripts" eval 'is 200 && says "content-type: text/html" && has "/api/metrics/summary"'
ask GET /openapi.json
check "openapi.json is served" eval 'is 200 && has "\"openapi\""'
for path in / /health /livez /readyz /docs "/api/metrics/summary?type=$type" "/api/metrics/list?limit=1" /api/circuit-breaker/status /api/rate-limit; do
    ask HEAD "$path"
    check "HEAD $path is 200 without a body" eval 'is 200 && [ ! -s "$work/body" -o "$(head -c 5 "$work/body")" = "HTTP/" ]'
done

ask GET "/api/metrics/summary?type=$type&period=weekly"
check "an unknown period is 400" is 400
ask GET "/api/metrics/summary?type=$type&period=daily&from=now-1h"
check "a period together with a window is 422" is 422
ask GET /api/metrics/summary
check "a summary without a type is 422" eval 'is 422 && has "\"loc\":[\"query\",\"type\"]"'
ask POST /api/metrics -d '{"timestamp":"2026-02-30T12:00:00Z","value":true,"type":""}'
check "every wrong member is named" eval 'is 422 && has "\"pointer\":\"/timestamp\"" && has "\"pointer\":\"/value\"" && has "\"pointer\":\"/type\""'
ask POST /api/metrics -d '[{"timestamp":0,"value":1,"type":"a"},{"timestamp":0,"value":"x","type":"a"}]'
check "of many samples all are refused, and which is wrong is told" eval 'is 422 && has "\"pointer\":\"/1/value\""'
ask GET /no/such/path
check "an unknown path is a 404 problem" eval 'is 404 && has "\"code\":\"NOT_FOUND\""'
ask PUT /api/metrics
check "a wrong method is 405 and says which" eval 'is 405 && says "allow: POST"'
ask GET /api/metrics/list/
check "a trailing slash is redirected: 307" eval 'is 307 && says "location: /api/metrics/list"'
ask GET /docs/
check "also behind /docs" eval 'is 307 && says "location: /docs"'

finish

#!/bin/bash
# What the service counts about itself: as it is, to the last request, over several workers and
# their deaths, in both of its faces, also as a real Prometheus scrapes it.
set -u
. "$(dirname "$0")/lib.sh"

prometheus_pid=
end_all() {
    [ "$prometheus_pid" ] && kill -KILL "$prometheus_pid" 2>/dev/null && wait "$prometheus_pid" 2>/dev/null
    cleanup
}
trap end_all EXIT

sample() { echo "{\"timestamp\":\"2026-02-21T12:00:00Z\",\"value\":$1,\"type\":\"$2\"}"; }
post() { ask POST /api/metrics -d "$(sample "$1" "$2")"; }

stats() { ask GET /api/stats; }
# stat A B C: the member C of B of A, as /api/stats has it now.
stat() { stats && node -e 'let at = JSON.parse(require("fs").readFileSync(process.argv[1]));
    for (const name of process.argv.slice(2)) at = at?.[name]; console.log(at)' "$work/body" "$@"; }
stat_is() { [ "$(stat "${@:2}")" = "$1" ]; }
# requests METHOD PATH: "STATUS COUNT" a line
requests() {
    stats && node -e 'const { requests } = JSON.parse(require("fs").readFileSync(process.argv[1]));
        const route = requests.routes.find((r) => r.method === process.argv[2] && r.path === process.argv[3]);
        for (const [status, count] of Object.entries(route?.statuses ?? {})) console.log(status, count);' \
        "$work/body" "$1" "$2"
}
metric() { ask GET /metrics && grep -v '^#' "$work/body" | grep -F -- "$1 " | sed 's/.* //'; } # metric NAME{LABELS}

# --- what happens is what is counted
service_start counts WORKERS=2 RATE_LIMIT_REQUESTS=4 MAX_TYPES=2 EXTERNAL_SERVICE_FAILURE_RATE=1 \
    CIRCUIT_BREAKER_FAILURE_THRESHOLD=2 CIRCUIT_BREAKER_RESET_TIMEOUT=5

check "a service that was just started counts from 0" stat_is 0 samples accepted
check "the version is told" stat_is "$(cat "$root/VERSION")" version
check "both workers are ready" await 10 stat_is 2 workers ready
post 1 cpu
post '"x"' cpu
post 1 memory
post 1 disk
post 1 cpu
ask POST /api/metrics -d "[$(sample 2 cpu),$(sample 3 cpu),$(sample '"x"' cpu)]"
ask POST '/api/metrics?partial=true' -d "[$(sample 2 cpu),$(sample 3 cpu),$(sample '"x"' cpu),$(sample 4 disk)]"
check "samples that were stored" stat_is 5 samples accepted
check "samples that were invalid" stat_is 3 samples refused invalid
check "samples beyond a limit" stat_is 2 samples refused limit
post 1 cpu
post 1 cpu
check "samples beyond the rate" stat_is 2 samples refused rate_limit
check "admissions, also of what a limit of the store refused" stat_is 5 rate_limiter admitted
check "refusals" stat_is 2 rate_limiter refused
check "requests by status" eval \
    '[ "$(requests POST /api/metrics)" = "201 4
422 3
429 2" ]'

ask GET "/api/metrics/summary?type=cpu"
ask GET "/api/metrics/summary?type=cpu&period=daily"
check "summaries that were computed" stat_is 2 cache miss
for _ in 1 2 3 4 5 6; do ask GET "/api/metrics/summary?type=memory&period=hourly"; done
check "and those from the cache" eval '[ $(($(stat cache hit) + $(stat cache miss))) = 8 ] && [ "$(stat cache hit)" -ge 4 ]'

for _ in 1 2 3 4; do ask GET /api/external; done
check "the breaker opened, once" stat_is 1 circuit_breaker opened
check "it refused" eval '[ "$(stat circuit_breaker refused)" -ge 1 ]'
check "after failures" eval '[ "$(stat circuit_breaker failed)" -ge 2 ]'
ask GET /api/circuit-breaker/status
check "its history tells of it" has '"history":[{"state":"OPEN","at":"'
probe_is_due() { ask GET /api/circuit-breaker/status && has '"probe_due":true'; }
check "a probe is due in time" await 20 probe_is_due
ask GET /api/external
ask GET /api/circuit-breaker/status
check "and of the probe" eval 'grep -qE "\"history\":\[\{\"state\":\"OPEN\",[^}]*\},\{\"state\":\"HALF_OPEN\",[^}]*\},\{\"state\":\"OPEN\"," "$work/body"'

# --- to the last request, at once
# shellcheck disable=SC2034 # used by eval
before=$(stat requests bytes_in)
many() { curl -s -o /dev/null "$base/livez?[1-500]"; }
pids=()
for _ in 1 2 3 4; do many & pids+=("$!"); done
wait "${pids[@]}"
check "2,000 requests, four at a time" eval '[ "$(requests GET /livez)" = "200 2000" ]'
check "they had no body" eval '[ "$(stat requests bytes_in)" = "$before" ]'
ask POST /api/metrics -d "$(sample 1 "cpu")"
check "a body has its bytes" eval '[ $(($(stat requests bytes_in) - before)) = '"$(sample 1 cpu | tr -d '\n' | wc -c)"' ]'
ask GET /nowhere
ask PUT /livez
check "what no route knows" eval '[ "$(requests "" "")" = "404 1
405 1" ]'

# --- the death of a worker
read -r victim _ < <(worker_pids)
kill -KILL "$victim"
check "a worker that dies is replaced" await 10 eval 'stat_is 1 workers restarts && stat_is 2 workers ready'
check "nothing that was counted is lost" eval '[ "$(requests GET /livez)" = "200 2000" ] && stat_is 5 samples accepted'
many
check "and it goes on from there" eval '[ "$(requests GET /livez)" = "200 2500" ]'

# --- for Prometheus
ask GET /metrics
check "in Prometheus's format" says 'content-type: text/plain; version=0.0.4'
check "promtool has nothing to say against it" eval '[ -z "$(promtool check metrics <"$work/body" 2>&1)" ]'
check "the same counts" eval '[ "$(metric analytics_samples_accepted_total)" = 5 ] &&
    [ "$(metric "analytics_http_requests_total{method=\"GET\",route=\"/livez\",status=\"200\"}")" = 2500 ] &&
    [ "$(metric "analytics_http_request_duration_seconds_count{method=\"GET\",route=\"/livez\"}")" = 2500 ] &&
    [ "$(metric "analytics_http_request_duration_seconds_bucket{method=\"GET\",route=\"/livez\",le=\"+Inf\"}")" = 2500 ]'
check "buckets grow with their bounds" eval '! grep "duration_seconds_bucket{method=\"GET\",route=\"/livez\"" "$work/body" |
    sed "s/.* //" | sort -c -n 2>&1 | grep .'

cat >"$work/prometheus.yml" <<END
global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs:
  - job_name: analytics
    static_configs: [{ targets: ["127.0.0.1:$port"] }]
END
service=$base
for _ in 1 2 3; do
    prometheus_port=$(free_port)
    setpriv --pdeathsig KILL prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
        --web.listen-address="127.0.0.1:$prometheus_port" >"$work/prometheus.log" 2>&1 </dev/null &
    prometheus_pid=$!
    base=http://127.0.0.1:$prometheus_port
    await 20 eval 'curl -sf -o /dev/null "$base/-/ready" || ! kill -0 "$prometheus_pid"' &&
        kill -0 "$prometheus_pid" && break
done
asked() { ask GET /api/v1/query -G --data-urlencode "query=$1" && has "$2"; }
check "a real Prometheus scrapes it" await 20 asked 'up{job="analytics"}' ',"1"]'
check "and has the count" await 10 asked analytics_samples_accepted_total ',"5"]'
check "and finds a quantile" await 10 asked \
    'histogram_quantile(0.5, analytics_http_request_duration_seconds_bucket{route="/livez"})' '"value":['
base=$service

# --- Redis away
kill -STOP "$(pid_of redis)"
ask POST /write --data-binary 'cpu v=1'
check "a sample that Redis did not take" eval '[ "$(stat samples refused store)" -ge 1 ]'
check "errors are counted" eval '[ "$(stat redis errors)" -ge 1 ]'
check "the counters are there while it is away" eval 'ask GET /metrics && is 200 && has "analytics_redis_up"'
kill -CONT "$(pid_of redis)"
service_stop

service_start token API_TOKEN=secret
ask GET /metrics
check "with a token they are not for everybody" is 401
ask GET /metrics -H 'Authorization: Bearer secret'
check "but for who has it" is 200

finish

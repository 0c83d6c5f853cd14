#!/bin/bash
# What others send, sent by their own clients: those of InfluxDB 1.x and 2.x, OpenTelemetry's SDK,
# Prometheus, vmagent, curl; and read back, sample by sample, also after an outage.
#
# Clients of npm and Python are driven by the scripts in senders/, which print what they are told.
set -u
. "$(dirname "$0")/lib.sh"

scripts=$root/tests/e2e/senders
node_scripts=$root/build/senders
declare -A bases=() dirs=()
pids=()
frozen=

end_all() {
    [ "$frozen" ] && kill -CONT "$frozen"
    [ ${#pids[@]} = 0 ] || kill -KILL "${pids[@]}" 2>/dev/null
    wait 2>/dev/null
    if [ "$failures" -gt 0 ]; then
        for log in "$work"/*.log; do
            echo "# --- $log"
            tail -n 8 "$log" | cut -c 1-400 | sed 's/^/# /'
        done
    fi
    cleanup
}
trap end_all EXIT

# Should this shell be killed, what it launched ends with it.
launch() { # launch NAME COMMAND...: into the background; its pid is $!
    local name=$1
    shift
    setpriv --pdeathsig KILL "$@" >"$work/$name.log" 2>&1 </dev/null &
    pids+=("$!")
}

answers_or_ends() { curl -sf -m 5 -o "$work/body" "http://$at$1" || ! kill -0 "${pids[-1]}" 2>/dev/null; }

# serve NAME PATH: launch_NAME on a free address, $at, until PATH answers. Another one where
# somebody was faster.
serve() {
    for _ in 1 2 3; do
        at=127.0.0.1:$(free_port)
        "launch_$1"
        await 30 answers_or_ends "$2" && kill -0 "${pids[-1]}" 2>/dev/null && return
    done
    check "$1 starts" false
    finish
}

begin() { # begin NAME VARIABLE=value...: a service
    service_start "$@"
    bases[$1]=$base dirs[$1]=$dir
}
use() { base=${bases[$1]} dir=${dirs[$1]} port=${bases[$1]##*:}; } # of those that began

run() { # run COMMAND...: what it prints is the body
    status=
    : >"$work/head"
    "$@" >"$work/body" 2>"$work/run.log" </dev/null
}
printed() { [ "$(cat "$work/body")" = "$1" ]; }
python() { /usr/bin/python3 "$scripts/$1" "${@:2}"; } # Debian's, with Debian's packages
otlp_environment() { # otlp_environment BASE TOKEN TEMPORALITY: `environment` for otlp.mjs
    environment=(OTEL_EXPORTER_OTLP_METRICS_ENDPOINT="$1/v1/metrics" OTEL_EXPORTER_OTLP_METRICS_COMPRESSION=gzip
        OTEL_EXPORTER_OTLP_METRICS_HEADERS="Authorization=Bearer%20$2"
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="$3")
}
otlp() { # otlp BASE TOKEN TEMPORALITY SERVICE
    otlp_environment "$@"
    env "${environment[@]}" node "$node_scripts/otlp.mjs" "$4"
}
script() { node "$node_scripts/$1" "${@:2}"; }

# --- reading back, through the public interface
bearer=(-H 'Authorization: Bearer s3cret')
samples() { # samples TYPE: "timestamp,value" a line
    ask GET /api/metrics/list "${bearer[@]}" -G --data-urlencode "type=$1" -d order=oldest -d format=csv
    sed 1d "$work/body" | cut -d, -f 2,3 | tr -d '\r'
}
lists() { [ "$(samples "$1")" = "$(printf '%s\n' "${@:2}")" ]; }          # lists TYPE SAMPLE...
values() { [ "$(samples "$1" | cut -d, -f 2 | tr '\n' ' ')" = "$2 " ]; }  # values TYPE "VALUE..."
latest_is() { [ "$(samples "$1" | tail -n 1 | cut -d, -f 2)" = "$2" ]; } # latest_is TYPE VALUE
sums_up() { # sums_up TYPE COUNT SUM MIN MAX
    ask GET /api/metrics/summary "${bearer[@]}" -G --data-urlencode "type=$1" -d period=all
    is 200 && has "\"count\":$2," && has "\"sum\":$3," && has "\"min_value\":$4,\"max_value\":$5,"
}
types() { # types PATTERN "TYPE,COUNT"...: these alone
    ask GET /api/metrics/types "${bearer[@]}" -G --data-urlencode "match=$1"
    [ "$(grep -oP '"type":"\K[^"]*","count":\d+' "$work/body" | sed 's/","count":/,/')" = "$(printf '%s\n' "${@:2}")" ]
}
# Requests to PATH that were answered by STATUS, of those by AGENT; lighttpd writes them late.
requests() { grep -E "\"path\":\"$1\".*\"status\":$2,.*\"agent\":\"${3:-}" "$dir/log/access.log"; }
had() { requests "$@" >"$work/body"; }
had_times() { had "${@:2}" && [ "$(wc -l <"$work/body")" = "$1" ]; } # had_times COUNT PATH STATUS [AGENT]

# They have been where the suite ran before, or `make senders`.
install_clients() { env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C "$root" senders >"$work/npm.log" 2>&1; }
install_clients
check "the clients of npm are installed" [ $? = 0 ]
[ "$failures" = 0 ] || finish
begin locked API_TOKEN=s3cret
begin limited API_TOKEN=s3cret INGEST_RATE_LIMIT_REQUESTS=2 RATE_LIMIT_WINDOW_SECONDS=1
begin slow API_TOKEN=s3cret INGEST_RATE_LIMIT_REQUESTS=1 RATE_LIMIT_WINDOW_SECONDS=3
begin open INGEST_BODY_LIMIT_BYTES=65536 WORKERS=2

# --- python3-influxdb
influx_told='ping 1.8.10
create None
databases [{'\''name'\'': '\''analytics'\''}]
points True
s True
ms True
u True
n True
batches True
wrong 400'
use locked
run python influx_v1.py "$port" any s3cret
check "python3-influxdb: all goes well" printed "$influx_told"
tags=';floor=0;side=north wing'
check "python3-influxdb: a decimal" lists "room.celsius$tags" 2026-02-21T12:00:00Z,20.5
check "python3-influxdb: an integer, a fraction of a second" \
    lists "room.people;floor=1;side=north wing" 2026-02-21T12:00:01.250Z,3.0
check "python3-influxdb: true" lists "room.open$tags" 2026-02-21T12:00:00Z,1.0
check "python3-influxdb: false" lists "room.open;floor=1;side=north wing" 2026-02-21T12:00:01.250Z,0.0
check "python3-influxdb: texts are no samples, and of a request with a wrong line nothing is stored" types "room*" \
    "room.celsius$tags,1" "room.celsius;floor=1;side=north wing,1" "room.open$tags,1" \
    "room.open;floor=1;side=north wing,1" "room.people$tags,1" "room.people;floor=1;side=north wing,1"
for row in s:12:00:00Z ms:12:00:00.001Z u:12:00:00.000001Z n:12:00:00.000001Z; do
    check "python3-influxdb: precision ${row%%:*}" lists "${row%%:*}.celsius$tags" "2026-02-21T${row#*:},22.5"
done
check "python3-influxdb: in batches" sums_up "many.celsius$tags" 1000 20500.0 20.5 20.5
check "python3-influxdb: of 300" await 20 had_times 9 /write 204
run python influx_v1.py "$port" any wrong
check "python3-influxdb: a wrong password" eval '[ "$(grep -vx "[a-z]* 401" "$work/body")" = "ping 1.8.10" ]'
use open
run python influx_v1.py "$port"
check "python3-influxdb: without a password" printed "$influx_told"

# --- npm's influx
use locked
run script influx_v1.mjs "$port" any s3cret
check "npm influx: all goes well" printed 'online true
create ok
databases analytics
ms ok
s ok
wrong 400'
pump=(2026-02-21T12:00:00Z 2026-02-21T12:00:00.001Z 2026-02-21T12:01:00Z)
check "npm influx: decimals" lists "pump.bar;site=a,b c=d" "${pump[0]},1.5" "${pump[1]},-0.00225" "${pump[2]},3.0"
check "npm influx: integers" lists "pump.starts;site=a,b c=d" "${pump[0]},7.0" "${pump[1]},8.0" "${pump[2]},9007199254740991.0"
check "npm influx: booleans" lists "pump.on;site=a,b c=d" "${pump[0]},1.0" "${pump[1]},0.0" "${pump[2]},1.0"
check "npm influx: nothing else" types "pump*" "pump.bar;site=a,b c=d,3" "pump.on;site=a,b c=d,3" "pump.starts;site=a,b c=d,3"
run script influx_v1.mjs "$port" any wrong
check "npm influx: a wrong password" eval '[ "$(grep -c " 401$" "$work/body")" = 5 ]'

# --- npm's @influxdata/influxdb-client
influx_v2_is_stored() { # influx_v2_is_stored MEASUREMENT: its 2000 points, once each
    sums_up "$1.load;host=a host;zone=z0" 1000 249750.0 0.0 499.5 &&
        sums_up "$1.load;host=a host;zone=z1" 1000 250000.0 0.25 499.75 &&
        sums_up "$1.jobs;host=a host;zone=z1" 1000 1000000.0 1.0 1999.0 &&
        sums_up "$1.busy;host=a host;zone=z0" 1000 334.0 0.0 1.0 &&
        latest_is "$1.total;host=a host;zone=z1" 9007199254744990.0
}
run script influx_v2.mjs "$base" s3cret zipped 2000
lines=$(cat "$work/body")
check "npm influxdb-client: all is stored" influx_v2_is_stored zipped
check "npm influxdb-client: to the microsecond" eval 'samples "zipped.jobs;host=a host;zone=z1" | tail -n 1 | grep -qx "2026-02-21T12:00:00.001999Z,1999.0"'
check "npm influxdb-client: in four requests" await 20 had_times 4 /api/v2/write 204 influxdb-client-js
check "npm influxdb-client: in gzip, a quarter of its $lines bytes at most" eval \
    '[ "$(requests /api/v2/write 204 | grep -oP "\"bytes_in\":\"\K\d+" | awk "{ sum += \$1 } END { print sum }")" -lt $((lines / 4)) ]'

# --- OpenTelemetry
for temporality in DELTA CUMULATIVE; do
    run otlp "$base" s3cret "$temporality" "$temporality"
    check "OTLP, $temporality: three exports go well" printed 'SUCCESS 
SUCCESS 
SUCCESS '
    check "OTLP, $temporality: an observed gauge" values "memory;kind=rss%3Bheap=1;service.name=$temporality" "1.5 1.5 1.5"
    check "OTLP, $temporality: an up-down counter" values "carts;service.name=$temporality" "5.0 3.0 3.0"
done
tags=';country=de;paid=true;service.name='
check "OTLP: a counter of deltas" values "orders${tags}DELTA" "3.0 4.0"
check "OTLP: a cumulative counter" values "orders${tags}CUMULATIVE" "3.0 7.0 7.0"
check "OTLP: a gauge" values "celsius;service.name=DELTA" "21.5 -40.0"
check "OTLP: the counts of a histogram of deltas" values "took.count;service.name=DELTA" "2.0 1.0"
check "OTLP: its sums" values "took.sum;service.name=DELTA" "20.5 7.25"
check "OTLP: the counts of a cumulative histogram" values "took.count;service.name=CUMULATIVE" "2.0 3.0 3.0"
check "OTLP: its sums" values "took.sum;service.name=CUMULATIVE" "20.5 27.75 27.75"
check "OTLP: nothing else" types "*;service.name=DELTA" "carts;service.name=DELTA,3" "celsius;service.name=DELTA,2" \
    "memory;kind=rss%3Bheap=1;service.name=DELTA,3" "orders${tags}DELTA,2" "took.count;service.name=DELTA,2" "took.sum;service.name=DELTA,2"
run otlp "$base" wrong DELTA nobody
check "OTLP: a wrong token" eval '[ "$(grep -c "^FAILED Unauthorized" "$work/body")" = 3 ]'

# --- curl
printf 'door,room=lab count=%di %d\n' 1 1771675200 2 1771675201 | gzip >"$work/lines.gz"
ask POST "/write?precision=s" -u any:s3cret -H 'Content-Encoding: gzip' --data-binary "@$work/lines.gz"
check "curl: lines in gzip" eval 'is 204 && lists "door.count;room=lab" 2026-02-21T12:00:00Z,1.0 2026-02-21T12:00:01Z,2.0'

# --- a limit that all of them exceed: later, and once
use limited
run script influx_v2.mjs "$base" s3cret late 2000
check "npm influxdb-client, refused for a while: all is stored, once" influx_v2_is_stored late
check "npm influxdb-client: it was told to come later" await 20 had /api/v2/write 503 influxdb-client-js
use slow
run otlp "$base" s3cret CUMULATIVE late
check "OTLP, refused for a while: all is stored, once" eval \
    'values "orders${tags}late" "3.0 7.0 7.0" && values "took.sum;service.name=late" "20.5 27.75 27.75"'
check "OTLP: it was told to come later" await 20 had /v1/metrics 503 OTel-OTLP

# --- Prometheus and vmagent, and what they scrape: themselves, and a target that ends
mkdir "$work/target"
cat >"$work/target/metrics" <<'END'
answer 42
nothing NaN
endless +Inf
odd{path="/a;b=c%3B",uni="ä",empty=""} -1e-300
END
launch_target() { launch target python3 -m http.server "${at#*:}" --bind 127.0.0.1 --directory "$work/target"; }
serve target /metrics
target=$at target_pid=${pids[-1]}

launch_prometheus() {
    cat >"$work/prometheus.yml" <<END
global: {scrape_interval: 250ms, scrape_timeout: 250ms}
scrape_configs:
  - job_name: itself
    static_configs: [{targets: ["$at"], labels: {agent: prometheus}}]
    metric_relabel_configs: [{source_labels: [__name__], regex: "prometheus_tsdb_.*|go_.*", action: keep}]
  - job_name: target
    static_configs: [{targets: ["$target"], labels: {agent: prometheus}}]
remote_write:
  - url: ${bases[open]}/api/v1/write
    queue_config: {batch_send_deadline: 200ms, max_samples_per_send: 200}
    metadata_config: {send_interval: 1s}
    write_relabel_configs: [{source_labels: [agent], regex: vmagent, action: drop}]
  - url: ${bases[limited]}/api/v1/write
    basic_auth: {username: any, password: s3cret}
    queue_config: {batch_send_deadline: 200ms}
    metadata_config: {send: false}
    write_relabel_configs: [{source_labels: [agent, __name__], regex: prometheus;up, action: keep}]
END
    launch prometheus prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
        --web.listen-address="$at" --web.enable-remote-write-receiver
}
serve prometheus /-/ready
prometheus=$at

# Prometheus, as a second receiver, is what the service is compared with.
launch_vmagent() {
    cat >"$work/vmagent.yml" <<END
global: {scrape_interval: 500ms}
scrape_configs:
  - job_name: itself
    static_configs: [{targets: ["$at"]}]
    metric_relabel_configs: [{source_labels: [__name__], regex: "vm_promscrape_.*|vmagent_.*|go_.*", action: keep}]
  - job_name: target
    static_configs: [{targets: ["$target"]}]
END
    cat >"$work/up.yml" <<'END'
- {source_labels: [__name__], regex: up, action: keep}
END
    : >"$work/all.yml"
    launch vmagent vmagent -promscrape.config="$work/vmagent.yml" -httpListenAddr="$at" \
        -remoteWrite.url="${bases[open]}/api/v1/write" -remoteWrite.urlRelabelConfig="$work/all.yml" \
        -remoteWrite.url="http://$prometheus/api/v1/write" -remoteWrite.urlRelabelConfig="$work/all.yml" \
        -remoteWrite.url="${bases[locked]}/api/v1/write" -remoteWrite.urlRelabelConfig="$work/up.yml" \
        -remoteWrite.bearerToken=s3cret -remoteWrite.label=agent=vmagent -remoteWrite.tmpDataPath="$work/vmagent" \
        -remoteWrite.queues=1 -remoteWrite.flushInterval=200ms -remoteWrite.maxBlockSize=65536
}
serve vmagent /health
vmagent=$at

same() { # same SERVICE SELECTOR [again]: up to $now
    status=
    SERVICE_TOKEN=s3cret python same_samples.py "http://$prometheus" "${bases[$1]}" "$2" "$now" "${3:-}" >"$work/body"
}
is_stale() { # is_stale SERIES: Prometheus heard that it has ended
    curl -s -m 5 -G "http://$prometheus/api/v1/query" --data-urlencode "query=$1" -o "$work/body"
    has '"result":[]'
}
up_of() { echo "up;agent=$1;instance=$2;job=$3"; }
has_many() { [ "$(samples "$1" | wc -l)" -ge 4 ]; }
use open
check "Prometheus scrapes" await 30 has_many "$(up_of prometheus "$target" target)"
check "vmagent scrapes" await 30 has_many "$(up_of vmagent "$target" target)"
now=$(($(date +%s) + 1)) # a second that is not over, or all of these could lie behind it
check "Prometheus and vmagent: every sample is here, once, and no other" await 30 same open '{agent!=""}'
for agent in prometheus vmagent; do
    odd="odd;agent=$agent;instance=$target;job=target;path=/a%3Bb=c%253B;uni=ä"
    check "$agent: a label with odd characters" latest_is "$odd" -1e-300
done
check "values that are not finite are no samples" eval 'types "nothing*" && types "endless*"'
check "Prometheus, refused all the time: every sample is stored, once" await 30 same limited 'up{agent="prometheus"}'
check "vmagent with a bearer token: the same" await 30 same locked 'up{agent="vmagent"}'
use limited
check "Prometheus was told to come later" await 20 had /api/v1/write 503 Prometheus
use open

# --- a target ends: the last words of its series are no value
kill -KILL "$target_pid"
wait "$target_pid" 2>/dev/null
for agent in prometheus vmagent; do
    check "$agent: the target is down" await 30 latest_is "$(up_of "$agent" "$target" target)" 0.0
    check "$agent: which ends its series" await 30 is_stale "answer{agent=\"$agent\"}"
done
now=$(date +%s)
check "of that nothing is stored" await 30 same open '{agent!=""}'
for agent in prometheus vmagent; do
    check "$agent: the series has its value alone" eval \
        '[ "$(samples "answer;agent=$agent;instance=$target;job=target" | cut -d, -f 2 | sort -u)" = 42.0 ]'
done

# --- more than the service takes at once: vmagent sends it in blocks of the length it is told
pad=$(printf '%0150d' 0)
awk -v pad="$pad" -v now="$(date +%s%3N)" \
    'BEGIN { for (i = 1; i <= 500; i++) printf "many{pad=\"%s\",part=\"%d\"} %d %s\n", pad, i, i, now }' >"$work/many"
run curl -sS -m 20 --data-binary "@$work/many" "http://$vmagent/api/v1/import/prometheus"
came() { latest_is "many;agent=vmagent;pad=$pad;part=1" 1.0 && latest_is "many;agent=vmagent;pad=$pad;part=500" 500.0; }
check "vmagent: a hundred thousand bytes at once comes" await 30 came
now=$(date +%s)
check "vmagent: all of it, and once" await 30 same open '{agent!=""}'
check "vmagent: none of its blocks is too long" eval '! had /api/v1/write 413'

# --- Redis hangs for a while: nothing is lost
frozen=$(pid_of redis)
kill -STOP "$frozen"
keyed() { ask POST "/write?precision=s" -H 'Idempotency-Key: batch-1' --data-binary 'keyed v=1 1771675200'; }
keyed
check "Redis hangs: curl is told to come later" eval 'is 503 && says "retry-after: [1-9]"'
for agent in Prometheus vmagent; do
    check "Redis hangs: so is $agent" await 30 had /api/v1/write 503 "$agent"
done
# OpenTelemetry's gives up after seconds: that it was refused is known before it is in the log.
otlp_environment "$base" any CUMULATIVE
launch otlp env "${environment[@]}" node "$node_scripts/otlp.mjs" late
otlp=$!
launch influx_v2 node "$node_scripts/influx_v2.mjs" "$base" any late 2000
influx=$!
refused() { ask GET /api/stats && grep -qE "\"path\":\"$1\",[^}]*\"statuses\":\{[^}]*\"503\":[1-9]" "$work/body"; }
for path in /v1/metrics /api/v2/write; do
    check "Redis hangs: $path is refused" await 30 refused "$path"
done
kill -CONT "$frozen"
frozen=
check "it heals" await 30 is_healthy
wait "$otlp" "$influx"
check "Redis hung: OTLP was told to come later" await 20 had /v1/metrics 503 OTel-OTLP
check "Redis hung: npm influxdb-client too" await 20 had /api/v2/write 503 influxdb-client-js
now=$(date +%s)
check "Prometheus and vmagent: every sample is here, at least once, and no other" await 40 same open '{agent!=""}' again
distinct() { samples "$1" | sort -u; }
check "OTLP: every sample is here, at least once" await 30 eval '[ "$(distinct "orders${tags}late" | cut -d, -f 2 | tr "\n" " ")" = "3.0 7.0 7.0 " ]'
check "npm influxdb-client: every sample is here, at least once" await 30 eval \
    '[ "$(distinct "late.jobs;host=a host;zone=z0" | wc -l)" = 1000 ] && [ "$(distinct "late.jobs;host=a host;zone=z1" | wc -l)" = 1000 ]'
keyed
check "curl: the same once more, by its key" is 204
keyed
check "which is stored once" eval 'is 204 && lists keyed.v 2026-02-21T12:00:00Z,1.0'
finish

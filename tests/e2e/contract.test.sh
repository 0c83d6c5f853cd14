#!/bin/bash
# Every answer is as openapi.json describes it, and every answer that it describes occurs.
set -u
. "$(dirname "$0")/lib.sh"

openapi=$root/www/openapi.json
sample() { echo "{\"timestamp\":\"2026-02-21T12:00:0$1Z\",\"value\":$2,\"type\":\"${3:-cpu}\"}"; }
conforms() { "$tools/conforms" "$openapi" "$method" "$target" "$work/head" "$work/body"; }
answers() { # answers NAME STATUS METHOD PATH [CURL OPTION...]
    local name=$1 wanted=$2 method=$3 target=$4
    shift 2
    ask "$@"
    echo "$method ${target%%\?*} $status" >>"$work/seen"
    check "$name: $wanted, as described" eval 'is $wanted && conforms'
}
etag() { sed -n 's/^etag: *\("[^"]*"\).*/\1/Ip' "$work/head"; }
link() { sed -n "s/^link:.*<\\([^>]*\\)>; rel=\"$1\".*/\\1/Ip" "$work/head"; }
store() { redis-cli -s "$dir/redis.sock" "$@" >/dev/null; }
all_paths() { "$tools/conforms" "$openapi" | awk '$1 == "GET" { print $2 }' | sort -u; }

# --- what is right
service_start one ADMIN_TOKEN=s3cret RATE_LIMIT_REQUESTS=0 EXTERNAL_SERVICE_FAILURE_RATE=0 BODY_LIMIT_BYTES=4096
admin=(-H 'Authorization: Bearer s3cret')
for path in $(all_paths); do
    [[ $path =~ ^/api/metrics/|^/ping$|^/query$ ]] || answers "$path" 200 GET "$path"
done
answers "/ping" 204 GET /ping
answers "GET of /query" 200 GET "/query?q=SHOW%20DATABASES"
answers "POST of /query" 200 POST /query -d "q=CREATE+DATABASE+x"
for i in 1 2; do
    answers "a sample" 201 POST /api/metrics -d "$(sample "$i" "-$i.5")"
    answers "a sample of 1e308" 201 POST /api/metrics -d "$(sample "$i" 1e308 huge)"
done
answers "many samples" 201 POST /api/metrics -d "[$(sample 3 1),$(sample 3 2)]"
answers "many samples, a line each" 201 POST /api/metrics -H 'Content-Type: application/x-ndjson' \
    --data-binary "$(sample 4 1; sample 4 2)"
answers "those that are good" 201 POST "/api/metrics?partial=true" -d "[$(sample 5 1),7,$(sample x 2)]"
answers "many of which one is wrong" 422 POST /api/metrics -d "[$(sample 6 1),$(sample x 2)]"
window='from=2026-02-21T12:00:00Z&to=2026-02-21T12:00:10Z'
for type in cpu huge unknown; do
    for query in '' '&period=daily&compare=previous' "&$window&compare=previous&percentiles=0,99.9" '&percentiles='; do
        answers "a summary of $type $query" 200 GET "/api/metrics/summary?type=$type$query"
    done
    for query in "&$window&step=10s" "&$window&type=other&step=1s" '&percentiles=' "&$window&step=10s&format=csv"; do
        answers "a series of $type $query" 200 GET "/api/metrics/series?type=$type$query"
    done
    for query in '' "&$window&below=80" '&below=-1e308'; do
        answers "a histogram of $type $query" 200 GET "/api/metrics/histogram?type=$type$query"
    done
    for query in '' "&$window&step=1s&buckets=7"; do
        answers "a heat map of $type $query" 200 GET "/api/metrics/heatmap?type=$type$query"
    done
    for query in '' '&format=ndjson' '&format=csv' "&$window&order=oldest"; do
        answers "a list of $type $query" 200 GET "/api/metrics/list?type=$type$query"
    done
done
answers "a sample with a key" 201 POST /api/metrics -H 'Idempotency-Key: "8e03978e"' -d "$(sample 7 1)"
answers "the same once more" 201 POST /api/metrics -H 'Idempotency-Key: "8e03978e"' -d "$(sample 7 1)"
check "which says so" says 'idempotency-replayed: true'
answers "another sample with its key" 422 POST /api/metrics -H 'Idempotency-Key: "8e03978e"' -d "$(sample 8 1)"
answers "a list of all" 200 GET "/api/metrics/list?limit=1"
answers "its next page" 200 GET "/api/metrics/list$(link next)"
check "which has a page before it" says 'link: .*rel="prev"'
answers "the types" 200 GET "/api/metrics/types?limit=1"
answers "the other types" 200 GET "/api/metrics/types$(link next)"
check "which are the last" eval '! says link && has "\"type\":\"huge\"" && has "\"next\":null"'
for path in "summary?type=cpu" "series?type=cpu" "histogram?type=cpu" "heatmap?type=cpu" "list" "types"; do
    answers "HEAD of $path" 200 HEAD "/api/metrics/$path"
done

# --- what agents send
for path in /write /api/v2/write; do
    answers "lines" 204 POST "$path" --data-binary 'cpu,host=a usage=1 1771675200000000000'
    answers "lines of which one is wrong" 400 POST "$path" --data-binary $'cpu usage=1\ncpu usage=x'
    check "which is named" has 'line 2, column 11: '
    answers "the others" 200 POST "$path?partial=true" --data-binary $'cpu usage=1\ncpu usage=x'
done
json=(-H 'Content-Type: application/json')
point='{"name":"queue","gauge":{"dataPoints":[{"timeUnixNano":"1771675200000000000","asInt":"42"}]}}'
otlp() { echo "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[$1]}]}]}"; }
answers "metrics of OTLP" 200 POST /v1/metrics "${json[@]}" -d "$(otlp "$point")"
answers "of which one is wrong" 200 POST /v1/metrics "${json[@]}" -d "$(otlp "$point,${point/42/x}")"
check "which is told" has '"partialSuccess":{"rejectedDataPoints":"1"'
answers "no metrics of OTLP" 400 POST /v1/metrics "${json[@]}" -d '{"resourceMetrics":1}'
answers "OTLP in protobuf" 415 POST /v1/metrics -H 'Content-Type: application/x-protobuf' -d x
protobuf=(-H 'Content-Type: application/x-protobuf')
printf '\n\042\n\016\n\010__name__\022\002up\022\020\011\0\0\0\0\0\0\360?\020\200\276\316\204\3064' >"$work/remote"
answers "remote write" 204 POST /api/v1/write "${protobuf[@]}" --data-binary "@$work/remote"
answers "no remote write" 400 POST /api/v1/write "${protobuf[@]}" -d x
answers "another version of it" 415 POST /api/v1/write "${protobuf[0]}" 'Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request' -d x

# --- what the client has
for path in "/api/metrics/summary?type=cpu" "/api/metrics/series?type=cpu" "/api/metrics/series?type=huge&format=csv" \
    "/api/metrics/histogram?type=cpu" "/api/metrics/heatmap?type=cpu" /api/metrics/types /dashboard/ /docs /redoc /openapi.json; do
    ask GET "$path"
    answers "$path, which the client has" 304 GET "$path" -H "If-None-Match: $(etag)"
done

answers "a browser at the front door" 307 GET / -H 'Accept: text/html'
answers "the counters" 200 GET /api/stats
answers "the counters for Prometheus" 200 GET /metrics

# --- what is wrong
for path in $(all_paths) /api/metrics; do
    answers "PUT of $path" 405 PUT "$path"
    echo "GET $path $status" >>"$work/seen"
done
echo "POST /api/metrics $status
DELETE /api/metrics $status
POST /query $status" >>"$work/seen"
agents="/write /api/v2/write /v1/metrics /api/v1/write"
head -c 9000000 /dev/zero >"$work/long"
for path in $agents; do
    answers "GET of $path" 405 GET "$path"
    echo "POST $path $status" >>"$work/seen"
    answers "more than $path takes" 413 POST "$path" -H 'Expect:' --data-binary "@$work/long"
done
answers "a statement that is not known" 400 GET "/query?q=DROP"
answers "the same in a form" 400 POST /query -d "q=DROP"
answers "no JSON" 422 POST /api/metrics -d x
answers "a body that is too long" 413 POST /api/metrics -d "$(printf '%5000s' x)"
answers "a coding that is not known" 415 POST /api/metrics -H 'Content-Encoding: br' -d x
answers "a period that there is not" 400 GET "/api/metrics/summary?type=cpu&period=weekly"
refuses() { # refuses PATH NAME WHAT WOULD BE RIGHT
    answers "$1" 422 GET "/api/metrics/$1"
    check "which says so of $2" has "{\"loc\":[\"query\",\"$2\"],\"msg\":\"$3"
}
for path in summary series histogram heatmap; do
    refuses "$path" type 'Field required'
    refuses "$path?type=cpu&from=now-99999999999999999999h" from 'must lie within the years 1 to 9999'
    refuses "$path?type=cpu&from=8&to=8" to 'must be after from'
    refuses "$path?type=cpu&to=" to 'must be a date and time such as'
done
for path in series heatmap; do
    for step in 0 -5 1.5 0.5s 1e9 500ms 99999999999999999999 ''; do
        refuses "$path?type=cpu&step=$step" step 'must be auto, or a whole number of seconds'
    done
    refuses "$path?type=cpu&points=0" points 'must be an integer from 1 to '
    refuses "$path?type=cpu&from=1026-01-01&to=2026-01-01&step=1s" step 'makes 31556995200 steps where there may be '
    smallest=$(sed -n 's/.*the smallest that does is \([0-9]*\)s.*/\1/p' "$work/body")
    refuses "$path?type=cpu&from=1026-01-01&to=2026-01-01&step=$((smallest - 1))" step 'makes '
    answers "$path, the smallest step" 200 GET "/api/metrics/$path?type=cpu&from=1026-01-01&to=2026-01-01&step=$smallest"
done
for path in summary series; do
    refuses "$path?type=cpu&percentiles=101" percentiles 'must be numbers from 0 to 100'
    refuses "$path?type=cpu&percentiles=$(seq -s, 40)" percentiles 'must be 20 numbers at most'
done
refuses "summary?type=cpu&compare=other" compare 'must be previous'
refuses "histogram?type=cpu&below=Infinity" below 'must be a finite number'
refuses "heatmap?type=cpu&buckets=6" buckets 'must be an integer from 7 to 200'
refuses "series?type=cpu&format=xml" format 'must be json or csv'
refuses "list?order=up" order 'must be newest or oldest'
refuses "list?format=xml" format 'must be json, ndjson or csv'
refuses "types?match=" match 'must be 1 to 400 bytes'
answers "rows beyond 4 MiB" 422 GET "/api/metrics/series?type=$(printf '%%F0%%9F%%8C%%A1%.0s' {1..100})&from=0&to=11000&step=1&format=csv"
check "which says what would do" has '"code":"LIMIT_REACHED","message":"The answer would be longer than 4194304 bytes: ask for fewer types'

# --- cursors of another list
ask GET "/api/metrics/list?type=cpu&limit=1"
mine=$(link next)
mine=${mine##*cursor=}
ask GET "/api/metrics/types?limit=1"
theirs=$(link next)
theirs=${theirs##*cursor=}
for query in "type=cpu&cursor=Z${mine:1}" "type=cpu&cursor=${mine%??}" "type=cpu&cursor=${mine}AAAA" "type=cpu&cursor=" "cursor=$theirs"; do
    refuses "list?$query" cursor 'must be as a Link gave it'
done
for query in "type=huge" "" "type=cpu&order=oldest" "type=cpu&from=now-1h" "type=cpu&to=now"; do
    refuses "list?$query&cursor=$mine" cursor 'belongs to a list with other type, from, to or order'
done
for query in "cursor=!${theirs:1}" "cursor=${theirs%??}" "cursor=$mine" "match=c*&cursor=$theirs"; do
    refuses "types?$query" cursor 'must be the `next` of an answer to the same `match`'
done

# --- the end of a type
delete() { # delete NAME STATUS TYPE [CURL OPTION...]
    local name=$1 wanted=$2 type=$3
    shift 3
    answers "$name" "$wanted" DELETE "/api/metrics?type=$type" "$@"
}
delete "deletion without the token" 401 cpu -H 'X-Confirm-Delete: cpu'
delete "with a wrong one" 401 cpu -H 'X-Confirm-Delete: cpu' -H 'Authorization: Bearer s3creT'
delete "without confirmation" 428 cpu "${admin[@]}"
delete "with that of another type" 428 cpu "${admin[@]}" -H 'X-Confirm-Delete: cp'
delete "of no type" 422 '' "${admin[@]}" -H 'X-Confirm-Delete: '
delete "of an unknown type" 404 nobody "${admin[@]}" -H 'X-Confirm-Delete: nobody'
store SET 'ra:m:{cpu}:gone:spans' 'foreign: what goes by it cannot go'
delete "of a type that does not go at once" 202 cpu "${admin[@]}" -H 'X-Confirm-Delete: c%70u'
answers "a sample of a type that is going" 503 POST /api/metrics -d "$(sample 1 1)"
answers "a summary of it" 200 GET "/api/metrics/summary?type=cpu"
check "which has no sample any more" has '"count":0'
store DEL 'ra:m:{cpu}:gone:spans'
# The tender goes on with it by itself, so a second request may find nothing to delete: at once,
# or a minute after it has met what cannot go.
is_gone() { ask GET "/api/metrics/types?match=cpu" && has '"types":[]' && ask POST /api/metrics -d "$(sample 1 1)" && [ "$status" = 201 ]; }
check "which goes on by itself" await 90 is_gone
delete "of a type that goes at once" 200 cpu "${admin[@]}" -H 'X-Confirm-Delete: cpu'
answers "a sample of a new type of that name" 201 POST /api/metrics -d "$(sample 1 1)"
# More than an empty Redis takes, and less than it holds by now.
store CONFIG SET maxmemory 1
answers "a sample when Redis is full" 507 POST /api/metrics -d "$(sample 1 1)"
service_stop

# --- tokens, the rate limit, an external service that fails
service_start token API_TOKEN=s3cret RATE_LIMIT_REQUESTS=1 EXTERNAL_SERVICE_FAILURE_RATE=1
for path in $(all_paths); do
    case $path in /health | /livez | /readyz | /ping | /dashboard/ | /docs | /redoc | /openapi.json) continue ;; esac
    answers "$path without a token" 401 GET "$path"
done
for path in /api/metrics /query $agents; do
    answers "POST of $path without a token" 401 POST "$path" -d x
done
answers "the only sample" 201 POST /api/metrics "${admin[@]}" -d "$(sample 1 1)"
check "which tells the limit" says 'ratelimit: "post";r=0'
answers "one more" 429 POST /api/metrics "${admin[@]}" -d "$(sample 1 1)"
answers "deletion where there is no administration" 404 DELETE "/api/metrics?type=cpu" "${admin[@]}"
answers "an external service that fails" 503 GET /api/external "${admin[@]}"
service_stop

# --- without Redis
service_start alone ADMIN_TOKEN=s3cret REDIS_SOCKET="$work/nobody"
for path in /readyz /api/rate-limit "/api/metrics/summary?type=x" "/api/metrics/series?type=x" \
    "/api/metrics/histogram?type=x" "/api/metrics/heatmap?type=x" /api/metrics/list /api/metrics/types; do
    answers "$path without Redis" 503 GET "$path"
done
answers "a sample without Redis" 503 POST /api/metrics -d "$(sample 1 1)"
answers "metrics of OTLP without Redis" 503 POST /v1/metrics "${json[@]}" -d "$(otlp "$point")"
answers "remote write without Redis" 503 POST /api/v1/write "${protobuf[@]}" --data-binary "@$work/remote"
for path in /write /api/v2/write; do
    answers "$path without Redis" 503 POST "$path" -d 'm v=1'
done
delete "deletion without Redis" 503 cpu "${admin[@]}" -H 'X-Confirm-Delete: cpu'
for path in / /health /livez /api/circuit-breaker/status; do
    answers "$path without Redis" 200 GET "$path"
done
service_stop

# A 500 is a mistake of ours, and lighttpd itself refuses a body that is not as long as it says.
sort -u "$work/seen" >"$work/occurred"
"$tools/conforms" "$openapi" >"$work/body"
check "examples are as their schemas say" [ $? = 0 ]
grep -vxE '.* 500|POST /api/metrics 400' "$work/body" | sort >"$work/described"
comm -23 "$work/described" "$work/occurred" >"$work/body"
check "every answer that is described occurred" [ ! -s "$work/body" ]
finish

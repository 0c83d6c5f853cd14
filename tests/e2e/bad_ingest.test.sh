#!/bin/bash
# What is wrong with bodies of many samples: never a 5xx, never half stored, never a worker less.
set -u
. "$(dirname "$0")/lib.sh"

limit=8388608
service_start one RATE_LIMIT_REQUESTS=0 WORKERS=1 MAX_TYPES=200 INGEST_BODY_LIMIT_BYTES=$limit
worker=$(worker_pids)
t='"timestamp":"2026-02-21T12:00:00Z"'
body=$work/request

# send FORMAT [CURL OPTION...]: the body, to where that format is taken
send() {
    local format=$1 path type
    shift
    case $format in
    array) path=/api/metrics type=application/json ;;
    ndjson) path=/api/metrics type=application/x-ndjson ;;
    lines) path='/write?precision=s' type=text/plain ;;
    lines2) path=/api/v2/write type=text/plain ;;
    otlp) path=/v1/metrics type=application/json ;;
    prometheus) path=/api/v1/write type=application/x-protobuf ;;
    esac
    ask POST "$path${query:-}" -H "Content-Type: $type" --data-binary @"$body" "$@"
}
formats=(array ndjson lines lines2 otlp prometheus)
# How a format refuses: JSON as it always does, agents by the one status that has them drop it.
refusal() { case $1 in array | ndjson) echo 422 ;; *) echo 400 ;; esac; }

repeat() { head -c "$2" /dev/zero | tr '\0' "$1"; }
varint() { # varint NUMBER, as protobuf and snappy have it
    local n=$1
    while ((n > 127)); do
        printf '%b' "\\x$(printf %x $((n % 128 + 128)))"
        n=$((n / 128))
    done
    printf '%b' "\\x$(printf %x "$n")"
}
# A good body of a format, of one sample of type NAME (of lines NAME.v).
good() { # good FORMAT NAME [VALUE]
    local value=${3:-1}
    case $1 in
    array) printf '[{%s,"value":%s,"type":"%s"}]' "$t" "$value" "$2" ;;
    ndjson) printf '{%s,"value":%s,"type":"%s"}\n' "$t" "$value" "$2" ;;
    lines | lines2) printf '%s v=%s\n' "$2" "$value" ;;
    otlp) printf '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"%s","gauge":{"dataPoints":[{"timeUnixNano":"1771675200000000000","asDouble":%s}]}}]}]}]}' "$2" "$value" ;;
    prometheus) printf '__name__=%s %s@1771675200000' "$2" "$value" | "$tools/encode_body" remote_write ;;
    esac
}

# All samples that there are, of all types.
stored() {
    curl -s "$base/api/metrics/types?limit=1000" | grep -o '"count":[0-9]*' |
        awk -F: '{ n += $2 } END { print n + 0 }'
}
expected=0
nothing_more_is_stored() { [ "$(stored)" = "$expected" ]; }
check_stored() { check "$1" nothing_more_is_stored; }
refused() { is "$1" && says 'content-type: application/problem'; } # refused STATUS

# --- One of a thousand is wrong
for format in array ndjson lines; do
    case $format in
    array)
        line="{$t,\"value\":1,\"type\":\"a\"}" wrong="{$t,\"value\":x,\"type\":\"a\"}"
        told='line 7, column 45: not a JSON value'
        ;;
    ndjson)
        line="{$t,\"value\":1,\"type\":\"a\"}" wrong="{$t,\"value\":x,\"type\":\"a\"}"
        told='line 7, column 45: not a JSON value'
        ;;
    lines) line='a,b=c v=1 1771675200' wrong='a,b=c v=x 1771675200' told='line 7, column 9: ' ;;
    esac
    awk -v line="$line" -v wrong="$wrong" -v comma="$([ $format = array ] && echo ,)" '
        BEGIN { for (i = 1; i <= 1000; i++) print (i == 7 ? wrong : line) (i < 1000 ? comma : "") }' >"$body"
    [ $format = array ] && { printf '['; cat "$body"; echo ']'; } >"$body.2" && mv "$body.2" "$body"
    send $format
    check "$format: line 7 of 1,000 is named with column and reason" \
        eval "refused $(refusal $format) && has '$told'"
done
check_stored "and none of them is stored"

# --- Cut off
# Statuses of every beginning of the body; what is taken is a whole body by itself.
cut_everywhere() { # cut_everywhere FORMAT STEP [CURL OPTION...]; sets taken and statuses
    local format=$1 step=$2 full at
    shift 2
    cp "$body" "$work/full"
    full=$(wc -c <"$work/full")
    taken=0 statuses=
    for ((at = 0; at < full; at += step)); do
        head -c "$at" "$work/full" >"$body"
        send "$format" "$@"
        statuses+="$status "
        if [[ $status == 2* ]]; then
            taken=$((taken + 1))
            case $format in
            array | ndjson) expected=$((expected + $(number accepted))) ;;
            lines) expected=$((expected + $(sed -n 's/^X-Samples-Accepted: \([0-9]*\).*/\1/p' "$work/head"))) ;;
            esac
        fi
    done
}
never_5xx() { [[ ! $statuses =~ 5[0-9][0-9] ]]; }
for i in {1..20}; do echo "{$t,\"value\":$i,\"type\":\"cut\"}"; done >"$body"
cut_everywhere ndjson 13
check "NDJSON cut anywhere is taken up to a whole line, or refused" eval 'never_5xx && [ "$taken" -gt 0 ]'
check_stored "and nothing else of it is stored"
{ printf '['; for i in {1..20}; do printf '%s{%s,"value":%s,"type":"cut"}' "$([ "$i" = 1 ] || echo ,)" "$t" "$i"; done; printf ']'; } >"$body"
cut_everywhere array 13
check "an array cut anywhere is refused" eval 'never_5xx && [ "$taken" = 0 ]'
check_stored "and nothing of it is stored"
for i in {1..20}; do echo "cut,host=\"a\\ b\" v=$i,w=${i}i,s=\"x,y\" 17716752$((i + 10))"; done >"$body"
cut_everywhere lines 7
check "lines cut anywhere are taken up to a whole line, or refused" eval 'never_5xx && [ "$taken" -gt 0 ]'
check_stored "and nothing else of them is stored"
good otlp cut >"$body"
cut_everywhere otlp 2
check "OTLP cut anywhere is refused" eval 'never_5xx && [ "$taken" = 0 ]'
check_stored "and nothing of it is stored"
printf '__name__=r1 1@1 | __name__=r2 1@1 | __name__=r3 1@1' | "$tools/encode_body" remote_write >"$body"
cp "$body" "$work/write"
cut_everywhere prometheus 1
expected=$((expected + 0 + 1 + 2))
check "remote write cut anywhere is taken between series, or refused" eval 'never_5xx && [ "$taken" = 3 ]'
check_stored "and nothing else of it is stored"
"$tools/encode_body" snappy <"$work/write" >"$body"
cut_everywhere prometheus 1 -H 'Content-Encoding: snappy'
check "cut in snappy it is always refused" eval 'never_5xx && [ "$taken" = 0 ]'
good lines cut | gzip >"$body"
cut_everywhere lines 1 -H 'Content-Encoding: gzip'
check "cut in gzip lines are taken nowhere but as nothing" eval 'never_5xx && [ "$taken" -le 1 ]'
check_stored "and nothing of either is stored"

# --- Numbers and times
for value in 1_000 0x10 1e400 NaN Infinity -Infinity +1 --1 1,5 .; do
    for format in array ndjson lines otlp; do
        good $format numbers "$value" >"$body"
        send $format
        check "$format: $value is no number" refused "$(refusal $format)"
    done
done
for value in NaN Infinity; do
    good otlp numbers "\"$value\"" >"$body"
    send otlp
    check "otlp: a point of \"$value\" is rejected alone" eval 'is 200 && has "\"rejectedDataPoints\":\"1\""'
done
for value in nan inf -inf; do
    good prometheus numbers "$value" >"$body"
    send prometheus
    check "prometheus: $value is passed over" is 204
done
for time in s=253402300800 s=-62135596801 ms=253402300800000 ms=-62135596800001 us=253402300800000000 \
    ns=9223372036854775808 ns=-9223372036854775809 s=9223372036854775807 s=1.5 s=1e3 s=x; do
    echo "times v=1 ${time#*=}" >"$body"
    ask POST "/write?precision=${time%=*}" --data-binary @"$body"
    check "lines: the time ${time#*=} in ${time%=*} is refused" refused 400
done
# As JSON has it, seconds, and milliseconds where these are beyond any century.
for time in 253402300800000 -62135596800001 1e300 '"10000-01-01T00:00:00Z"' '"9999-12-31T23:59:59-01:00"' 1e400; do
    echo "{\"timestamp\":$time,\"value\":1,\"type\":\"times\"}" >"$body"
    for format in array ndjson; do
        [ $format = array ] && echo "[$(cat "$body")]" >"$body"
        send $format
        check "$format: the time $time is refused" refused 422
    done
done
printf '__name__=times 1@253402300800000' | "$tools/encode_body" remote_write >"$body"
send prometheus
check "prometheus: a time beyond year 9999 is refused" refused 400
good otlp times | sed 's/1771675200000000000/18446744073709551616/' >"$body"
send otlp
check "otlp: a point of a time beyond 64 bits is rejected" eval 'is 200 && has "\"rejectedDataPoints\":\"1\""'
check_stored "nothing of these is stored"

# --- NUL, names
for format in array ndjson lines otlp; do
    good $format 'a@b' | tr @ '\0' >"$body"
    send $format
    check "$format: NUL in a name is refused" refused "$(refusal $format)"
done
printf '\n\23\n\17\n\10__name__\22\3a\0b\22\0' >"$body"
send prometheus
check "prometheus: NUL in a name is refused" refused 400
check_stored "none of them is stored"
for length in 253 254; do # and .v behind
    name=$(repeat n $length)
    good lines "$name" >"$body" && send lines
    wanted=$([ $length = 253 ] && echo 204 || echo 400)
    check "lines: a name of $((length + 2)) bytes is $wanted" is "$wanted"
done
for length in 255 256; do
    name=$(repeat m $length)
    good prometheus "$name" >"$body" && send prometheus
    check "prometheus: a name of $length bytes is $([ $length = 255 ] && echo taken || echo refused)" \
        is "$([ $length = 255 ] && echo 204 || echo 400)"
    good otlp "o${name:1}" >"$body" && send otlp
    check "otlp: a name of $length bytes is $([ $length = 255 ] && echo taken || echo rejected)" \
        eval "is 200 && { [ $length = 255 ] || has rejectedDataPoints; }"
    for format in array ndjson; do
        good $format "$name" >"$body" && send $format
        check "$format: a name of $length bytes, more than 100 characters, is refused" refused 422
    done
done
expected=$((expected + 3))
check_stored "three of these are stored"

# --- Long lines
for format in array ndjson lines; do
    good $format "$(repeat x 1048576)" >"$body"
    send $format
    check "$format: a name of a megabyte is refused" refused "$(refusal $format)"
done
{ printf 'a s="'; repeat x 1048576; printf '",v=1 1\n'; } >"$body"
send lines
check "lines: a text of a megabyte is passed over, its number taken" eval 'is 204 && says "x-samples-accepted: 1"'
expected=$((expected + 1))
awk 'BEGIN { printf "a v=1"; for (i = 1; i < 1000000; i++) printf ",v=1"; print " 1" }' >"$body"
send lines
check "lines: a million fields in a line are refused" refused 400
{ printf '{"timestamp":1,"value":1,"type":"a"'; awk 'BEGIN { for (i = 0; i < 500000; i++) printf ",\"a%d\":1", i }'; echo '}'; } >"$body"
send ndjson
check "ndjson: half a million members in a line are refused" refused 422
check_stored "nothing else of these is stored"

# --- Codings
zeros=$work/zeros.gz
head -c 10000000 /dev/zero | gzip -9 >"$zeros"
head -c 10000000 /dev/zero | "$tools/encode_body" snappy >"$work/zeros.snappy"
for format in "${formats[@]}"; do
    good "$format" coded >"$work/plain"
    head -c -4 < <(gzip <"$work/plain") >"$body"
    send "$format" -H 'Content-Encoding: gzip'
    check "$format: gzip without its last bytes is 400" refused 400
    { gzip <"$work/plain"; printf garbage; } >"$body"
    send "$format" -H 'Content-Encoding: gzip'
    check "$format: gzip with something behind it is 400" refused 400
    gzip <"$work/plain" | gzip >"$body"
    send "$format" -H 'Content-Encoding: gzip'
    check "$format: gzip of gzip is no body of that format" refused "$(refusal "$format")"
    send "$format" -H 'Content-Encoding: gzip, gzip'
    check "$format: two codings are 415" refused 415
    cp "$work/plain" "$body"
    for coding in gzip deflate snappy; do
        send "$format" -H "Content-Encoding: $coding"
        check "$format: what claims to be $coding and is not is 400" refused 400
    done
    cp "$zeros" "$body"
    send "$format" -H 'Content-Encoding: gzip'
    check "$format: ten megabytes of zeros in gzip are 413" refused 413
    cp "$work/zeros.snappy" "$body"
    send "$format" -H 'Content-Encoding: snappy'
    check "$format: in snappy, too" refused 413
    head -c 6000000 /dev/zero | gzip >"$body"
    send "$format" -H 'Content-Encoding: gzip'
    wanted=$(refusal "$format")
    [ "$format" = array ] && wanted=413 # what is no array is one sample, and may not be so long
    check "$format: zeros within the limit are no body of that format" refused "$wanted"
done
for claim in 0 5 1000000 4294967295 4294967296; do
    { varint $claim; printf '\14abcd'; } >"$body"
    send prometheus -H 'Content-Encoding: snappy'
    check "snappy that claims $claim bytes and has 4 is refused" eval 'is 400 || is 413'
done
printf '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff' >"$body"
send prometheus -H 'Content-Encoding: snappy'
check "snappy without an end of its length is 400" refused 400
check_stored "nothing of all these is stored"

# --- How many, and how much
awk -v t="$t" 'BEGIN { printf "["; for (i = 1; i <= 10000; i++) printf "%s{%s,\"value\":%s,\"type\":\"last\"}", (i > 1 ? "," : ""), t, (i < 10000 ? i : "true"); print "]" }' >"$body"
send array
check "10,000 samples of which the last is wrong are refused" eval 'refused 422 && has "\"pointer\":\"/9999/value\""'
check_stored "and none is stored"
query='?partial=true' send array
check "with partial=true 9,999 are taken" eval 'is 201 && has "\"accepted\":9999," && has "\"rejected_count\":1"'
expected=$((expected + 9999))
for samples in 65536 65537; do
    wanted=$([ $samples = 65536 ] && echo 2 || echo 413)
    awk -v n=$samples 'BEGIN { for (i = 1; i <= n; i++) printf "{\"timestamp\":%d,\"value\":1,\"type\":\"full\"}\n", i }' >"$body"
    send ndjson
    check "ndjson: $samples samples are ${wanted/#2/taken}" eval "[[ \$status == $wanted* ]]"
    awk -v n=$samples 'BEGIN { for (i = 1; i <= n; i++) print "full v=1", i }' >"$body"
    send lines
    check "lines: $samples samples are ${wanted/#2/taken}" eval "[[ \$status == $wanted* ]]"
done
expected=$((expected + 2 * 65536))
check_stored "all of a request or nothing"
both_are() { [[ $plain == "$1"* && $status == "$1"* ]]; }
for format in "${formats[@]}"; do
    for beyond in 0 1; do
        good "$format" limit >"$work/plain"
        # Blanks, blank lines, or a field that nobody knows.
        pad=$((limit + beyond - $(wc -c <"$work/plain")))
        if [ "$format" = prometheus ]; then
            { cat "$work/plain"; printf '\52'; varint $((pad - 5)); repeat x $((pad - 5)); } >"$body"
        else
            { cat "$work/plain"; repeat '\n' "$pad"; } >"$body"
        fi
        send "$format"
        plain=$status
        gzip -1 <"$body" >"$work/coded" && mv "$work/coded" "$body"
        send "$format" -H 'Content-Encoding: gzip'
        wanted=$([ $beyond = 0 ] && echo 2 || echo 413)
        check "$format: a body of $((limit + beyond)) bytes is ${wanted/#2/taken}, plain and coded" \
            both_are "$wanted"
    done
    expected=$((expected + 2))
done
check_stored "those within the limit are stored"

# --- The worker
check "no answer was a 5xx" eval '! grep -q "\"status\":5" "$dir/log/access.log"'
check "it is the same worker" [ "$(worker_pids)" = "$worker" ]
pss=$(awk '/^Pss:/ { print $2 }' "/proc/$worker/smaps_rollup")
echo "# the worker holds $pss KiB"
[ "$mode" != release ] || check "which holds less than 16 MiB" [ "$pss" -lt 16384 ]
ask GET /health
check "and is healthy" has '"status":"healthy"'
service_stop

# --- More types than there may be
service_start two RATE_LIMIT_REQUESTS=0 WORKERS=1 MAX_TYPES=5
expected=0
good array t0 >"$body"
send array
for i in {0..5}; do printf '%s{%s,"value":1,"type":"t%s"}' "$([ "$i" = 0 ] && echo '[' || echo ,)" "$t" "$i"; done >"$body"
echo ']' >>"$body"
expected=1
send array
check "JSON with a type too many is refused" eval 'refused 422 && has "\"code\":\"LIMIT_REACHED\""'
check_stored "and nothing of it is stored"
query='?partial=true' send array
check "with partial=true what there is room for is taken" eval 'is 201 && has "\"accepted\":5," && has "MAX_TYPES"'
expected=6
check_stored "and stored"
printf 'u v=1\nt0 v=1\n' >"$body"
send lines
check "lines of new types alone are 400" eval 'refused 400 && has "MAX_TYPES"'
check_stored "and stored nowhere"
ask GET /health
check "it is healthy" has '"status":"healthy"'
finish

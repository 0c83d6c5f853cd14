#!/bin/bash
# Every refusal is a 4xx problem that names what is wrong; nothing of it is stored.
# BASE_URL: test that server instead (it must be empty and without a rate limit).
set -u
. "$(dirname "$0")/lib.sh"

if [ -n "${BASE_URL:-}" ]; then
    base=$BASE_URL
else
    service_start one RATE_LIMIT_REQUESTS=0 BODY_LIMIT_BYTES=4096 WORKERS=1
fi
host=${base#http://}

t='"timestamp":"2026-02-21T12:00:00Z"'
refuses() { # refuses NAME STATUS BODY [TEXT THAT THE ANSWER HAS]
    printf '%b' "$3" >"$work/request"
    ask POST /api/metrics -H 'Content-Type: application/json' --data-binary @"$work/request"
    check "$1 is $2" eval "is $2 && says 'content-type: application/problem' && has '${4:-\"errors\":[}'"
}
repeat() { head -c "$2" /dev/zero | sed "s/\\x0/$1/g"; }

refuses "nothing" 422 ''
refuses "not JSON" 422 'hello'
refuses "truncated JSON" 422 "{$t,\"value\":1,\"type\":\"x"
refuses "trailing text" 422 "{$t,\"value\":1,\"type\":\"x\"}x"
refuses "an array" 422 "[1]"
refuses "a number" 422 '7'
refuses "1,000-deep nesting" 422 "$(repeat '[' 1000)"
refuses "1,000-deep nesting that ends" 422 "{\"a\":$(repeat '[' 1000)$(repeat ']' 1000)}"
refuses "duplicate members" 422 "{$t,\"value\":1,\"value\":2,\"type\":\"x\"}"
refuses "duplicate members, one escaped" 422 "{$t,\"value\":1,\"v\\\\u0061lue\":2,\"type\":\"x\"}"
refuses "a member missing" 422 "{$t,\"type\":\"x\"}" '"pointer":"/value"'
refuses "value null" 422 "{$t,\"value\":null,\"type\":\"x\"}" '"pointer":"/value"'
refuses "value true" 422 "{$t,\"value\":true,\"type\":\"x\"}" '"pointer":"/value"'
refuses "value an object" 422 "{$t,\"value\":{},\"type\":\"x\"}" '"pointer":"/value"'
refuses "value a word" 422 "{$t,\"value\":\"many\",\"type\":\"x\"}" '"pointer":"/value"'
for value in NaN Infinity -Infinity 1e999 '"NaN"' '"inf"' '"1e999"' '"0x10"' '""'; do
    refuses "value $value" 422 "{$t,\"value\":$value,\"type\":\"x\"}" '"pointer":"/value"'
done
refuses "type a number" 422 "{$t,\"value\":1,\"type\":5}" '"pointer":"/type"'
refuses "an empty type" 422 "{$t,\"value\":1,\"type\":\"\"}" '"pointer":"/type"'
refuses "a type of 101 characters" 422 "{$t,\"value\":1,\"type\":\"$(repeat x 101)\"}" '"pointer":"/type"'
refuses "a type with NUL" 422 "{$t,\"value\":1,\"type\":\"a\\\\u0000b\"}" '"pointer":"/type"'
refuses "a type with a control character" 422 "{$t,\"value\":1,\"type\":\"a\\\\u0007b\"}" '"pointer":"/type"'
refuses "a type with a raw newline" 422 "{$t,\"value\":1,\"type\":\"a\\nb\"}"
refuses "invalid UTF-8" 422 "{$t,\"value\":1,\"type\":\"a\\xff\"}" '"pointer":"/type"'
refuses "a lone surrogate" 422 "{$t,\"value\":1,\"type\":\"\\\\ud800\"}" '"pointer":"/type"'
for stamp in 2026-02-30T12:00:00Z 2026-02-21T24:00:00Z 2026-02-21T23:59:60Z 0000-01-01T00:00:00Z \
    10000-01-01T00:00:00Z 2026-02-21T12:00:00+24:00 2026-02-21T12:00:00-24:00 yesterday '' \
    0001-01-01T00:00:00+01:00 9999-12-31T23:59:59-01:00; do
    refuses "timestamp '$stamp'" 422 "{\"timestamp\":\"$stamp\",\"value\":1,\"type\":\"x\"}" '"pointer":"/timestamp"'
done
refuses "a timestamp beyond the years" 422 "{\"timestamp\":1e300,\"value\":1,\"type\":\"x\"}" '"pointer":"/timestamp"'

# --- bodies and lengths
pad() { # a valid sample padded to N bytes by an unknown member
    local head="{$t,\"value\":1,\"type\":\"limit\",\"pad\":\""
    printf '%s' "$head"
    repeat x $(($1 - ${#head} - 2))
    printf '"}'
}
if [ -z "${BASE_URL:-}" ]; then
    pad 4096 >"$work/request"
    ask POST /api/metrics --data-binary @"$work/request"
    check "a body at the limit is taken" is 201
    pad 4097 >"$work/request"
    ask POST /api/metrics --data-binary @"$work/request"
    check "one byte more is 413" eval 'is 413 && has "\"code\":\"PAYLOAD_TOO_LARGE\""'
    ask POST /api/metrics --data-binary @"$work/request" -H 'Transfer-Encoding: chunked'
    check "also when chunked" is 413
fi
# --- Content-Encoding
coded() { # coded NAME: posts $work/coded
    ask POST /api/metrics -H "Content-Encoding: $1" --data-binary @"$work/coded"
}
echo "{$t,\"value\":1,\"type\":\"coded\"}" | gzip >"$work/good.gz"
cp "$work/good.gz" "$work/coded"
coded gzip
check "a body in gzip is taken" is 201
coded deflate
check "as deflate it is 400" eval 'is 400 && has "is not what Content-Encoding says"'
coded br
check "as brotli it is 415, and what would do is said" eval 'is 415 && says "accept-encoding: gzip, deflate, snappy"'
head -c 30 "$work/good.gz" >"$work/coded"
coded gzip
check "cut off it is 400" is 400
{ cat "$work/good.gz"; echo garbage; } >"$work/coded"
coded gzip
check "with something behind it, too" is 400
gzip <"$work/good.gz" >"$work/coded"
coded gzip
check "coded twice it is no JSON" eval 'is 422 && has "not acceptable JSON"'
coded 'gzip, gzip'
check "and may not be" is 415
head -c 10000000 /dev/zero | gzip -9 >"$work/coded"
coded gzip
check "ten megabytes in $(wc -c <"$work/coded") bytes are 413" is 413
ask GET "/api/metrics/list?type=coded"
check "one sample of these is stored" [ "$(grep -o '"id"' "$work/body" | wc -l)" = 1 ]

ask POST /api/metrics -H 'Transfer-Encoding: chunked' -d "{$t,\"value\":2,\"type\":\"chunked\"}"
check "a chunked body is taken" is 201
# In one write: a server may hang up after the first bad line.
raw() { # raw REQUEST: its first answer line's status
    local line
    status=
    printf '%b' "$1" >"$work/raw"
    exec 3<>"/dev/tcp/${host%%:*}/${host##*:}" || return
    cat "$work/raw" >&3
    read -r -t 5 _ status line <&3
    exec 3>&-
}
for length in -1 1e3 18446744073709551616 +5 '5 5' 0x5; do
    raw "POST /api/metrics HTTP/1.1\r\nHost: x\r\nContent-Length: $length\r\nConnection: close\r\n\r\nhello"
    check "Content-Length '$length' is 400 or 413" eval 'is 400 || is 413'
done
raw "POST /api/metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
check "no Content-Length is a refusal" eval 'is 411 || is 422 || is 400'

lie="{$t,\"value\":1,\"type\":\"lie\"}"
raw "POST /api/metrics HTTP/1.1\r\nHost: x\r\nContent-Length: $((${#lie} - 1))\r\nConnection: close\r\n\r\n$lie"
check "a Content-Length that is one too small is 422" is 422
raw "POST /api/metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
check "two Content-Lengths are 400" is 400
raw "POST /api/metrics HTTP/1.1\r\nHost: x\r\nContent-Length: ${#lie}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
check "a Content-Length of a chunked body is never a sample" eval 'is 400 || is 422'
raw "POST /api/metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n$lie\r\n0\r\n\r\n"
check "a negative chunk is 400" is 400

# --- paths, methods, parameters
ask GET /apixyz
check "a path that only begins like one of ours is 404" is 404
ask GET "/api/../etc/passwd"
check ".. in a path is refused" eval 'is 400 || is 404'
ask GET "/api/%2e%2e/health"
check "an encoded .. is refused" eval 'is 400 || is 404'
ask GET "/api%2fmetrics%2flist"
check "an encoded slash is refused" eval 'is 400 || is 404'
ask GET "/health%00"
check "NUL in a path is refused" eval 'is 400 || is 404'
for method in PUT PATCH DELETE; do
    ask "$method" /api/metrics/list
    check "$method of a GET path is 405 with Allow" eval 'is 405 && says "allow: GET"'
done
ask GET /api/metrics
check "GET of a POST path is 405" eval 'is 405 && says "allow: POST"'
ask BREW /api/metrics
check "an unknown method is refused" eval 'is 405 || is 400 || is 501'
long=$(repeat a 12000)
ask GET "/health/?$long"
check "a long query is redirected whole" eval 'is 307 && says "location: " && grep -qF "/health?$long" "$work/head"'
for file in /docs /redoc /openapi.json; do
    ask POST "$file" -d x
    check "POST of $file is 405 with Allow" eval 'is 405 && says "allow: GET, HEAD"'
done
ask GET "/docs/?a=1&b=?c"
check "a trailing slash of a file is redirected with its query" eval 'is 307 && says "location: /docs.a=1&b=.c"'
ask GET "/api/metrics/summary?type=a?b"
check "a question mark in a query is part of it" eval 'is 200 && has "\"type\":\"a?b\""'
ask GET "/api/metrics/summary?type="
check "an empty type is 422" is 422
ask GET "/api/metrics/summary?type=a&type=chunked"
check "of repeated parameters the last wins" eval 'is 200 && has "\"type\":\"chunked\""'
ask GET "/api/metrics/summary?type=%ff"
check "invalid UTF-8 in a parameter is 400 or 422" eval 'is 422 || is 400'
ask GET "/api/metrics/summary?type=%zz"
check "a bad escape in a parameter is refused, or taken as it stands where the web server encodes it" eval 'is 422 || is 400 || has "\"type\":\"%zz\""'
for limit in 0 1001 -1 ten 1.5 99999999999999999999 ''; do
    ask GET "/api/metrics/list?limit=$limit"
    check "limit '$limit' is 422" eval 'is 422 && has "\"loc\":[\"query\",\"limit\"]"'
done
ask GET "/api/metrics/summary?type=x&period="
check "an empty period is 400" is 400

# --- odd names that are right
for name in 'a"b' "it's" '{braces}' '100%' 'a\\\\b' 'temp °C' '🌡' '<img src=x onerror=alert(1)>' "$(repeat x 100)"; do
    quoted=$(printf '%s' "$name" | sed 's/"/\\"/g')
    printf '%s' "{$t,\"value\":3.25,\"type\":\"$quoted\"}" >"$work/request"
    ask POST /api/metrics --data-binary @"$work/request"
    check "a type named $name is taken" is 201
done
ask GET /api/metrics/summary -G --data-urlencode 'type={braces}'
check "and found again" eval 'is 200 && has "\"count\":1" && has "\"type\":\"{braces}\""'
ask GET "/api/metrics/list?limit=1000"
stored=$(grep -o '"value":' "$work/body" | wc -l)
expected=$([ -n "${BASE_URL:-}" ] && echo 11 || echo 12)
check "nothing that was refused was stored" [ "$stored" = "$expected" ]
ask GET /health
check "it is healthy after all that" has '"status":"healthy"'
finish

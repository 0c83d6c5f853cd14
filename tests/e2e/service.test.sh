#!/bin/bash
# The commands and what the web server adds: addresses, tokens, limits, logs, two instances.
set -u
. "$(dirname "$0")/lib.sh"

subject() { sed -n 's/.*"subject":"\([^"]*\)".*/\1/p' "$work/body"; }

# --- the client's address
service_start plain
ask GET /api/rate-limit -H 'X-Forwarded-For: 203.0.113.7'
check "X-Forwarded-For of a stranger is not believed" [ "$(subject)" = 4:127.0.0.1 ]
ask GET /api/rate-limit -H 'X-Real-IP: 203.0.113.7' -H 'Forwarded: for=203.0.113.7' -H 'X_Forwarded_For: 203.0.113.7'
check "nor any header like it" [ "$(subject)" = 4:127.0.0.1 ]
plain_dir=$dir plain_port=$port

service_start proxied TRUSTED_PROXIES=127.0.0.1,10.0.0.0/8
ask GET /api/rate-limit -H 'X-Forwarded-For: 198.51.100.9, 203.0.113.7, 10.1.2.3'
check "a trusted proxy's is, up to the last address that is not trusted" [ "$(subject)" = 4:203.0.113.7 ]
ask GET /api/rate-limit -H 'X-Forwarded-For: 2001:db8:1:2:3:4:5:6'
check "IPv6 counts by /64" [ "$(subject)" = 6:2001:db8:1:2 ]
check "two instances run side by side" eval \
    'curl -fsS -o /dev/null "http://127.0.0.1:$plain_port/health" && curl -fsS -o /dev/null "$base/health"'
service_stop
check "stopping one leaves the other" curl -fsS -o /dev/null "http://127.0.0.1:$plain_port/health"
check "stopping again is no error" service_stop
check "status says that it does not run: 3" eval 'RUN_DIR=$dir "$root/conf/service" status >/dev/null; [ $? = 3 ]'
dir=$plain_dir port=$plain_port base=http://127.0.0.1:$plain_port
check "status says that the other runs: 0" eval 'RUN_DIR=$dir "$root/conf/service" status >/dev/null'

# --- bad commands are told
told() { # told TEXT VARIABLE=value...: conf/service start fails and says TEXT
    local text=$1
    shift
    ! env APP_HOST=127.0.0.1 RUN_DIR="$work/never" "$@" "$root/conf/service" start >"$work/body" 2>&1 && has "$text"
}
check "a port that is taken is told" told "$plain_port" APP_PORT="$plain_port"
check "a wrong variable is told with what would be right" eval \
    'told RATE_LIMIT_REQUESTS APP_PORT=$(free_port) RATE_LIMIT_REQUESTS=ten REDIS_TIMEOUT_MS=-5 && has REDIS_TIMEOUT_MS'
check "so is a wrong port, with the others" eval \
    'told APP_PORT APP_PORT=99999 RATE_LIMIT_REQUESTS=ten && has RATE_LIMIT_REQUESTS'
echo 'no assignment' >"$work/broken.env"
check "a broken .env stops the start" told "line 1" ENV_FILE="$work/broken.env" APP_PORT="$(free_port)"
check "and nothing else" eval 'ENV_FILE=$work/broken.env RUN_DIR=$dir "$root/conf/service" status >/dev/null 2>&1'
echo 'RATE_LIMIT_REQUESTS=ten' >"$work/wrong.env"
check "a wrong value in .env is told" told RATE_LIMIT_REQUESTS ENV_FILE="$work/wrong.env" APP_PORT="$(free_port)"
check "a path too long for a socket is told" told 107 APP_PORT="$(free_port)" RUN_DIR="$work/$(printf 'x%.0s' $(seq 120))"

# --- limits and logs
ask GET /health -H "X-Long: $(head -c 20000 /dev/zero | tr '\0' x)"
check "a header that is too long is 431" is 431
ask GET /health -H 'X-Request-Id: my-id.1'
check "a sane request id is kept" says 'x-request-id: my-id.1'
ask GET /health -H 'X-Request-Id: <script>'
check "another is replaced" eval 'says "x-request-id: " && ! says "x-request-id: <"'
check "no answer names a server" eval '! says "server:"'
ask GET '/api/metrics/list?type=%22%0a%1b%5b31m'
ask GET '/no"such\path'
ask GET /health -A "$(printf 'agent \xff"')"
exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'no request\r\n\r\n' >&3 && cat <&3 >/dev/null
exec 3>&-
service_stop
check "the access log has every request" [ "$(wc -l <"$dir/log/access.log")" -ge 8 ]
check "every line of the access log is one JSON object" eval '"$tools/json_lines" <"$dir/log/access.log"'
check "every line of the event log is one JSON object" eval '"$tools/json_lines" <"$dir/log/events.log"'
check "no log holds an escape character" eval '! grep -q "$(printf "\033")" "$dir"/log/*.log'

# --- a token
service_start token API_TOKEN=s3cret
ask GET /api/metrics/list
check "without the token: 401, and how" eval 'is 401 && says "www-authenticate: Bearer" && has "\"code\":\"UNAUTHORIZED\""'
ask GET /api/metrics/list -H 'Authorization: Bearer s3creT'
check "with a wrong one: 401" is 401
ask GET /api/metrics/list -H 'Authorization: Bearer s3cret'
check "with the token: 200" is 200
ask POST /api/metrics -d '{"timestamp":1771675200,"value":1,"type":"x"}'
check "a POST without it stores nothing" is 401
for path in /health /livez /readyz; do
    ask GET "$path"
    check "$path needs none" is 200
done
check "the token is in no log" eval '! grep -rq s3cret "$dir/log"'
service_stop

# --- IPv6
if (exec 3<>"/dev/udp/::1/9") 2>/dev/null; then
    service_start both APP_HOST=::
    base="http://[::1]:$port"
    check "APP_HOST=:: answers on IPv6" is_healthy
    base="http://127.0.0.1:$port"
    check "and on IPv4" is_healthy
    ask GET /api/rate-limit
    check "whose clients are IPv4 clients" [ "$(subject)" = 4:127.0.0.1 ]
    service_stop
fi

# --- memory
resident_kb() { # of the only worker
    awk '/^Rss:/ { print $2 }' "/proc/$(worker_pids)/smaps_rollup"
}
many_points() { # 16 at once, nearly 2 MB each
    local pids=()
    for _ in {1..16}; do
        curl -s -m 20 -o /dev/null "$base/api/metrics/series?type=cpu&from=0&to=11000&step=1" &
        pids+=($!)
    done
    wait "${pids[@]}"
}
gave_back() { [ "$(resident_kb)" -lt "$1" ]; }
if [ "$mode" = release ]; then # a sanitizer keeps what was freed
    service_start large WORKERS=1
    curl -s -o /dev/null -d '{"timestamp":1,"value":1,"type":"cpu"}' "$base/api/metrics"
    fresh=$(resident_kb)
    many_points
    check "a worker gives back what large answers took" await 5 gave_back $((fresh + 16384))
    service_stop
fi

# --- in the foreground
foreground=$(free_port)
APP_HOST=127.0.0.1 APP_PORT=$foreground RUN_DIR=$work/fg env --default-signal=INT setsid "$root/conf/service" run >"$work/run.log" 2>&1 &
runner=$!
services+=("$work/fg")
base=http://127.0.0.1:$foreground
check "run answers" await 30 is_healthy
kill -INT "$runner"
wait "$runner"
check "Ctrl-C ends it with 0 or 130" eval '[ $? = 0 ] || [ $? = 130 ]'
is_gone() { ! RUN_DIR=$1 "$root/conf/service" status >/dev/null && ! curl -s -m 2 -o /dev/null "$base/health"; }
check "and nothing of it is left" is_gone "$work/fg"

foreground=$(free_port)
base=http://127.0.0.1:$foreground
services+=("$work/made")
env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C "$root" run MODE="$mode" APP_HOST=127.0.0.1 \
    APP_PORT="$foreground" RUN_DIR="$work/made" >"$work/run.log" 2>&1 &
runner=$!
check "make run answers" await 60 is_healthy
kill -TERM "$runner"
wait "$runner" 2>/dev/null
check "SIGTERM to make ends all of it" await 30 is_gone "$work/made"
finish

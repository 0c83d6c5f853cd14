#!/bin/bash
# analytics-load against the real service: what it loads, what it says of what it cannot, and
# that it goes on after all that may interrupt it.
set -u
. "$(dirname "$0")/lib.sh"

export RATE_LIMIT_REQUESTS=0 BODY_LIMIT_BYTES=1000000
load=$root/build/$mode/analytics-load
files=$work/files
base=http://127.0.0.1:9 # nobody listens there; service_start sets it
mkdir "$files"
cd "$files" || exit 1

# load_file [ARGUMENT...]: exit code in $status, what it says is the answer.
load_file() {
    : >"$work/head"
    "$load" --url="$base" "$@" >"$work/said" 2>&1
    status=$?
    cp "$work/said" "$work/body"
}
tells() { has "$(printf '%s\t%s' "$1" "$2")"; } # tells NAME NUMBER
loads() { is 0 && tells accepted "$1" && tells rejected 0; }
figure() { sed -n "s/^$1\t//p" "$work/said"; }
stored() { # stored TYPE: how many samples of it there are
    ask GET "/api/metrics/summary?type=$1&period=all" && number count
}
holds() { [ "$(stored "$1")" = "$2" ]; }
state_of() { sed -n "s/^$2 //p" "$1.load-state"; }
csv() { # csv COUNT TYPE [STEP]: a sample a second, or every STEP seconds
    awk -v n="$1" -v type="$2" -v step="${3:-1}" 'BEGIN {
        print "timestamp,value,type"
        for (i = 0; i < n; i++) printf "%d,%d.5,%s\n", 1771632000 + step * i, i % 100, type
    }'
}
ndjson() { # ndjson COUNT TYPE
    awk -v n="$1" -v type="$2" 'BEGIN {
        for (i = 0; i < n; i++)
            printf "{\"timestamp\":%d,\"value\":%d.5,\"type\":\"%s\"}\n", 1771632000 + i, i % 100, type
    }'
}

# --- usage
load_file --help
check "--help exits with 0" is 0
for option in url format batch batch-bytes jobs precision token timeout give-up state strict quiet help version; do
    check "--help knows --$option" has "--$option"
done
load_file --version
check "--version is the service's" eval 'is 0 && has "$(cat "$root/VERSION")"'
wrong() { # wrong WHAT_IS_SAID ARGUMENT...
    load_file "${@:2}"
    check "wrong usage: ${*:2}" eval "is 2 && has '$1'"
}
wrong "a file is needed"
wrong "one file at a time" a b
wrong "there is no such option" --colour a
wrong "there is no such option" -v a
wrong "must be an integer from 1 to 10000" --batch=0 a
wrong "must be an integer from 1 to 10000" --batch=10001 a
wrong "must be an integer from 1 to 64" --jobs=65 a
wrong "must be an integer from 1024 to " --batch-bytes=1023 a
wrong "--format: must be" --format=xml a
wrong "--precision: must be" --precision=m a
wrong "--url: must be" --url=localhost:8000 a
wrong "takes no value" --quiet=yes a
wrong "needs a value" a --batch
wrong "--state: a pipe has none" --state=x -
load_file nothing.csv
check "a file that is not there" eval 'is 1 && has "cannot open nothing.csv: No such file"'
load_file .
check "a folder is no file" eval 'is 1 && has "it is a directory"'

# --- formats
service_start one
csv 2500 csv >a.csv
load_file a.csv
check "CSV is loaded" loads 2500
check "a thousand lines a request" tells requests 3
check "all of it is there" holds csv 2500
load_file a.csv
check "a second time it is not loaded" eval 'is 0 && has "already loaded at $base, 2500 samples; remove a.csv.load-state"'
base=http://127.0.0.1:9 load_file a.csv
check "nor by another service, of which the state does not speak" eval 'is 1 && has "begun at another --url; 2500 of its lines are stored"'
cp a.csv.load-state kept
load_file --state=a.csv a.csv
check "the input is no state" eval 'is 2 && has "would be written over"'
cp a.csv b.new
load_file --state=b b.new
check "nor is it what the state is made from" eval 'is 2 && cmp -s a.csv b.new'
csv 100 twice >twice.csv
"$load" --url=http://127.0.0.1:9 --quiet twice.csv >/dev/null 2>&1 &
waiting=$!
await 10 test -e twice.csv.load-state
load_file twice.csv
check "two at once do not load the same" eval 'is 1 && has "another analytics-load is loading twice.csv"'
kill "$waiting"
wait "$waiting"
yes '# nothing' | head -c 300M >nothing.lp
"$load" --url="$base" nothing.lp >"$work/body" 2>&1 &
reading=$!
sleep 0.1
kill -TERM "$reading"
wait "$reading"
status=$?
rm nothing.lp
check "what never holds a sample can be stopped" is 143
csv 400000 shorter >shorter.csv
"$load" --url="$base" --jobs=1 --quiet shorter.csv >"$work/body" 2>&1 &
reading=$!
await 10 test -e shorter.csv.load-state
kill -STOP "$reading"
truncate -s 100000 shorter.csv
kill -CONT "$reading"
wait "$reading"
status=$?
check "a file that becomes shorter meanwhile is not all loaded" eval 'is 1 && has "became shorter while it was read"'
rm a.csv.load-state
load_file --batch=100 --jobs=8 --quiet a.csv
check "without its state it is" eval 'loads 2500 && tells requests 25 && holds csv 5000'
ndjson 1500 json >a.jsonl
load_file --state="$work/elsewhere" a.jsonl
check "NDJSON is loaded" eval 'loads 1500 && holds json 1500'
check "the state is where it is to be" eval '[ -e "$work/elsewhere" ] && [ ! -e a.jsonl.load-state ]'
load_file - < <(ndjson 10 pipe)
check "a pipe is loaded" eval 'loads 10 && holds pipe 10'
load_file - < <(csv 10 pipe)
check "of a pipe the first line tells the format" eval 'loads 10 && holds pipe 20'
load_file --format=csv - < <(csv 3 slow | while IFS= read -r line; do sleep 0.1; printf '%s\r\n' "$line"; done)
check "a slow one is waited for" eval 'loads 3 && holds slow 3'
load_file - </dev/null
check "nothing is loaded at once" eval 'loads 0 && tells requests 0'
load_file --batch-bytes=1024 - < <(ndjson 200 bytes)
check "a request has the bytes it may have" eval 'loads 200 && [ "$(figure requests)" -ge 10 ]'
csv 1000 sparse 3600 >sparse.csv
load_file sparse.csv
check "what spreads over too many hours goes in parts" eval 'loads 1000 && tells retries 0 && holds sparse 1000'
base=$base/ load_file - < <(csv 5 slash)
check "a slash behind the URL does no harm" loads 5
printf 'cpu,host=a usage=1.5,idle=2i 1771632000\n# none\ncpu,host=b usage=3 1771632001\n' >a.lp
load_file --precision=s a.lp
check "line protocol is loaded" eval 'loads 2 && holds "cpu.usage%3Bhost%3Da" 1'
printf 'cpu usage=1 1\ncpu\n\ncpu usage=2 2\n' >bad.lp
load_file bad.lp
check "its rejected lines are told" eval 'is 3 && tells accepted 2 && has "bad.lp:2: "'
{
    echo 'cut note="a'
    for ((i = 0; i < 1500; i++)); do printf 'cut value=%d %d\n' "$i" "$i"; done
    for ((i = 0; i < 900; i++)); do printf 'pad%0100d value=1 %d\n' "$i" "$i"; done
    echo 'cut note="b" 5'
} >cut.lp
load_file --precision=s cut.lp
check "a line that was cut takes no other with it" eval 'is 3 && tells rejected 1 && has "cut.lp:1: a string is not closed" && holds cut.value 1500'
(ndjson 700 toolong; printf '{"type":"%*s"}\n' 1100000 x; ndjson 1 toolong) >toolong.ndjson
load_file toolong.ndjson
check "a line that is too long ends it, behind what came before" eval 'is 1 && has "toolong.ndjson:701: the line is longer than 1 MiB" && tells accepted 700 && holds toolong 700'

# --- its own exports
names=('=1+1' '-x' '@a' "it's" 'a "b", c' '+' 'ü')
for name in "${names[@]}"; do
    csv 50 "\"${name//\"/\"\"}\"" | sed '1!s/^/7,/; 1s/^/id,/'
done | sed '2,${/^id,/d}' >names.csv
service_stop
service_start from
load_file names.csv
check "names of all kinds are loaded" loads $((50 * ${#names[@]}))
export_as() { curl -s "$base/api/metrics/list?order=oldest&limit=100000&format=$1"; }
export_as csv >export.csv
export_as ndjson >export.ndjson
check "the export of CSV guards its formulas" grep -q ",'=1+1\$" export.csv
service_stop
for format in csv ndjson; do
    service_start "to_$format"
    load_file "export.$format"
    check "the service's own $format is loaded" loads $((50 * ${#names[@]}))
    export_as "$format" >again
    check "and comes out the same again" cmp -s "export.$format" again
    service_stop
done

# --- lines that are rejected
service_start two
printf 'value,type,timestamp\r\n1,t,2026-01-01\r\nfoo,t,2026-01-02\r\n\r\n5,t\r\n7,"t"x,2026-01-01\r\n"8","t\nu",2026-01-01\r\n8,t,2026-13-01\r\n9,t,2026-01-01' >bad.csv
load_file bad.csv
check "rejected lines have an exit code" is 3
check "the others are stored" eval 'tells accepted 2 && tells rejected 5 && holds t 2'
cp "$work/said" "$work/body"
for line in '3: value: must be a finite number' '5: timestamp: Field required' '6: there is text behind a closing quote' \
    '7: type: ' '9: timestamp: '; do
    check "line $line is told" has "bad.csv:$line"
done
load_file - < <(printf '{"timestamp":1,"value":2,"type":"t"}\n\n[]\n{"timestamp":1,"value":2}\n')
check "so are those of NDJSON" eval 'is 3 && tells accepted 1 && has "-:3: must be a JSON object" && has "-:4: type: Field required"'
load_file - < <(printf '\n7\nno\n')
check "also when all of them are wrong" eval 'is 1 || is 3'
load_file --format=ndjson - < <(printf '\n7\nno\n')
check "none of which is stored" eval 'is 3 && tells accepted 0 && tells rejected 2 && has "-:2: must be a JSON object"'
load_file --batch=7 - < <(csv 100 wrong | sed '2,$s/^/x/')
check "twenty are told, and how many there are" eval 'is 3 && [ "$(grep -c "^-:" "$work/body")" = 20 ] && has "100 lines were rejected in all"'
(csv 30 strict; echo 'x,1,strict'; csv 300 strict | sed 1d) >strict.csv
load_file --strict --batch=10 strict.csv
check "--strict stops at a rejected line" eval 'is 1 && tells accepted 30 && has "strict.csv:32: timestamp: " && has "refuses lines 32 to 41"'
load_file strict.csv
check "without --strict it goes on behind it" eval 'is 3 && tells accepted 330 && tells rejected 1 && holds strict 330'
load_file --strict - < <(csv 3 strict | sed '3s/1/"1"x/')
check "--strict also stops at what is no CSV" eval 'is 1 && has "-:3: there is text behind a closing quote" && holds strict 330'
printf 'timestamp,value\n1,2\n' >columns.csv
load_file columns.csv
check "a column that is not there is told" eval 'is 1 && has "columns.csv:1: the first line names no column type"'
check "and leaves no state" [ ! -e columns.csv.load-state ]
head -c 1048577 /dev/zero | tr '\0' x | sed '1s/^/{}\n/' >long.ndjson
load_file long.ndjson
check "a line that is too long is told" eval 'is 1 && has "long.ndjson:2: the line is longer than 1 MiB"'
load_file - < <(echo hello)
check "a format that nobody knows is told" eval 'is 1 && has "give --format"'

# --- interrupted
stored_once() { [ "$(stored "$1")" = "$2" ]; } # stored_once TYPE COUNT
has_begun() { [ -s "$1.load-state" ] && [ "$(state_of "$1" stored-bytes)" -gt 0 ]; }
slowly=(--batch=4 --jobs=1) # so that a second, after which the state is noted, is not enough
csv 30000 killed >killed.csv
"$load" --url="$base" "${slowly[@]}" --quiet killed.csv >/dev/null 2>&1 &
loader=$!
check "a load is under way" await 30 has_begun killed.csv
kill -9 "$loader"
wait "$loader" 2>/dev/null
check "killed, it has not done it all" eval '[ "$(state_of killed.csv done)" = 0 ] && [ "$(stored killed)" -lt 30000 ]'
cp killed.csv changed.csv
cp killed.csv.load-state changed.csv.load-state
load_file --batch=1000 changed.csv
check "another file does not go on" eval 'is 1 && has "the file is not what it was" && has "remove changed.csv.load-state"'
load_file --format=ndjson killed.csv
check "nor does another format" eval 'is 1 && has "begun with another --format"'
load_file --batch=1000 --jobs=8 killed.csv
check "the same goes on" eval 'loads 30000 && has "going on at line "'
check "by the batches of before" has "--batch stays 4"
check "and all of it is there" stored_once killed 30000
interrupt() { # interrupt SIGNAL CODE
    local type=signal-$1
    csv 60000 "$type" >"$type.csv"
    "$load" --url="$base" "${slowly[@]}" "$type.csv" >"$work/said" 2>&1 &
    loader=$!
    check "$type: a load is under way" await 30 has_begun "$type.csv"
    kill -s "$1" "$loader"
    wait "$loader"
    status=$?
    cp "$work/said" "$work/body"
    check "$type: it ends with $2" is "$2"
    check "$type: it says how to go on" has "interrupted; the same command goes on, by $type.csv.load-state"
    check "$type: what it says is stored is there, and no more" holds "$type" "$(figure accepted)"
    load_file --batch=1000 "$type.csv"
    check "$type: it goes on, by other batches" eval 'loads 60000 && [ "$(figure requests)" -le 60 ] && holds "$type" 60000'
}
interrupt INT 130
interrupt TERM 143
# However often, and with whatever is stored beyond what is not.
csv 60000 again >again.csv
for ((i = 0; i < 15; i++)); do
    "$load" --url="$base" --batch=$((5 + RANDOM % 20)) --jobs=$((1 + RANDOM % 32)) --quiet again.csv >/dev/null 2>&1 &
    loader=$!
    sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
    kill -s "$([ $((RANDOM % 3)) = 0 ] && echo INT || echo KILL)" "$loader" 2>/dev/null
    wait "$loader" 2>/dev/null
done
load_file --jobs=3 again.csv
check "interrupted again and again, each line is stored once" eval '{ loads 60000 || has "already loaded"; } && stored_once again 60000'
csv 200000 terminal >terminal.csv
if command -v script >/dev/null; then
    script -qec "$load --url=$base --batch=100 terminal.csv" /dev/null >"$work/body" 2>&1 </dev/null
    check "on a terminal there is a bar" eval 'has " samples  " && has "[###"'
fi
service_stop

# --- what fails
start_again() { APP_HOST=127.0.0.1 APP_PORT=$port RUN_DIR=$dir "$root/conf/service" start >"$work/start.log"; }
says_so() { grep -q "$1" "$work/said"; }
csv 3000 down >down.csv
"$load" --url="$base" down.csv >"$work/said" 2>&1 &
loader=$!
check "a service that is not there is waited for" await 20 says_so "trying again: .*connect"
start_again
wait "$loader"
status=$?
cp "$work/said" "$work/body"
check "and then gets all of it" eval 'loads 3000 && ! tells retries 0 && holds down 3000'
csv 30000 redis >redis.csv
"$load" --url="$base" "${slowly[@]}" --quiet redis.csv >"$work/said" 2>&1 &
loader=$!
await 30 has_begun redis.csv
kill -9 "$(pid_of redis)"
wait "$loader"
status=$?
cp "$work/said" "$work/body"
check "when Redis is killed meanwhile, all is stored" eval '! tells retries 0 && loads 30000 && stored_once redis 30000'
service_stop
load_file --give-up=1 down.csv
check "what is done needs no service" is 0
csv 10 nobody >nobody.csv
load_file --give-up=1 nobody.csv
check "without any progress it gives up" eval 'is 1 && has "nothing was stored for 1 s: " && tells accepted 0'
check "and can go on" eval '[ "$(state_of nobody.csv done)" = 0 ] && has "the same command goes on"'

# Of what was sent in parts the whole was never sent: it must not be, once the service would take it.
service_start parts MAX_TYPES=1
(csv 500 first; csv 500 second | sed 1d) >parts.csv
load_file --strict parts.csv
check "of a batch some is stored, and the rest refused" eval 'is 1 && has "refuses lines " && holds first 500'
service_stop
MAX_TYPES=10 start_again
load_file --strict --batch=77 parts.csv
check "and once it is taken each is stored once" eval 'loads 1000 && stored_once first 500 && stored_once second 500'
service_stop

# One line in the middle that the service does not take yet; what is beyond it is stored by then.
service_start gap INGEST_BODY_LIMIT_BYTES=2000
{
    ndjson 100 gap
    printf '{"timestamp":1771632000,"value":1,"type":"gap"%3000s}\n' ''
    ndjson 400 gap
} >gap.ndjson
load_file --batch=10 --jobs=8 gap.ndjson
check "one line is refused, and what is stored beyond it is noted" eval \
    'is 1 && has "refuses lines 101 to 101: 413" && [ "$(state_of gap.ndjson ranges)" -gt 0 ]'
check "none of it is there that is not counted" eval 'stored_once gap "$(figure accepted)"'
service_stop
INGEST_BODY_LIMIT_BYTES=10000 start_again
load_file --batch=9 gap.ndjson
check "once it is taken all is stored, once" eval 'loads 501 && stored_once gap 501 && [ "$(figure requests)" -lt 50 ]'
service_stop

service_start limited RATE_LIMIT_REQUESTS=2 RATE_LIMIT_WINDOW_SECONDS=2
load_file --batch=10 --jobs=2 - < <(csv 80 limited)
check "a rate limit is kept to" eval 'loads 80 && holds limited 80'
check "by waiting as long as it is told" eval '[ "$(figure retries)" -le 12 ] && [ "$(figure seconds | cut -d. -f1)" -ge 6 ]'
service_stop

service_start small BODY_LIMIT_BYTES=2000 INGEST_BODY_LIMIT_BYTES=2000 API_TOKEN=s3cret
load_file nobody.csv
check "without the token it is refused" eval 'is 1 && has "401 " && has "the token goes into API_TOKEN"'
check "with it, it goes on" eval 'API_TOKEN=s3cret load_file nobody.csv; loads 10'
csv 100 small >small.csv
load_file --token=s3cret small.csv
check "a request that is too large goes in parts" eval 'loads 100 && tells requests 6'
load_file --token=s3cret - < <(printf '{"timestamp":1,"value":2,"type":"t"%3000s}\n' '')
check "a line that is, is told" eval 'is 1 && has "refuses lines 1 to 1: 413 " && has "a larger limit of the service"'
load_file --url="$base/nowhere" --token=s3cret - < <(csv 1 x)
check "a place that takes no samples is told" eval 'is 1 && has "404 " && has "is --url right?"'
service_stop
finish

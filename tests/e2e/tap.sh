# tap.sh: checks with curl that print TAP. Needs bash and curl alone.
# shellcheck shell=bash disable=SC2034,SC2154
#
# Whoever sources this sets `base`, makes the folder `work` and ends with `finish`.

count=0
failures=0
status=

check() { # check NAME COMMAND...: one TAP line by the command's exit code
    local name=$1
    shift
    count=$((count + 1))
    if "$@"; then
        echo "ok $count - $name"
    else
        failures=$((failures + 1))
        echo "not ok $count - $name"
        echo "# status ${status:-none}; answer:"
        head -qc 1500 "$work/head" "$work/body" 2>/dev/null | sed 's/^/# /'
        echo
    fi
}

finish() {
    echo "1..$count"
    [ "$failures" = 0 ]
    exit
}

# ask METHOD PATH [CURL OPTION...]: status in $status, head and body in files
ask() {
    local method=$1 path=$2
    shift 2
    local how=(-X "$method")
    [ "$method" = HEAD ] && how=(-I)
    : >"$work/body"
    : >"$work/head"
    status=$(curl -sS -m 20 --path-as-is -o "$work/body" -D "$work/head" -w '%{http_code}' \
        "${how[@]}" "$@" "$base$path" 2>"$work/curl.log")
}
is() { [ "$status" = "$1" ]; }
has() { grep -qF -- "$1" "$work/body"; }
says() { grep -qiE "^$1" "$work/head"; }
number() { sed -n "s/.*\"$1\":\\([-0-9.]*\\).*/\\1/p" "$work/body" | head -n 1; }

#!/bin/bash
# Pages and what they load: as files, compressed, kept by browsers for as long as is right, and with
# a policy that lets nothing else in. BASE_URL: test that server instead.
set -u
. "$(dirname "$0")/lib.sh"

if [ -n "${BASE_URL:-}" ]; then
    base=$BASE_URL
else
    service_start one WORKERS=1
fi

# shellcheck disable=SC2034 # used by eval
q="'"
policy() { sed -n 's/^content-security-policy: //Ip' "$work/head" | tr -d '\r'; }
header() { sed -n "s/^$1: //Ip" "$work/head" | tr -d '\r'; }

# --- the front door
ask GET / -H 'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
check "a browser at the front door is sent to the dashboard" eval 'is 307 && says "location: /dashboard/"'
ask GET /
check "curl gets JSON there" eval 'is 200 && has "\"name\":\"Resilient Analytics API\""'
check "and a cache is told what that depends on" says 'vary: accept'
ask GET '/dashboard?type=a%26b'
check "the dashboard without its slash is redirected, with its query" eval \
    'is 308 && [ "$(header location | sed "s|^http://[^/]*||")" = "/dashboard/?type=a%26b" ]'

# --- pages
for page in /dashboard/ /docs /redoc /openapi.json; do
    ask GET "$page"
    check "$page is there" is 200
    cp "$work/body" "$work/plain"
    check "$page is asked for again each time" [ "$(header cache-control)" = no-cache ]
    check "$page says nothing to others of where one came from" [ "$(header referrer-policy)" = no-referrer ]
    check "$page is what it says it is" [ "$(header x-content-type-options)" = nosniff ]
    check "$page runs no script but from here" eval \
        '[[ "$(policy)" =~ ^default-src\ ${q}(self|none)$q && ! "$(policy)" =~ (script-src|unsafe-eval|https?:) ]]'
    etag=$(header etag)
    ask GET "$page" -H "If-None-Match: $etag"
    check "$page that the browser has is 304" is 304
    ask GET "$page" -H 'Accept-Encoding: gzip'
    check "$page is compressed for who takes that" eval \
        'is 200 && says "content-encoding: gzip" && says "vary:.*accept-encoding" && gzip -dc "$work/body" | cmp -s - "$work/plain"'
    check "$page in that form has a tag of its own" [ "$(header etag)" != "$etag" ]
    ask POST "$page" -d x
    check "$page takes no POST" is 405
done
ask GET /dashboard/
check "the dashboard has no style but from here" eval '[[ ! "$(policy)" =~ unsafe ]]'
ask GET /docs
check "Swagger UI may set styles, nothing more" eval \
    '[[ "$(policy)" == *"; style-src ${q}self$q ${q}unsafe-inline$q;"* && "$(policy)" != *script-src* ]]'
ask GET /health
check "what is no page may load nothing" eval '[[ "$(policy)" == "default-src ${q}none$q;"* ]]'

# --- what they load
for page in /dashboard/ /docs /redoc; do
    ask GET "$page"
    grep -oE '<(link|script)[^>]* (src|href)="[^"]*"' "$work/body" | sed 's/.*="//; s/"$//'
done | sort -u >"$work/assets"
check "pages load something" [ -s "$work/assets" ]
check "all of it from here" eval '! grep -vE "^/static/[0-9a-f]{16}/" "$work/assets"'
while read -r asset; do
    name=${asset##*/}
    ask GET "$asset"
    case $name in
    *.js) type=text/javascript ;;
    *.css) type=text/css ;;
    *.svg) type=image/svg.xml ;;
    *) type=unknown ;;
    esac
    check "$name is there, as $type" eval 'is 200 && says "content-type: $type"'
    check "$name is kept for ever" says 'cache-control: public, max-age=31536000, immutable'
    cp "$work/body" "$work/plain"
    ask GET "$asset" -H 'Accept-Encoding: gzip, deflate, br'
    check "$name is compressed for who takes that" eval \
        'is 200 && says "content-encoding: gzip" && says "content-type: $type" && gzip -dc "$work/body" | cmp -s - "$work/plain"'
done <"$work/assets"
folder=$(sed -n '1s|/[^/]*$||p' "$work/assets")
ask GET "$folder/nothing.js"
check "what is not there is not found" is 404
ask GET "$folder/../../openapi.json"
check "there is no way out of the folder" is 400
ask GET "$folder/"
check "nor a list of what is in it" eval 'is 403 || is 404'

finish

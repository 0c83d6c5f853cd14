# driver.sh: the driver of a real browser, Debian's chromium, and the scripts for it: $scripts.
# shellcheck shell=bash disable=SC2154
#
# For a suite that has sourced lib.sh.

# shellcheck disable=SC2034 # used by the suites
scripts=$root/build/browser

# They have been where the suite ran before, or `make browser`.
install_driver() { env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C "$root" browser >"$work/npm.log" 2>&1; }
install_driver
check "the browser's driver is installed" [ $? = 0 ]
[ "$failures" = 0 ] || finish

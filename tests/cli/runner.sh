#!/bin/sh
# tests/run.sh counts every test once, and finds that there was none.
. tests/report.sh
work=$(mktemp -d) || exit 4
trap 'rm -rf "$work"' EXIT
echo 'echo "[       OK ] one"; echo "[  SKIPPED ] two"' >"$work/good-a.sh"
echo 'echo "[       OK ] one"' >"$work/good-b.sh"
echo 'exit 0' >"$work/silent.sh"
# As cmocka prints it: what failed comes again.
cat >"$work/bad.sh" <<'T'
echo '[       OK ] one'
echo '[  FAILED  ] two'
echo '[  SKIPPED ] three'
echo '[  SKIPPED ] tests: 1 test(s), listed below:'
echo '[  SKIPPED ] three'
echo '[  FAILED  ] tests: 1 test(s), listed below:'
echo '[  FAILED  ] two'
exit 1
T

# sums NAME STATUS LAST-LINE PATTERN...
sums() {
    name=$1 wanted=$2 line=$3
    shift 3
    TESTS=$(echo "$work"/*.sh) sh tests/run.sh "${BUILD:-build}" "$@" >"$work/out" 2>&1
    found=$?
    if [ $found -eq "$wanted" ] && [ "$(tail -n 1 "$work/out")" = "$line" ]; then
        report "$name" ""
    else
        report "$name" "status $found: $(cat "$work/out")"
    fi
}
sums several_names 0 "2 passed, 0 failed, 1 skipped" "$work/good-a" "$work/good-b"
sums failures_count_once 1 "1 passed, 1 failed, 1 skipped" "$work/bad"
sums silence_fails 1 "0 passed, 1 failed, 0 skipped" "$work/silent"
sums unknown_name_fails 1 "1 passed, 1 failed, 0 skipped" "$work/good-b" typo-of-a-name
exit $failed

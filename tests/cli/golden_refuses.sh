#!/bin/sh
# The golden program notices a changed, a missing and a stale line, and an ISA that is not there.
. tests/report.sh
golden="$RUNNER ${BUILD:-build}/tests/golden --only rng"
work=$(mktemp -d) || exit 4
trap 'rm -rf "$work"' EXIT

# expect NAME STATUS COMMAND...
expect() {
    name=$1 wanted=$2
    shift 2
    "$@" >"$work/out" 2>&1
    status=$?
    found=
    if [ $status -ne "$wanted" ]; then found="exit status $status, expected $wanted: $(cat "$work/out")"; fi
    report "$name" "$found"
}

sed 's/^\(rng.words - \)..../\1wxyz/' tests/golden.txt >"$work/changed"
sed '/^rng.picks /d' tests/golden.txt >"$work/missing"
{ cat tests/golden.txt && echo "rng.gone - 0123456789abcdef"; } >"$work/stale"
{ cat tests/golden.txt && sed 1q tests/golden.txt; } >"$work/twice"
expect golden_equal 0 $golden
expect golden_changed_line 1 $golden --file "$work/changed"
expect golden_missing_line 1 $golden --file "$work/missing"
expect golden_stale_line 1 $golden --file "$work/stale"
expect golden_line_twice 4 $golden --file "$work/twice"
expect golden_no_file 4 $golden --file "$work/absent"
expect golden_unknown_isa 2 $golden --isa abacus
expect golden_unknown_option 2 $golden --nonsense
expect golden_update 0 $golden --file "$work/stale" --update
expect golden_updated 0 cmp tests/golden.txt "$work/stale"
exit $failed

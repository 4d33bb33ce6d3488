#!/bin/sh
# Runs the test programs named in $TESTS, every script in tests/cli and the golden stages of a build, and sums what they
# report; `make test` names those of the tests that there are, whatever else lies in the build.
#   TESTS="programs" tests/run.sh BUILD [pattern]
# Each gets TEST_TIMEOUT seconds (300) and an empty stdin; those over five seconds are shown with their time. Ends
# with "N passed, N failed, N skipped" and a non-zero status when anything failed.
# Waiting threads sleep at once: tests run beside other work, and spinning would only take its time.
: "${OMP_WAIT_POLICY:=passive}"
export OMP_WAIT_POLICY
build=${1:?usage: tests/run.sh BUILD [pattern]}
pattern=${2:-}
limit=${TEST_TIMEOUT:-300}
RETORT=$build/retort
export RETORT
log=$(mktemp) || exit 4
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0

for program in $TESTS tests/cli/*.sh tests/golden.sh; do
    case $program in *"$pattern"*) ;; *) continue ;; esac
    name=$(basename "$program")
    begin=$(date +%s)
    case $program in
    *.sh) timeout "$limit" sh "$program" >"$log" 2>&1 </dev/null ;;
    *) timeout "$limit" $RUNNER "$program" >"$log" 2>&1 </dev/null ;;
    esac
    status=$?
    seconds=$(($(date +%s) - begin))
    ok=$(grep -c '^\[       OK \]' "$log")
    bad=$(grep -c '^\[  FAILED  \] [a-z]' "$log")
    skip=$(grep -c '^\[  SKIPPED \] [a-z]' "$log")
    if [ $status -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    slow=
    if [ $seconds -gt 5 ]; then slow=", $seconds s"; fi
    if [ $status -eq 124 ]; then echo "FAIL $name: stopped after $limit s"; fi
    if [ $status -ne 0 ] || [ "$bad" -ne 0 ]; then
        echo "FAIL $name"
        sed 's/^/    /' "$log"
    else
        echo "ok   $name ($ok passed, $skip skipped$slow)"
        grep '^skip:' "$log" | sort -u | sed 's/^/     /'
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]

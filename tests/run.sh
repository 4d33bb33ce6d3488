#!/bin/sh
# Runs the test programs named in $TESTS, every script in tests/cli and the golden stages of a build, and sums what they
# report; `make test` names those of the tests that there are, whatever else lies in the build.
#   TESTS="programs" tests/run.sh BUILD [pattern...]       those whose path contains one of the patterns
# Each gets TEST_TIMEOUT seconds (300) and an empty stdin; those over five seconds are shown with their time. Ends
# with "N passed, N failed, N skipped" and a non-zero status when anything failed, a program that reports no test and a
# pattern that fits none included.
# Waiting threads sleep at once: tests run beside other work, and spinning would only take its time.
: "${OMP_WAIT_POLICY:=passive}"
export OMP_WAIT_POLICY
build=${1:?usage: tests/run.sh BUILD [pattern...]}
shift
[ $# -gt 0 ] || set -- ''
limit=${TEST_TIMEOUT:-300}
RETORT=$build/retort
export RETORT
log=$(mktemp) || exit 4
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0

# named PROGRAM PATTERN...: whether its path contains one of them.
named() {
    path=$1
    shift
    for pattern; do
        case $path in *"$pattern"*) return 0 ;; esac
    done
    return 1
}

# count VERDICT: tests with it; cmocka lists them once more at its end.
count() { sed -n "s/^\[ *$1 *\] \([^ ].*\)/\1/p" "$log" | grep -v 'test(s), listed below' | sort -u | grep -c .; }

programs="$TESTS $(echo tests/cli/*.sh) tests/golden.sh"
for pattern; do
    found=
    for program in $programs; do if named "$program" "$pattern"; then found=1; fi; done
    if [ -z "$found" ]; then
        echo "FAIL $pattern: no test has this name"
        failed=$((failed + 1))
    fi
done

for program in $programs; do
    named "$program" "$@" || continue
    name=$(basename "$program")
    begin=$(date +%s)
    case $program in
    *.sh) timeout "$limit" sh "$program" >"$log" 2>&1 </dev/null ;;
    *) timeout "$limit" $RUNNER "$program" >"$log" 2>&1 </dev/null ;;
    esac
    status=$?
    seconds=$(($(date +%s) - begin))
    ok=$(grep -c '^\[       OK \]' "$log")
    bad=$(count FAILED)
    skip=$(count SKIPPED)
    if [ $((ok + bad + skip)) -eq 0 ]; then echo "no test was reported" >>"$log"; fi
    if [ $status -ne 0 ] || [ $((ok + skip)) -eq 0 ]; then if [ "$bad" -eq 0 ]; then bad=1; fi; fi
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

#!/bin/sh
# Runs every test program of a build and every script in tests/cli, and sums what they report.
#   tests/run.sh BUILD [name pattern]
# Ends with "N passed, N failed, N skipped" and a non-zero status when anything failed.
build=${1:?usage: tests/run.sh BUILD [pattern]}
pattern=${2:-}
log=$build/tests/log
passed=0 failed=0 skipped=0

for program in "$build"/tests/test_* tests/cli/*.sh; do
    case $program in *.o | *.d | *\**) continue ;; esac
    case $program in *"$pattern"*) ;; *) continue ;; esac
    name=$(basename "$program")
    case $program in
    *.sh) RETORT=$build/retort sh "$program" >"$log" 2>&1 ;;
    *) "$program" >"$log" 2>&1 ;;
    esac
    status=$?
    ok=$(grep -c '^\[       OK \]' "$log")
    bad=$(grep -c '^\[  FAILED  \] [a-z]' "$log")
    skip=$(grep -c '^\[  SKIPPED \] [a-z]' "$log")
    if [ $status -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    if [ $status -ne 0 ]; then
        echo "FAIL $name"
        sed 's/^/    /' "$log"
    else
        echo "ok   $name ($ok passed, $skip skipped)"
        grep '^skip:' "$log" | sort -u | sed 's/^/     /'
    fi
done
rm -f "$log"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]

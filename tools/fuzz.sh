#!/bin/sh
# Runs every fuzz harness on a copy of its corpus and prints the line coverage of the file it is meant for.
#   tools/fuzz.sh [seconds each, default 60] [name pattern]
# After `make fuzz`. fuzz/fuzz_NAME.c starts from fuzz/corpus/NAME/ and is meant for the sources whose headers it
# includes (with "image/decode.h" src/image/decode*.c; base only where nothing else is). New inputs stay in build/fuzz/corpus/NAME, findings in build/fuzz/NAME-*.
# Ends with "N passed, N failed, N skipped".
seconds=${1:-60}
pattern=${2:-}
build=build/fuzz
passed=0 failed=0 skipped=0
for source in fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    name=${name#fuzz_}
    case $name in *"$pattern"*) ;; *) continue ;; esac
    program=$build/fuzz_$name
    if [ ! -x "$program" ]; then
        echo "skip: $program is absent: make fuzz"
        skipped=$((skipped + 1))
        continue
    fi
    mkdir -p "$build/corpus/$name"
    cp fuzz/corpus/"$name"/* "$build/corpus/$name/" 2>/dev/null
    if LLVM_PROFILE_FILE="$build/$name.profraw" "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$build/$name-" "$build/corpus/$name" >"$build/$name.log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
        echo "ok   $name: $runs inputs in $seconds s"
        passed=$((passed + 1))
    else
        echo "FAIL $name: $build/$name.log"
        tail -n 30 "$build/$name.log" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
    headers=$(sed -n 's/^#include "\(.*\)\.h"$/\1/p' "$source")
    covers=
    for header in $(echo "$headers" | grep -v '^base/' || echo "$headers"); do
        for file in src/"$header"*.c; do if [ -e "$file" ]; then covers="$covers $file"; fi; done
    done
    llvm-profdata merge -o "$build/$name.profdata" "$build/$name.profraw" &&
        llvm-cov export -summary-only -format=lcov "$program" -instr-profile="$build/$name.profdata" $covers |
        awk -F: '/^SF:/ { file = $2 } /^LF:/ { lines = $2 } /^LH:/ { hit = $2 }
            /^end_of_record/ { sub(/.*\/src\//, "src/", file)
                printf "     %s: %.1f %% of %d lines\n", file, lines ? 100 * hit / lines : 0, lines }'
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]

#!/bin/sh
# Runs every fuzz harness on a copy of its corpus and prints the line coverage of the parser it is for.
#   tools/fuzz.sh [seconds each, default 60; 0 replays the corpus] [name pattern]
# After `make fuzz`. fuzz/fuzz_NAME.c starts from fuzz/corpus/NAME/ and lists its sources in "Parser:"
# comments, with a minus before functions of these files that write or only open a file and so do not count.
# New inputs stay in build/fuzz/corpus/NAME, findings in build/fuzz/NAME-*. Coverage below 80 % fails.
# Ends with "N passed, N failed, N skipped".
seconds=${1:-60}
pattern=${2:-}
least=80
build=build/fuzz
passed=0 failed=0 skipped=0

# Percentages of the lines of each file and of all of them; fails below $least.
coverage() {
    name=$1
    files= without=
    shift
    for word in "$@"; do
        case $word in
        -*) without="$without ${word#-}" ;;
        *) files="$files $word" ;;
        esac
    done
    llvm-profdata merge -o "$build/$name.profdata" "$build/$name.profraw" &&
        llvm-cov report -show-functions "$build/fuzz_$name" -instr-profile="$build/$name.profdata" $files |
        awk -v without="$without" -v least=$least '
            function percent(n, of) { return of ? 100 * (of - n) / of : 0 }
            function show() {
                if (file) printf "     %s: %.1f %% of %d lines\n", file, percent(missed, lines), lines
            }
            BEGIN { n = split(without, names); for (i = 1; i <= n; i++) skip[names[i]] = 1 }
            /^File / {
                show()
                file = $2
                sub(/.*\/src\//, "src/", file)
                sub(/.:$/, "", file)
                lines = missed = 0
            }
            NF == 10 && $5 ~ /^[0-9]+$/ && $1 != "TOTAL" {
                sub(/.*:/, "", $1)
                if ($1 in skip) next
                lines += $5; missed += $6; all += $5; all_missed += $6
            }
            END {
                show()
                printf "     in all: %.1f %% of %d lines\n", percent(all_missed, all), all
                exit percent(all_missed, all) < least
            }'
}

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
    limit="-max_total_time=$seconds"
    if [ "$seconds" -eq 0 ]; then limit="-runs=0"; fi
    LLVM_PROFILE_FILE="$build/$name.profraw" "$program" $limit -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$build/$name-" "$build/corpus/$name" >"$build/$name.log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
    if [ $status -ne 0 ]; then
        echo "FAIL $name: $build/$name.log"
        tail -n 30 "$build/$name.log" | sed 's/^/    /'
    else
        echo "ok   $name: $runs inputs in $seconds s"
    fi
    if coverage "$name" $(sed -n 's/^.*Parser: \(.*\) \*\/$/\1/p' "$source") && [ $status -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]

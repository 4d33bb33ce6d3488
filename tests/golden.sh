#!/bin/sh
# The golden stages on every ISA of a build and several thread counts, one line each.
#   BUILD=build ISAS="scalar avx2" THREADS="1 2" [RUNNER=qemu-...] tests/golden.sh
# An ISA that the build has and this CPU lacks is skipped with a line that says so.
golden=$BUILD/tests/golden
log=$(mktemp) || exit 4
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0

here=$($RUNNER "$golden" --list | tr "\n" " ")
[ -n "$here" ] || { echo "[  FAILED  ] golden --list"; exit 1; }
for isa in $ISAS; do
    case " $here" in
    *" $isa "*) ;;
    *)
        echo "skip: golden $isa: not on this CPU"
        echo "[  SKIPPED ] golden $isa"
        skipped=$((skipped + 1))
        continue
        ;;
    esac
    case $isa in
    neondot | vnni) only=int8 ;; # all else is neon, or avx512
    *) only= ;;
    esac
    for threads in $THREADS; do
        $RUNNER "$golden" --isa "$isa" --threads "$threads" --only "$only" >"$log" 2>&1
        status=$?
        # The program names the table that really ran.
        if [ $status -eq 0 ] && ! grep -q "^golden $isa, " "$log"; then status=1; fi
        cat "$log"
        if [ $status -eq 0 ]; then
            echo "[       OK ] golden $isa $threads"
            passed=$((passed + 1))
        else
            echo "[  FAILED  ] golden $isa $threads"
            failed=$((failed + 1))
        fi
    done
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]

#!/bin/sh
# What objects of the library and of the command may call.
build=${BUILD:-build}
if [ -n "$SAN" ]; then
    echo "skip: symbols: sanitizers add their own"
    echo "[  SKIPPED ] symbols"
    exit 0
fi
. tests/report.sh
# "object symbol" for every undefined symbol of the given objects
undefined() {
    nm -A -u "$@" | sed -n 's/^\(.*\):.* [Uw] \(.*\)$/\1 \2/p'
}

if [ -e "$build/src/kernels/isa_scalar.o" ]; then
    alien=$(undefined $(find "$build/src/kernels" -name "isa_*.o" -o -name "dots_*.o") | grep -vE ' (mem(cpy|set|move)|__assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__aeabi_.*)$')
    report kernels_call_nothing "$alien"
fi

objects=$(find "$build/src" -name '*.o' ! -path "$build/src/cli/*")
libm=$(undefined $objects | grep -E ' (a?(sin|cos|tan)h?|atan2|exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|cbrt|hypot|erfc?|[lt]gamma|fmod|remainder)[fl]?$')
report no_transcendental_function_of_libm "$libm"

speak=$(undefined $objects | grep -E ' (v?printf|puts|putchar|perror|stdout|stderr|__v?printf_chk|exit|_exit|quick_exit|abort|system)$')
report library_neither_prints_nor_exits "$speak"

chance=$(undefined $objects | grep -E ' (s?rand|rand_r|random|[dlm]rand48|arc4random)$')
report random_numbers_come_from_rng "$chance"

network=$(undefined $(find "$build/src" -name '*.o') |
    grep -E ' (socket(pair)?|connect|bind|listen|accept4?|send(to|msg|mmsg)?|recv(from|msg|mmsg)?|getaddrinfo|gethostby.*)$')
report nothing_speaks_to_a_network "$network"

openmp=$(undefined $objects | grep -E ' (GOMP_|omp_|__kmpc_)' | grep -v 'src/base/par\.o ')
report threads_come_from_par "$openmp"
exit $failed

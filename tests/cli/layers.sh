#!/bin/sh
# Includes go downwards only; intrinsics and OpenMP stay in their files.
. tests/report.sh

# What a folder of src may include, besides itself. A new folder needs a line here.
allowed() {
    case $1 in
    base) ;;
    kernels) echo base ;;
    image | nn) echo base kernels ;;
    world) echo base kernels image ;;
    detect) echo base kernels image nn ;;
    select) echo base kernels image nn detect ;;
    train) echo base kernels image nn detect select ;;
    cli | api) echo base kernels image nn detect select train world api ;;
    *) echo unknown ;;
    esac
}

upward=
for folder in src/*/; do
    layer=$(basename "$folder")
    may=" $layer $(allowed "$layer" | tr '\n' ' ')"
    case $may in *" unknown "*) upward="$upward
src/$layer: not in the list of layers" ;; esac
    found=$(grep -Hno '^[[:space:]]*#[[:space:]]*include "[^"]*"' "$folder"*.[ch] 2>/dev/null)
    while IFS=: read -r file line include; do
        [ -n "$file" ] || continue
        target=$(echo "$include" | sed 's/.*"\(.*\)"/\1/')
        case $target in
        retort.h) continue ;;
        */*) ;;
        *) upward="$upward
$file:$line: \"$target\" lacks its folder" && continue ;;
        esac
        case $may in
        *" ${target%%/*} "*) ;;
        *) upward="$upward
$file:$line: $layer must not include \"$target\"" ;;
        esac
    done <<LIST
$found
LIST
done
report includes_go_downwards "$upward"

public=$(grep -Hn '#include "' include/*.h 2>/dev/null)
report public_header_stands_alone "$public"

intrinsics=$(grep -HnE '#[[:space:]]*include <(.*mmintrin|immintrin|arm_neon|cpuid)\.h>' src/*/*.[ch] |
    grep -vE '^src/(kernels/(vf_[a-z0-9]+\.h|kernels\.c)|base/fpu\.c):')
report intrinsics_in_the_vocabularies_only "$intrinsics"

unfused=$(grep -HnE '\bv((mla|mls|max|min)q?_(lane_|n_)?f32|(recp|rsqrt)[es])|_mm[0-9]*_(maskz?_)?r(cp|sqrt)[0-9]*_' src/*/*.[ch] |
    grep -vE '^[^:]*:[0-9]*:[[:space:]]*(/\*|//|\*( |/|$))')
report no_estimates_and_no_unfused_multiply_add "$unfused"

openmp=$(grep -HnE '#[[:space:]]*pragma omp|<omp\.h>|\bomp_[a-z_]+\(' src/*/*.[ch] | grep -v '^src/base/par\.c:')
report openmp_in_one_file_only "$openmp"
exit $failed

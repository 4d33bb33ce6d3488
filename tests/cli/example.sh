#!/bin/sh
# What make install leaves behind, and the example program built against it as a user would.
build=${BUILD:-build}
reason=
if [ -n "$SAN" ]; then reason="sanitizers are not for installing"; fi
if [ -n "$RUNNER" ]; then reason="cross builds are not installed here"; fi
if [ -n "$reason" ]; then
    echo "skip: example: $reason"
    echo "[  SKIPPED ] example"
    exit 0
fi
. tests/report.sh
folder=$(mktemp -d) || exit 4
trap 'rm -rf "$folder"' EXIT
cc=${CC:-cc} cppflags=${CPPFLAGS:--Isrc}

# The flags of the surrounding make come through MAKEFLAGS; added to once more they would rebuild everything.
target() {
    env -u CPPFLAGS -u CC -u SAN make --no-print-directory BUILD="$build" "$@" 2>&1
}

if ! errors=$(target install PREFIX=/usr DESTDIR="$folder/stage"); then report install "$errors" && exit 1; fi
expected="bin/retort
include/retort.h
lib/libretort.a
lib/pkgconfig/retort.pc
share/man/man1/retort.1"
for name in $("$build/retort" help --names); do
    expected="$expected
share/man/man1/retort-$name.1"
done
found=$(cd "$folder/stage/usr" && find . -type f | sed 's|^\./||' | sort)
report install_leaves_its_files "$([ "$found" = "$(echo "$expected" | sort)" ] || echo "found: $found")"

inner=$(nm -g --defined-only "$folder/stage/usr/lib/libretort.a" | sed -n 's/^[0-9a-f]* [A-Z] //p' | grep -v '^retort_')
report library_shows_public_names_only "$inner"

missing=
for name in $(sed -n 's/^[^ *].*[ *]\(retort_[a-z_]*\)(.*/\1/p' include/retort.h); do
    nm -g --defined-only "$folder/stage/usr/lib/libretort.a" | grep -q " T $name\$" || missing="$missing $name"
done
report library_has_every_public_function "$missing"

target uninstall PREFIX=/usr DESTDIR="$folder/stage"
report uninstall_leaves_no_file "$(find "$folder/stage" -type f)"

prefix=$folder/usr
target install PREFIX="$prefix" >/dev/null
flags="-I$prefix/include -L$prefix/lib -lretort -fopenmp $(sed -n 's/^Libs:.*-fopenmp//p' "$prefix/lib/pkgconfig/retort.pc")"
if command -v pkg-config >/dev/null; then
    flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs --static retort)
fi
# shellcheck disable=SC2086
errors=$($cc -std=c17 -Wall -Wextra -Werror examples/detect.c $flags -o "$folder/detect" 2>&1)
report example_builds_against_the_installed_library "$errors"
if command -v c++ >/dev/null; then
    errors=$(printf '#include <retort.h>\nint main() { return retort_version()[0] == 0; }\n' |
        c++ -Wall -Wextra -Werror -I"$prefix/include" -fsyntax-only -x c++ - 2>&1)
    report public_header_is_fine_for_cxx "$errors"
fi

# A picture of its own: 64 x 48 with a bright half.
{
    printf 'P5 64 48 255\n'
    head -c 1536 /dev/zero
    head -c 1536 /dev/zero | tr '\0' '\310'
} >"$folder/picture.pgm"
# shellcheck disable=SC2086
errors=$($cc -std=c17 $cppflags tests/cli/make_model.c -L"$build" -lretort -fopenmp ${flags#*-fopenmp} \
    -o "$folder/make_model" 2>&1 && "$folder/make_model" "$folder/zero.safetensors" 2>&1)
report model_is_made "$errors"
# Zero weights: every class has probability 1/2 everywhere.
out=$("$folder/detect" "$folder/zero.safetensors" "$folder/picture.pgm" 2>&1)
status=$?
report example_runs "$([ $status -eq 0 ] && echo "$out" | grep -q 'picture.pgm: person 0.500 at ' || echo "$status: $out")"

out=$("$folder/detect" "$folder/zero.safetensors" "$folder/none.pgm" 2>&1)
status=$?
report example_tells_errors "$([ $status -eq 3 ] && echo "$out" | grep -q 'none.pgm' || echo "$status: $out")"

"$build/retort" world --quiet --seed 8 --frames 1 --hours 13-14 --out "$folder/camera" >/dev/null
out=$("$folder/detect" weights/pico.safetensors "$folder/camera/images/000000.jpg" 2>&1)
report example_finds_a_car "$(echo "$out" | grep -q ': car 0\.[5-9]' || echo "$out")"

weights=${RETORT_SHARED:-../shared}/weights/yolo11n-coco.safetensors
picture=${RETORT_SHARED:-../shared}/data/coco128/images/000000000025.jpg
if [ -e "$weights" ] && [ -e "$picture" ]; then
    out=$("$folder/detect" "$weights" "$picture" 2>&1)
    report example_finds_a_giraffe "$(echo "$out" | grep -q ': giraffe 0\.[89]' || echo "$out")"
else
    echo "skip: $weights is absent"
    echo "[  SKIPPED ] example_finds_a_giraffe"
fi
exit $failed

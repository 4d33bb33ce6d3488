#!/bin/sh
# No value-changing compiler flag, no machine path, no tab, no trailing space, lines within 120 characters.
. tests/report.sh
code='src include tests fuzz bench'
scripts='Makefile start .ci tools'
existing() {
    for path; do if [ -e "$path" ]; then echo "$path"; fi; done
}
code=$(existing $code) scripts=$(existing $scripts)
docs=$(existing tools docs README.md start)

fast=-ffast-m''ath # in two parts: this file is searched too
flags=$(grep -rnE -e "$fast|-Ofast|-funsafe|-fassociative|-freciprocal|-ffinite-math|-march=native|-flto|-mrecip" $scripts |
    grep -vE ':[0-9]+:([[:space:]]*#|REFUSED )')
report no_forbidden_flag "$flags"

# What is compiled with whatever the user's flags are: the line of one object, printed and not run.
work=$(mktemp -d) || exit 4
trap 'rm -rf "$work"' EXIT
line() { # OBJECT, then settings of make
    object=$1
    shift
    env -u CPPFLAGS -u CC -u SAN make --no-print-directory -n V=1 BUILD="$work" "$@" "$work/src/$object.o" 2>&1
}
lost=
for object in base/arena kernels/isa_scalar; do
    found=$(line $object CFLAGS="-O1 -ffp-contract=fast -std=gnu99" CPPFLAGS=-DUSER)
    case $found in
    *-Isrc*-DUSER*-O1*-std=gnu99*-std=c17*-ffp-contract=off*-fopenmp*-MMD*) ;;
    *) lost="$lost
$object: $found" ;;
    esac
done
report own_flags_stand_behind_the_users "$lost"
line base/arena LDFLAGS=-s SAN=-DSAN >/dev/null
report link_flags_stay "$(grep -q -e '-s -fopenmp .*-DSAN .*-lm' "$work/settings" || cat "$work/settings")"
report this_build_has_them "$(grep -q -e '-std=c17 -ffp-contract=off ' "${BUILD:-build}/settings" || echo absent)"

refused='results would no longer be the same'
silent=
for flags in CFLAGS=$fast LDFLAGS=-Ofast CPPFLAGS=-march=x86-64-v3 "CC=gcc -flto=auto"; do
    line base/arena "$flags" | grep -q "$refused" || silent="$silent
make $flags"
done
(export CFLAGS=$fast && line base/arena) | grep -q "$refused" || silent="$silent
CFLAGS=$fast make"
report value_changing_flags_are_refused "$silent"

kept=
for setting in ISA_FLAGS_scalar ISA_LEVEL_scalar SMALL; do
    line base/arena $setting=-DCHANGED >/dev/null
    grep -q -e -DCHANGED "$work/settings" || kept="$kept $setting"
done
report other_settings_are_another_build "$kept"

pragmas=$(grep -rnE --include='*.[ch]' '#[[:space:]]*pragma (GCC|clang|STDC|float_control).*(optimi|fp|FP_CONTRACT)|__attribute__.*optimize' $code)
report no_flag_by_pragma "$pragmas"

paths=$(grep -rnIE --include='*.[ch]' --include='*.sh' --include='*.md' --include='*.txt' --include=Makefile \
    '(^|[^A-Za-z0-9_.-])/(home|root|opt|work)/' . --exclude-dir=build --exclude-dir=.git --exclude-dir=run | grep -v '^\./tests/cli/flags\.sh:')
report no_machine_path "$paths"

tab=$(printf '\t')
space=$(grep -rnIE --include='*.[ch]' --include='*.sh' --include='*.md' "$tab|[[:space:]]$" $code $docs)
report no_tab_and_no_trailing_space "$space"

long=$(find $code -name '*.[ch]' -exec awk 'length($0) > 120 { print FILENAME ":" FNR ": " length($0) " characters" }' {} +)
report lines_within_120_characters "$long"
exit $failed

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
    grep -vE ':[0-9]+:[[:space:]]*#')
report no_forbidden_flag "$flags"

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

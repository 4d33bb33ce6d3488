# The ways into the program: help, version, mistakes on the command line.
. "$(dirname "$0")/check"

expect no_command 2 'expected a command' "$RETORT"
expect version 0 '^retort [0-9]*\.[0-9]*\.[0-9]*$' "$RETORT" --version
expect list_of_commands 0 '^  rerun  ' "$RETORT" --help
expect unknown_command_suggests 2 'did you mean verify' "$RETORT" vreify
expect strange_command 2 'unknown command$' "$RETORT" xyzzyxyzzy
expect unknown_option_suggests 2 '^retort: --jsno: unknown option, did you mean --json?$' "$RETORT" verify --jsno m
expect unknown_letter 2 '^retort: -Z: unknown option$' "$RETORT" verify -qZ m
expect value_missing 2 '--threads: expected a value' "$RETORT" verify m --threads
expect value_not_a_number 2 '--threads: expected an integer in \[0, 256\], found "abc"' "$RETORT" verify --threads=abc m
expect value_out_of_range 2 'found "257"' "$RETORT" verify -t257 m
expect value_overflows 2 'found "99999999999999999999"' "$RETORT" verify -t 99999999999999999999 m
expect flag_takes_no_value 2 '--quiet: takes no value' "$RETORT" verify --quiet=1 m
expect operand_missing 2 'expected MANIFEST, found 0' "$RETORT" verify
expect operand_too_many 2 'found "b" after' "$RETORT" verify a b
has_json && expect dashes_end_the_options 3 'open --json' "$RETORT" verify -- --json
expect usage_names_the_help 2 "see 'retort verify --help'" "$RETORT" verify
expect help_of_unknown 2 'nonsense: unknown command' "$RETORT" help nonsense
"$RETORT" verify --jsno --threads=abc >both 2>&1
check mistakes_come_together test "$(grep -c -e 'jsno\|abc' both)" -eq 2

for command in $("$RETORT" help --names); do
    "$RETORT" "$command" --help >page 2>&1
    status=$?
    cp page output
    if [ $status -ne 0 ] || ! grep -q '^Example' page || ! grep -q "^  retort $command" page; then
        failed "help_$command" "status $status or no example"
    elif awk 'length > 80 && !/^  retort/ { found = 1 } END { exit !found }' page; then
        failed "help_$command" "a line is longer than 80 characters"
    elif grep -q '[[:space:]]$' page; then
        failed "help_$command" "blanks at the end of a line"
    elif sed -n 's/^  \(-[A-Za-z]\), --.*/\1/p' page | sort | uniq -d | grep -q .; then
        failed "help_$command" "a letter stands for two options"
    elif grep -q 'memory-limit' page && tr -s ' \n' ' ' <page | grep -q 'Pictures do not count \['; then
        failed "help_$command" "a default outside its range is shown"
    else
        passed "help_$command"
    fi
    check "overview_names_$command" sh -c '"$RETORT" help --man | grep -q "^.fBretort-$0.fR(1)"' "$command"
    expect "man_$command" 0 '^\.SH OPTIONS' "$RETORT" help --man "$command"
done
if command -v groff >/dev/null; then
    "$RETORT" help --man rerun | groff -man -Tascii -ww >page 2>warnings
    check manual_page_is_clean_roff test ! -s warnings
fi

# On a narrow terminal the line of progress is cut, as a wrapped one could not be written over.
if command -v script >/dev/null; then
    progress="$RETORT world -n 40 --size 64x64 -o day"
    TERM=xterm script -qec "stty cols 20; $progress >/dev/null" typescript </dev/null >/dev/null 2>&1
    check narrow_progress sh -c 'tr "\r" "\n" <typescript | grep -q "^world [0-9]" &&
        ! tr "\r" "\n" <typescript | grep "^world" | grep -q "^.\{20\}"'
else
    skipped narrow_progress "script is missing"
fi

"$RETORT" help >/dev/full 2>output
check full_output_is_an_error test $? -eq 4
finish

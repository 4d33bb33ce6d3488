# Files are written whole or not at all: kill -9 while writing, a full disk, a limit on file sizes.
. "$(dirname "$0")/check"
if ! has_json; then
    skipped atomic "this build has no JSON reader"
    finish
fi

# Two weight files of 4 MB, of ones and of twos: 16 tensors of 65536 values.
make_weights() { # octal byte
    header=
    i=0
    while [ $i -lt 16 ]; do
        header="$header${header:+,}\"t$i\":{\"dtype\":\"F32\",\"shape\":[65536],\"data_offsets\":[$((i * 262144)),$(((i + 1) * 262144))]}"
        i=$((i + 1))
    done
    header="{$header}"
    printf "\\$(printf %o $((${#header} % 256)))\\$(printf %o $((${#header} / 256)))\\0\\0\\0\\0\\0\\0%s" "$header"
    head -c 4194304 /dev/zero | tr '\0' "\\$1"
}
make_weights 100 >one.safetensors
make_weights 101 >two.safetensors
mkdir out
check first "$RETORT" convert -q one.safetensors out/w.safetensors
cp out/w.safetensors whole.one
check second "$RETORT" convert -q two.safetensors out/w.safetensors
cp out/w.safetensors whole.two
check they_differ sh -c '! cmp -s whole.one whole.two'

# Killed at instants spread over the time that a conversion takes, and as soon as its temporary is seen; the target is
# always one of the two. Goes on until some kills have met a temporary.
temporary() {
    set -- out/.w.safetensors.*
    [ -e "$1" ]
}
torn=0 kept=0 other=0 met=0 round=0
while [ $round -lt 40 ] || { [ $met -lt 5 ] && [ $round -lt 400 ]; }; do
    if [ $((round % 2)) -eq 0 ]; then new=one; else new=two; fi
    "$RETORT" convert -q $new.safetensors out/w.safetensors >/dev/null 2>&1 &
    process=$!
    if [ $((round / 2 % 2)) -eq 0 ]; then
        sleep 0.0$((round % 10))$((round * 7 % 10))
    else
        while kill -0 $process 2>/dev/null && ! temporary; do :; done
    fi
    { kill -9 $process && wait $process; } 2>/dev/null
    # Only temporaries may be left over: a dot, the target's name, a dot and six characters.
    ls -A out | grep -v '^w\.safetensors$' | grep -v '^\.w\.safetensors\.[A-Za-z0-9]\{6\}$' >>strange
    if temporary; then met=$((met + 1)); fi
    rm -f out/.w.safetensors.*
    if cmp -s out/w.safetensors whole.$new; then
        kept=$((kept + 1))
    elif cmp -s out/w.safetensors whole.one || cmp -s out/w.safetensors whole.two; then
        other=$((other + 1))
    else
        torn=$((torn + 1))
    fi
    round=$((round + 1))
done
echo "$round kills: $kept times the new file, $other times the old one; $met while the temporary was there"
check kills_met_a_temporary test $met -gt 0
check killed_leaves_a_whole_file test $torn -eq 0
check leftovers_are_recognisable test ! -s strange

# A limit on the size of files in the middle of the new one, its signal ignored as a full disk sends none.
check restore "$RETORT" convert -q one.safetensors out/w.safetensors
limited() { (trap '' XFSZ && ulimit -f 2048 && exec "$@"); }
expect size_limit 4 'out/w.safetensors' limited "$RETORT" convert two.safetensors out/w.safetensors
check size_limit_keeps_the_old_file cmp out/w.safetensors whole.one
check size_limit_leaves_nothing test "$(ls -A out)" = w.safetensors

# A file system that is full, where this user may mount one.
mkdir small
if ! mount -t tmpfs -o size=6m none small 2>/dev/null; then
    skipped full_disk "mounting a tmpfs is not allowed"
    finish
fi
trap 'cd /; umount "$work/small"; rm -rf "$work"' EXIT
check full_disk_has_room "$RETORT" convert -q one.safetensors small/w.safetensors
expect full_disk 4 'small/w.safetensors.*[Nn]o space' "$RETORT" convert two.safetensors small/w.safetensors
check full_disk_keeps_the_old_file cmp small/w.safetensors whole.one
check full_disk_leaves_nothing test "$(ls -A small)" = w.safetensors
finish

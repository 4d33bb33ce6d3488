# retort convert and retort info, on a file made here.
. "$(dirname "$0")/check"
if ! has_json; then
    skipped weights "this build has no JSON reader"
    finish
fi

# A safetensors file: 8 bytes length, header, data. w = 1, -2 (float32), steps = 7 (int64).
header='{"__metadata__":{"licence":"none","classes":"car\nbus"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"steps":{"dtype":"I64","shape":[],"data_offsets":[8,16]}}'
write_file() { # octal bytes of w
    printf "\\$(printf %o ${#header})\\0\\0\\0\\0\\0\\0\\0"
    printf %s "$header"
    printf "$1"
    printf '\007\0\0\0\0\0\0\0'
}
write_file '\0\0\200\077\0\0\0\300' >in.safetensors

expect info_lists_tensors 0 '^  F32  w \[2 1\]$' "$RETORT" info in.safetensors
expect info_shows_metadata 0 '^classes: car, bus$' "$RETORT" info in.safetensors
hash=$(sha256sum in.safetensors | cut -d' ' -f1)
expect info_shows_the_hash 0 "^sha256 $hash\$" "$RETORT" info -b in.safetensors
expect info_json 0 '"tensors":\[{"name":"w","type":"F32","shape":\[2,1\]},{"name":"steps","type":"I64","shape":\[\]}\]}$' \
    "$RETORT" info --json in.safetensors
expect info_missing_file 3 'cannot open nowhere.safetensors' "$RETORT" info nowhere.safetensors
expect info_of_a_folder 3 'is a folder' "$RETORT" info .
head -c 60 in.safetensors >short.safetensors
expect info_truncated 3 'short.safetensors: ' "$RETORT" info short.safetensors
: >empty.safetensors
expect info_empty 3 'empty.safetensors: ' "$RETORT" info empty.safetensors
"$RETORT" info in.safetensors >/dev/full 2>output
check info_full_output test $? -eq 4

integers='{"a.weight":{"dtype":"I8","shape":[1,1,1,1],"data_offsets":[0,1]},"a.weight_scale":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}'
{
    printf "\\$(printf %o ${#integers})\\0\\0\\0\\0\\0\\0\\0"
    printf %s "$integers"
    printf '\001\0\0\200\077'
} >quantised.safetensors
expect convert_refuses_quantised 3 'quantised; convert the file' "$RETORT" convert quantised.safetensors out.safetensors

expect convert 0  '^1 tensors, 2 values, F32, sha256 ' "$RETORT" convert in.safetensors out.safetensors
expect convert_leaves_integers_out 0 '1 tensors of integers left out' "$RETORT" convert in.safetensors out.safetensors
expect convert_quiet 0 '^1 tensors' "$RETORT" convert -q in.safetensors out.safetensors
check convert_quiet_says_nothing_else test "$(wc -l <output)" -eq 1
expect convert_keeps_metadata 0 '^licence: none$' "$RETORT" info out.safetensors
expect convert_sets_metadata 0 F16 "$RETORT" convert --half --licence=MIT in.safetensors half.safetensors
expect metadata_was_set 0 '^licence: MIT$' "$RETORT" info half.safetensors
expect convert_back 0 F32 "$RETORT" convert --licence none half.safetensors back.safetensors
check halves_are_exact_here cmp back.safetensors out.safetensors
write_file '\0\0\200\177\0\0\0\300' >inf.safetensors
expect half_must_fit 3 'w' "$RETORT" convert --half inf.safetensors bad.safetensors
check nothing_half_written sh -c '! ls bad.safetensors* 2>/dev/null'
expect convert_into_nowhere 3 'nowhere/out' "$RETORT" convert in.safetensors nowhere/out.safetensors

check convert_with_manifest "$RETORT" convert in.safetensors out.safetensors --manifest m.json
expect convert_verifies 0 '^2 files checked, 0 different$' "$RETORT" verify m.json
expect convert_reruns 0 '^2 outputs compared, 0 different$' "$RETORT" rerun m.json
printf x >>out.safetensors
expect convert_verify_finds_it 1 '^out.safetensors: sha256' "$RETORT" verify m.json
expect convert_reruns_all_the_same 0 ' 0 different$' "$RETORT" rerun --out kept m.json
check rerun_keeps_the_output test -s kept/1-out.safetensors
sed 's/"half": false/"half": true/' m.json >half.json
expect rerun_finds_a_difference 1 '1-out.safetensors: sha256' "$RETORT" rerun half.json

# Ctrl-C while the input is still coming through a pipe: a clean end without output. A second one kills at once.
interrupt() { # signals of the process, in order
    rm -f pipe
    mkfifo pipe
    "$RETORT" convert pipe stopped.safetensors >output 2>&1 &
    process=$!
    exec 3>pipe
    head -c 20 in.safetensors >&3
    sleep 0.3
    for signal in "$@"; do
        kill -s "$signal" $process
        sleep 0.1
    done
    tail -c +21 in.safetensors >&3 2>/dev/null
    exec 3>&-
    wait $process 2>/dev/null
    found=$?
}
trap '' PIPE
interrupt INT
check interrupt_ends_with_130 test $found -eq 130
interrupt TERM
check termination_ends_with_130 test $found -eq 130
interrupt TERM TERM
check second_signal_kills test $found -eq 143
check interrupted_writes_nothing test ! -e stopped.safetensors
finish

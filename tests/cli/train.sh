# retort train: mistakes on the command line and in the data, before anything is trained.
. "$(dirname "$0")/check"

expect help 0 '^  -E, --epochs' "$RETORT" train --help
expect needs_its_files 2 'data' "$RETORT" train --model x --out run
expect bad_number 2 'epochs.*"many"' "$RETORT" train -m x -d y -o run --epochs many
printf 'not weights' >bad.safetensors
mkdir -p set/images set/labels
printf 'P6\n2 2\n255\n012345678901' >set/images/1.ppm
expect size_is_a_multiple_of_32 2 'multiple of 32, found 100' "$RETORT" train -m bad.safetensors -d set -o run --size 100
for name in previous_u probe_strict random_exact first_last; do
    expect "short_key $name" 2 '^retort: --size: expected a multiple of 32, found 100$' \
        "$RETORT" train -m bad.safetensors -d set -o run --mask $name --size 100
done
expect short_keys_of_rules 2 '^retort: expected one of --teacher' "$RETORT" distill -m bad.safetensors \
    -f set/images --out run --select top_conf --filter ff --at-end short
expect parts_are_powers_of_two 2 'micro-batch: expected a power of two, found 3' \
    "$RETORT" train -m bad.safetensors -d set -o run --frozen-norm --micro-batch 3
expect parts_need_frozen_norms 2 'micro-batch goes with --frozen-norm' \
    "$RETORT" train -m bad.safetensors -d set -o run --micro-batch 2
expect missing_data 3 'nowhere' "$RETORT" train -m bad.safetensors -d nowhere -o run
expect weights_are_checked 3 'bad.safetensors' "$RETORT" train -m bad.safetensors -d set -o run

expect auto_has_its_rate 2 'rate needs --optimizer' "$RETORT" train -m bad.safetensors -d set -o run --rate 0.01
expect nothing_to_take_a_share_of 2 'fraction needs --mask' "$RETORT" train -m bad.safetensors -d set -o run --fraction 0.05
expect distill_checks_them_too 2 'fraction needs --mask' \
    "$RETORT" distill -m bad.safetensors -f set/images --teacher-labels set --out run --fraction 0.1

expect needs_a_start 2 'one of --model and --scale' "$RETORT" train -d set -o run
expect one_start_only 2 'one of --model and --scale' "$RETORT" train -m bad.safetensors --scale n -d set -o run
expect classes_of_fresh_weights 2 'goes with --scale' "$RETORT" train -m bad.safetensors --classes 3 -d set -o run
expect fresh_weights_forget_nothing 2 'guard needs --model' "$RETORT" train --scale n --guard set -d set -o run
expect number_of_classes_is_known 2 'names no classes' "$RETORT" train --scale n -d set -o run
mkdir -p set/labels
echo '1 0.5 0.5 0.5 0.5' >set/labels/1.txt
printf 'train: images\nnames: [car, bus]\n' >set/data.yaml
expect from_nothing 0 '1 optimiser step,' \
    "$RETORT" train --scale pico -d set/data.yaml -o fresh --size 32 -E 1 --nominal-batch 1 --plain-epochs 0
if has_json; then expect names_of_the_data 0 'classes: car, bus' "$RETORT" info fresh/weights.safetensors; fi
printf 'train: images\nnames: [Bus, van]\n' >set/other.yaml
check other_names "$RETORT" train -m fresh/weights.safetensors -d set/other.yaml -o named --size 32 -E 1
if has_json; then expect names_of_other_data 0 'classes: Bus, van' "$RETORT" info named/weights.safetensors; fi
"$RETORT" world -q -n 2 --size 160x90 --fps 2 --y4m | "$RETORT" detect -q -m fresh/weights.safetensors --size 32 --json -f - >timed
check frames_of_a_stream_have_times grep -q '"file":"standard input#1","time":0.5,' timed

# moved OPTIONS: how many weights a mask let move.
moved() {
    "$RETORT" train -q --json -m fresh/weights.safetensors -d set/data.yaml --size 32 -E 1 "$@" |
        sed -n 's/.*"moved":\([0-9]*\).*/\1/p'
}
all=$(moved -o all) exact=$(moved --mask random-exact --fraction 0.25 -o exact)
drawn=$(moved --mask random --fraction 0.25 -o drawn)
check exact_share_of_the_weights test "$exact" -eq $(((all + 2) / 4))
check drawn_share_is_about_that test "$drawn" -ne "$exact" -a $(((drawn - exact) * 100 / exact)) -eq 0

# learn FOLDER OPTIONS: as `all` did, with labels and options that may differ. same FOLDER: whether it learned the same.
learn() { "$RETORT" train -q -m fresh/weights.safetensors -d set/data.yaml --size 32 -E 1 -o "$@" >/dev/null; }
same() { cmp -s all/weights.safetensors "$1/weights.safetensors"; }
otherwise() { ! same "$1"; }
cp set/labels/1.txt plain.txt
sed 's/$/ 1/' plain.txt >set/labels/1.txt
check sure_labels_are_learned learn sure --soft-labels
check sure_labels_are_not_soft same sure
sed 's/$/ 0.25/' plain.txt >set/labels/1.txt
check confidences_are_passed_over learn unasked
check confidences_teach_nothing_unasked same unasked
for option in soft-labels augment-scale=0 augment-translate=0 augment-flip=1; do
    check "$option is learned with" learn $option --$option
    check "$option counts" test -e $option/weights.safetensors
    check "$option teaches otherwise" otherwise $option
done
cp plain.txt set/labels/1.txt

expect watched_for_nothing 3 'the warm-up alone takes 720' \
    "$RETORT" distill -m fresh/weights.safetensors --teacher-labels set/labels -f set/images --vehicle-classes 0 --size 32 --out few
expect too_few_frames 3 'of which 300 are to validate' "$RETORT" distill -m fresh/weights.safetensors --val extra \
    --teacher-labels set/labels --frames set/images --vehicle-classes 0 --size 32 --out few
check which_leave_no_folder test ! -e few
finish

# tools/weights.sh, shortened: the same bits from another number of threads and another instruction set.
. "$(dirname "$0")/check"
if ! has_json; then
    skipped own_weights "this build has no JSON reader"
    finish
fi
make_weights() { # FOLDER THREADS NAME...
    folder=$1 THREADS=$2
    shift 2
    WEIGHTS_RUN=$folder WEIGHTS_OUT=$folder/out THREADS=$THREADS RETORT=$RETORT "$here/../../tools/weights.sh" --quick "$@"
}
expect names_are_checked 2 'expected pico, n' make_weights none 1 nano
check made make_weights first 3 pico embedder
check made_elsewhere elsewhere make_weights second 1 pico embedder
for name in pico embedder; do
    check "it_was_elsewhere_$name" grep -q "\"isa\": \"$other\", \"threads\": 1" second/out/$name.json
done
for name in pico embedder; do
    check "same_bits_$name" cmp first/out/$name.safetensors second/out/$name.safetensors
done
# A mark of an older version says nothing: its frames are used.
frame=frames/train/images/100001-000000.jpg mark=first/frames/train/made/100001
: >$mark
place=$(ls -i first/$frame)
check goes_on_where_it_was make_weights first 2 pico embedder
check frames_are_used_again test "$(ls -i first/$frame)" = "$place"
for name in pico embedder; do
    check "same_bits_again_$name" cmp first/out/$name.safetensors second/out/$name.safetensors
done
echo retort-world-1 >$mark
echo another >first/$frame
check other_frames_are_made_anew make_weights first 2 pico
check and_are_as_they_should_be cmp first/$frame second/$frame
hash=$(sha256sum first/out/pico.safetensors | cut -d' ' -f1)
check manifest_of_the_file_itself grep -q "out/pico.safetensors.*$hash" first/out/pico.convert.json
expect licence_is_in_the_file 0 '^licence: Apache-2.0' "$RETORT" info first/out/pico.safetensors
expect names_are_in_the_file 0 'person, bicycle, car' "$RETORT" info first/out/pico.safetensors
demo() { RETORT_SHARED=absent RETORT=$RETORT WEIGHTS=$1 THREADS=2 "$here/../../tools/demo.sh" --quick 11; }
expect demo_without_weights_is_another 3 'please give absent/weights/yolo11n' demo none
expect demo_scores_the_student 0 '^student after *0\.[0-9]*$' demo first/out
check demo_writes_its_report test -s run/demo/distilled/report.html
expect demo_without_a_teacher 0 '^4 of 12 frames uploaded, [0-9]* seconds in all$' demo first/out
check teacher_goes_on_from_n make_weights first 2 teacher
expect demo_asks_a_teacher 3 'teacher found nothing' demo first/out
expect demo_scores_a_good_teacher 0 '^teacher *0\.[1-9]' demo "$here/../../weights"
finish

# retort distill from end to end where nothing but this tree is there: a drawn camera, a student of one epoch, a program
# for a teacher; from a folder and from a pipe.
. "$(dirname "$0")/check"
if ! has_json; then
    skipped distill "this build has no JSON reader"
    finish
fi
# Sees one bus in the middle of every picture, and a person, who is no vehicle.
cat >teacher.sh <<'T'
while read -r path; do
    test -s "$path" || exit 1
    echo '{"width": 96, "height": 64, "detections": [{"class_id": 5, "confidence": 0.5, "box": [24, 16, 72, 48]},' \
        '{"class_id": 0, "confidence": 0.9, "box": [0, 0, 9, 9]}]}'
done
T
camera() { "$RETORT" world -q --seed 7 --size 96x64 --hours 8-12 "$@"; }
distill() {
    "$RETORT" distill -q -m student/weights.safetensors --teacher-command "sh $work/teacher.sh" --select all --size 64 \
        --epochs 1 --batch 8 --ship always "$@"
}
piped() { camera --frames 46 --y4m | distill -f - "$@"; }

check camera camera --frames 12 --out day
check student "$RETORT" train -q --scale pico --data day/data.yaml --size 64 -E 1 --out student

expect teacher_command 0 '^12 frames seen, 12 candidates, 8 chosen (4 held out for validation)$' \
    distill -f day/images --budget 8 --out taught
check chosen_frames_are_labelled test "$(cat taught/set/labels/*.txt | sort | uniq -c | tr -s ' ')" = " 8 0 0.5 0.5 0.5 0.5 0.5"
check every_frame_is_explained test "$(grep -c '"reason": *"\(selected\|filtered out\)"' taught/selection.jsonl)" -eq 12
check weights_are_there test -s taught/weights.safetensors
check report_is_there test -s taught/report.html
check report_counts_as_the_ledger_does grep -q "<td>filtered out</td><td class=\"r\">$(grep -c '"reason": *"filtered out"' taught/selection.jsonl)</td>" taught/report.html
expect manifest_is_whole 0 ' 0 different$' "$RETORT" verify taught/manifest.json
expect reruns_elsewhere 0 ' 0 different$' elsewhere "$RETORT" rerun -q --threads 3 taught/manifest.json

expect teacher_views_are_1_2_or_4 2 'teacher-views: expected one of 1, 2, 4, found "5"' \
    distill -f day/images --teacher-views 5 --out views

# A teacher who never says the same twice and stops at the sixth question. What it has said is not asked again: neither
# when the run goes on nor of the frames that its confidences choose.
cat >unsure.sh <<'T'
while read -r path; do
    echo "$path" >>asked
    asked=$(wc -l <asked)
    test "$asked" -ne 6 || exit 7
    echo '{"width": 96, "height": 64, "detections":' \
        "[{\"class_id\": 5, \"confidence\": 0.$((asked + 50)), \"box\": [24, 16, 72, 48]}]}"
done
T
unsure() {
    distill -f day/images --budget 4 --gamma 3 --filter top-confidence --confidence-source teacher \
        --teacher-command "sh $work/unsure.sh" --val none --out unsure "$@"
}
expect unsure_teacher_stops 3 'exit status 7' unsure
expect unsure_teacher_goes_on 0 '^12 frames seen, 12 candidates, 4 chosen' unsure --resume
check nothing_is_asked_twice test "$(wc -l <asked)" -eq 13
check most_confident_answers_are_chosen test "$(awk '{printf "%.2f\n", $6}' unsure/set/labels/*.txt | sort | tr '\n' ' ')" = "0.60 0.61 0.62 0.63 "

# A tenth of many frames validates.
expect from_a_pipe 0 '^46 frames seen, 46 candidates, 46 chosen (5 held out for validation)$' piped --budget 46 --out piped
check all_frames_of_the_pipe test "$(find piped/set/images -name '*.jpg' | wc -l)" -eq 46
check all_frames_of_the_pipe_are_explained test "$(grep -c '"reason": *"selected"' piped/selection.jsonl)" -eq 46
check again_elsewhere elsewhere piped --threads 3 --budget 46 --out again
check it_was_elsewhere grep -q "\"isa\": \"$other\", \"threads\": 3" again/manifest.json
for file in weights.safetensors selection.jsonl train/train.jsonl report.html; do
    check "same_bits_$file" cmp "piped/$file" "again/$file"
done
finish

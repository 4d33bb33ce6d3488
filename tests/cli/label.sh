# retort label and retort embed: refusals on files made here, results of the student of weights/ on a drawn frame, and
# of the reference weights on a photograph where they are there.
. "$(dirname "$0")/check"
weights=$here/../../weights/pico.safetensors

expect label_needs_a_teacher 2 'one of --teacher and --teacher-command' "$RETORT" label -o out -f "$here/check"
expect label_needs_one_teacher 2 'one of --teacher and' "$RETORT" label -T "$here/check" --teacher-command cat -o out
expect label_needs_out 2 'out' "$RETORT" label --teacher-command cat -f a.ppm
expect label_missing_weights 3 'nowhere.pt' "$RETORT" label --teacher nowhere.pt -f a.ppm -o out
expect embed_needs_out 2 'out' "$RETORT" embed --model "$here/check" -f a.ppm
expect embed_missing_weights 3 'nowhere.pt' "$RETORT" embed --model nowhere.pt -f a.ppm -o out.npy
if ! has_json; then
    skipped label_command "this build has no JSON reader"
    finish
fi

mkdir frames
printf 'P5 2 2 255\n1234' >frames/a.pgm
printf 'P5 2 2 255\n5678' >frames/b.pgm
cat >teacher.sh <<'T'
while read -r path; do
    case $path in *${1:-none}*) exit 7 ;; esac
    case $path in *${2:-none}*) echo 'not JSON' && continue ;; esac
    case $path in *${3:-none}*) sleep 30 ;; esac
    echo "{\"file\": \"$path\", \"width\": 2, \"height\": 2, \"detections\": [{\"class_id\": 7, \"confidence\": 0.5," \
        "\"box\": [0, 0, 1, 2]}, {\"class_id\": 0, \"confidence\": 0.5, \"box\": [0, 0, 1, 2]}]}"
done
T
expect label_command 0 '^2 frames, 2 labels, 0 frames without an object$' \
    "$RETORT" label --teacher-command 'sh teacher.sh' -f frames -o out
expect label_file 0 '^0 0.25 0.5 0.5 1$' cat out/b.txt
expect label_manifest 0 ' 0 different$' "$RETORT" verify out/manifest.json
expect label_reruns 0 ' 0 different$' "$RETORT" rerun out/manifest.json
expect label_keeps_classes 0 '"labels":4' \
    "$RETORT" label --json --keep-classes --confidences --teacher-command 'sh teacher.sh' -f frames -o kept
expect label_confidences 0 '^7 0.25 0.5 0.5 1 0.5$' cat kept/a.txt
expect label_standard_input 0 '^1 frame, ' \
    sh -c "\"$RETORT\" label --teacher-command 'sh teacher.sh' --frames - --out piped <frames/a.pgm"
check label_of_a_stream test -s 'piped/standard input-000000.txt'
expect label_command_fails 3 'exit status 7' "$RETORT" label --teacher-command 'sh teacher.sh b.pgm' -f frames -o out
expect label_bad_json 3 'b.pgm: line 1' "$RETORT" label --teacher-command 'sh teacher.sh none b.pgm' -f frames -o out
expect label_too_slow 3 'no answer in time' \
    "$RETORT" label --timeout 0.3 --teacher-command 'sh teacher.sh none none b.pgm' -f frames -o out
head -c 12 frames/a.pgm >frames/0.pgm
expect label_broken_frame 3 '1 of 3 frames' "$RETORT" label --teacher-command 'sh teacher.sh' -f frames -o broken
check label_goes_on test -s broken/b.txt
rm frames/0.pgm

"$RETORT" world -q --seed 8 --frames 1 --hours 13-14 --size 320x192 --out camera
expect label_detector 0 '^1 frame, 3 labels, 0 frames without an object$' \
    "$RETORT" label -T "$weights" --size 320 --classes 2,3,5,7 --merge-first -o real camera/images
# The three vehicles of the truth, each found once, and off by less than a twelfth of the picture in all.
vehicles_are_found() {
    awk 'FNR == NR { if ($1 > 1) for (i = 2; i < 6; i++) box[FNR, i] = $i; next }
    { for (row = 1; row < 5; row++) {
        apart = 0
        for (i = 2; i < 6; i++) if ((row, i) in box) apart += ($i - box[row, i]) ^ 2; else apart++
        if (apart < 0.08 ^ 2) found[row]++
    } }
    END { exit !(found[1] == 1 && found[2] == 1 && found[4] == 1) }' camera/labels/000000.txt "$1/000000.txt"
}
check labels_are_the_vehicles vehicles_are_found real
for views in 2 4; do
    expect label_views_$views 0 '^1 frame, [34] labels' \
        "$RETORT" label -T "$weights" --size 320 --views=$views --classes 2,3,5,7 -o views$views camera/images
    check labels_of_views_are_the_vehicles_$views vehicles_are_found views$views
done
expect label_views_rerun 0 ' 0 different$' elsewhere "$RETORT" rerun --threads 3 views4/manifest.json
expect label_views_are_1_2_or_4 2 'views: expected one of 1, 2, 4, found "3"' \
    "$RETORT" label -T "$weights" --views 3 -o none camera/images
expect label_detector_class 2 'from 0 to 7, found 99' "$RETORT" label -T "$weights" --classes 99 -o real -f frames
expect embed_detector 0 '^2 frames, 128 dimensions$' "$RETORT" embed -m "$weights" -f frames -o e.npy -n names.jsonl
expect embed_names 0 '^{"row":1,"file":"frames/b.pgm"}$' cat names.jsonl
check embed_file test "$(wc -c <e.npy)" -eq $((2 * 128 * 4 + 128))
check embed_threads "$RETORT" embed -t 3 -m "$weights" -f frames -o three.npy
check embed_of_any_threads cmp e.npy three.npy

shared=${RETORT_SHARED:-$here/../../../shared}
case $shared in /*) ;; *) shared=$here/../../$shared ;; esac
weights=$shared/weights/yolo11n-coco.safetensors
photograph=$shared/data/coco128/images/000000000009.jpg
if [ ! -e "$weights" ] || [ ! -e "$photograph" ]; then
    skipped label_real "weights/yolo11n-coco.safetensors or data/coco128 is absent"
    finish
fi
expect label_real 0 '^1 frame, 2 labels' "$RETORT" label -T "$weights" --classes 50 -o photograph "$photograph"
finish

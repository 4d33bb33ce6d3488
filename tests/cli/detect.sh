# retort detect, quantize and eval: refusals on files made here, results on a drawn frame with the project's own
# student, exact figures on the real weights where they are there.
. "$(dirname "$0")/check"

expect detect_help 0 '^Usage: retort detect ' "$RETORT" detect --help
expect detect_needs_a_model 2 'model' "$RETORT" detect picture.jpg
expect detect_wrong_flag 2 'did you mean --confidence' "$RETORT" detect --confidance 0.5 picture.jpg
expect detect_confidence_range 2 'confidence' "$RETORT" detect --model x --confidence 1.5 picture.jpg
expect detect_size_step 2 'multiple of 32, found 100' "$RETORT" detect --model x --size 100 picture.jpg
expect detect_plan_name 2 'fast' "$RETORT" detect --model x --plan direct picture.jpg
expect detect_missing_model 3 'cannot open nowhere.pt' "$RETORT" detect --model nowhere.pt picture.jpg
: >empty.safetensors
expect detect_empty_model 3 'empty.safetensors' "$RETORT" detect --model empty.safetensors picture.jpg
expect eval_help 0 '^Usage: retort eval ' "$RETORT" eval --help
expect eval_needs_data 2 'data' "$RETORT" eval --model x
expect eval_missing_data 3 'nowhere' "$RETORT" eval --model x --data nowhere
mkdir -p bare/images bare/labels
expect eval_empty_data 3 'bare/images: expected pictures' "$RETORT" eval --model x --data bare
score() { "$RETORT" eval -m empty.safetensors -d bare "$@"; }
expect eval_line_and_rectangles 2 'ignore-above .* --rectangular contradicts' score --ignore-above 10 --rectangular
expect eval_line_and_batch 2 'batch needs --rectangular' score --ignore-above 10 --batch 4
expect eval_line_and_matching 2 'ignore-above matches as --metric 2024' score --ignore-above 10 --metric present

if ! has_json; then
    skipped detect_pictures "this build has no JSON reader"
    finish
fi
weights=$here/../../weights/pico.safetensors
"$RETORT" world -q --seed 7 --hours 8-12 --frames 3 --out day >output 2>&1
if grep -q 'no .* library' output; then
    skipped detect_pictures "this build has no JPEG library"
    finish
fi
picture=$work/day/images/000002.jpg
"$RETORT" embed -q -m "$weights" -o usual.npy -f "$picture"
"$RETORT" embed -q -m "$weights" -o fast.npy -f "$picture" --plan fast
"$RETORT" embed -q -m "$weights" -o exact.npy -f "$picture" --plan exact
check plan_fast_is_the_default cmp usual.npy fast.npy
check plan_reaches_the_network sh -c '! cmp -s fast.npy exact.npy'
expect detect_needs_pictures 2 'expected --frames or pictures' "$RETORT" detect -m "$weights"
expect detect_lines 0 '^/.*/000002.jpg: car 0\.[0-9]*  [0-9.]* [0-9.]* [0-9.]* [0-9.]*$' \
    "$RETORT" detect -m "$weights" "$picture"
expect detect_classes 0 '^/.*/000002.jpg' "$RETORT" detect -m "$weights" --classes 5 "$picture"
cp output lines
check detect_classes_only sh -c '! grep car lines'
expect detect_class_range 2 'from 0 to 7, found 8' "$RETORT" detect -m "$weights" --classes 8 "$picture"
expect detect_confidence 0 'nothing' "$RETORT" detect -m "$weights" -c 0.999 "$picture"
expect detect_most 0 ', 1 object$' "$RETORT" detect -m "$weights" -c 0.01 --max-detections 1 "$picture"
expect detect_missing_picture 3 'cannot open nowhere.jpg' "$RETORT" detect -m "$weights" nowhere.jpg
mkdir folder
expect detect_empty_folder 3 'folder' "$RETORT" detect -m "$weights" --frames folder
expect detect_no_manifest_of_nothing 3 'nowhere.jpg' "$RETORT" detect -m "$weights" --labels out nowhere.jpg

cp "$picture" folder/b.jpg
head -c 9000 "$picture" >folder/a.jpg
expect detect_truncated_is_reported 3 'folder/a.jpg' "$RETORT" detect -m "$weights" --frames folder
cp output lines
check detect_goes_on_after_it grep -q '^folder/b.jpg: car' lines
check detect_counts_them grep -q '1 of 2 frames or files could not be read' lines
rm folder/a.jpg

expect quantize 0 '^[0-9]* layers as integers, calibrated on 1 frames$' \
    "$RETORT" quantize -m "$weights" -f folder -o int8.safetensors --compare 0
check quantize_by_another_plan "$RETORT" quantize -m "$weights" -f folder -o exact.safetensors --compare 0 --plan exact
check its_ranges_are_other_ones sh -c '! cmp int8.safetensors exact.safetensors'
expect quantized_info 0 '^  I8   model.0.conv.weight \[8 3 3 3\]$' "$RETORT" info int8.safetensors
expect quantized_detects 0 ': car 0\.[0-9]*' "$RETORT" detect -m int8.safetensors "$picture"
expect quantized_plan 0 ' int8 ' "$RETORT" info --plan int8.safetensors
expect quantized_twice 3 'quantised already' "$RETORT" quantize -m int8.safetensors -f folder -o twice.safetensors
expect quantize_unknown_layer 2 'model.99' "$RETORT" quantize -m "$weights" -f folder -o x.safetensors --keep model.99
expect quantize_drop_needs_test 2 'needs --test' \
    "$RETORT" quantize -m "$weights" -f folder -o x.safetensors --max-drop 0.1
check quantize_wrote_nothing test ! -e x.safetensors

check detect_saves "$RETORT" detect -m "$weights" -f folder --labels out --save-images seen
check detect_label_file grep -q '^2 0\.[0-9]* 0\.[0-9]* 0\.[0-9]* 0\.[0-9]*$' out/b.txt
check detect_picture test -s seen/b.jpg
# Ranges of a black picture cut everything off that is not dark.
mkdir -p black own/images own/labels
{ printf 'P6 640 360 255\n' && head -c 691200 /dev/zero; } >black/a.ppm
cp "$picture" own/images/b.jpg
cp out/b.txt own/labels/b.txt
expect quantize_drop_is_a_check 1 'by more than 0.01; nothing was written' \
    "$RETORT" quantize -m "$weights" -f black -o x.safetensors --compare 0 --test own --max-drop 0.01
check quantize_drop_wrote_nothing test ! -e x.safetensors
expect detect_manifest 0 ' 0 different$' "$RETORT" verify out/manifest.json
"$RETORT" detect -q --json -t 1 -m "$weights" -f folder "$picture" >one.jsonl 2>output
"$RETORT" detect -q --json -t 3 -m "$weights" -f folder "$picture" >three.jsonl 2>output
check detect_json_of_any_threads cmp one.jsonl three.jsonl
check detect_json_lines test "$(wc -l <one.jsonl)" -eq 2
form='^{"file":"folder/b.jpg","width":640,"height":360,"detections":\[{"class_id":2,"class":"car","confidence":0\.'
expect detect_json_form 0 "$form" cat one.jsonl
expect detect_standard_input 0 '^standard input#0: car' sh -c "\"$RETORT\" detect -m '$weights' -f - <'$picture'"
"$RETORT" detect -q -m "$weights" "$picture" >/dev/full 2>output
check detect_full_output test $? -eq 4

mkdir -p set/images set/labels
cp "$picture" set/images/1.jpg
cp day/labels/000002.txt set/labels/1.txt
expect eval_table 0 "^all  *$(wc -l <set/labels/1.txt) " "$RETORT" eval -q -m "$weights" -d set
expect eval_json 0 '"map50": 0\.[0-9]*,$' "$RETORT" eval -q --json --coco -m "$weights" -d set
cp output figures
check eval_json_classes grep -q '"class": "car"' figures
check eval_json_coco grep -q '"AP75": ' figures
expect eval_merged 0 '"class": "vehicle"' "$RETORT" eval -q --json --label-classes 2,5 --vehicle-classes 2,5 \
    -m "$weights" -d set
expect eval_rectangular 0 '^all ' "$RETORT" eval -q --rectangular -m "$weights" -d set
expect eval_above_everything 3 'no label of these classes' "$RETORT" eval -q --ignore-above 360 -m "$weights" -d set
echo '0 0.5 0.5 0.2' >set/labels/1.txt
expect eval_bad_label 3 'set/labels/1.txt:1' "$RETORT" eval -q -m "$weights" -d set

shared=${RETORT_SHARED:-$here/../../../shared}
case $shared in /*) ;; *) shared=$here/../../$shared ;; esac
weights=$shared/weights/yolo11n-coco.safetensors picture=$shared/data/coco128/images/000000000009.jpg
if [ ! -e "$weights" ] || [ ! -e "$picture" ]; then
    skipped detect_real "weights/yolo11n-coco.safetensors or data/coco128 is absent"
    finish
fi
bowl='^/.*/000000000009.jpg: bowl 0.943  308.3 0.6 630.2 240.5$'
expect real_exact 0 "$bowl" "$RETORT" detect -m "$weights" --plan exact "$picture"
expect real_fast 0 "$bowl" "$RETORT" detect -m "$weights" "$picture"
expect real_class 0 '^/.*: broccoli 0.854' "$RETORT" detect -m "$weights" --classes 50 "$picture"
check real_labels "$RETORT" detect -q -m "$weights" --labels real "$picture"
check real_label_file grep -q '^45 0.73[0-9]* 0.25[0-9]* 0.50[0-9]* 0.49[0-9]*$' real/000000000009.txt
check real_quantize "$RETORT" quantize -q -m "$weights" -f "$picture" -o real.safetensors --compare 0
expect real_quantized 0 ': bowl 0.9[0-9]*  30[0-9]' "$RETORT" detect -m real.safetensors "$picture"
finish

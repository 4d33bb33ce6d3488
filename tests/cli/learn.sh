# retort train and distill from end to end on pictures of a few pixels: sets that score the epochs.
. "$(dirname "$0")/check"
if ! has_json; then
    skipped learn "this build has no JSON reader"
    finish
fi
weights=$here/../../weights/pico.safetensors

# picture FILE N: 64 x 48, grey, with a bright square that moves with N; its label beside it where labels/ is.
picture() {
    mkdir -p "$1/images" "$1/labels"
    row=$((16 + $2))
    {
        printf 'P5 64 48 255\n'
        head -c $((64 * row)) /dev/zero | tr '\0' '\100'
        i=0
        while [ $i -lt 16 ]; do
            head -c $((4 * $2)) /dev/zero | tr '\0' '\100'
            head -c 16 /dev/zero | tr '\0' '\350'
            head -c $((48 - 4 * $2)) /dev/zero | tr '\0' '\100'
            i=$((i + 1))
        done
        head -c $((64 * (32 - row))) /dev/zero | tr '\0' '\100'
    } >"$1/images/$2.pgm"
    awk -v n="$2" 'BEGIN { printf "0 %.6f %.6f 0.25 0.333333\n", (4 * n + 8) / 64, (16 + n + 8) / 48 }' >"$1/labels/$2.txt"
}
# ---- info --plan ----
expect plan_lists_nodes 0 '^0 .*model\.0 .*conv 3x3/2 3->8 at 32x32' "$RETORT" info --plan --size 64 "$weights"
expect plan_tells_memory 0 '^steady memory [0-9]* bytes, of them packed weights [0-9]*' "$RETORT" info -p --size 64 "$weights"
expect plan_for_training 0 '^without sharing: .* kept for backward [1-9][0-9]*, gradients [1-9]' \
    "$RETORT" info --plan --size 64 --train --batch 2 "$weights"
expect plan_as_json 0 '"learner_bytes":[1-9].*"layer":"model.23.cv3.2.2"' "$RETORT" info -p --train --size 64 -j "$weights"
expect plan_allocates_nothing 0 '^steady memory [0-9]\{12,\} bytes' "$RETORT" info -p --train --size 2048 --batch 500 "$weights"
expect plan_of_no_network 3 'bad.safetensors' sh -c 'head -c 900 "$1" >bad.safetensors && "$0" info -p bad.safetensors' "$RETORT" "$weights"
expect plan_is_exact 0 'plan exact' "$RETORT" info -p --size 64 --exact "$weights"
expect plan_is_of_version_0_1 0 'plan fast-0.1' "$RETORT" info -p --size 64 --fast-0.1 "$weights"
expect plan_is_one 2 'either --exact or --fast-0.1' "$RETORT" info -p --exact --fast-0.1 "$weights"
expect plan_of_version_0_1_needs_a_plan 2 'go with --plan' "$RETORT" info --fast-0.1 "$weights"
expect training_needs_a_plan 2 'go with --plan' "$RETORT" info --train "$weights"

for n in 0 1 2 3 4 5; do picture set $n; done
picture val 7
picture old 8
mkdir -p none/images none/labels
cp old/images/8.pgm none/images

# ---- what was found, in COCO's format ----
check coco_of_detect "$RETORT" detect -q -m "$weights" -c 1e-9 --size 64 --coco-results found.json set/images/3.pgm
check coco_of_eval "$RETORT" eval -q -m "$weights" -d set --size 64 --confidence 1e-9 --coco-results scored.json
check coco_is_an_array grep -q '^\[{"image_id":3,"category_id":[0-9]*,"bbox":\[[0-9.,e-]*\],"score":[0-9.e-]*}' found.json
check coco_of_all_pictures test "$(grep -o '"image_id":[0-9]*' scored.json | sort -u | wc -l)" -eq 6
expect coco_and_a_bad_picture 3 'nowhere' "$RETORT" eval -q -m "$weights" -d nowhere --coco-results none.json
check coco_of_nothing test ! -e none.json

train() { "$RETORT" train -q -m "$weights" -d set --label-classes 0 --size 64 --epochs 2 --batch 4 "$@"; }
printf "path: .\ntrain: set/images\nval: val/images\nnc: 1\nnames: [thing]\n" >data.yaml
check trains_with_a_guard_set train --out run --val val --guard old --guard-loss 1
check log_has_both_scores test "$(grep -c '"score":[0-9].*"guard":[0-9]' run/train.jsonl)" -eq 2
check manifest_has_both_sets test "$(grep -c '"role": "--\(val\|guard\)"' run/manifest.json)" -eq 2
check best_weights_are_kept test -e run/best.safetensors
expect guard_is_printed 0 '^guard set: mAP50-95 [0-9.]* -> [0-9.]*$' train --out plain --guard old
expect guard_is_printed_as_json 0 '"guard_before":[0-9.]*,"guard_after":[0-9]' train --out json --guard old --json
expect unlabelled_guard 3 'none: no label of these classes' train --out bad --guard none
expect unlabelled_val 3 'none: no label of these classes' train --out bad --val none
expect loss_needs_a_guard 2 'guard-loss needs --guard' train --out bad --guard-loss 0.1
cp -r run again
expect earlier_run_is_not_mixed_in 2 'checkpoint.safetensors: is of an earlier run; .*--resume' train --out again
picture again_val 6
expect other_validation_is_another_run 3 'other options, data or start weights' \
    train --out again --val again_val --guard old --guard-loss 1 --resume
expect labels_need_merging_for_a_start 2 'label-classes merges them' \
    "$RETORT" train -q -m "$weights" -d data.yaml --size 64 --epochs 1 --out bad --guard old --guard-loss 0.1

# ---- distill: presets ----
distill() { "$RETORT" distill -q -m "$weights" --teacher-labels set/labels --frames set/images --epochs 1 --size 64 "$@"; }
expect preset_wants_its_embedder 2 'give its weights as --embedder' distill --preset paper --out bad
expect unknown_preset 2 'one of none, paper, as_coded, field, fixed' distill --preset best --out bad
check preset_with_options distill --gamma 2 --preset paper --embedder detector --val-frames 2 --select all --budget 2 --out preset
for value in '"preset": "paper"' '"gamma": 2' '"val": "extra"' '"val-frames": 2' '"head": "rebuild"' \
    '"warmup-floor": 100' '"ship": "always"' '"vehicle-classes": \[1, 2, 3, 5, 7\]' '"alpha": 0.1'; do
    check "preset_writes $value" grep -q -e "$value" preset/manifest.json
done
check preset_of_a_fixed_view distill --preset fixed --augment-flip 0.5 --val none --ship always --select all --budget 2 --out fixed
for value in '"mosaic": 0,' '"augment-scale": 0.1' '"augment-flip": 0.5' '"soft-labels": true'; do
    check "fixed_preset_writes $value" grep -q -e "$value" fixed/manifest.json
done
check preset_writes_the_plan grep -q '^  "plan": "[a-z]*",$' preset/manifest.json
check extra_frames_are_labelled test -s preset/validation/labels/000005.txt
# Another instruction set and number of threads give the same bytes.
expect rerun_of_a_preset 0 ' 0 different' elsewhere "$RETORT" rerun -q --threads 3 preset/manifest.json
expect earlier_distillation_is_not_mixed_in 2 'preset/set: is of an earlier run; .*--resume' \
    distill --select all --budget 3 --val none --out preset
echo stale >preset/set/images/000099.jpg
echo mine >preset/set/images/notes.txt
check resumed distill --gamma 2 --preset paper --embedder detector --val-frames 2 --select all --budget 2 --out preset --resume
check resume_clears_stale_frames test ! -e preset/set/images/000099.jpg
check resume_leaves_other_files test -e preset/set/images/notes.txt

expect test_frames_score_both_ways 0 '^as coded (confidence above 0.4, any class): student before [0-9.]*$' \
    distill --select all --budget 2 --val none --test old --out scored
expect test_frames_score_one_way 0 '^mAP50-95 [0-9.]* -> [0-9.]*, mAP50 [0-9.]* -> [0-9.]* on 1 test frame$' \
    distill --select all --budget 2 --val none --test old --fair-only --out fair

expect effort_is_told 0 '^1 epoch, 1 iteration, 1 optimiser step$' distill --select n_first --aggregate mean --merge-first \
    --filter moderate --moderate rank --center median --max-cosine 0.9 --entropy-aggregate max --budget 2 --val none --out options
for value in '"aggregate": "mean"' '"moderate": "rank"' '"center": "median"' '"merge-first": true' '"select": "n-first"'; do
    check "options_are_kept $value" grep -q -e "$value" options/manifest.json
done
expect empty_frames_do_not_count 3 'the warm-up alone takes 2' distill --warmup 2 --out none
expect empty_frames_count 3 'none of 6 frames was selected' distill --warmup 2 --empty-is-zero --out none
expect effort_is_told_as_json 0 '"epochs":1,"iterations":1,"steps":1,' \
    distill --select all --budget 2 --val none --json --out told
expect share_is_told_as_json 0 '"selected":3,"selected_share":0.5,' \
    distill --select all --budget 3 --val none --json --out shared

# Stopped as soon as the training has begun, a rerun goes on in its folder.
# It has more to do where it was over before.
for epochs in 12 48 192; do
    rm -rf long rerun
    distill --select all --budget 4 --val none --filter random --epochs $epochs --checkpoint-every 1 --out long >output 2>&1
    "$RETORT" rerun -q --out rerun long/manifest.json >said 2>&1 &
    process=$!
    while kill -0 $process 2>/dev/null && ! [ -e rerun/1-long/train/checkpoint.safetensors ]; do sleep 0.02; done
    kill -INT $process 2>/dev/null
    wait $process
    status=$?
    [ $status -ne 0 ] && break
done
check rerun_is_interrupted test $status -eq 130
check interrupted_rerun_says_how grep -q "retort rerun --resume --out rerun long/manifest.json" said
expect rerun_goes_on 0 ' 0 different' elsewhere "$RETORT" rerun -q --threads 3 --resume --out rerun long/manifest.json
# What the default does: a student that is not better stays in its folder, a broken frame is passed over; in both
# cases all the rest is there, and a rerun finds it again.
cp -r set broken
echo nothing >broken/images/2.pgm
many() {
    "$RETORT" distill -q -m "$weights" --teacher-labels set/labels --frames broken/images --epochs 1 --size 64 \
        --select all --budget 3 "$@"
}
expect broken_frame_is_named 3 '1 of [0-9]* frames could not be read.*2.pgm' many --val none --out passed
check broken_frame_is_in_the_ledger grep -q '"reason": *"unreadable"' passed/selection.jsonl
check result_is_there test -s passed/weights.safetensors
expect rerun_passes_it_over_too 0 ' 0 different' "$RETORT" rerun -q passed/manifest.json
expect not_better_is_withheld 1 'not better on the validation\|nobody knows' \
    many --val extra --val-frames 2 --optimizer sgd --rate 1e-9 --bias-rate 0 --frozen-norm --out worse
check withheld_weights test ! -e worse/weights.safetensors
check withheld_has_its_manifest test -s worse/manifest.json
expect rerun_withholds_it_too 0 ' 0 different' "$RETORT" rerun -q worse/manifest.json

expect resume_needs_the_folder 2 'resume needs --out' "$RETORT" rerun --resume long/manifest.json
finish

# retort profile: mistakes, and the three forms of its answer.
. "$(dirname "$0")/check"

expect needs_a_model 2 'model' "$RETORT" profile
expect size_step 2 'multiple of 32, found 100' "$RETORT" profile --model x --size 100
expect missing_model 3 'cannot open nowhere.pt' "$RETORT" profile --model nowhere.pt
if ! has_json; then
    skipped profile_of_a_network "this build has no JSON reader"
    finish
fi
weights=$here/../../weights/pico.safetensors
run() { "$RETORT" profile -q -m "$weights" --size 64 --rounds 2 "$@"; }
expect table 0 '^model.0  *conv 3x3/2 3->8 at 32x32 *patches' run --trace trace.json
expect overhead_is_told 0 '^watching costs ' run
expect trace 0 '^{"displayTimeUnit":"ms","traceEvents":\[{' cat trace.json
expect json 0 '^  "kind": "training step",' run --json --train --batch 2
expect trace_needs_its_folder 3 'cannot write nowhere/trace.json' run --trace nowhere/trace.json
finish

# --memory-limit: what does not fit says how much it needs, before it starts.
. "$(dirname "$0")/check"

expect form 2 'memory-limit: expected bytes, like 512M, in \[1M, 1048576G\], found "12X"' \
    "$RETORT" detect --model x --memory-limit 12X picture.jpg
expect range 2 'memory-limit: expected bytes' "$RETORT" eval --model x --data y --memory-limit 1000
expect overflow 2 'memory-limit: expected bytes' "$RETORT" eval --model x --data y --memory-limit 9223372036854775807G
if ! has_json; then
    skipped memory_of_a_network "this build has no JSON reader"
    finish
fi
weights=$here/../../weights/pico.safetensors
mkdir -p set/images set/labels
{ printf 'P6\n64 64\n255\n'; head -c 12288 /dev/zero; } >set/images/1.ppm
echo '0 0.5 0.5 0.5 0.5' >set/labels/1.txt
expect detect_says_what_it_needs 4 'the network needs [0-9.]* MiB for 1 picture of 640x640, the limit is 2.0$' \
    "$RETORT" detect -m "$weights" --memory-limit 2M set/images/1.ppm
expect detect_fits 0 'nothing' "$RETORT" detect -m "$weights" --memory-limit 1G set/images/1.ppm
expect eval_says_it 4 'the network needs ' "$RETORT" eval -m "$weights" -d set --memory-limit 2097152
expect train_says_it 4 'training needs [0-9.]* MiB: [0-9.]* for 1 picture of 640x640, [0-9.]* for weights' \
    "$RETORT" train -m "$weights" -d set -o run --memory-limit 20M
expect distill_says_it 4 'training needs ' "$RETORT" distill -m "$weights" -f set/images -o run2 --budget 4 \
    --teacher-labels set/labels --memory-limit 20M
check nothing_was_watched test ! -e run2/selection.jsonl
finish

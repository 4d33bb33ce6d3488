#!/bin/sh
# Draws a camera that nobody trained on, distils the small student of weights/ for it, and shows what it gained.
#   tools/demo.sh [--quick] [CAMERA]      every number is another camera of `retort world`; 7 when not given
# Uses $RETORT (build/retort), $WEIGHTS (weights), $THREADS (0: all CPUs), $SIZE (320: side of the student's picture),
# $FRAMES (1200: of the stream), $BUDGET (32: frames that are uploaded), $GAMMA (8: candidates for each). Everything goes
# to run/demo; the frames that are scored are others than those of the stream. --quick: tiny, to see whether all runs.
# Without the student's weights it is demo_expressway.sh with the same arguments.
# Exit status: that of retort; 3 when files are missing.
set -e
weights=${WEIGHTS:-weights}
student=$weights/pico.safetensors
if [ ! -e "$student" ]; then exec "$(dirname "$0")/demo_expressway.sh" "$@"; fi
picture=640x360 size=${SIZE:-320} stream=${FRAMES:-1200} scored=160
choice="--warmup 120 --budget ${BUDGET:-32} --gamma ${GAMMA:-8} --at-end relax"
training="--preset fixed"
if [ "${1:-}" = --quick ]; then
    shift
    picture=160x96 size=96 stream=12 scored=3 choice="--select all --budget 4" training="--epochs 1"
fi
seed=${1:-7}
retort=${RETORT:-build/retort}
threads=${THREADS:-0}
run=run/demo

rm -rf "$run"
mkdir -p "$run"
began=$(date +%s)

echo "drawing a day of camera $seed ..."
world() {
    "$retort" world --quiet --threads "$threads" --seed "$seed" --size $picture "$@" >/dev/null
}
world --frames $stream --fps 2 --hours 6-22 --out $run/camera
world --frames $scored --fps 0.01 --hours 6:30-22:30 --out $run/scored

teacher="--teacher-labels $run/camera/labels"
if [ -e "$weights/teacher.safetensors" ]; then teacher="--teacher $weights/teacher.safetensors --teacher-size 512"; fi
if [ -e "$weights/embedder.safetensors" ]; then choice="$choice --embedder $weights/embedder.safetensors"; fi
# shellcheck disable=SC2086
"$retort" distill --student "$student" $teacher --vehicle-classes 2,3,5,7 --label-classes 2,3,5,7 \
    --frames $run/camera/images --test $run/scored $choice $training --size $size --fair-only --val none \
    --threads "$threads" --out $run/distilled --json >$run/result.json
took=$(($(date +%s) - began))

# score NAME: mAP50-95 of a network, empty without it. count NAME: a number.
score() { sed -n "s/.*\"$1\":{\"map50\":[^,]*,\"map50_95\":\([^,]*\),.*/\1/p" $run/result.json; }
count() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" $run/result.json; }
row() { if [ -n "$2" ]; then printf '%-16s %.3f\n' "$1" "$2"; fi; }
printf '\nmAP50-95 of vehicles in %s other frames of this camera:\n' $scored
row "student before" "$(score before)"
row teacher "$(score teacher)"
row "student after" "$(score after)"
echo "$(count selected) of $(count frames) frames uploaded, $took seconds in all"
echo "what was chosen and why, before and after: $run/distilled/report.html"

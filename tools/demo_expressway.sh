#!/bin/sh
# Distils YOLO11n for one expressway camera and shows the score before and after.
#   tools/demo_expressway.sh [--dry-run] [--quick] [CAMERA]        CAMERA: 8706 (default), 2703, 3704, 8701
# Uses $RETORT (build/retort) and the test data below $RETORT_SHARED (../shared). Every third frame is kept for
# scoring; the labels that people drew stand in for the teacher. Results go to run/expressway-CAMERA. --dry-run prints
# the command; --quick: 4 frames, one epoch, small pictures. Exit status: that of retort; 3 when files are missing.
dry=
work="--budget 32 --epochs ${EPOCHS:-20}"
if [ "${1:-}" = --dry-run ]; then dry=echo && shift; fi
if [ "${1:-}" = --quick ]; then work="--budget 4 --epochs 1 --size 96" && shift; fi
camera=${1:-8706}
retort=${RETORT:-build/retort}
shared=${RETORT_SHARED:-../shared}
student=$shared/weights/yolo11n-coco.safetensors
frames=$shared/data/expressway/cam$camera
table=$shared/data/expressway/cameras.csv

for need in "$student" "$frames/images" "$frames/labels" "$table"; do
    if [ ! -e "$need" ]; then
        echo "demo_expressway: please give $student (YOLO11n weights), $frames/images and labels (frames with YOLO labels)" \
            "and $table; $need is absent" >&2
        exit 3
    fi
done

# Labels are complete only below this line of the picture; what lies above is not scored.
horizon=$(awk -F, -v camera="$camera" '
    NR == 1 { for (i = 1; i <= NF; i++) if ($i == "p5_box_top_y_px") column = i }
    NR > 1 && $1 == camera { print $column }' "$table")
if [ -z "$horizon" ]; then
    echo "demo_expressway: $table: expected a line for camera $camera with p5_box_top_y_px" >&2
    exit 3
fi

run=run/expressway-$camera
data=$run/data
rm -rf "$run"
mkdir -p "$data/pool/images" "$data/pool/labels" "$data/test/images" "$data/test/labels" || exit 4
source=$(cd "$frames" && pwd)
index=0
for image in "$source"/images/*; do
    name=$(basename "$image")
    part=pool
    if [ $((index % 3)) -eq 0 ]; then part=test; fi
    index=$((index + 1))
    ln -s "$image" "$data/$part/images/$name" || exit 4
    label=$source/labels/${name%.*}.txt
    if [ -e "$label" ]; then ln -s "$label" "$data/$part/labels/" || exit 4; fi
done

# shellcheck disable=SC2086
$dry "$retort" distill --student "$student" --teacher-labels "$data/pool/labels" --frames "$data/pool/images" \
    --test "$data/test" --val none --label-classes 0,1,2,4 --ignore-above "$horizon" --select all --filter random \
    $work --out "$run"

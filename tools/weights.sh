#!/bin/sh
# Trains the weights of weights/ from nothing: frames of cameras that do not exist, then each network.
#   tools/weights.sh [--quick] [pico] [n] [teacher]             without names: all
# Everything is made below $WEIGHTS_RUN (run/weights); a second call goes on where the first was ended. Finished
# weights go to $WEIGHTS_OUT (weights), each with manifests and curves of its training. $THREADS, $RETORT (build/retort).
# --quick: a few tiny pictures and steps below run/weights-quick; the same bits everywhere, and of no other use.
# Exit status: that of retort.
set -e
quick=
if [ "${1:-}" = --quick ]; then quick=1 && shift; fi
retort=${RETORT:-build/retort}
run=${WEIGHTS_RUN:-run/weights${quick:+-quick}}
out=${WEIGHTS_OUT:-${quick:+$run/}weights}
threads=${THREADS:-$(nproc 2>/dev/null || echo 1)}

# Cameras. No other seed may be used here: weights/README.md says which are held out.
train_first=100001 train_cameras=768 val_first=90001 val_cameras=32 frames=6 picture=640x360
if [ "$quick" ]; then train_cameras=4 val_cameras=1 frames=3 picture=160x96; fi

# frames_of FOLDER FIRST COUNT: pictures and labels of these cameras. Those of one camera lie 200 minutes apart, and
# in other minutes than those of the next camera; 100 seconds of motion apart, all vehicles have been replaced.
frames_of() {
    folder=$run/frames/$1 seed=$2 end=$(($2 + $3))
    mkdir -p "$folder/images" "$folder/labels" "$folder/made"
    while [ "$seed" -lt "$end" ]; do
        if [ ! -e "$folder/made/$seed" ]; then
            minute=$((240 + seed * 37 % 200))
            from=$((minute / 60)):$(printf %02d $((minute % 60)))
            to=$((minute / 60 + 20)):$(printf %02d $((minute % 60)))
            rm -rf "$folder/part"
            "$retort" world --quiet --threads "$threads" --seed "$seed" --frames "$frames" --fps 0.01 --hours "$from-$to" \
                --size "$picture" --quality 90 --out "$folder/part"
            for kind in images labels; do
                for file in "$folder/part/$kind"/*; do mv "$file" "$folder/$kind/$seed-${file##*/}"; done
            done
            : >"$folder/made/$seed"
        fi
        seed=$((seed + 1))
    done
    rm -rf "$folder/part"
    # The first eight classes of COCO, so that its numbers hold.
    printf 'train: images\nval: images\nnames: [person, bicycle, car, motorcycle, airplane, bus, train, truck]\n' \
        >"$folder/data.yaml"
}

# train FOLDER OPTIONS...: goes on or is finished.
train() {
    folder=$run/$1
    shift
    "$retort" train --threads "$threads" --data "$run/frames/train/data.yaml" --val "$run/frames/val" --resume --patience 0 \
        --checkpoint-every 1 --out "$folder" "$@"
}

# publish NAME STAGE...: the last stage's weights in half precision, with every stage's manifest and curve.
publish() {
    name=$1
    shift
    for stage in "$@"; do
        cp "$run/$stage/manifest.json" "$out/$stage.json"
        cp "$run/$stage/train.jsonl" "$out/$stage.jsonl"
    done
    "$retort" convert --quiet --half --licence Apache-2.0 --origin "retort weights, trained on retort world" \
        "$run/$stage/weights.safetensors" "$out/$name.safetensors"
}

# Options of a training from nothing: many small steps. $1: epochs, the last fifth of which see no mosaic.
steps() {
    echo "--epochs $1 --plain-epochs $((($1 + 4) / 5)) --warmup-epochs 1 --batch 16 --nominal-batch 16 --optimizer adamw" \
        "--rate 0.001 --bias-rate 0"
}

pico() {
    # shellcheck disable=SC2046
    train pico --scale pico --size "$small" $(steps "$pico_epochs") --seed 1
    publish pico pico
}

n() {
    # shellcheck disable=SC2046
    train n --scale n --size "$small" $(steps "$n_epochs") --seed 2
    publish n n
}

# In two stages: small pictures are quick to learn from, large ones show what is far away.
teacher() {
    # shellcheck disable=SC2046
    train teacher-small --scale nplus --size "$small" $(steps "$teacher_epochs") --seed 3
    # shellcheck disable=SC2046
    train teacher --model "$run/teacher-small/weights.safetensors" --size "$large" $(steps "$large_epochs") --seed 4
    publish teacher teacher-small teacher
}

small=320 large=512 pico_epochs=50 n_epochs=24 teacher_epochs=12 large_epochs=5
if [ "$quick" ]; then small=96 large=128 pico_epochs=3 n_epochs=2 teacher_epochs=1 large_epochs=2; fi

names=${*:-pico n teacher}
for name in $names; do
    case $name in
    pico | n | teacher) ;;
    *)
        echo "weights: $name: expected pico, n or teacher" >&2
        exit 2
        ;;
    esac
done
mkdir -p "$run" "$out"
frames_of train "$train_first" "$train_cameras"
frames_of val "$val_first" "$val_cameras"
for name in $names; do $name; done

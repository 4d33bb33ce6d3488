#!/bin/sh
# Trains the weights of weights/ from nothing: frames of cameras that do not exist, then each network.
#   tools/weights.sh [--quick] [pico] [n] [teacher] [embedder]     without names: all; teacher makes n first
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
# What is in weights/ was made by version 0.1, whose plan fast has had this name since: later ones round otherwise.
plan=fast-0.1

# Cameras. No other seed may be used here: weights/README.md says which are held out.
train_first=100001 train_cameras=768 val_first=90001 val_cameras=32 frames=6 picture=640x360
day_first=110001 day_cameras=192 day_frames=40
if [ "$quick" ]; then train_cameras=4 val_cameras=1 frames=3 picture=160x96 day_cameras=3 day_frames=6; fi

# recipe SEED FRAMES: of its frames over 20 hours, beginning in another minute than those of the next camera. They are
# 100 seconds of motion apart, so that all vehicles have been replaced.
recipe() {
    minute=$((240 + $1 * 37 % 200))
    from=$((minute / 60)):$(printf %02d $((minute % 60)))
    to=$((minute / 60 + 20)):$(printf %02d $((minute % 60)))
    echo "--seed $1 --frames $2 --fps 0.01 --hours $from-$to --size $picture --quality 90"
}

# camera SEED FRAMES FOLDER
camera() {
    rm -rf "$3"
    # shellcheck disable=SC2046
    "$retort" world --quiet --threads "$threads" $(recipe "$1" "$2") --out "$3"
}

# Each camera whose frames are there has a mark that says what they were made with. made MARK SEED FRAMES: they would be
# the same now. An empty mark is of the second format, whose marks said nothing.
made() {
    [ -e "$1" ] || return 1
    if [ -s "$1" ]; then [ "$(cat "$1")" = "$format $(recipe "$2" "$3")" ]; else [ "$format" = retort-world-2 ]; fi
}
mark() { echo "$format $(recipe "$2" "$3")" >"$1"; }

# frames_of FOLDER FIRST COUNT: pictures and labels of these cameras as one data set.
frames_of() {
    folder=$run/frames/$1 seed=$2 end=$(($2 + $3))
    mkdir -p "$folder/images" "$folder/labels" "$folder/made"
    while [ "$seed" -lt "$end" ]; do
        if ! made "$folder/made/$seed" "$seed" "$frames"; then
            camera "$seed" "$frames" "$folder/part"
            for kind in images labels; do
                rm -f "$folder/$kind/$seed"-*
                for file in "$folder/part/$kind"/*; do mv "$file" "$folder/$kind/$seed-${file##*/}"; done
            done
            mark "$folder/made/$seed" "$seed" "$frames"
        fi
        seed=$((seed + 1))
    done
    rm -rf "$folder/part"
    # The first eight classes of COCO, so that its numbers hold.
    printf 'train: images\nval: images\nnames: [person, bicycle, car, motorcycle, airplane, bus, train, truck]\n' \
        >"$folder/data.yaml"
}

# days: the frames of some cameras, each with a list of them in order of time.
days() {
    folder=$run/frames/days seed=$day_first
    mkdir -p "$folder/made"
    while [ "$seed" -lt $((day_first + day_cameras)) ]; do
        if ! made "$folder/made/$seed" "$seed" "$day_frames"; then
            camera "$seed" "$day_frames" "$folder/$seed"
            for file in "$folder/$seed/images"/*; do echo "$seed/images/${file##*/}"; done >"$folder/part"
            mv "$folder/part" "$folder/$seed.txt"
            mark "$folder/made/$seed" "$seed" "$day_frames"
        fi
        seed=$((seed + 1))
    done
}

# train FOLDER OPTIONS...: goes on or is finished.
train() {
    folder=$run/$1
    shift
    "$retort" train --threads "$threads" --plan "$plan" --data "$run/frames/train/data.yaml" \
        --val "$run/frames/val/data.yaml" --resume --patience 0 --checkpoint-every 1 --out "$folder" "$@"
}

# publish NAME STAGE...: the last stage's weights in half precision, with the manifest of that conversion and every
# stage's manifest and curve.
publish() {
    name=$1
    shift
    for stage in "$@"; do
        cp "$run/$stage/manifest.json" "$out/$stage.json"
        cp "$run/$stage/train.jsonl" "$out/$stage.jsonl"
    done
    "$retort" convert --quiet --half --licence Apache-2.0 --origin "retort weights, trained on retort world" \
        --manifest "$out/$name.convert.json" "$run/$stage/weights.safetensors" "$out/$name.safetensors"
}

# Options of all trainings: many small steps. $1: epochs, the last fifth of which see no mosaic.
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

# n goes on with large pictures, which show what is far away.
teacher() {
    if [ ! -e "$run/n/weights.safetensors" ]; then n; fi
    # shellcheck disable=SC2046
    train teacher --model "$run/n/weights.safetensors" --size "$large" $(steps "$teacher_epochs") --seed 3
    publish teacher teacher
}

embedder() {
    days
    "$retort" pretrain --threads "$threads" --plan "$plan" --resume --out "$run/embedder" --size "$side" --depth "$depth" \
        --pairs "$pairs" --moments "$moments" --steps "$embedder_steps" --warmup $((embedder_steps / 20)) --seed 4 \
        "$run/frames/days"/*.txt
    publish embedder embedder
}

small=320 large=512 pico_epochs=30 n_epochs=20 teacher_epochs=6
side=112 depth=6 pairs=64 moments=8 embedder_steps=1200
if [ "$quick" ]; then
    small=96 large=128 pico_epochs=3 n_epochs=2 teacher_epochs=2
    side=28 depth=2 pairs=6 moments=2 embedder_steps=4
fi

names=${*:-pico n teacher embedder}
for name in $names; do
    case $name in
    pico | n | teacher | embedder) ;;
    *)
        echo "weights: $name: expected pico, n, teacher or embedder" >&2
        exit 2
        ;;
    esac
done
mkdir -p "$run" "$out"
# Every world says its format; a small one is made for that.
rm -rf "$run/format"
"$retort" world --quiet --frames 1 --size 64x64 --no-images --out "$run/format" >/dev/null
format=$(sed -n 's/.*"format": "\(.*\)".*/\1/p' "$run/format/world.json")
if [ "$names" != embedder ]; then
    frames_of train "$train_first" "$train_cameras"
    frames_of val "$val_first" "$val_cameras"
fi
for name in $names; do $name; done
